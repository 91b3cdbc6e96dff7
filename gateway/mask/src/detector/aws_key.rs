//! Amazon access keys: the identifier, and the secret beside a keyword.

use crate::detector::{Detector, Finding, run};

/// What identifiers begin with.
const PREFIXES: [&str; 4] = ["AKIA", "ASIA", "ABIA", "ACCA"];
/// Digits and letters of an identifier after its prefix.
pub(crate) const ID_REST: usize = 16;
/// Characters of a secret.
pub(crate) const SECRET: usize = 40;
/// How far before a secret its keyword may stand.
pub(crate) const REACH: usize = 64;
/// What says that forty characters are a secret; spelled as `scan` looks for them.
const KEYWORDS: [&str; 6] = ["aws", "Aws", "AWS", "secret", "Secret", "SECRET"];

/// Finds access key identifiers and secret access keys.
pub(crate) struct AwsKey;

impl Detector for AwsKey {
    fn name(&self) -> &'static str {
        "aws_key"
    }

    fn class(&self) -> &'static str {
        "secret"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at + ID_REST + 4 <= bytes.len() {
            let length = run(bytes, at, |b| b.is_ascii_alphanumeric());
            if length == ID_REST + 4 && is_id(&bytes[at..at + length]) {
                findings.push(Finding { start: at, end: at + length });
            }
            at += length.max(1);
        }
        if KEYWORDS.iter().any(|word| text.contains(word)) {
            secrets(bytes, findings);
        }
    }
}

fn is_id(word: &[u8]) -> bool {
    PREFIXES.iter().any(|prefix| word.starts_with(prefix.as_bytes()))
        && word.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

pub(crate) fn is_secret_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+')
}

fn secrets(bytes: &[u8], findings: &mut Vec<Finding>) {
    let mut at = 0;
    while at < bytes.len() {
        let length = run(bytes, at, is_secret_byte);
        let word = &bytes[at..at + length];
        if length == SECRET && mixed(word) && announced(&bytes[at.saturating_sub(REACH)..at]) {
            findings.push(Finding { start: at, end: at + length });
        }
        at += length.max(1);
    }
}

/// Whether all kinds of character occur, which hex digests and plain words don't have.
fn mixed(word: &[u8]) -> bool {
    word.iter().any(u8::is_ascii_uppercase)
        && word.iter().any(u8::is_ascii_lowercase)
        && word.iter().any(u8::is_ascii_digit)
}

fn announced(before: &[u8]) -> bool {
    KEYWORDS.iter().any(|word| before.windows(word.len()).any(|part| part == word.as_bytes()))
}
