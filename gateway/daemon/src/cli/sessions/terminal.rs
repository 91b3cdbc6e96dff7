//! Text for a terminal: aligned, and without anything that a terminal would obey.
//!
//! Statements and rows come from agents and targets; what they contain must not move the cursor,
//! set the title or turn the writing round.

use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;

/// How many letters of a text stand in a table.
const CELL: usize = 60;

/// Prints; that nobody reads on is no error.
pub(in crate::cli) fn print(
    what: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let mut screen = io::BufWriter::new(io::stdout().lock());
    let done = what(&mut screen).and_then(|()| Ok(screen.flush()?));
    match done {
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        done => done.map(|()| ExitCode::SUCCESS),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Whether to use colour.
pub(in crate::cli) fn colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The text in a colour of the 16, where colour is used.
pub(in crate::cli) fn paint(colour: bool, code: u8, text: &str) -> String {
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// The text with all that a terminal would obey written out; lines stay lines.
pub(in crate::cli) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => plain.push('\n'),
            '\t' => plain.push_str("    "),
            letter if obeyed(letter) => plain.extend(letter.escape_unicode()),
            letter => plain.push(letter),
        }
    }
    plain
}

/// The text on one line, cut to the width of a cell.
pub(in crate::cli) fn cell(text: &str) -> String {
    let line = plain(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    match line.char_indices().nth(CELL) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// Control characters, and those that turn the writing round or are not seen.
fn obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}')
}

/// Writes rows below their heads, each column as wide as its widest cell, `indent` from the left.
pub(in crate::cli) fn table(
    screen: &mut dyn Write,
    indent: usize,
    heads: &[&str],
    rows: &[Vec<String>],
) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0).max(heads.len());
    let width = |at: usize| {
        let of = |text: Option<&str>| text.map_or(0, |text| text.chars().count());
        let cells = rows.iter().map(|row| of(row.get(at).map(String::as_str))).max();
        cells.unwrap_or(0).max(of(heads.get(at).copied()))
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(text, width)| format!("{text:<width$}"));
        let text = padded.collect::<Vec<_>>().join("  ");
        writeln!(screen, "{:indent$}{}", "", text.trim_end())
    };
    if !heads.is_empty() {
        line(&mut heads.iter().copied())?;
    }
    rows.iter().try_for_each(|row| line(&mut row.iter().map(String::as_str)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        for (input, expected) in [
            ("a\x1b[2Jb", "a\\u{1b}[2Jb"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("x\u{202e}y\u{200b}", "x\\u{202e}y\\u{200b}"),
            ("two\nlines\r", "two\nlines\\u{d}"),
            ("\u{fc}\u{4e2d}", "\u{fc}\u{4e2d}"),
        ] {
            assert_eq!(plain(input), expected);
        }
        assert_eq!(cell("a\n  b"), "a b");
        assert_eq!(cell(&"x".repeat(80)).len(), CELL + 3);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut screen = Vec::new();
        let rows = [vec!["long cell".to_owned(), "1".to_owned()], vec!["s".to_owned()]];
        table(&mut screen, 2, &["A", "B"], &rows).unwrap();
        let text = String::from_utf8(screen).unwrap();
        assert_eq!(text, "  A          B\n  long cell  1\n  s\n");
    }
}
