//! The masking key and what is made of it: digests, digits, and permutations of numbers.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Rounds of the permutation.
const ROUNDS: u8 = 8;

/// The secret that pseudonyms are made with.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; 32]);

impl Key {
    /// Takes 32 secret bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// The key, set up for use; wiped when dropped.
pub(crate) struct Keyed(Hmac<Sha256>);

impl Keyed {
    pub(crate) fn new(key: &Key) -> Self {
        // HMAC pads a short key with zeros to its block, so that this is the same key.
        let mut block = [0u8; 64];
        block[..32].copy_from_slice(&key.0);
        let keyed = Self(Hmac::new((&block).into()));
        block.zeroize();
        keyed
    }

    /// The keyed hash of a value of a class.
    pub(crate) fn digest(&self, class: &str, value: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        // The length keeps class and value apart.
        mac.update(&(class.len() as u64).to_le_bytes());
        mac.update(class.as_bytes());
        mac.update(value);
        mac.finalize().into_bytes().into()
    }

    /// The digest's first eight bytes.
    pub(crate) fn number(&self, class: &str, value: &[u8]) -> u64 {
        let digest = self.digest(class, value);
        digest.iter().take(8).fold(0, |n, byte| (n << 8) | u64::from(*byte))
    }

    /// As many keyed decimal digits, in ASCII, as are asked for.
    pub(crate) fn digits(&self, class: &str, value: &[u8], count: usize) -> Vec<u8> {
        let seed = self.digest(class, value);
        let mut digits = Vec::with_capacity(count);
        let mut block = 0u64;
        while digits.len() < count {
            let bytes = self.digest("stream", &[&seed[..], &block.to_le_bytes()].concat());
            // 250 is the last multiple of ten in a byte.
            let fair = bytes.iter().filter(|byte| **byte < 250).map(|byte| b'0' + byte % 10);
            digits.extend(fair.take(count - digits.len()));
            block += 1;
        }
        digits
    }

    /// The pseudonym of a decimal string of at most 18 digits: as long, never the same, and
    /// different strings have different ones.
    pub(crate) fn permute_digits(&self, digits: &[u8]) -> Vec<u8> {
        let count = digits.len().min(18);
        let limit = 10u64.pow(count as u32);
        let bits = (2..=60).step_by(2).find(|bits| limit <= 1u64 << bits).unwrap_or(60);
        let number = digits[..count].iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0'));
        let token = self.permute(&format!("digits{count}"), bits, number, |n| n < limit);
        format!("{token:0count$}").into_bytes()
    }

    /// A permutation of `0..2^bits` without a fixed point, walked until it is back inside a subset
    /// that `number` is in; so it is one of the subset, also without a fixed point. `bits` is even.
    pub(crate) fn permute(
        &self,
        class: &str,
        bits: u32,
        number: u64,
        inside: impl Fn(u64) -> bool,
    ) -> u64 {
        let mask = u64::MAX >> (64 - bits);
        let mut at = number & mask;
        loop {
            // A step along one cycle through all numbers, whose order is the key's secret.
            let place = self.feistel(class, bits, at, true);
            at = self.feistel(class, bits, place.wrapping_add(1) & mask, false);
            if inside(at) {
                return at;
            }
        }
    }

    fn feistel(&self, class: &str, bits: u32, number: u64, forward: bool) -> u64 {
        let half = bits / 2;
        let mask = (1u64 << half) - 1;
        let (mut left, mut right) = (number >> half, number & mask);
        for step in 0..ROUNDS {
            let round = if forward { step } else { ROUNDS - 1 - step };
            let input = if forward { right } else { left };
            let mut message = [0u8; 10];
            message[0] = bits as u8;
            message[1] = round;
            message[2..].copy_from_slice(&input.to_le_bytes());
            let mixed = self.number(class, &message) & mask;
            (left, right) = if forward { (right, left ^ mixed) } else { (right ^ mixed, left) };
        }
        (left << half) | right
    }
}
