//! What the detectors find and what they don't.
#![allow(clippy::disallowed_methods)] // it measures time
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ordinary;

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::detector::{Detector as _, token};
use crate::samples::{BODY, announced, found, jwt, pem, values};
use crate::{DETECTORS, Key, Masker};

#[test]
fn finds_every_value_alone_and_in_a_sentence() {
    for (name, value) in values() {
        for text in [
            value.clone(),
            format!("see '{value}', please"),
            format!("a=({value})"),
            format!("\"{value}\""),
            format!("<{value}>"),
            format!("{value}\n"),
        ] {
            // An angle bracket is a letter where machines read passports.
            if name == "passport_mrz" && text.starts_with('<') {
                continue;
            }
            let found = found(&text);
            assert!(found.contains(&(name, value.clone())), "{name} in {text:?}: {found:?}");
        }
    }
}

const HARMLESS: &[&str] = &[
    "1",
    "4111111111111112",
    "1234567890123456",
    "9999999999999999",
    "0000000000000000",
    "1700000000000",
    "1700000000000000",
    "1700000000000000000",
    "9223372036854775807",
    "-9223372036854775808",
    "0.4111111111111111",
    "4111111111111111.5",
    "x4111111111111111",
    "41111111111111110000000000",
    "550e8400-e29b-41d4-a716-446655440000",
    "00000000-0000-0000-4111-111111111111",
    "2024-01-15 10:20:30.123456+00",
    "2024-01-15T10:20:30Z",
    "+02:00",
    "+1234567",
    "1+14155552671",
    "abc+14155552671",
    "+10155552671",
    "+99912345678901",
    "d41d8cd98f00b204e9800998ecf8427e",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "secret: da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "DE89370400440532013001",
    "XX89370400440532013000",
    "XDE89370400440532013000",
    "user@localhost",
    "@example.com",
    "a@b",
    "react@18.2.0",
    "pkg@1.2.rc1",
    "u2345672345672345@masked.invalid",
    "***@example.com",
    "000-12-3456",
    "666-12-3456",
    "900-12-3456",
    "123-00-6789",
    "123-45-0000",
    "1123-45-6789",
    "123-45-67890",
    "1-123-45-6789",
    "eyJhbGciOiJIUzI1NiJ9",
    "eyJmb28iOiJiYXIifQ.eyJzdWIiOiIxMjM0In0.c2ln",
    "eyJ.a.b",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    "AKIA",
    "AKIAlowercaseletters1",
    "ghp_short",
    "xoxb-short",
    "AIzaShort",
    "pk_live_abcdefghijklmnopqrstuvwx",
    "sk_live_short",
    "laws and secrets",
    "sk-ant-short",
    "pk_live_51H8abcdefghijklmnopqrstuvwx",
    "npm_config_registry",
    "hf_hub_download",
    "key-d41d8cd98f00b204e9800998ecf8427",
    "xmd5d41d8cd98f00b204e9800998ecf8427e",
    "cio",
    "servicio, negocio, espacio",
    "$1, $2 and $6$",
    "SKU0123456789",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
    "P<UTOERIKSSON",
    "cat <<EOF >> file",
    "L898902C36UTO7408122F1204158ZE184226B<<<<<10",
    "[redacted]",
    "tok_abcdefghijklmnop",
];

#[test]
fn finds_nothing_in_harmless_texts() {
    for text in HARMLESS {
        assert_eq!(found(text), [], "{text:?}");
        assert_eq!(found(&format!("({text})")), [], "{text:?}");
    }
}

#[test]
fn there_are_many_detectors_with_names_of_their_own() {
    let names: BTreeSet<&str> = DETECTORS.iter().map(|detector| detector.name()).collect();
    assert_eq!(names.len(), DETECTORS.len());
    assert!(names.len() >= 90, "{}", names.len());
    let described = include_str!("../../../../docs/detectors.md");
    for detector in DETECTORS {
        let name = detector.name();
        assert!(described.contains(&format!("`{name}`")), "docs/detectors.md lacks {name}");
        assert!(matches!(detector.class(), "pii" | "secret"), "{name}");
        assert!(
            values().iter().any(|(sampled, _)| *sampled == name)
                || announced().iter().any(|(sampled, ..)| *sampled == name),
            "{name}"
        );
    }
}

#[test]
fn finds_what_is_announced() {
    for (name, before, value) in announced() {
        let after = if name == "connection_password" { "@db:5432/app" } else { "" };
        let found = found(&format!("see {before}{value}{after}"));
        assert_eq!(found, [(name, value)], "{before}");
    }
    assert_eq!(found("see postgres://app@db, redis://db:6379/0, http://a/b:c@d"), []);
    assert_eq!(found("url=postgres://app:${PASSWORD}@db/x postgres://app:***@db"), []);
    assert_eq!(found("Basic authentication is basic hygiene"), []);
    let escaped = found("amqp://u:p@ss@mq/");
    assert_eq!(escaped, [("connection_password", "p@ss".to_owned())]);
}

#[test]
fn a_token_that_is_too_short_or_part_of_a_word_is_none() {
    let marks =
        token::TABLE.iter().flat_map(|token| token.marks.iter().map(move |mark| (token, *mark)));
    for (token, mark) in marks {
        let name = token.name();
        let whole = values().into_iter().find(|(_, value)| value.starts_with(mark)).unwrap().1;
        let finds = |text: &str| found(text).iter().any(|(found, _)| *found == name);
        assert!(!finds(&whole[..mark.len() + token.least - 1]), "{whole}");
        assert!(
            !finds(&format!("7{whole}")) || !crate::detector::is_word(mark.as_bytes()[0]),
            "{whole}"
        );
    }
}

