//! The prefilter: one cheap look at raw bytes that tells whether any detector can find anything.
//!
//! It sees whole rows, framing and all, so it must not rely on what stands before a value: a length
//! byte may look like a letter. It therefore asks the detectors' own checks without their word
//! boundaries, and suspects any escape that could hide an ASCII letter (`\u0040`, `\x40`).

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, Input, MatchKind};

use crate::detector::{aws_key, card, email, iban, jwt, phone, run, us_ssn};

#[cfg(test)]
mod tests;

/// Digit runs longer than this are suspected unread.
const DIGITS: usize = 64;

/// What to check where a literal stands.
#[derive(Clone, Copy)]
enum Check {
    /// Nothing: the literal is rare enough.
    Nothing,
    /// Two dots after base64url.
    Jwt,
    /// An access key identifier's upper-case rest.
    AwsId,
    /// Forty characters anywhere after it.
    AwsSecret,
}

/// No literal may be the beginning of another.
const LITERALS: &[(&str, Check)] = &[
    ("eyJ", Check::Jwt),
    ("-----BEGIN ", Check::Nothing),
    ("AGE-SECRET-KEY-1", Check::Nothing),
    ("AKIA", Check::AwsId),
    ("ASIA", Check::AwsId),
    ("ABIA", Check::AwsId),
    ("ACCA", Check::AwsId),
    ("aws", Check::AwsSecret),
    ("Aws", Check::AwsSecret),
    ("AWS", Check::AwsSecret),
    ("secret", Check::AwsSecret),
    ("Secret", Check::AwsSecret),
    ("SECRET", Check::AwsSecret),
    ("ghp_", Check::Nothing),
    ("gho_", Check::Nothing),
    ("ghu_", Check::Nothing),
    ("ghs_", Check::Nothing),
    ("ghr_", Check::Nothing),
    ("github_pat_", Check::Nothing),
    ("xoxa-", Check::Nothing),
    ("xoxb-", Check::Nothing),
    ("xoxe-", Check::Nothing),
    ("xoxe.", Check::Nothing),
    ("xoxo-", Check::Nothing),
    ("xoxp-", Check::Nothing),
    ("xoxr-", Check::Nothing),
    ("xoxs-", Check::Nothing),
    ("xapp-", Check::Nothing),
    ("AIza", Check::Nothing),
    ("sk_live_", Check::Nothing),
    ("sk_test_", Check::Nothing),
    ("rk_live_", Check::Nothing),
    ("rk_test_", Check::Nothing),
    ("whsec_", Check::Nothing),
];

/// The compiled prefilter.
pub(crate) struct Prefilter {
    /// `None` where it could not be built, in which case everything is suspected.
    literals: Option<AhoCorasick>,
}

impl Prefilter {
    pub(crate) fn new() -> Self {
        let literals = AhoCorasickBuilder::new()
            .match_kind(MatchKind::LeftmostFirst)
            .build(LITERALS.iter().map(|(literal, _)| literal));
        Self { literals: literals.ok() }
    }

    /// Whether certainly no detector finds anything in these bytes or in any part of them.
    pub(crate) fn is_clean(&self, bytes: &[u8]) -> bool {
        shapes_are_clean(bytes) && self.literals_are_clean(bytes)
    }

    /// Whether certainly no detector of class `secret` finds anything: they all need a literal.
    pub(crate) fn literals_are_clean(&self, bytes: &[u8]) -> bool {
        let Some(literals) = &self.literals else { return false };
        let mut from = 0;
        let mut no_token_before = 0;
        let mut no_secret = false;
        while let Some(found) = literals.find(Input::new(bytes).range(from..)) {
            let at = found.start();
            from = at + 1;
            match LITERALS[found.pattern().as_usize()].1 {
                Check::Nothing => return false,
                Check::Jwt if at < no_token_before => {}
                Check::Jwt => {
                    let dot = at + run(bytes, at, jwt::is_base64url);
                    if jwt::parts(bytes, dot).is_some() {
                        return false;
                    }
                    no_token_before = dot;
                }
                Check::AwsId => {
                    let upper = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
                    let rest = &bytes[at + found.len()..];
                    if run(&rest[..rest.len().min(aws_key::ID_REST)], 0, upper) == aws_key::ID_REST
                    {
                        return false;
                    }
                }
                Check::AwsSecret if no_secret => {}
                Check::AwsSecret => {
                    if has_secret(&bytes[at..]) {
                        return false;
                    }
                    no_secret = true;
                }
            }
        }
        true
    }
}

