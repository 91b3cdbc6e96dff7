//! Payment card numbers: 13 to 19 digits, an issuer's prefix and the Luhn check digit.

use crate::detector::{Detector, Finding, in_uuid, is_word};

/// Fewest and most digits of a card number.
pub(crate) const SHORTEST: usize = 13;
pub(crate) const LONGEST: usize = 19;

/// Finds card numbers, plain or in groups of at least three digits with one kind of separator.
pub(crate) struct Card;

impl Detector for Card {
    fn name(&self) -> &'static str {
        "card"
    }

    fn class(&self) -> &'static str {
        "pii"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if !bytes[at].is_ascii_digit() {
                at += 1;
                continue;
            }
            at = match number(bytes, at) {
                Some(end) if !in_uuid(bytes, at, end) => {
                    findings.push(Finding { start: at, end });
                    end
                }
                Some(_) | None => at + super::run(bytes, at, |b| b.is_ascii_digit()),
            };
        }
    }
}

/// The end of the longest card number whose first group begins at `start`.
fn number(bytes: &[u8], start: usize) -> Option<usize> {
    let before = |back: usize| start.checked_sub(back).map(|i| bytes[i]);
    match before(1) {
        Some(b'+') => return None,
        Some(b'.') if before(2).is_some_and(|b| b.is_ascii_digit()) => return None,
        Some(b) if is_word(b) => return None,
        Some(_) | None => {}
    }
    let mut digits = [0u8; LONGEST];
    let mut count = 0;
    let mut at = start;
    let mut separator = None;
    let mut found = None;
    loop {
        let group = super::run(bytes, at, |b| b.is_ascii_digit());
        if group == 0 || count + group > LONGEST {
            return found;
        }
        digits[count..count + group].copy_from_slice(&bytes[at..at + group]);
        count += group;
        at += group;
        if ends_number(bytes, at) && is_card(&digits[..count]) {
            found = Some(at);
        }
        let next = bytes.get(at).copied().filter(|b| matches!(b, b' ' | b'-'));
        // A group of one or two digits can only be the last: dates have such groups inside.
        if group < 3 || next.is_none() || separator.is_some_and(|s| Some(s) != next) {
            return found;
        }
        separator = next;
        at += 1;
    }
}

fn ends_number(bytes: &[u8], at: usize) -> bool {
    let decimal =
        bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(|b| b.is_ascii_digit());
    super::ends_word(bytes, at) && !decimal
}

/// Whether ASCII digits are a card number that an issuer may have given out.
pub(crate) fn is_card(digits: &[u8]) -> bool {
    (SHORTEST..=LONGEST).contains(&digits.len()) && issued(digits) && luhn(digits)
}

/// Whether the prefix belongs to a scheme that has numbers of this length.
fn issued(digits: &[u8]) -> bool {
    let prefix = digits.iter().take(4).fold(0u32, |n, d| n * 10 + u32::from(d - b'0'));
    let (two, three) = (prefix / 100, prefix / 10);
    let length = digits.len();
    match two {
        40..=49 => matches!(length, 13 | 16 | 19),
        51..=55 => length == 16,
        22..=27 if (2221..=2720).contains(&prefix) => length == 16,
        22 if (2200..=2204).contains(&prefix) => length >= 16,
        34 | 37 => length == 15,
        30 if three <= 305 || three == 309 => (14..=19).contains(&length),
        36 | 38 | 39 => (14..=19).contains(&length),
        35 if (3528..=3589).contains(&prefix) => length >= 16,
        60 if prefix == 6011 => length >= 16,
        62 => length >= 16,
        64 if three >= 644 => length >= 16,
        65 => length >= 16,
        50 | 56..=58 => matches!(prefix, 5018 | 5020 | 5038 | 5612 | 5893),
        63 | 67 => matches!(prefix, 6304 | 6390 | 6759 | 6761..=6763),
        _ => false,
    }
}

/// The Luhn check over ASCII digits.
pub(crate) fn luhn(digits: &[u8]) -> bool {
    luhn_sum(digits).is_multiple_of(10)
}

/// The Luhn sum over ASCII digits, the last of which is the check digit.
pub(crate) fn luhn_sum(digits: &[u8]) -> u32 {
    let weigh = |(place, digit): (usize, &u8)| {
        let digit = u32::from(digit - b'0');
        match (place % 2, digit) {
            (0, _) => digit,
            (_, 5..) => 2 * digit - 9,
            (_, _) => 2 * digit,
        }
    };
    digits.iter().rev().enumerate().map(weigh).sum()
}
