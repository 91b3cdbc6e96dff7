//! Credentials in HTTP's Basic scheme (RFC 7617).

use crate::detector::{Detector, Finding, run, starts_word};

/// How the scheme is written.
pub(crate) const MARKS: [&str; 2] = ["Basic ", "basic "];
/// Fewest bytes of encoded credentials that are looked at.
pub(crate) const SHORTEST: usize = 8;
/// More are no header's.
const LONGEST: usize = 1024;

/// Finds the encoded credentials: text with a colon in base 64.
pub(crate) struct BasicAuth;

impl Detector for BasicAuth {
    fn name(&self) -> &'static str {
        "basic_auth"
    }

    fn class(&self) -> &'static str {
        "secret"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let bytes = text.as_bytes();
        for mark in MARKS {
            let mut from = 0;
            while let Some(at) = text.get(from..).and_then(|rest| rest.find(mark)) {
                let start = from + at + mark.len();
                let length = run(bytes, start, is_base64);
                let padded = start + length + run(bytes, start + length, |b| b == b'=').min(2);
                let encoded = &bytes[start..start + length];
                if starts_word(bytes, from + at) && is_credentials(encoded) {
                    findings.push(Finding { start, end: padded });
                }
                from = padded;
            }
        }
    }
}

pub(crate) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// Whether base 64 decodes to a name, a colon and a password.
fn is_credentials(encoded: &[u8]) -> bool {
    if !(SHORTEST..=LONGEST).contains(&encoded.len()) || encoded.len() % 4 == 1 {
        return false;
    }
    let mut colons = 0;
    let (mut bits, mut held) = (0u32, 0);
    for byte in encoded {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            let decoded = (bits >> held) as u8;
            if decoded.is_ascii_control() {
                return false;
            }
            colons += usize::from(decoded == b':');
        }
    }
    colons > 0
}
