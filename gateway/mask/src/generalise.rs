//! What a text becomes when it is made coarser: what it has in common with many others.
//!
//! What a shape does not say is hidden completely, and so is a text that would stay as it is.

use std::net::IpAddr;

use crate::postgres::network;
use crate::replace::{REDACTED, Shape};

/// Digits of a card that name who issued it (ISO/IEC 7812-1).
const ISSUER: usize = 6;
/// A text of fewer digits shows none.
const DIGITS: usize = 4;

/// Appends what stands for a text of a known shape.
pub(crate) fn text(shape: Shape, text: &str, out: &mut String) {
    let coarse = match shape {
        Shape::Email => text.rsplit_once('@').map(|(_, domain)| format!("*@{domain}")),
        Shape::Card => Some(first(text, ISSUER)),
        Shape::Iban => Some(first(text, 2)),
        Shape::Phone => Some(first(text, 1 + country_code(text))),
        Shape::Digits if text.len() >= DIGITS => Some(first(text, 1)),
        Shape::Digits | Shape::UsSsn => None,
        Shape::Opaque => day(text).or_else(|| address(text)),
    };
    match coarse {
        Some(coarse) if coarse != text => out.push_str(&coarse),
        Some(_) | None => out.push_str(REDACTED),
    }
}

/// A text whose first characters are shown, and stars for the letters and digits of the rest.
fn first(text: &str, count: usize) -> String {
    let star = |(place, c): (usize, char)| match c {
        _ if place < count => c,
        _ if c.is_ascii_alphanumeric() => '*',
        _ => c,
    };
    text.chars().enumerate().map(star).collect()
}

/// How many digits a country's code has (ITU-T E.164); the text begins with a plus sign.
fn country_code(text: &str) -> usize {
    let mut digits = text.bytes().filter(u8::is_ascii_digit);
    match (digits.next(), digits.next()) {
        (Some(b'1' | b'7'), _) => 1,
        (Some(b'2'), Some(b'0' | b'7'))
        | (Some(b'3'), Some(b'0'..=b'4' | b'6' | b'9'))
        | (Some(b'4'), Some(b'0' | b'1' | b'3'..=b'9'))
        | (Some(b'5'), Some(b'1'..=b'8'))
        | (Some(b'6'), Some(b'0'..=b'6'))
        | (Some(b'8'), Some(b'1' | b'2' | b'4' | b'6'))
        | (Some(b'9'), Some(b'0'..=b'5' | b'8')) => 2,
        _ => 3,
    }
}

/// The month of a day in ISO 8601.
fn day(text: &str) -> Option<String> {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    shaped.then(|| text[..7].to_owned())
}

/// The network of an address.
fn address(text: &str) -> Option<String> {
    let (network, bits) = network(text.parse::<IpAddr>().ok()?, u8::MAX);
    Some(format!("{network}/{bits}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn check(clear: &str, expected: &str) {
        let mut shown = String::new();
        text(Shape::of(clear), clear, &mut shown);
        assert_eq!(shown, expected, "{clear}");
    }

    #[test]
    fn a_text_keeps_what_many_have_in_common() {
        for (clear, expected) in [
            ("alice@example.com", "*@example.com"),
            ("4111 1111 1111 1111", "4111 1*** **** ****"),
            ("378282246310005", "378282*********"),
            ("DE89370400440532013000", "DE********************"),
            ("GB82 WEST 1234 5698 7654 32", "GB** **** **** **** **** **"),
            ("+1 (415) 555-2671", "+1 (***) ***-****"),
            ("+49 30 901820123", "+49 ** *********"),
            ("+441632960961", "+44**********"),
            ("+35315267000", "+353********"),
            ("123-45-6789", REDACTED),
            ("90210", "9****"),
            ("123", REDACTED),
            ("1980-02-29", "1980-02"),
            ("192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2::5", "2001:db8:1::/48"),
            ("some words", REDACTED),
            ("", REDACTED),
        ] {
            check(clear, expected);
        }
    }
}
