//! E-mail addresses.

use crate::detector::{Detector, Finding};

/// The domain of our own pseudonyms, which are not findings.
pub(crate) const MASKED_DOMAIN: &str = "masked.invalid";

/// Finds e-mail addresses, internationalised ones too.
pub(crate) struct Email;

impl Detector for Email {
    fn name(&self) -> &'static str {
        "email"
    }

    fn class(&self) -> &'static str {
        "pii"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find('@')) {
            let sign = from + at;
            let start = sign - local(&text[from..sign]);
            from = sign + 1;
            let Some(length) = domain(&text[from..]) else { continue };
            let end = from + length;
            if start < sign && !text[from..end].eq_ignore_ascii_case(MASKED_DOMAIN) {
                findings.push(Finding { start, end });
                from = end;
            }
        }
    }
}

/// Whether a text is an address and nothing else, so that the detector finds all of it.
pub(crate) fn is_whole(text: &str) -> bool {
    // What comes before another sign is not all of it.
    text.split_once('@').is_some_and(|(before, behind)| {
        !before.is_empty()
            && (is_plain_local(before) || local(before) == before.len())
            && (is_plain_domain(behind) || domain(behind) == Some(behind.len()))
            && !behind.eq_ignore_ascii_case(MASKED_DOMAIN)
    })
}

/// Whether a text is certainly a local part: told in one look, as of most.
fn is_plain_local(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+');
    text.bytes().all(plain) && !text.starts_with(['.', '-'])
}

/// Whether a text is certainly a domain, likewise.
fn is_plain_domain(text: &str) -> bool {
    let Some((before, top)) = text.rsplit_once('.') else { return false };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    top.len() >= 2
        && top.bytes().all(|byte| byte.is_ascii_alphabetic())
        && before.split('.').all(|label| !label.is_empty() && label.bytes().all(plain))
}

/// How many bytes at the end of a text are an address's part before the `@`.
fn local(text: &str) -> usize {
    let mut start = text.len();
    for (at, c) in text.char_indices().rev() {
        // An apostrophe is part of a name (o'brien) but far more often a quote around the address.
        let inner = c == '\''
            && text[at + 1..].starts_with(char::is_alphanumeric)
            && text[..at].ends_with(char::is_alphanumeric);
        let sign = matches!(c, '.' | '_' | '%' | '+' | '-' | '~');
        if !c.is_alphanumeric() && !sign && !inner {
            break;
        }
        start = at;
    }
    text[start..].trim_start_matches(['.', '-']).len()
}

/// How many bytes at the beginning of a text are a domain with at least one dot and a top level of
/// letters.
fn domain(text: &str) -> Option<usize> {
    let span = |from: usize, class: fn(char) -> bool| {
        text[from..].find(|c| !class(c)).map_or(text.len(), |length| from + length)
    };
    let mut found = None;
    let mut label = 0;
    loop {
        let end = span(label, |c| c.is_alphanumeric() || c == '-');
        if end == label {
            return found;
        }
        let letters = span(label, char::is_alphabetic);
        let mark = text[label..end].get(..4).unwrap_or_default();
        if label > 0 && mark.eq_ignore_ascii_case("xn--") {
            found = Some(end);
        } else if label > 0
            && letters - label >= 2
            && !text[letters..].starts_with(char::is_numeric)
        {
            found = Some(letters);
        }
        if !text[end..].starts_with('.') {
            return found;
        }
        label = end + 1;
    }
}

/// Whether a sign at `sign` may stand in an address, for the prefilter: looser than the detector,
/// since bytes beyond ASCII are not told apart.
pub(crate) fn suspect(bytes: &[u8], sign: usize) -> bool {
    let beyond = |b: u8| b >= 0x80;
    let before = sign.checked_sub(1).map(|before| bytes[before]);
    if !before.is_some_and(|b| b.is_ascii_alphanumeric() || beyond(b) || b"._%+-~".contains(&b)) {
        return false;
    }
    let part = |b: u8| b.is_ascii_alphanumeric() || beyond(b) || matches!(b, b'-' | b'.');
    let length = super::run(bytes, sign + 1, part);
    let letter = |b: u8| b.is_ascii_alphabetic() || beyond(b);
    let top = |w: &[u8]| w[0] == b'.' && letter(w[1]) && letter(w[2]);
    bytes[sign + 1..sign + 1 + length].windows(3).any(top)
}
