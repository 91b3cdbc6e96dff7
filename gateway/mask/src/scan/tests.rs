//! The prefilter suspects whatever a detector finds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use crate::postgres::Hand;
use crate::samples::{BODY, announced, found, masker, noise, value, values};
use crate::{ContentRules, Counts, Outcome, Transform};

fn framed(cells: &[Vec<u8>]) -> Vec<u8> {
    let mut row = (cells.len() as u16).to_be_bytes().to_vec();
    for cell in cells {
        row.extend_from_slice(&(cell.len() as u32).to_be_bytes());
        row.extend_from_slice(cell);
    }
    row
}

fn element(cells: &[Vec<u8>]) -> Vec<u8> {
    let mut array = [1i32, 0, 25, cells.len() as i32, 1].map(i32::to_be_bytes).concat();
    array.extend_from_slice(&framed(cells)[2..]);
    array
}

#[test]
fn suspects_every_value_whatever_length_frames_it() {
    let masker = masker();
    let announced = announced().into_iter().map(|(name, before, value)| {
        (name, format!("{before}{value}{}", if name.starts_with("con") { "@db" } else { "" }))
    });
    for (name, value) in values().into_iter().chain(announced) {
        for padding in 0..140 {
            let cell = format!("{value}{}", " ".repeat(padding)).into_bytes();
            assert!(!masker.row_is_clean(&framed(&[cell])), "{name} {value} {padding}");
        }
        // Where a length's bytes are digits or letters too.
        for before in ["0", "19", "123", "a", "AB", "1-2", "9 9", "_", "-", "."] {
            let cell = format!("{before}{value}").into_bytes();
            assert!(!masker.row_is_clean(&cell), "{before} {name} {value}");
        }
    }
    let uri = r#"{"url": "postgres:\/\/app:abcdefgh@db\/app"}"#;
    assert!(!masker.row_is_clean(uri.as_bytes()));
    let secret = format!("{{\"aws_secret\": [\"{}\\/{}\"]}}", &BODY[..20], &BODY[..19]);
    assert!(!masker.row_is_clean(secret.as_bytes()));
}

#[test]
fn lets_typical_rows_pass() {
    let masker = masker();
    for text in [
        "550e8400-e29b-41d4-a716-446655440000",
        "2024-01-15 10:20:30.123456+00",
        "1700000000000",
        "9223372036854775807",
        "{\"a\": [1, 2.5, \"x\\ny\"], \"b\": null}",
        "user@localhost react@18.2.0",
        "the law's draws; a secret is kept",
        "3.141592653589793 -1e+30",
        "https://example.com:8080/a@b see http://u@localhost",
        "SKU key-value servicio md5 $1, $2 << EOF; sk- SG.",
        "d41d8cd98f00b204e9800998ecf8427e",
    ] {
        assert!(masker.row_is_clean(text.as_bytes()), "{text}");
    }
    assert!(masker.row_is_clean(b""));
    assert!(!masker.row_is_clean(b"\\x616263"));
    assert!(!masker.row_is_clean(b"a\\u0040b"));
}

/// Cells with a value somewhere, as bytes that need not be UTF-8.
fn planted() -> impl Strategy<Value = Vec<u8>> {
    (noise(), value(), noise())
        .prop_map(|(before, value, after)| [before, value.into_bytes(), after].concat())
}

fn cell() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        planted(),
        noise(),
        (planted(), noise()).prop_map(|(one, two)| element(&[two, one])),
        planted().prop_map(|cell| {
            let hex: String = cell.iter().map(|b| format!("{b:02x}")).collect();
            format!("\\x{hex}").into_bytes()
        }),
        planted().prop_map(|cell| {
            let text = String::from_utf8_lossy(&cell).into_owned();
            format!("{{\"k\": [{}, 1]}}", crate::json::quote(&text)).into_bytes()
        }),
        value().prop_map(|text| {
            let escaped: String = text.encode_utf16().map(|u| format!("\\u{u:04x}")).collect();
            format!("{{\"k\": \"{escaped}\"}}").into_bytes()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn a_clean_row_has_no_finding(cells in prop::collection::vec(cell(), 1..4)) {
        let masker = masker();
        for text in cells.iter().map(|cell| String::from_utf8_lossy(cell)) {
            let suspects = masker.0.prefilter.suspects(&text);
            for (name, value) in found(&text) {
                let index = crate::index_of(name).unwrap();
                prop_assert!(suspects >> index & 1 == 1, "{} {}", name, value);
            }
        }
        if masker.row_is_clean(&framed(&cells)) {
            let rules = ContentRules::all(Some(Transform::Redact));
            let hand = Hand { masker: &masker, rules: &rules };
            for cell in &cells {
                prop_assert_eq!(found(&String::from_utf8_lossy(cell)), []);
                for oid in [25, 114, 3802, 17, 1009, 199, 2249, 600, 99_999] {
                    for format in [0, 1] {
                        let mut out = Vec::new();
                        let outcome = hand.content(oid, format, cell, &mut out, &mut Counts::new());
                        prop_assert_eq!(outcome, Outcome::Unchanged, "{} {}", oid, format);
                    }
                }
            }
        }
    }
}
