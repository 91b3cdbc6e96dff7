//! Checks of the numbers of Asian states and Australia.

use crate::detector::national::check::*;

/// Aadhaar: UIDAI, Verhoeff's digit; no number begins with 0 or 1.
pub(super) fn in_aadhaar(c: &[u8]) -> bool {
    c[0] >= b'2' && !uniform(&c[..11]) && verhoeff(c)
}

/// Permanent Account Number of a person (fourth letter P): Income Tax Department of India. The last
/// letter checks, but how is not published.
pub(super) fn in_pan(c: &[u8]) -> bool {
    c[3] == b'P' && &c[5..9] != b"0000"
}

/// Resident registration number: Republic of Korea, with the checksum of all those given out until
/// October 2020.
pub(super) fn kr_rrn(c: &[u8]) -> bool {
    let sum = weighted(&c[..12], &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    yymmdd(c) && (11 - sum % 11) % 10 == value(c[12])
}

/// Resident identity number: GB 11643-1999; ISO 7064 MOD 11-2.
pub(super) fn cn_resident_id(c: &[u8]) -> bool {
    let sum = weighted(&c[..17], &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11;
    (11..=82).contains(&number(&c[..2]))
        && (1900..2030).contains(&number(&c[6..10]))
        && date(number(&c[12..14]), number(&c[10..12]))
        && b"10X98765432"[sum as usize] == c[17]
}

/// NRIC and FIN: Immigration and Checkpoints Authority of Singapore; the letters are known from
/// practice.
pub(super) fn sg_nric(c: &[u8]) -> bool {
    let sum = weighted(&c[1..8], &[2, 7, 6, 5, 4, 3, 2]);
    let (letters, plus) = match c[0] {
        b'S' => (b"JZIHGFEDCBA", 0),
        b'T' => (b"JZIHGFEDCBA", 4),
        b'F' => (b"XWUTRQPNMLK", 0),
        b'G' => (b"XWUTRQPNMLK", 4),
        b'M' => (b"XWUTRQPNJLK", 3),
        _ => return false,
    };
    letters[((sum + plus) % 11) as usize] == c[8]
}

/// Hong Kong identity card number: Immigration Department; modulus 11, written in parentheses.
pub(super) fn hk_hkid(c: &[u8]) -> bool {
    let letter = |byte: u8| u32::from(byte.wrapping_sub(b'A')) + 10;
    let split = c.len() - 7;
    let letters = match c[..split] {
        // A space, which counts as 36, stands for the letter that isn't there.
        [one] => 36 * 9 + letter(one) * 8,
        [one, two] => letter(one) * 9 + letter(two) * 8,
        _ => return false,
    };
    let check = match c[split + 6] {
        b'A' => 10,
        digit @ b'0'..=b'9' => value(digit),
        _ => return false,
    };
    let sum = letters + weighted(&c[split..split + 6], &[7, 6, 5, 4, 3, 2]) + check;
    sum.is_multiple_of(11)
}

/// Identification number: Department of Provincial Administration of Thailand; modulus 11.
pub(super) fn th_id(c: &[u8]) -> bool {
    let sum = weighted(&c[..12], &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    matches!(c[0], b'1'..=b'8') && (11 - sum % 11) % 10 == value(c[12])
}

/// MyKad number: National Registration Department of Malaysia; a day and a place of birth.
pub(super) fn my_nric(c: &[u8]) -> bool {
    let place = number(&c[6..8]);
    let known = matches!(place, 1..=16 | 21..=68 | 71 | 72 | 74..=79 | 82..=93 | 98 | 99);
    yymmdd(c) && known && &c[8..] != b"0000"
}

/// Medicare card number: Services Australia; weights 1, 3, 7, 9 mod 10, then the card's issue.
pub(super) fn au_medicare(c: &[u8]) -> bool {
    (b'2'..=b'6').contains(&c[0])
        && weighted(&c[..8], &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == value(c[8])
        && c[9] != b'0'
}
