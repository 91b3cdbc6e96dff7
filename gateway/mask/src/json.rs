//! Hides findings inside the strings and numbers of a JSON text, which stays valid.

use crate::Masker;
use crate::content::Hidden;
use crate::detector::aws_key::REACH;
use crate::detector::{is_word, run};
use crate::plan::{ContentRules, Counts};
use crate::replace::REDACTED;

/// What became of a JSON text.
pub(crate) enum Rewritten {
    /// Nothing was found.
    Unchanged,
    /// Something was hidden.
    Replaced(String),
    /// It has to become NULL for what was found.
    Null,
    /// It isn't JSON.
    Broken,
}

impl Masker {
    /// Hides findings in a JSON text, keys included.
    pub(crate) fn rewrite_json(
        &self,
        rules: &ContentRules,
        text: &str,
        counts: &mut Counts,
    ) -> Rewritten {
        let bytes = text.as_bytes();
        let mut walk = Walk { masker: self, rules, counts, context: String::new(), null: false };
        let mut out = String::with_capacity(text.len() + 64);
        let mut changed = false;
        let mut at = 0;
        while at < bytes.len() {
            let end = match bytes[at] {
                b'"' => match end_of_string(bytes, at) {
                    Some(end) => end,
                    None => return Rewritten::Broken,
                },
                // A word at its end belongs to it, or what is no finding would look like one.
                b'0'..=b'9' => at + run(bytes, at, |b| is_number(b) || is_word(b)),
                _ => at + run(bytes, at, |b| b != b'"' && !b.is_ascii_digit()),
            };
            let token = &text[at..end];
            let replaced = match bytes[at] {
                b'"' => match unquote(token) {
                    Some(string) => walk.string(&string),
                    None => return Rewritten::Broken,
                },
                b'0'..=b'9' => walk.number(token),
                _ => None,
            };
            changed |= replaced.is_some();
            out.push_str(replaced.as_deref().unwrap_or(token));
            at = end;
        }
        match changed {
            true if walk.null => Rewritten::Null,
            true => Rewritten::Replaced(out),
            false => Rewritten::Unchanged,
        }
    }
}

struct Walk<'a> {
    masker: &'a Masker,
    rules: &'a ContentRules,
    counts: &'a mut Counts,
    /// The strings before, for findings that a keyword in another string announces.
    context: String,
    /// Whether some finding makes the whole of it NULL.
    null: bool,
}

impl Walk<'_> {
    fn string(&mut self, string: &str) -> Option<String> {
        let mut scanned = std::mem::take(&mut self.context);
        let floor = scanned.len();
        scanned.push_str(string);
        let found = if self.masker.row_is_clean(scanned.as_bytes()) {
            None
        } else {
            let spans = self.masker.hidden(self.rules, &scanned);
            self.null |= spans.iter().any(|span| span.end > floor && span.is_null());
            self.masker.hide(&scanned, floor, &spans, self.counts)
        };
        let mut from = scanned.len().saturating_sub(REACH - 1);
        while !scanned.is_char_boundary(from) {
            from += 1;
        }
        scanned.drain(..from);
        // Which no finding can span.
        scanned.push('\n');
        self.context = scanned;
        found.map(|text| quote(&text))
    }

    fn number(&mut self, token: &str) -> Option<String> {
        let spans = self.masker.hidden(self.rules, token);
        self.null |= spans.iter().any(Hidden::is_null);
        let found = self.masker.hide(token, 0, &spans, self.counts)?;
        // A pseudonym of digits is a number; whatever else stands for it is none.
        let number = found.bytes().all(|b| b.is_ascii_digit()) && !found.starts_with('0');
        Some(if number { found } else { "0".to_owned() })
    }
}

/// A byte of a number that is none of a word.
fn is_number(byte: u8) -> bool {
    matches!(byte, b'.' | b'+' | b'-')
}

/// Where the string ends that begins with the quote at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The text of a JSON string with its quotes; a lone surrogate becomes U+FFFD.
pub(crate) fn unquote(token: &str) -> Option<String> {
    let inner = token.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = *rest.as_bytes().get(at + 1)?;
        rest = rest.get(at + 2..)?;
        match escape {
            b'"' | b'\\' | b'/' => text.push(char::from(escape)),
            b'b' => text.push('\u{8}'),
            b'f' => text.push('\u{c}'),
            b'n' => text.push('\n'),
            b'r' => text.push('\r'),
            b't' => text.push('\t'),
            b'u' => {
                let (unit, after) = code_unit(rest)?;
                rest = after;
                let low = rest.strip_prefix("\\u").and_then(code_unit);
                let pair = low.filter(|(low, _)| {
                    (0xd800..0xdc00).contains(&unit) && (0xdc00..0xe000).contains(low)
                });
                let scalar = match pair {
                    Some((low, after)) => {
                        rest = after;
                        0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
                    }
                    None => unit,
                };
                text.push(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            _ => return None,
        }
    }
    text.push_str(rest);
    Some(text)
}

fn code_unit(text: &str) -> Option<(u32, &str)> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((u32::from_str_radix(digits, 16).ok()?, &text[4..]))
}

/// A text as a JSON string.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\0'..='\x1f' => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// What stands for a JSON value that is hidden completely.
pub(crate) fn redacted() -> String {
    quote(REDACTED)
}
