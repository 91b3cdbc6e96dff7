//! Telephone numbers in international form.

use crate::detector::{Detector, Finding, ends_word, is_word};

/// Fewest and most digits; shorter ones exist, but so do signed numbers that look like them.
const SHORTEST: usize = 10;
const LONGEST: usize = 15;

/// Finds E.164 numbers: a plus sign, a country's code, ten to fifteen digits.
pub(crate) struct Phone;

impl Detector for Phone {
    fn name(&self) -> &'static str {
        "phone"
    }

    fn class(&self) -> &'static str {
        "pii"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let bytes = text.as_bytes();
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find('+')) {
            let start = from + at;
            from = start + 1;
            // Sums and base 64 have a word before the sign.
            if start > 0 && (is_word(bytes[start - 1]) || matches!(bytes[start - 1], b'+' | b'/')) {
                continue;
            }
            if let Some(end) = number(bytes, start).filter(|end| ends_word(bytes, *end)) {
                findings.push(Finding { start, end });
                from = end;
            }
        }
    }
}

/// The end of a number that begins with the plus sign at `start`, whatever stands around it.
pub(crate) fn number(bytes: &[u8], start: usize) -> Option<usize> {
    let mut digits = [0u8; LONGEST];
    let mut count = 0;
    let mut end = start;
    let mut gap = 0;
    for (at, byte) in bytes.iter().enumerate().skip(start + 1) {
        match byte {
            b'0'..=b'9' if count == LONGEST => return None,
            b'0'..=b'9' => {
                digits[count] = *byte;
                count += 1;
                end = at + 1;
                gap = 0;
            }
            // `+1 (415) 555-2671` has two signs between digits.
            b' ' | b'-' | b'.' | b'(' | b')' if gap < 2 => gap += 1,
            _ => break,
        }
    }
    (count >= SHORTEST && country(&digits[..count])).then_some(end)
}

/// Whether digits begin with a country's code that is in use.
fn country(digits: &[u8]) -> bool {
    match (digits[0], digits[1]) {
        (b'1', area) => digits.len() == 11 && area >= b'2',
        (b'7', _) => digits.len() == 11,
        (b'2', second) => second != b'8',
        (b'3' | b'4' | b'5' | b'6', _) => true,
        (b'8', second) => !matches!(second, b'3' | b'9'),
        // 999 is nobody's: our own pseudonyms begin with it.
        (b'9', b'9') => digits[2] != b'9',
        (b'9', _) => true,
        _ => false,
    }
}
