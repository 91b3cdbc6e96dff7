//! Numbers with a wrong digit are none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::TABLE;
use crate::samples::{NATIONAL, found};

/// Detectors whose numbers have no checksum, or one that some changes of a digit get past: two rests
/// share a digit, or weights share a factor with ten.
const WEAK: [&str; 11] = [
    "us_ssn",
    "br_cpf",
    "us_itin",
    "us_mbi",
    "uk_nino",
    "in_pan",
    "my_nric",
    "mx_curp",
    "kr_rrn",
    "th_id",
    "lv_personas_kods",
];

fn finds(name: &str, text: &str) -> bool {
    found(text).iter().any(|(found, value)| *found == name && value == text)
}

#[test]
fn every_form_has_a_sample() {
    for row in TABLE {
        for form in row.forms {
            let drawn = |(byte, drawn): (u8, u8)| match drawn {
                b'9' => byte.is_ascii_digit(),
                b'A' => byte.is_ascii_uppercase(),
                b'X' => byte.is_ascii_alphanumeric(),
                _ => byte == drawn,
            };
            let has =
                |text: &str| text.len() == form.len() && text.bytes().zip(form.bytes()).all(drawn);
            let sampled = NATIONAL.iter().any(|(name, text)| *name == row.name && has(text));
            assert!(sampled, "{} {form}", row.name);
        }
    }
}

#[test]
fn one_wrong_digit_is_no_number() {
    for (name, text) in NATIONAL.iter().filter(|(name, _)| !WEAK.contains(name)) {
        for (at, old) in text.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit()) {
            // Checksums leave out the issue of a Medicare card and the centuries of the north.
            let left_out = match *name {
                "au_medicare" | "is_kennitala" => at + 1 == text.len(),
                "se_personnummer" => text.len() == 13 && at < 2,
                _ => false,
            };
            if left_out {
                continue;
            }
            for new in (b'0'..=b'9').filter(|new| *new != old) {
                let mut changed = text.as_bytes().to_vec();
                changed[at] = new;
                let changed = String::from_utf8(changed).unwrap();
                assert!(!finds(name, &changed), "{name} {text} {changed}");
            }
        }
    }
}

#[test]
fn a_number_inside_something_longer_is_none() {
    for (name, text) in NATIONAL {
        for longer in [
            format!("a{text}"),
            format!("7{text}"),
            format!("{text}a"),
            format!("{text}7"),
            format!("_{text}"),
            format!("7-{text}"),
            format!("{text}-7"),
            format!("0.{text}"),
            format!("{text}.7"),
            format!("+{text}"),
        ] {
            let inside = found(&longer).iter().any(|(other, value)| other == name && value == text);
            assert!(!inside, "{name} {longer}");
        }
    }
}

#[test]
fn what_reads_as_a_moment_is_one() {
    for day in 1..=28 {
        for minute in 0..60 {
            for text in [
                format!("2401{day:02}-10{minute:02}"),
                format!("202401{day:02}-10{minute:02}"),
                format!("202401{day:02}-10{minute:02}30"),
            ] {
                assert_eq!(found(&text), [], "{text}");
            }
        }
    }
}

proptest! {
    #[test]
    fn numbers_with_another_serial_are_found_once_they_check(
        (name, text) in prop::sample::select(NATIONAL.to_vec()),
        places in prop::collection::vec(any::<prop::sample::Index>(), 3),
    ) {
        let digits: Vec<usize> =
            text.bytes().enumerate().filter(|(_, b)| b.is_ascii_digit()).map(|(at, _)| at).collect();
        let row = TABLE.iter().find(|row| row.name == name).unwrap();
        for n in 0..1000 {
            let mut other = text.as_bytes().to_vec();
            for (place, scale) in places.iter().zip([1, 10, 100]) {
                other[digits[place.index(digits.len())]] = b'0' + (n / scale % 10) as u8;
            }
            let compact: Vec<u8> =
                other.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
            let other = String::from_utf8(other).unwrap();
            prop_assert_eq!((row.valid)(&compact), finds(name, &other), "{}", other);
        }
    }
}