/// Whether there is a run as long as a secret; the escape of a slash doesn't end it.
fn has_secret(bytes: &[u8]) -> bool {
    let mut at = 0;
    while at + aws_key::SECRET <= bytes.len() {
        let length = run(bytes, at, |b| aws_key::is_secret_byte(b) || b == b'\\');
        if length >= aws_key::SECRET {
            return true;
        }
        at += length + 1;
    }
    false
}

const PLAIN: u8 = 0;
const DIGIT: u8 = 1;
const AT: u8 = 2;
const PLUS: u8 = 3;
const ESCAPE: u8 = 4;

const CLASSES: [u8; 256] = {
    let mut classes = [PLAIN; 256];
    let mut digit = b'0';
    while digit <= b'9' {
        classes[digit as usize] = DIGIT;
        digit += 1;
    }
    classes[b'@' as usize] = AT;
    classes[b'+' as usize] = PLUS;
    classes[b'\\' as usize] = ESCAPE;
    classes
};

/// Whether nothing has the shape of an address, a number or an escape.
fn shapes_are_clean(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(skipped) =
        bytes[at..].iter().position(|byte| CLASSES[usize::from(*byte)] != PLAIN)
    {
        at += skipped;
        match CLASSES[usize::from(bytes[at])] {
            DIGIT => match digits(bytes, at) {
                Some(end) => at = end,
                None => return false,
            },
            AT => {
                if email::suspect(bytes, at) {
                    return false;
                }
            }
            PLUS => {
                if phone::number(bytes, at).is_some() {
                    return false;
                }
            }
            _ => match bytes.get(at + 1) {
                // Escapes that stand for characters which are part of no finding's beginning.
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') | None => {}
                Some(_) => return false,
            },
        }
        at += 1;
    }
    true
}

/// The end of the run of digits and single separators at `start`, if nothing in it is suspect.
fn digits(bytes: &[u8], start: usize) -> Option<usize> {
    let letters = start >= 2 && bytes[start - 2..start].iter().all(u8::is_ascii_alphabetic);
    if letters && iban::number(bytes, start - 2).is_some() {
        return None;
    }
    let mut held = [0u8; DIGITS];
    let mut count = 0;
    // Bit n: a group of digits begins (or ended, if n > 0) at the n-th digit.
    let mut groups = 1u64;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'0'..=b'9' => {
                *held.get_mut(count)? = *byte;
                count += 1;
            }
            b' ' | b'-' => {
                if !bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
                    break;
                }
                if *byte == b'-' && us_ssn::number(bytes, at).is_some() {
                    return None;
                }
                groups |= 1u64.checked_shl(count as u32)?;
            }
            _ => break,
        }
        at += 1;
    }
    let suspect = count >= card::SHORTEST && has_card(&held[..count], groups);
    if suspect { None } else { Some(at - 1) }
}

/// Whether any groups of digits are a card number. The first may have a length's last bytes before
/// it, three at most: no message is so long that the first byte is a digit.
fn has_card(digits: &[u8], groups: u64) -> bool {
    let begins = |at: usize| groups >> at & 1 == 1;
    let framed = |at: usize| (at.saturating_sub(3)..=at).any(begins);
    (card::SHORTEST..=digits.len()).any(|end| {
        let ends = end == digits.len() || begins(end);
        let longest = end.saturating_sub(card::LONGEST);
        ends && (longest..=end - card::SHORTEST)
            .any(|start| framed(start) && card::is_card(&digits[start..end]))
    })
}
