//! What a text becomes: the transforms, and pseudonyms in the value's own shape.

use std::borrow::Cow;
use std::fmt::Write as _;

use weir_model::Transform;

use crate::detector::card::luhn_sum;
use crate::detector::email::{self, MASKED_DOMAIN};
use crate::detector::iban::mod97;
use crate::detector::{DETECTORS, index_of};
use crate::generalise;
use crate::key::Keyed;

/// What stands for a value that is hidden completely.
pub(crate) const REDACTED: &str = "[redacted]";
/// A value shorter than this shows nothing when it is hidden in part.
const PARTIAL: usize = 8;
/// How many characters a value hidden in part shows.
const SHOWN: usize = 4;
/// Letters of an opaque pseudonym: 80 bits.
const OPAQUE: usize = 16;

/// The shape of a text, which its pseudonym keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Email,
    Card,
    Iban,
    Phone,
    UsSsn,
    Digits,
    Opaque,
}

impl Shape {
    /// The shape of a detector's findings.
    pub(crate) fn of_detector(name: &str) -> Self {
        match name {
            "email" => Self::Email,
            "card" => Self::Card,
            "iban" => Self::Iban,
            "phone" => Self::Phone,
            "us_ssn" => Self::UsSsn,
            _ => Self::Opaque,
        }
    }

    /// The shape that a class promises, if the text keeps the promise.
    pub(crate) fn named(class: &str, text: &str) -> Self {
        match (class, Self::of_detector(class)) {
            ("digits", _) if is_digits(text) => Self::Digits,
            (_, shape) if shape != Self::Opaque && covers(class, text) => shape,
            _ => Self::Opaque,
        }
    }

    /// The shape of a whole text.
    pub(crate) fn of(text: &str) -> Self {
        // None of them is longer, but for an e-mail address (RFC 5321: 254).
        let short = text.len() <= 320;
        // Nothing else has the sign.
        if text.contains('@') {
            return if short && email::is_whole(text) { Self::Email } else { Self::Opaque };
        }
        // All of them have digits.
        let may = short && text.bytes().any(|byte| byte.is_ascii_digit() || byte >= 0x80);
        let shaped = ["card", "iban", "phone", "us_ssn"];
        match shaped.iter().find(|name| may && covers(name, text)) {
            Some(name) => Self::of_detector(name),
            None if is_digits(text) => Self::Digits,
            None => Self::Opaque,
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a detector's finding is the whole text.
fn covers(name: &str, text: &str) -> bool {
    let mut findings = Vec::new();
    if let Some(index) = index_of(name) {
        DETECTORS[index].find(text, &mut findings);
    }
    findings.iter().any(|finding| finding.start == 0 && finding.end == text.len())
}

/// The form in which a text is the same value as another.
fn canonical(shape: Shape, text: &str) -> Cow<'_, [u8]> {
    match shape {
        Shape::Email if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) => {
            text.as_bytes().into()
        }
        Shape::Email => text.to_lowercase().into_bytes().into(),
        Shape::Card | Shape::Phone | Shape::UsSsn | Shape::Iban => {
            let letters = text.bytes().filter(u8::is_ascii_alphanumeric);
            letters.map(|byte| byte.to_ascii_uppercase()).collect()
        }
        Shape::Digits | Shape::Opaque => text.as_bytes().into(),
    }
}

impl Keyed {
    /// Appends what stands for a text that is hidden whole, of whatever shape.
    pub(crate) fn whole(&self, transform: Transform, text: &str, out: &mut String) {
        match transform {
            Transform::Redact | Transform::Null => out.push_str(REDACTED),
            Transform::Generalise | Transform::Token | Transform::Partial | Transform::Hash => {
                self.transform(transform, Shape::of(text), text, out);
            }
        }
    }

    /// Appends what stands for a text of a known shape.
    pub(crate) fn transform(
        &self,
        transform: Transform,
        shape: Shape,
        text: &str,
        out: &mut String,
    ) {
        match transform {
            Transform::Redact | Transform::Null => out.push_str(REDACTED),
            Transform::Generalise => generalise::text(shape, text, out),
            Transform::Partial => partial(shape, text, out),
            Transform::Token => self.push_token(shape, text, out),
            Transform::Hash => out.push_str(&self.hash(&canonical(shape, text))),
        }
    }

