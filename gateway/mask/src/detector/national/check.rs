//! Checksums and dates that several states' numbers share. All take ASCII digits, already told.

pub(super) use crate::detector::card::luhn;

/// The value of a digit.
pub(super) fn value(digit: u8) -> u32 {
    u32::from(digit.wrapping_sub(b'0'))
}

/// The number that digits make; none of them is longer than eighteen.
pub(super) fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |n, digit| n * 10 + u64::from(value(*digit)))
}

/// The sum of digits, each times its weight.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| value(*digit) * weight).sum()
}

/// What is missing from a weighted sum to a multiple of eleven; ten has no digit.
pub(super) fn mod11(digits: &[u8], weights: &[u32]) -> u32 {
    (11 - weighted(digits, weights) % 11) % 11
}

/// Whether a day and a month of two digits each are a date of some year.
pub(super) fn date(day: u64, month: u64) -> bool {
    let last = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=last).contains(&day)
}

/// Whether six digits are day, month and year.
pub(super) fn ddmmyy(digits: &[u8]) -> bool {
    date(number(&digits[..2]), number(&digits[2..4]))
}

/// Whether six digits are year, month and day.
pub(super) fn yymmdd(digits: &[u8]) -> bool {
    date(number(&digits[4..6]), number(&digits[2..4]))
}

/// Whether four digits read as hour and minute.
pub(super) fn hhmm(digits: &[u8]) -> bool {
    number(&digits[..2]) < 24 && number(&digits[2..4]) < 60
}

/// Whether all digits are the same: test data, which some checksums let pass.
pub(super) fn uniform(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair[0] == pair[1])
}

/// Verhoeff's check over the dihedral group D5 (J. Verhoeff, Error Detecting Decimal Codes, 1969).
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    const PERMUTED: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let multiply = |a: u8, b: u8| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b) % 5,
        (false, true) => 5 + (a - b) % 5,
        (false, false) => (5 + a - b) % 5,
    };
    let sum = digits.iter().rev().enumerate().fold(0, |sum, (place, digit)| {
        multiply(sum, PERMUTED[place % 8][usize::from(digit.wrapping_sub(b'0') % 10)])
    });
    sum == 0
}
