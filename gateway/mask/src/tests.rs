//! Cells of every type, masked both ways.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use crate::detector::card;
use crate::json::unquote;
use crate::samples::{BODY, found, jwt, masker, noise, pem, value, values};
use crate::*;

const TRANSFORMS: [Transform; 5] = [
    Transform::Token,
    Transform::Generalise,
    Transform::Partial,
    Transform::Hash,
    Transform::Redact,
];

fn content(oid: u32, format: i16, value: &[u8], transform: Transform) -> (Outcome, Vec<u8>) {
    let column = Column { type_oid: oid, format, action: Action::Content };
    let rules = ContentRules::all(Some(transform));
    let mut out = Vec::new();
    let outcome = masker().cell(&column, &rules, value, &mut out, &mut Counts::new());
    assert_eq!(outcome == Outcome::Replaced, !out.is_empty());
    (outcome, out)
}

fn apply(oid: u32, format: i16, value: &[u8], transform: Transform) -> Option<Vec<u8>> {
    let action = Action::Apply { transform, policy: "p".to_owned() };
    let column = Column { type_oid: oid, format, action };
    let mut out = b"before".to_vec();
    let mut counts = Counts::new();
    let rules = ContentRules::all(None);
    let outcome = masker().cell(&column, &rules, value, &mut out, &mut counts);
    assert_eq!(counts["p"], 1);
    let out = out.strip_prefix(b"before").unwrap().to_vec();
    match outcome {
        Outcome::Replaced => Some(out),
        Outcome::Null => {
            assert!(out.is_empty());
            None
        }
        Outcome::Unchanged => panic!("{oid} went through"),
    }
}

fn apply_text(value: &str, transform: Transform) -> String {
    String::from_utf8(apply(25, 0, value.as_bytes(), transform).unwrap()).unwrap()
}

