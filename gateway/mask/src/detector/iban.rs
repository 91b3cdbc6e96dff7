//! International bank account numbers: a country's length and ISO 7064 mod 97.

use crate::detector::{Detector, Finding, ends_word, in_uuid, starts_word};

/// Longest account number.
const LONGEST: usize = 34;

/// Finds IBANs, plain or in groups with single separators, in either case.
pub(crate) struct Iban;

impl Detector for Iban {
    fn name(&self) -> &'static str {
        "iban"
    }

    fn class(&self) -> &'static str {
        "pii"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at + 15 <= bytes.len() {
            let found = starts_word(bytes, at)
                .then(|| number(bytes, at))
                .flatten()
                .filter(|end| ends_word(bytes, *end) && !in_uuid(bytes, at, *end));
            match found {
                Some(end) => {
                    findings.push(Finding { start: at, end });
                    at = end;
                }
                None => at += 1,
            }
        }
    }
}

/// The end of an account number that begins at `start`, whatever stands around it.
pub(crate) fn number(bytes: &[u8], start: usize) -> Option<usize> {
    let head = bytes.get(start..start + 4)?;
    if !head[2].is_ascii_digit() || !head[3].is_ascii_digit() {
        return None;
    }
    let (first, second) = (head[0] | 0x20, head[1] | 0x20);
    // Most pairs of letters are no country's, and hex digits have many pairs.
    let known = COUNTRIES.get(usize::from(first.wrapping_sub(b'a'))).copied().unwrap_or_default();
    if known.checked_shr(u32::from(second.wrapping_sub(b'a'))).unwrap_or_default() & 1 == 0 {
        return None;
    }
    let country = [head[0].to_ascii_uppercase(), head[1].to_ascii_uppercase()];
    let length = country_length(country)?;
    let digits = leading_digits(country, length);
    let mut letters = [0u8; LONGEST];
    let mut count = 0;
    let mut at = start;
    while count < length {
        let byte = *bytes.get(at)?;
        if byte.is_ascii_digit() || (byte.is_ascii_alphabetic() && !(4..digits).contains(&count)) {
            letters[count] = byte.to_ascii_uppercase();
            count += 1;
        } else if !matches!(byte, b' ' | b'-') || count < 4 || matches!(bytes[at - 1], b' ' | b'-')
        {
            return None;
        }
        at += 1;
    }
    (mod97(&letters[..length]) == 1).then_some(at)
}

/// The remainder of an account number, upper case and without separators, its head moved back.
pub(crate) fn mod97(letters: &[u8]) -> u32 {
    let (head, tail) = letters.split_at(letters.len().min(4));
    tail.iter().chain(head).fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte.wrapping_sub(b'A')) + 10) % 97,
    })
}

/// The second letters of the countries with a first letter, by its place in the alphabet.
static COUNTRIES: [u32; 26] = {
    let mut countries = [0; 26];
    let mut at = 0;
    while at < 26 * 26 {
        let (first, second) = (at / 26, at % 26);
        if country_length([b'A' + first as u8, b'A' + second as u8]).is_some() {
            countries[first] |= 1 << second;
        }
        at += 1;
    }
    countries
};

/// The length of a country's account numbers, from the IBAN registry.
const fn country_length(country: [u8; 2]) -> Option<usize> {
    let length = match &country {
        b"NO" => 15,
        b"BE" => 16,
        b"DK" | b"FI" | b"FK" | b"FO" | b"GL" | b"NL" | b"SD" => 18,
        b"MK" | b"SI" => 19,
        b"AT" | b"BA" | b"EE" | b"KZ" | b"LT" | b"LU" | b"MN" | b"XK" => 20,
        b"CH" | b"CR" | b"HR" | b"LI" | b"LV" => 21,
        b"BG" | b"BH" | b"DE" | b"GB" | b"GE" | b"IE" | b"ME" | b"RS" | b"VA" => 22,
        b"AE" | b"GI" | b"IL" | b"IQ" | b"OM" | b"SO" | b"TL" => 23,
        b"AD" | b"CZ" | b"ES" | b"MD" | b"PK" | b"RO" | b"SA" | b"SE" | b"SK" | b"TN" | b"VG" => 24,
        b"LY" | b"PT" | b"ST" => 25,
        b"IS" | b"TR" => 26,
        b"BI" | b"DJ" | b"FR" | b"GR" | b"IT" | b"MC" | b"MR" | b"SM" => 27,
        b"AL" | b"AZ" | b"BY" | b"CY" | b"DO" | b"GT" | b"HN" | b"HU" | b"LB" | b"NI" | b"PL"
        | b"SV" => 28,
        b"BR" | b"EG" | b"PS" | b"QA" | b"UA" => 29,
        b"JO" | b"KW" | b"MU" | b"YE" => 30,
        b"MT" | b"SC" => 31,
        b"LC" => 32,
        b"RU" => 33,
        _ => return None,
    };
    Some(length)
}

/// How many characters of a country's account numbers can't be letters, its own two aside, from the
/// IBAN registry; 4 where that is not sure.
///
/// Hex digits and generated keys begin with a country by chance, and one in 97 has its checksum.
const fn leading_digits(country: [u8; 2], length: usize) -> usize {
    match &country {
        b"AE" | b"AT" | b"BA" | b"BE" | b"CZ" | b"DE" | b"DK" | b"EE" | b"ES" | b"FI" | b"FO"
        | b"GL" | b"HR" | b"HU" | b"IL" | b"IS" | b"LT" | b"ME" | b"NO" | b"PL" | b"PT" | b"RS"
        | b"SE" | b"SI" | b"SK" | b"TN" | b"VA" | b"XK" => length,
        b"AD" => 12,
        _ => 4,
    }
}
