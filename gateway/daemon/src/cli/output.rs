//! How commands print: tables, colours where a terminal shows them, times, and text from agents made
//! harmless.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use serde::Serialize;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400;

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// As it is.
    Plain,
    /// Headings.
    Bold,
    /// What matters less.
    Dim,
    /// Good.
    Green,
    /// Waiting.
    Yellow,
    /// Bad.
    Red,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\x1b[1m",
            Self::Dim => "\x1b[2m",
            Self::Green => "\x1b[32m",
            Self::Yellow => "\x1b[33m",
            Self::Red => "\x1b[31m",
        }
    }
}

/// Whether standard output shows colours.
pub fn has_colour() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !unwanted && !dumb && io::stdout().is_terminal()
}

/// Text in a colour, where standard output shows colours.
pub fn painted(paint: Paint, text: &str) -> String {
    if paint == Paint::Plain || !has_colour() {
        return text.to_owned();
    }
    format!("{}{text}\x1b[0m", paint.code())
}

/// A value as indented JSON.
pub fn json<T: Serialize>(value: &T) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value)
}

/// Rows under headings, in columns as wide as their widest cell; the last column is not filled up.
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<(Paint, String)>>,
}

impl Table {
    /// A table without rows.
    pub fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; its text is made harmless and put on one line.
    pub fn row(&mut self, cells: Vec<(Paint, String)>) {
        let clean = |(paint, text): (Paint, String)| (paint, one_line(&text));
        self.rows.push(cells.into_iter().map(clean).collect());
    }

    /// The table as text, with colours where wanted.
    pub fn text(&self, colour: bool) -> String {
        let mut widths: Vec<usize> =
            self.headings.iter().map(|heading| heading.chars().count()).collect();
        for row in &self.rows {
            for (width, (_, cell)) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        let headings = self.headings.iter().map(|heading| (Paint::Bold, *heading)).collect();
        line(&mut text, &widths, headings, colour);
        for row in &self.rows {
            let cells = row.iter().map(|(paint, cell)| (*paint, cell.as_str())).collect();
            line(&mut text, &widths, cells, colour);
        }
        text
    }
}

fn line(text: &mut String, widths: &[usize], cells: Vec<(Paint, &str)>, colour: bool) {
    let last = cells.len().saturating_sub(1);
    for (place, ((paint, cell), width)) in cells.into_iter().zip(widths).enumerate() {
        let coloured = colour && paint != Paint::Plain;
        let (on, off) = if coloured { (paint.code(), "\x1b[0m") } else { ("", "") };
        let gap = if place == last { 0 } else { width - cell.chars().count() + 2 };
        let _ = write!(text, "{on}{cell}{off}{:gap$}", "");
    }
    text.push('\n');
}

/// Text that an agent wrote, made harmless for a terminal: control characters, and characters that
/// hide or reorder others, are shown as escapes. Line ends and tabs stay.
pub fn visible(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '\n' || letter == '\t' || !is_tricky(letter) {
            clean.push(letter);
        } else {
            let _ = write!(clean, "\\u{{{:x}}}", u32::from(letter));
        }
    }
    clean
}

/// The same on one line.
pub fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    visible(&words)
}

/// The beginning of a text, at most `letters` long, with an ellipsis where something is missing.
pub fn cut(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        None => text.to_owned(),
        Some(_) => text.chars().take(letters.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Control characters, and those of Unicode that are invisible or change the direction of others.
fn is_tricky(letter: char) -> bool {
    letter.is_control()
        || matches!(u32::from(letter),
            0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f
            | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f
            | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

/// A time, from microseconds since the Unix epoch, as RFC 3339 in UTC.
pub fn utc(at_us: i64) -> String {
    let (micros, seconds) = (at_us.rem_euclid(SECOND), at_us.div_euclid(SECOND));
    let (second, days) = (seconds.rem_euclid(DAY), seconds.div_euclid(DAY));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Year, month and day of a count of days since 1970-01-01 (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A length of time in one or two units: `42s`, `3m 5s`, `2h 10m`, `4d 1h`.
pub fn span(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut left = seconds;
    let mut parts = Vec::new();
    for (unit, name) in units {
        if left >= unit && parts.len() < 2 {
            parts.push(format!("{}{name}", left / unit));
            left %= unit;
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        let check = |at_us, expected| assert_eq!(utc(at_us), expected);
        check(0, "1970-01-01T00:00:00.000000Z");
        check(951_827_696_000_001, "2000-02-29T12:34:56.000001Z");
        check(1_700_000_000_000_000, "2023-11-14T22:13:20.000000Z");
        check(-1, "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let check = |seconds, expected| assert_eq!(span(seconds), expected);
        check(0, "0s");
        check(42, "42s");
        check(185, "3m 5s");
        check(7_801, "2h 10m");
        check(86_405, "1d");
    }

    #[test]
    fn agents_can_not_paint_on_the_terminal() {
        let check = |text, expected: &str| assert_eq!(visible(text), expected);
        check("select 1\n\t-- ok", "select 1\n\t-- ok");
        check("a\x1b[2Jb\r\u{9b}c", "a\\u{1b}[2Jb\\u{d}\\u{9b}c");
        check("a\u{202e}b\u{200b}c\u{e0041}", "a\\u{202e}b\\u{200b}c\\u{e0041}");
        assert_eq!(one_line(" a\n\n b\x07"), "a b\\u{7}");
    }

    #[test]
    fn tables_line_up() {
        let mut table = Table::new(&["ID", "STATE", "WHAT"]);
        table.row(vec![
            (Paint::Plain, "H-1".to_owned()),
            (Paint::Yellow, "pending".to_owned()),
            (Paint::Plain, "a\nb".to_owned()),
        ]);
        assert_eq!(table.text(false), "ID   STATE    WHAT\nH-1  pending  a b\n");
        assert!(table.text(true).contains("\x1b[33mpending\x1b[0m  a b"));
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