fn has(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn tokens_keep_the_shape() {
    let mail = apply_text("Alice@Example.com", Transform::Token);
    assert!(mail.ends_with("@masked.invalid"), "{mail}");
    assert_eq!(mail, apply_text("alice@example.com", Transform::Token));
    assert_eq!(mail, masker().token("email", b"ALICE@example.com"));
    let card = apply_text("4111 1111 1111 1111", Transform::Token);
    let plain = apply_text("4111111111111111", Transform::Token);
    assert_eq!(card.replace(' ', ""), plain);
    assert_eq!(card.match_indices(' ').map(|(at, _)| at).collect::<Vec<_>>(), [4, 9, 14]);
    assert!(plain.starts_with("9999") && card::luhn(plain.as_bytes()), "{plain}");
    let iban = apply_text("GB82 WEST 1234 5698 7654 32", Transform::Token);
    assert!(iban.starts_with("ZZ") && iban.len() == 27, "{iban}");
    let letters = iban.replace(' ', "");
    assert_eq!(detector::iban::mod97(letters.as_bytes()), 1);
    let phone = apply_text("+1 (415) 555-2671", Transform::Token);
    assert!(phone.starts_with("+9 (99") && phone.len() == 17, "{phone}");
    assert!(apply_text("123-45-6789", Transform::Token).starts_with('9'));
    assert_eq!(apply_text("0042", Transform::Token).len(), 4);
    assert!(apply_text("some words", Transform::Token).starts_with("tok_"));
    assert_eq!(apply_text("bob", Transform::Redact), "[redacted]");
}

#[test]
fn tokens_are_no_findings_themselves() {
    for (name, value) in values() {
        let token = apply_text(&value, Transform::Token);
        assert_eq!(found(&token), [], "{name} {token}");
    }
}

#[test]
fn another_key_makes_other_tokens() {
    let other = Masker::new(Key::from_bytes([43; 32]));
    for class in ["email", "text"] {
        let token = masker().token(class, b"alice@example.com");
        assert_ne!(token, other.token(class, b"alice@example.com"));
    }
    // A class that the value is not of promises nothing.
    assert!(masker().token("card", b"alice").starts_with("tok_"));
    assert!(masker().token("email", b"\xff@example.com").starts_with("tok_"));
}

#[test]
fn partial_shows_little() {
    assert_eq!(apply_text("alice@example.com", Transform::Partial), "a***@example.com");
    assert_eq!(apply_text("a@example.com", Transform::Partial), "***@example.com");
    assert_eq!(apply_text("4111111111111111", Transform::Partial), "****1111");
    assert_eq!(apply_text("short", Transform::Partial), "****");
    assert_eq!(apply_text("Grüßegrüße", Transform::Partial), "****rüße");
    assert_eq!(apply_text("****1111", Transform::Partial), "[redacted]");
}

#[test]
fn null_leaves_no_value() {
    for (oid, format, value) in
        [(25, 0, "a"), (23, 1, "\0\0\0\x01"), (1009, 0, "{a}"), (114, 0, "1")]
    {
        assert_eq!(apply(oid, format, value.as_bytes(), Transform::Null), None, "{oid}");
    }
    // A cell in which something is found goes whole, an array's element alone.
    for (oid, format, value) in [
        (25, 0, "write to a@b.io"),
        (114, 0, r#"{"to": "a@b.io"}"#),
        (3802, 1, "\x01[4111111111111111]"),
        (17, 1, "a@b.io"),
    ] {
        let (outcome, _) = content(oid, format, value.as_bytes(), Transform::Null);
        assert_eq!(outcome, Outcome::Null, "{oid}");
        assert_eq!(content(oid, format, b"nothing", Transform::Null).0, Outcome::Unchanged);
    }
    let (_, out) = content(1009, 0, b"{x,a@b.io}", Transform::Null);
    assert_eq!(out, b"{x,NULL}");
    // What is no cell can't be NULL.
    let rules = ContentRules::all(Some(Transform::Null));
    assert_eq!(masker().text(&rules, "to a@b.io").unwrap(), "to [redacted]");
}

#[test]
fn hides_findings_inside_a_text() {
    let text = b"mail alice@example.com or call +14155552671 now";
    let (_, out) = content(25, 0, text, Transform::Redact);
    assert_eq!(out, b"mail [redacted] or call [redacted] now");
    let mut rules = ContentRules::all(None);
    rules.by_detector[index_of("phone").unwrap()] = Some(Transform::Partial);
    let text = std::str::from_utf8(text).unwrap();
    let hidden = masker().text(&rules, text).unwrap();
    assert_eq!(hidden, "mail alice@example.com or call ****2671 now");
    assert_eq!(masker().text(&ContentRules::all(None), text), None);
    assert_eq!(masker().text(&rules, "nothing here"), None);
    // Overlapping findings are hidden once, by the stricter transform.
    let pem = pem().replace("b3Bl", "alice@example.com");
    let (_, out) = content(25, 0, format!("k {pem} e").as_bytes(), Transform::Redact);
    assert_eq!(out, b"k [redacted] e");
}

#[test]
fn counts_by_detector() {
    let column = Column { type_oid: 25, format: 0, action: Action::Content };
    let rules = ContentRules::all(Some(Transform::Redact));
    let (mut out, mut counts) = (Vec::new(), Counts::new());
    let text = b"a@b.io, c@d.io, 123-45-6789";
    masker().cell(&column, &rules, text, &mut out, &mut counts);
    assert_eq!(counts, Counts::from([("email".to_owned(), 2), ("us_ssn".to_owned(), 1)]));
}

#[test]
fn json_stays_json() {
    let text =
        r#"{"mail": "a\u0040b.io \"x\"", "n": [1.5e3, 4111111111111111, "ok"], "c@d.io": null}"#;
    for (oid, format, text) in [
        (114, 0, text.to_owned()),
        (114, 1, text.to_owned()),
        (3802, 0, text.to_owned()),
        (3802, 1, format!("\u{1}{text}")),
    ] {
        let (outcome, out) = content(oid, format, text.as_bytes(), Transform::Redact);
        assert_eq!(outcome, Outcome::Replaced);
        let out = String::from_utf8(out).unwrap();
        let shown = r#"{"mail": "[redacted] \"x\"", "n": [1.5e3, 0, "ok"], "[redacted]": null}"#;
        assert_eq!(out.trim_start_matches('\u{1}'), shown);
        assert_eq!(out.starts_with('\u{1}'), text.starts_with('\u{1}'));
    }
    let (_, out) = content(114, 0, b"[4111111111111111]", Transform::Token);
    assert!(out.starts_with(b"[9999") && out.len() == 18);
    let secret = &BODY[..40];
    for text in [
        format!(r#"{{"name": "AWS_SECRET_ACCESS_KEY", "value": "{secret}"}}"#),
        format!(r#"{{"aws": {{"secret": ["{secret}"]}}}}"#),
    ] {
        let (outcome, out) = content(3802, 0, text.as_bytes(), Transform::Redact);
        assert_eq!(outcome, Outcome::Replaced, "{text}");
        assert!(!has(&out, secret.as_bytes()));
    }
    // What isn't JSON is not mended, and a number in it ends where its word does.
    assert_eq!(content(114, 0, b"123-45-6789_", Transform::Redact).0, Outcome::Unchanged);
    assert_eq!(content(114, 0, b"[123-45-6789]", Transform::Redact).0, Outcome::Replaced);
    assert_eq!(content(114, 0, b"\"a@b.io", Transform::Redact).0, Outcome::Null);
    assert_eq!(content(3802, 1, b"\x02\"a@b.io\"", Transform::Redact).0, Outcome::Null);
}

#[test]
fn json_columns_become_strings() {
    assert_eq!(apply(114, 0, br#"{"a": 1}"#, Transform::Redact).unwrap(), b"\"[redacted]\"");
    assert_eq!(apply(3802, 1, b"\x01[1]", Transform::Partial).unwrap(), b"\x01\"[redacted]\"");
    assert_eq!(apply(3802, 1, b"[1]", Transform::Redact), None);
    let token = apply(3802, 0, br#""a@b.io""#, Transform::Token).unwrap();
    let token = unquote(std::str::from_utf8(&token).unwrap()).unwrap();
    assert_eq!(token, masker().token("email", b"a@b.io"));
}

#[test]
fn byte_strings_are_hidden_whole() {
    let hex: String = b"key a@b.io".iter().map(|b| format!("{b:02x}")).collect();
    for (format, value) in [
        (0, format!("\\x{hex}").into_bytes()),
        (0, b"key a\\100b.io".to_vec()),
        (1, b"\xff\x00key a@b.io\x00".to_vec()),
    ] {
        assert_eq!(content(17, format, &value, Transform::Token).0, Outcome::Null);
    }
    assert_eq!(content(17, 0, b"\\x00ff", Transform::Token).0, Outcome::Unchanged);
    let text = apply(17, 0, b"\\x6162", Transform::Token).unwrap();
    let binary = apply(17, 1, b"ab", Transform::Token).unwrap();
    let hex: String = binary.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(text, format!("\\x{hex}").into_bytes());
    assert_eq!(apply(17, 0, b"\\x6", Transform::Redact), None);
}

#[test]
fn other_encodings_are_redacted_whole() {
    let value = b"gr\xfc\xdfe an a@b.io";
    assert_eq!(content(25, 0, value, Transform::Token).1, b"[redacted]");
    assert_eq!(content(25, 0, b"gr\xfc\xdfe", Transform::Token).0, Outcome::Unchanged);
    for transform in TRANSFORMS {
        assert!(!has(&apply(25, 0, value, transform).unwrap(), &value[..4]));
    }
}

#[test]
fn what_cannot_be_written_becomes_null() {
    for (oid, format, value) in [
        (600, 0, "(1,2)"),
        (3614, 0, "'a':1"),
        (2249, 0, "(a,b)"),
        (99_999, 1, "abc"),
        (99_999, 0, "(a,b)"),
        (99_999, 0, "{a,b}"),
        (790, 0, "$1.00"),
        (25, 2, "abc"),
        (23, 0, "x"),
        (23, 1, "abc"),
        (1082, 0, "15/01/2024"),
        (1114, 0, "999999-01-01 00:00:00"),
        (2950, 0, "550e8400"),
        (1700, 1, "abc"),
        (1700, 0, "1e5"),
        (1009, 0, "{\"a"),
        (1009, 1, "{a}"),
    ] {
        for transform in TRANSFORMS {
            assert_eq!(apply(oid, format, value.as_bytes(), transform), None, "{oid} {value}");
        }
    }
    assert_eq!(apply_text("citext", Transform::Redact), "[redacted]");
    assert_eq!(apply(99_999, 0, b"abc", Transform::Redact).unwrap(), b"[redacted]");
    // Unknown types are looked at all the same.
    assert_eq!(content(600, 0, b"(a@b.io)", Transform::Token).0, Outcome::Null);
    assert_eq!(content(99_999, 1, b"\0\0\0\x31a@b.io", Transform::Token).0, Outcome::Null);
    assert_eq!(content(2249, 0, b"(a@b.io,x)", Transform::Redact).1, b"([redacted],x)");
    assert_eq!(content(99_999, 1, b"\0\0\0\x014111", Transform::Token).0, Outcome::Unchanged);
    // A length byte before the value may look like one of its digits or letters.
    for length in [b'0', b'a', b'-', b' ', b'_', b'.'] {
        let value = [&[0, 0, 0, length], &b"4111111111111111"[..]].concat();
        assert_eq!(content(2249, 1, &value, Transform::Token).0, Outcome::Null, "{length}");
    }
}

#[test]
fn plans_know_what_needs_work() {
    let plan = |columns: &[(u32, Action)]| Plan {
        columns: columns
            .iter()
            .map(|(oid, action)| Column { type_oid: *oid, format: 0, action: action.clone() })
            .collect(),
    };
    let hide = Action::Apply { transform: Transform::Redact, policy: "p".to_owned() };
    let numbers = plan(&[(23, Action::Content), (25, Action::Clear), (1007, Action::Content)]);
    assert!(numbers.all_clear() && !numbers.needs_scan() && !numbers.has_apply());
    let texts = plan(&[(23, Action::Content), (1009, Action::Content)]);
    assert!(!texts.all_clear() && texts.needs_scan() && !texts.has_apply());
    let hidden = plan(&[(23, hide)]);
    assert!(!hidden.all_clear() && !hidden.needs_scan() && hidden.has_apply());
    assert_eq!(ContentRules { by_detector: vec![] }.of(0), Some(Transform::Redact));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_hidden_text_never_shows_the_value(
        value in prop_oneof!["[ -~]{4,40}", "\\PC{4,20}", "[0-9]{4,30}", value()],
    ) {
        prop_assume!(!"[redacted]".contains(&value));
        let json = crate::json::quote(&value);
        let jsonb = [&[1], json.as_bytes()].concat();
        let array = format!("{{{}}}", crate::json::quote(&value));
        for transform in TRANSFORMS {
            for (oid, format, cell) in [
                (25, 0, value.as_bytes()), (1042, 1, value.as_bytes()),
                (99_999, 0, value.as_bytes()),
                (114, 0, json.as_bytes()), (3802, 1, &jsonb), (17, 1, value.as_bytes()),
                (1009, 0, array.as_bytes()),
            ] {
                if let Some(out) = apply(oid, format, cell, transform) {
                    prop_assert!(!has(&out, value.as_bytes()), "{} {:?}", oid, out);
                }
            }
        }
    }

    #[test]
    fn a_finding_never_gets_through(before in noise(), value in value(), after in noise()) {
        // Set apart, so that it certainly is a finding.
        let cell = [&before, &b"; "[..], value.as_bytes(), b" ;", &after].concat();
        for transform in [Transform::Token, Transform::Generalise, Transform::Hash, Transform::Redact] {
            for (oid, format) in [(25, 0), (25, 1), (17, 1), (2249, 1), (99_999, 0)] {
                let (outcome, out) = content(oid, format, &cell, transform);
                prop_assert_ne!(outcome, Outcome::Unchanged);
                prop_assert!(!has(&out, value.as_bytes()), "{} {:?}", oid, out);
            }
        }
    }

    #[test]
    fn nothing_panics(oid in 0u32..4200, format in -1i16..3, cell in noise()) {
        for transform in TRANSFORMS.into_iter().chain([Transform::Null]) {
            let _ = apply(oid, format, &cell, transform);
            let _ = content(oid, format, &cell, transform);
        }
    }

    #[test]
    fn digits_have_tokens_of_their_own(one in "[0-9]{1,18}", two in "[0-9]{1,18}") {
        let (a, b) = (apply_text(&one, Transform::Token), apply_text(&two, Transform::Token));
        prop_assert_ne!(&a, &one);
        if found(&one).is_empty() && found(&two).is_empty() {
            prop_assert_eq!(a.len(), one.len());
            prop_assert_eq!(a == b, one == two);
        }
    }
}

#[test]
fn jwt_in_a_header_is_hidden() {
    let text = format!("authorization: Bearer {}\r\nhost: x", jwt());
    let (_, out) = content(25, 0, text.as_bytes(), Transform::Redact);
    assert_eq!(out, b"authorization: Bearer [redacted]\r\nhost: x");
}
