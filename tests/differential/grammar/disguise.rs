//! The same text with other spelling: comments, case, quotes and blanks where they mean nothing.

use super::Grammar;

impl Grammar<'_> {
    /// Spells a text otherwise, outside of its literals and quoted names.
    pub(super) fn disguise(&mut self, text: &str) -> String {
        // Dollar quotes would have to be followed to their ends.
        if text.contains('$') {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len() * 2);
        let mut quote: Option<char> = None;
        let louder = self.random.one_in(2);
        for c in text.chars() {
            match quote {
                Some(end) if c == end => {
                    quote = None;
                    out.push(c);
                }
                Some(_) => out.push(c),
                None => match c {
                    '\'' | '"' => {
                        quote = Some(c);
                        out.push(c);
                    }
                    ' ' => out.push_str(&self.blank()),
                    c if louder && c.is_ascii_lowercase() && self.random.one_in(3) => {
                        out.push(c.to_ascii_uppercase());
                    }
                    c => out.push(c),
                },
            }
        }
        let before =
            self.pick(&["", "", ";", "/* select */", "-- select 1\n", "/*+ hint */ ", ";;"]);
        let after = self.pick(&["", "", ";", " --", " /* */", ";;", "; -- \n", "/* /* */ */"]);
        format!("{before}{out}{after}")
    }

    fn blank(&mut self) -> String {
        self.pick(&[
            " ",
            " ",
            " ",
            "/**/",
            "\n",
            "\t",
            " /* ' */ ",
            " /* /* nested */ */ ",
            " --\n",
            " -- ' \r\n",
            "\u{c}",
            "/*\n*/",
            "  ",
            " /* $$ */ ",
        ])
    }
}