    /// The keyed hash in hex.
    pub(crate) fn hash(&self, value: &[u8]) -> String {
        let mut hex = String::with_capacity(64);
        for byte in self.digest("hash", value) {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }

    /// A pseudonym that says nothing of the value's shape.
    pub(crate) fn opaque(&self, value: &[u8]) -> String {
        let mut token = String::new();
        self.push_opaque(value, &mut token);
        token
    }

    fn push_opaque(&self, value: &[u8], out: &mut String) {
        out.push_str("tok_");
        push_base32(&self.digest("text", value), out);
    }

    /// The pseudonym of a text of a known shape.
    pub(crate) fn token(&self, shape: Shape, text: &str) -> String {
        let mut token = String::new();
        self.push_token(shape, text, &mut token);
        token
    }

    fn push_token(&self, shape: Shape, text: &str, out: &mut String) {
        let value = canonical(shape, text);
        match shape {
            Shape::Email => {
                out.push('u');
                push_base32(&self.digest("email", &value), out);
                out.push('@');
                out.push_str(MASKED_DOMAIN);
            }
            Shape::Card => put(text, &self.card(&value), out),
            Shape::Iban => put(text, &self.iban(&value), out),
            Shape::Phone => {
                let digits = self.digits("phone", &value, value.len().saturating_sub(3));
                put(text, &[b"999", &digits[..]].concat(), out);
            }
            Shape::UsSsn => put(text, &self.us_ssn(&value), out),
            Shape::Digits if value.len() > 18 => {
                out.push_str(&String::from_utf8_lossy(&self.digits("digits", &value, value.len())));
            }
            Shape::Digits => out.push_str(&String::from_utf8_lossy(&self.permute_digits(&value))),
            Shape::Opaque => self.push_opaque(&value, out),
        }
    }

    /// A number under a prefix that is no issuer's, with a good check digit.
    fn card(&self, value: &[u8]) -> Vec<u8> {
        let digits = self.digits("card", value, value.len().saturating_sub(5));
        let mut card = [b"9999", &digits[..], b"0"].concat();
        let check = (10 - luhn_sum(&card) % 10) % 10;
        if let Some(last) = card.last_mut() {
            *last += check as u8;
        }
        card
    }

    /// A number of a country that doesn't exist, with good check digits.
    fn iban(&self, value: &[u8]) -> Vec<u8> {
        let digits = self.digits("iban", value, value.len().saturating_sub(4));
        let mut iban = [b"ZZ00", &digits[..]].concat();
        let check = 98 - mod97(&iban);
        iban[2] += (check / 10) as u8;
        iban[3] += (check % 10) as u8;
        iban
    }

    /// A number of an area and group that belong neither to the SSN nor to the ITIN.
    fn us_ssn(&self, value: &[u8]) -> Vec<u8> {
        let mut digits = self.digits("us_ssn", value, 9);
        digits[0] = b'9';
        digits[3] = b'0' + (digits[3] - b'0') % 5;
        digits
    }
}

/// Puts letters in the places of a text's letters and digits, keeping what stands between.
fn put(text: &str, letters: &[u8], out: &mut String) {
    let mut letters = letters.iter();
    out.extend(text.chars().filter_map(|c| match c.is_ascii_alphanumeric() {
        true => letters.next().map(|letter| char::from(*letter)),
        false => Some(c),
    }));
}

/// Keeps an address's first letter and domain, or the last four characters of anything else.
fn partial(shape: Shape, text: &str, out: &mut String) {
    let from = out.len();
    match (shape, text.split_once('@')) {
        (Shape::Email, Some((local, domain))) => {
            if local.chars().nth(1).is_some() {
                out.extend(local.chars().next());
            }
            out.push_str("***@");
            out.push_str(domain);
        }
        _ => {
            out.push_str("****");
            let length = text.chars().count();
            if length >= PARTIAL {
                out.extend(text.chars().skip(length - SHOWN));
            }
        }
    }
    if &out[from..] == text {
        out.truncate(from);
        out.push_str(REDACTED);
    }
}

fn push_base32(bytes: &[u8], out: &mut String) {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bits = bytes.iter().take(OPAQUE * 5 / 8).fold(0u128, |n, b| (n << 8) | u128::from(*b));
    let mut letters = [0u8; OPAQUE];
    for letter in letters.iter_mut().rev() {
        *letter = ALPHABET[(bits & 31) as usize];
        bits >>= 5;
    }
    out.push_str(&String::from_utf8_lossy(&letters));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The shape as the detectors say, each asked.
    fn asked(text: &str) -> Shape {
        let shaped = ["email", "card", "iban", "phone", "us_ssn"];
        match shaped.iter().find(|name| text.len() <= 320 && covers(name, text)) {
            Some(name) => Shape::of_detector(name),
            None if is_digits(text) => Shape::Digits,
            None => Shape::Opaque,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn a_shape_is_what_the_detectors_say(
            text in prop_oneof![
                "[a-zé'._%+-]{1,6}@[a-zü0-9-]{1,5}(\\.[a-zé]{1,3}){0,2}@?",
                "[a-c]@(MASKED|masked)\\.invalid",
                "[0-9 -]{1,20}",
                "\\+[0-9 ().-]{6,18}",
                "[A-Z]{2}[0-9]{2}[A-Z0-9 ]{4,26}",
                "\\PC{0,12}",
            ],
        ) {
            prop_assert_eq!(Shape::of(&text), asked(&text));
        }
    }

    #[test]
    fn examples_have_their_shapes() {
        let shapes = [
            ("o'brien@example.com", Shape::Email),
            ("4111 1111 1111 1111", Shape::Card),
            ("DE89 3704 0044 0532 0130 00", Shape::Iban),
            ("+1 415 555 2671", Shape::Phone),
            ("123456", Shape::Digits),
            ("a@b", Shape::Opaque),
            ("", Shape::Opaque),
        ];
        for (text, shape) in shapes {
            assert_eq!((Shape::of(text), asked(text)), (shape, shape), "{text}");
        }
    }
}
