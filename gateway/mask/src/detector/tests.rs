//! What the detectors find and what they don't.
#![allow(clippy::disallowed_methods)] // it measures time
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use crate::samples::{BODY, found, jwt, pem, values};
use crate::{Key, Masker};

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
            let found = found(&text);
            assert!(found.contains(&(name, value.clone())), "{name} in {text:?}: {found:?}");
        }
    }
}

#[test]
fn finds_nothing_in_harmless_texts() {
    let texts = [
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
        "[redacted]",
        "tok_abcdefghijklmnop",
    ];
    for text in texts {
        assert_eq!(found(text), [], "{text:?}");
        assert_eq!(found(&format!("({text})")), [], "{text:?}");
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
    let parts =
        ["eyJ", "@", "a@", "@a.", "+1", "4444", "DE89", "-----BEGIN ", "AKIA", "aws", "1-", "\\\\"];
    for part in parts {
        let text = part.repeat((1 << 20) / part.len());
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
