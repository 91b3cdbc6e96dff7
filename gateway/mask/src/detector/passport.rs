//! The lines that machines read in passports and visas (ICAO Doc 9303, parts 3, 4 and 7).

use crate::detector::{Detector, Finding, is_word, run};

/// Fills what is not used; a name has two between its parts.
pub(crate) const MARK: &str = "<<";
/// Bytes of each of both lines, in passports (TD3) and visas of format A.
const LINE: usize = 44;

/// Finds either line: the one with the name by its shape, the other by its check digits.
pub(crate) struct Passport;

impl Detector for Passport {
    fn name(&self) -> &'static str {
        "passport_mrz"
    }

    fn class(&self) -> &'static str {
        "pii"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(sign) = text.get(at..).and_then(|rest| rest.find(MARK)) {
            let sign = at + sign;
            let end = sign + run(bytes, sign, is_drawn);
            at = end;
            let Some(start) = end.checked_sub(LINE).filter(|start| *start <= sign) else {
                continue;
            };
            let joined = |at: Option<usize>| {
                at.and_then(|at| bytes.get(at)).is_some_and(|b| is_word(*b) || *b == b'<')
            };
            if is_line(&bytes[start..end]) && !joined(start.checked_sub(1)) && !joined(Some(end)) {
                findings.push(Finding { start, end });
            }
        }
    }
}

/// Whether a line ends right after those of its bytes that follow the mark at `sign`, whatever
/// stands before it: for the prefilter.
pub(crate) fn suspect(bytes: &[u8], sign: usize) -> bool {
    let rest = &bytes[sign..bytes.len().min(sign + LINE + 1)];
    let end = sign + run(rest, 0, is_drawn);
    end.checked_sub(LINE).is_some_and(|start| start <= sign && is_line(&bytes[start..end]))
}

fn is_drawn(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'<'
}

fn is_line(line: &[u8]) -> bool {
    is_name(line) || is_number(line)
}

/// The first line: kind of document, state and name.
fn is_name(line: &[u8]) -> bool {
    let lettered = line.iter().all(|b| b.is_ascii_uppercase() || *b == b'<');
    matches!(line[0], b'P' | b'V') && lettered && line[2] != b'<' && line[5] != b'<'
}

/// The second line: number, state, days of birth and expiry with a check digit each. A passport's
/// last digit checks them all again; a visa has none there.
fn is_number(line: &[u8]) -> bool {
    let checked = |from: usize, to: usize| {
        line[to].is_ascii_digit() && check(&line[from..to]) == u32::from(line[to] - b'0')
    };
    let drawn = line.iter().all(|b| is_drawn(*b));
    let dated = line[13..19].iter().all(u8::is_ascii_digit);
    drawn
        && dated
        && b"MFX<".contains(&line[20])
        && checked(0, 9)
        && checked(13, 19)
        && checked(21, 27)
}

/// The check digit: weights 7, 3 and 1, letters from ten on.
fn check(field: &[u8]) -> u32 {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => u32::from(byte - b'A') + 10,
        _ => 0,
    };
    let weights = [7, 3, 1].into_iter().cycle();
    field.iter().zip(weights).map(|(byte, weight)| value(*byte) * weight).sum::<u32>() % 10
}
