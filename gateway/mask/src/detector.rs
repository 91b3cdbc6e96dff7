//! The detectors' shared ground: the trait, the list, and the byte classes that bound a match.

pub(crate) mod aws_key;
pub(crate) mod basic_auth;
pub(crate) mod bitcoin_address;
pub(crate) mod card;
pub(crate) mod connection_uri;
pub(crate) mod email;
pub(crate) mod iban;
pub(crate) mod infix_token;
pub(crate) mod jwt;
pub(crate) mod national;
pub(crate) mod passport;
pub(crate) mod phone;
pub(crate) mod private_key;
pub(crate) mod token;

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

/// The detectors that are no row of a table.
const SINGLE: [&dyn Detector; 11] = [
    &email::Email,
    &card::Card,
    &iban::Iban,
    &phone::Phone,
    &passport::Passport,
    &bitcoin_address::BitcoinAddress,
    &jwt::Jwt,
    &private_key::PrivateKey,
    &aws_key::AwsKey,
    &connection_uri::ConnectionUri,
    &basic_auth::BasicAuth,
];
/// Where the rows of the tables begin in `DETECTORS`.
pub(crate) const NATIONAL: usize = SINGLE.len();
pub(crate) const TOKEN: usize = NATIONAL + national::ALL.len();
pub(crate) const INFIX: usize = TOKEN + token::TABLE.len();
const COUNT: usize = INFIX + infix_token::TABLE.len();

/// Every detector; the index is that of `ContentRules::by_detector`.
pub const DETECTORS: &[&dyn Detector] = &{
    let mut all: [&dyn Detector; COUNT] = [&email::Email; COUNT];
    let mut at = 0;
    while at < COUNT {
        all[at] = match at {
            _ if at < NATIONAL => SINGLE[at],
            _ if at < TOKEN => &national::ALL[at - NATIONAL],
            _ if at < INFIX => &token::TABLE[at - TOKEN],
            _ => &infix_token::TABLE[at - INFIX],
        };
        at += 1;
    }
    all
};

/// A set of detectors, by their indices in `DETECTORS`.
pub(crate) type Suspects = u128;
const _: () = assert!(COUNT <= Suspects::BITS as usize);

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

/// Whether a span lies in a UUID, whose groups may happen to be a number with a right checksum.
pub(crate) fn in_uuid(bytes: &[u8], start: usize, end: usize) -> bool {
    let part = |b: &u8| b.is_ascii_hexdigit() || *b == b'-';
    let back = bytes[..start].iter().rev().take(36).take_while(|b| part(b)).count();
    let ahead = bytes[end..].iter().take(36).take_while(|b| part(b)).count();
    let token = &bytes[start - back..end + ahead];
    let is_right = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    token.len() == 36 && token.iter().enumerate().all(is_right)
}
