//! Addresses of Bitcoin wallets: Bech32 and Bech32m (BIP 173 and 350), which tell themselves.
//!
//! The older ones in base 58 begin with nothing but a digit, and are left out.

use crate::detector::{Detector, Finding, run, starts_word};

/// The main network's human-readable part and the separator.
pub(crate) const MARK: &str = "bc1";
const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// Characters after the mark: hashes of 20 bytes and of 32.
const LENGTHS: [usize; 2] = [39, 59];

/// Finds segregated-witness addresses in lower case.
pub(crate) struct BitcoinAddress;

impl Detector for BitcoinAddress {
    fn name(&self) -> &'static str {
        "bitcoin_address"
    }

    fn class(&self) -> &'static str {
        "pii"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let bytes = text.as_bytes();
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find(MARK)) {
            let start = from + at;
            from = start + MARK.len();
            if let Some(end) = end(bytes, from).filter(|_| starts_word(bytes, start)) {
                findings.push(Finding { start, end });
                from = end;
            }
        }
    }
}

/// Where the address ends whose data begin at `start`, whatever stands before it.
pub(crate) fn end(bytes: &[u8], start: usize) -> Option<usize> {
    let rest = &bytes[start..bytes.len().min(start + LENGTHS[1] + 1)];
    let length = run(rest, 0, |b| b.is_ascii_alphanumeric() || b == b'_');
    (LENGTHS.contains(&length) && is_checked(&rest[..length])).then_some(start + length)
}

/// Whether the last six characters check the others: BIP 173's polynomial, with either constant.
fn is_checked(data: &[u8]) -> bool {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let step = |sum: u32, value: u32| {
        let next = ((sum & 0x1ff_ffff) << 5) ^ value;
        let top = sum >> 25;
        let taken =
            |(bit, generator): (usize, &u32)| if top >> bit & 1 == 1 { *generator } else { 0 };
        GENERATOR.iter().enumerate().map(taken).fold(next, |next, generator| next ^ generator)
    };
    // "bc", expanded: the high bits of both letters, zero, the low bits.
    let mut sum = [3, 3, 0, 2, 3].into_iter().fold(1, step);
    for byte in data {
        let Some(value) = ALPHABET.iter().position(|letter| letter == byte) else { return false };
        sum = step(sum, value as u32);
    }
    sum == 1 || sum == 0x2bc8_30a3
}
