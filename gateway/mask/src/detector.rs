//! The detectors' shared ground: the trait, the list, and the byte classes that bound a match.

pub(crate) mod aws_key;
pub(crate) mod card;
pub(crate) mod email;
pub(crate) mod github_token;
pub(crate) mod google_api_key;
pub(crate) mod iban;
pub(crate) mod jwt;
pub(crate) mod phone;
pub(crate) mod private_key;
pub(crate) mod slack_token;
pub(crate) mod stripe_key;
pub(crate) mod us_ssn;

#[cfg(test)]
mod tests;

/// A span to hide: bytes `start..end` of the text that was searched, on character boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it begins.
    pub start: usize,
    /// Where it ends, exclusive.
    pub end: usize,
}

/// Finds one kind of value in a text, in time linear in the text.
///
/// Whatever a detector can find, `scan` must suspect too: a new detector needs its prefilter there.
pub trait Detector: Sync {
    /// The name used in policy and record.
    fn name(&self) -> &'static str;
    /// `pii` or `secret`.
    fn class(&self) -> &'static str;
    /// Appends what it finds, in any order.
    fn find(&self, text: &str, findings: &mut Vec<Finding>);
}

/// Every detector; the index is that of `ContentRules::by_detector`.
pub const DETECTORS: &[&dyn Detector] = &[
    &email::Email,
    &card::Card,
    &iban::Iban,
    &phone::Phone,
    &us_ssn::UsSsn,
    &jwt::Jwt,
    &private_key::PrivateKey,
    &aws_key::AwsKey,
    &github_token::GithubToken,
    &slack_token::SlackToken,
    &google_api_key::GoogleApiKey,
    &stripe_key::StripeKey,
];

/// The index of a detector in `DETECTORS`.
pub fn index_of(name: &str) -> Option<usize> {
    DETECTORS.iter().position(|detector| detector.name() == name)
}

/// Whether a byte joins what stands beside it into one word.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether no word ends right before `at`.
pub(crate) fn starts_word(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| bytes.get(before)).is_none_or(|b| !is_word(*b))
}

/// Whether no word goes on at `at`.
pub(crate) fn ends_word(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_none_or(|b| !is_word(*b))
}

/// How many bytes from `at` on belong to a class.
pub(crate) fn run(bytes: &[u8], at: usize, class: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|b| !class(*b)).unwrap_or(rest.len())
}

/// Finds words that begin with one of `prefixes` and go on with at least `least` bytes of a class.
pub(crate) fn prefixed(
    text: &str,
    prefixes: &[&str],
    least: usize,
    class: impl Fn(u8) -> bool + Copy,
    findings: &mut Vec<Finding>,
) {
    let bytes = text.as_bytes();
    for prefix in prefixes {
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find(prefix)) {
            let start = from + at;
            let body = start + prefix.len();
            let length = run(bytes, body, class);
            from = body;
            if length >= least && starts_word(bytes, start) {
                findings.push(Finding { start, end: body + length });
                from = body + length;
            }
        }
    }
}
