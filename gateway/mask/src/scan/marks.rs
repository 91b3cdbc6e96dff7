//! Where in a row numbers and signs may begin: 64 bytes looked at together.

use super::FRAMING;
use crate::detector::national::LETTERS;

/// The bytes that are looked at together.
pub(super) const BLOCK: usize = 64;
/// Letters that a number may have before its first digit where none of them is upper case: those of an
/// account number.
const SMALL_LETTERS: usize = 2;
/// How far before a number's first digit its word begins at most, framing included.
const REACH: usize = LETTERS + FRAMING + 1;
const REACH_BITS: u64 = (1 << REACH) - 1;
const SMALL_REACH: usize = SMALL_LETTERS + FRAMING + 1;

const DIGIT: u8 = 1;
const WORD: u8 = 2;
const SIGN: u8 = 4;
const UPPER: u8 = 8;

/// What is known of the bytes before a block.
pub(super) struct Marks {
    /// Bit n: of the last `REACH` bytes, the n-th is no part of a word.
    apart: u64,
    /// The last byte is a digit.
    digit: bool,
    /// There is an upper-case letter in the block before.
    upper: bool,
}

impl Marks {
    /// The beginning, before which no word stands.
    pub(super) fn new() -> Self {
        Self { apart: REACH_BITS, digit: false, upper: false }
    }

    /// Bit n: a sign stands at the block's n-th byte, or digits begin there that may be a number's
    /// first. Those deep inside a word, of which hex digits have many, are none.
    #[inline]
    pub(super) fn of(&mut self, block: &[u8; BLOCK]) -> u64 {
        let classes = classes(block);
        let (eights, _) = classes.as_chunks::<8>();
        let any = classes.iter().fold(0, |any, class| any | class);
        let upper = any & UPPER != 0 || self.upper;
        self.upper = any & UPPER != 0;
        if any & (DIGIT | SIGN) == 0 {
            let last = &eights[eights.len() - REACH.div_ceil(8)..];
            self.apart = !bits(last, WORD) >> (8 * last.len() - REACH) & REACH_BITS;
            self.digit = false;
            return 0;
        }
        let wide = u128::from(!bits(eights, WORD)) << REACH | u128::from(self.apart);
        self.apart = (wide >> BLOCK) as u64;
        let signs = if any & SIGN == 0 { 0 } else { bits(eights, SIGN) };
        if wide == 0 {
            self.digit = classes[BLOCK - 1] & DIGIT != 0;
            return signs;
        }
        let digits = bits(eights, DIGIT);
        let begin = digits & !(digits << 1 | u64::from(self.digit));
        self.digit = digits >> (BLOCK - 1) != 0;
        begin & within_reach(wide, upper) | signs
    }
}

/// Bit n: any of the bits from n to n + `REACH` - 1 is set, or of the last `SMALL_REACH` of them.
fn within_reach(wide: u128, upper: bool) -> u64 {
    let two = wide | wide >> 1;
    let four = two | two >> 2;
    let six = four | two >> 4;
    match upper {
        true => (six | four >> (REACH - 4)) as u64,
        false => (six >> (REACH - SMALL_REACH)) as u64,
    }
}

/// Comparisons that the compiler makes for many bytes at once.
#[inline]
fn classes(block: &[u8; BLOCK]) -> [u8; BLOCK] {
    let flag = |yes: bool, bits: u8| if yes { bits } else { 0 };
    let mut classes = [0; BLOCK];
    for (class, byte) in classes.iter_mut().zip(block) {
        let digit = byte.wrapping_sub(b'0') < 10;
        let other = ((byte | 0x20).wrapping_sub(b'a') < 26) | (*byte == b'_');
        let sign = (*byte == b'@') | (*byte == b'+') | (*byte == b'\\');
        let upper = byte.wrapping_sub(b'A') < 26;
        *class =
            flag(digit, DIGIT | WORD) | flag(other, WORD) | flag(sign, SIGN) | flag(upper, UPPER);
    }
    classes
}

/// Bit n: the n-th byte has a class.
#[inline]
fn bits(eights: &[[u8; 8]], class: u8) -> u64 {
    // Each byte's lowest bit, brought together by one product in the highest byte.
    const LOWEST: u64 = 0x0101_0101_0101_0101;
    const GATHER: u64 = 0x0102_0408_1020_4080;
    eights.iter().rev().fold(0, |all, eight| {
        let lowest = u64::from_le_bytes(*eight) >> class.trailing_zeros() & LOWEST;
        all << 8 | lowest.wrapping_mul(GATHER) >> 56
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, byte by byte.
    fn plainly(bytes: &[u8]) -> Vec<usize> {
        let all: Vec<u8> = bytes.as_chunks().0.iter().flat_map(classes).collect();
        let is = |at: usize, bit: u8| all[at] & bit != 0;
        let is_met = |at: usize| {
            let begins = is(at, DIGIT) && (at == 0 || !is(at - 1, DIGIT));
            let since = (at / BLOCK).saturating_sub(1) * BLOCK;
            let upper = (since..(at / BLOCK + 1) * BLOCK).any(|near| is(near, UPPER));
            let reach = if upper { REACH } else { SMALL_REACH };
            let near = at < reach || (at - reach..at).any(|before| !is(before, WORD));
            is(at, SIGN) || (begins && near)
        };
        (0..bytes.len()).filter(|at| is_met(*at)).collect()
    }

    fn met(bytes: &[u8]) -> Vec<usize> {
        let mut marks = Marks::new();
        let mut met = Vec::new();
        for (number, block) in bytes.as_chunks::<BLOCK>().0.iter().enumerate() {
            let bits = marks.of(block);
            let places = (0..BLOCK).filter(|at| bits >> at & 1 == 1);
            met.extend(places.map(|at| number * BLOCK + at));
        }
        met
    }

    #[test]
    fn every_sign_and_every_number_within_reach_is_met() {
        let alphabet = b"0123456789abcdefABCDEF_x @+\\-.\t\0\xc3\xa9";
        for seed in 0..400u64 {
            // Long words are as likely as short ones.
            let letters = 6 + seed as usize % (alphabet.len() - 5);
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut next = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let rare = (state >> 32) % 16 == 0;
                let of = if rare { alphabet.len() } else { letters.min(22) };
                alphabet[(state >> 8) as usize % of]
            };
            let bytes: Vec<u8> = (0..4 * BLOCK).map(|_| next()).collect();
            assert_eq!(met(&bytes), plainly(&bytes), "{seed}");
        }
    }
}
