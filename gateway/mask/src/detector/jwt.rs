//! JSON web tokens, signed or encrypted.

use crate::detector::{Detector, Finding, run};

/// More possible beginnings than this in one part are not told apart: the part is a token's.
const BEGINNINGS: usize = 8;

/// Finds three or five base64url parts, the first of which is a JSON object with `alg`.
pub(crate) struct Jwt;

impl Detector for Jwt {
    fn name(&self) -> &'static str {
        "jwt"
    }

    fn class(&self) -> &'static str {
        "secret"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let bytes = text.as_bytes();
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find("eyJ")) {
            let first = from + at;
            let dot = first + run(bytes, first, is_base64url);
            from = dot;
            let Some(end) = parts(bytes, dot) else { continue };
            if let Some(start) = header(&text[first..dot]) {
                findings.push(Finding { start: first + start, end });
                from = end;
            }
        }
    }
}

pub(crate) fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The end of a token whose first part ends at `dot`; the signature of an unsigned one is empty.
pub(crate) fn parts(bytes: &[u8], dot: usize) -> Option<usize> {
    let mut at = dot;
    let mut count = 0;
    while count < 4 && bytes.get(at) == Some(&b'.') {
        let length = run(bytes, at + 1, is_base64url);
        if count == 0 && length == 0 && bytes.get(at + 1) != Some(&b'.') {
            return None;
        }
        at += 1 + length;
        count += 1;
    }
    (count >= 2).then_some(at)
}

/// Where the header begins in a run of base64url that ends with it.
fn header(text: &str) -> Option<usize> {
    for (nth, (start, _)) in text.match_indices("eyJ").enumerate() {
        // Fail closed, and in linear time, on a text made of beginnings.
        if nth == BEGINNINGS {
            return Some(0);
        }
        if is_header(&text.as_bytes()[start..]) {
            return Some(start);
        }
    }
    None
}

fn is_header(encoded: &[u8]) -> bool {
    let Some(json) = decode(encoded) else { return false };
    let Ok(json) = std::str::from_utf8(&json) else { return false };
    let json = json.trim();
    let named = json
        .match_indices("\"alg\"")
        .any(|(at, name)| json[at + name.len()..].trim_start().starts_with(':'));
    json.starts_with('{') && json.ends_with('}') && named
}

/// Decodes base64url without padding; leftover bits are ignored.
fn decode(encoded: &[u8]) -> Option<Vec<u8>> {
    if encoded.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(encoded.len() * 3 / 4);
    let mut bits = 0u32;
    let mut held = 0;
    for byte in encoded {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}
