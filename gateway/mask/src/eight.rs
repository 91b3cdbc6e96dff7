//! Eight bytes looked at together: how long a run of digits is, without a branch for each of them.

const HIGH: u64 = 0x8080_8080_8080_8080;
const ONES: u64 = 0x0101_0101_0101_0101;

/// The high bit of each byte that is an ASCII digit.
#[inline]
pub(crate) fn digits(eight: u64) -> u64 {
    let low = eight & !HIGH;
    // No sum passes 255, so none carries into the next byte.
    let not_below = low + ONES * (0x80 - b'0' as u64);
    let above = low + ONES * (0x7f - b'9' as u64);
    not_below & !above & !eight & HIGH
}

/// How many bytes stand before the first whose high bit is set; eight if there is none.
#[inline]
pub(crate) fn first(bits: u64) -> usize {
    bits.trailing_zeros() as usize / 8
}

/// The eight bytes from `at` on, where there are as many.
#[inline]
pub(crate) fn at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|eight| u64::from_le_bytes(*eight))
}

/// How many digits stand from `start` on.
#[inline]
pub(crate) fn run_of_digits(bytes: &[u8], start: usize) -> usize {
    let mut end = start;
    while let Some(eight) = at(bytes, end) {
        let length = first(!digits(eight) & HIGH);
        end += length;
        if length < 8 {
            return end - start;
        }
    }
    let rest = bytes.get(end..).unwrap_or_default();
    end - start + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// How many of eight bytes from `start` on are digits before the first that is none.
#[inline]
pub(crate) fn few_digits(bytes: &[u8], start: usize) -> usize {
    match at(bytes, start) {
        Some(eight) => first(!digits(eight) & HIGH),
        None => run_of_digits(bytes, start).min(8),
    }
}
