//! Private keys: PEM, OpenSSH, PGP and age.

use crate::detector::{Detector, Finding, run, starts_word};

const BEGIN: &str = "-----BEGIN ";
const AGE: &str = "AGE-SECRET-KEY-1";
/// Fewest characters after it.
const AGE_LEAST: usize = 40;
/// The longest label that is read (`ENCRYPTED PRIVATE KEY` has 21 bytes).
const LABEL: usize = 64;

/// Finds private keys as whole blocks; a block without an end goes to the end of the text.
pub(crate) struct PrivateKey;

impl Detector for PrivateKey {
    fn name(&self) -> &'static str {
        "private_key"
    }

    fn class(&self) -> &'static str {
        "secret"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let bytes = text.as_bytes();
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find(BEGIN)) {
            let start = from + at;
            let label = start + BEGIN.len();
            from = label;
            let length = run(&bytes[..bytes.len().min(label + LABEL)], label, is_label);
            if !text[label..label + length].contains("PRIVATE KEY") {
                continue;
            }
            let end = end_of(text, label + length);
            findings.push(Finding { start, end });
            from = end;
        }
        let upper = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        for (start, _) in text.match_indices(AGE) {
            let end = start + AGE.len() + run(bytes, start + AGE.len(), upper);
            if starts_word(bytes, start) && end - start >= AGE.len() + AGE_LEAST {
                findings.push(Finding { start, end });
            }
        }
    }
}

fn is_label(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' '
}

/// Where the block ends whose first line's label ends at `from`.
fn end_of(text: &str, from: usize) -> usize {
    let Some(at) = text[from..].find("-----END ") else { return text.len() };
    let label = from + at + "-----END ".len();
    let after = label + run(text.as_bytes(), label, is_label);
    after + run(text.as_bytes(), after, |b| b == b'-').min(5)
}