#[test]
fn cuts_out_exactly_what_it_found() {
    let two = found("mail a.b@example.com. Or c@d.io;");
    assert_eq!(two, [("email", "a.b@example.com".to_owned()), ("email", "c@d.io".to_owned())]);
    let year = found("in 2024 4111 1111 1111 1111 3 times");
    assert_eq!(year[0], ("card", "4111 1111 1111 1111".to_owned()));
    let bearer = found(&format!("Bearer_{}, x", jwt()));
    assert_eq!(bearer, [("jwt", jwt())]);
    let open = pem().replace("-----END", "---- END");
    assert_eq!(found(&format!("key: {open}"))[0], ("private_key", open));
    let iban = found("IBAN: DE89 3704 0044 0532 0130 00 (Berlin)");
    assert_eq!(iban[0], ("iban", "DE89 3704 0044 0532 0130 00".to_owned()));
}

/// Dashes where a UUID has them make none of what is no hex digit, or has more of them.
#[test]
fn finds_numbers_with_the_dashes_of_a_uuid() {
    for (text, number) in [
        ("20240115-DE89-3704-0044-0532-0130-00", "DE89-3704-0044-0532-0130-00"),
        ("20240115-GB29-NWBK-6016-1331-9268-19", "GB29-NWBK-6016-1331-9268-19"),
        ("paid 00012345-IE29-AIBK-9311-5212-3456-78 today", "IE29-AIBK-9311-5212-3456-78"),
        ("001-GB29-NWBK-6016-1331-9268-19-0001", "GB29-NWBK-6016-1331-9268-19"),
    ] {
        assert!(found(text).contains(&("iban", number.to_owned())), "{text}");
    }
    let card = found("001-4111-1111-1111-1111-123456789012");
    assert!(card.iter().any(|(name, _)| *name == "card"), "{card:?}");
}

/// The examples of the IBAN registry for the countries whose numbers are told by their digits.
#[test]
fn finds_the_registry_s_own_account_numbers() {
    let examples = "AD1200012030200359100100 AE070331234567890123456 AT611904300234573201 \
        BA391290079401028494 BE68539007547034 CZ6508000000192000145399 DE89370400440532013000 \
        DK5000400440116243 EE382200221020145685 ES9121000418450200051332 FI2112345600000785 \
        FO6264600001631634 GB29NWBK60161331926819 GL8964710001000206 HR1210010051863000160 \
        HU42117730161111101800000000 IL620108000000099999999 IS140159260076545510730339 \
        LT121000011101001000 ME25505000012345678951 NO9386011117947 \
        PL61109010140000071219812874 PT50000201231234567890154 RS35260005601001611379 \
        SE4550000000058398257466 SI56263300012039086 SK3112000000198742637541 \
        TN5910006035183598478831 VA59001123000012345678 XK051212012345678906";
    for example in examples.split_whitespace() {
        assert_eq!(found(example), [("iban", example.to_owned())]);
    }
}

#[test]
fn finds_an_aws_secret_only_beside_a_keyword() {
    let secret = &BODY[..40];
    assert_eq!(found(secret), []);
    for text in [
        format!("aws_secret_access_key = {secret}"),
        format!("AWS_SECRET_ACCESS_KEY={secret}\n"),
        format!("SecretAccessKey: \"{secret}\""),
    ] {
        assert_eq!(found(&text), [("aws_key", secret.to_owned())], "{text}");
    }
}

#[test]
fn long_texts_of_beginnings_take_linear_time() {
    let masker = Masker::new(Key::from_bytes([1; 32]));
    let parts = [
        "eyJ",
        "@",
        "a@",
        "@a.",
        "+1",
        "4444",
        "DE89",
        "-----BEGIN ",
        "AKIA",
        "aws",
        "1-",
        "\\\\",
        "1.",
        "1 ",
        "12-",
        "<<",
        "<<A",
        "://",
        "://a:b",
        "$2b$",
        "AIza",
        "-AIza",
        "md5",
        "dapi",
        "SK",
        "T3BlbkFJ",
        "1:AA",
        "Q~",
        "-us1",
        "Basic ",
        "bc1",
        "ops_eyJ",
        "AGE-SECRET-KEY-1",
        "hf_",
    ];
    for part in parts {
        let text = part.repeat((1 << 18) / part.len());
        let begin = std::time::Instant::now();
        let _ = masker.row_is_clean(text.as_bytes());
        let _ = found(&text);
        // Quadratic time would be hours.
        assert!(begin.elapsed().as_secs() < 10, "{part}: {:?}", begin.elapsed());
    }
}

proptest! {
    #[test]
    fn spans_are_on_character_boundaries(text in ".{0,80}") {
        let _ = found(&text);
    }

    #[test]
    fn plain_numbers_and_hex_are_no_findings(n in any::<u64>(), m in any::<u128>()) {
        // A number that is a card's is one, wherever it stands.
        let text = format!("{:032x}", m);
        prop_assert_eq!(found(&text), []);
        let uuid = format!("{}-{}-{}-{}-{}",
            &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]);
        prop_assert_eq!(found(&uuid), []);
        prop_assert!(found(&n.to_string()).iter().all(|(name, _)| *name == "card"));
    }
}
