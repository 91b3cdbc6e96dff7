//! Replacements parse as the type, in both formats, and mean the same in both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::ContentRules;
use crate::samples::masker;

fn apply(oid: u32, format: i16, value: &[u8], transform: Transform) -> Option<Vec<u8>> {
    let (masker, rules) = (masker(), ContentRules::all(Some(Transform::Redact)));
    let hand = Hand { masker: &masker, rules: &rules };
    let mut out = Vec::new();
    match hand.apply(transform, oid, format, value, &mut out) {
        Outcome::Replaced => Some(out),
        Outcome::Null => None,
        Outcome::Unchanged => panic!("{oid} went through"),
    }
}

fn text(oid: u32, value: &str, transform: Transform) -> String {
    let out = apply(oid, TEXT, value.as_bytes(), transform).expect("a replacement");
    String::from_utf8(out).expect("text")
}

fn token(oid: u32, value: &str) -> String {
    text(oid, value, Transform::Token)
}

fn binary(oid: u32, value: &[u8]) -> Vec<u8> {
    apply(oid, BINARY, value, Transform::Token).expect("a replacement")
}

#[test]
fn constants_are_of_the_type() {
    for (oid, value, constant) in [
        (21, "12", "0"),
        (23, "12", "0"),
        (20, "12", "0"),
        (26, "12", "0"),
        (1700, "12.50", "0"),
        (1700, "NaN", "0"),
        (700, "1.5", "0"),
        (701, "-Infinity", "0"),
        (16, "t", "f"),
        (1082, "1980-02-29", "2000-01-01"),
        (1082, "infinity", "2000-01-01"),
        (1114, "1980-02-29 01:02:03.5", "2000-01-01 00:00:00"),
        (1184, "1980-02-29 01:02:03+01", "2000-01-01 00:00:00+00"),
        (1083, "01:02:03", "00:00:00"),
        (1186, "1 day", "00:00:00"),
        (2950, "550e8400-e29b-41d4-a716-446655440000", "00000000-0000-0000-0000-000000000000"),
        (869, "10.1.2.3/8", "0.0.0.0"),
        (869, "fe80::1", "::"),
        (650, "10.0.0.0/8", "0.0.0.0/32"),
        (829, "08:00:2b:01:02:03", "00:00:00:00:00:00"),
        (17, "\\x00", "\\x5b72656461637465645d"),
        (18, "q", "x"),
        (1007, "{1,NULL,{2}}", "{\"0\",NULL,{\"0\"}}"),
        (1009, "[0:1]={\"a,\\\"b\",c}", "[0:1]={\"[redacted]\",\"[redacted]\"}"),
        (1009, "{}", "{}"),
    ] {
        for transform in [Transform::Redact, Transform::Partial] {
            let shown = text(oid, value, transform);
            let part = matches!(oid, 1009) && transform == Transform::Partial;
            assert!(shown == constant || part, "{oid} {value} {shown}");
        }
    }
}

#[test]
fn a_coarse_value_is_of_the_type() {
    for (oid, value, coarse) in [
        (21, "-32768", "-30000"),
        (23, "52300", "50000"),
        (23, "9", "0"),
        (23, "-10", "-10"),
        (20, "-9223372036854775808", "-9000000000000000000"),
        (1700, "52300.75", "50000.00"),
        (1700, "-9.99", "0.00"),
        (1700, "NaN", "0"),
        (700, "1234.5", "1000"),
        (701, "-0.5", "0"),
        (701, "-987", "-900"),
        (701, "Infinity", "0"),
        (1082, "1980-02-29", "1980-02-01"),
        (1082, "infinity", "2000-01-01"),
        (1114, "1980-02-29 01:02:03.5", "1980-02-01 00:00:00"),
        (1184, "1980-03-01 00:30:00+01", "1980-02-01 00:00:00+00"),
        (869, "10.1.2.3", "10.1.2.0/24"),
        (869, "10.1.2.3/8", "0.0.0.0/0"),
        (869, "2001:db8:1:2::5", "2001:db8:1::/48"),
        (650, "10.1.2.0/24", "10.1.0.0/16"),
        (2950, "550e8400-e29b-41d4-a716-446655440000", "00000000-0000-0000-0000-000000000000"),
        (1007, "{123,NULL}", "{\"100\",NULL}"),
        (1009, "{alice@example.com}", "{\"*@example.com\"}"),
        (114, "\"alice@example.com\"", "\"*@example.com\""),
    ] {
        assert_eq!(text(oid, value, Transform::Generalise), coarse, "{oid} {value}");
    }
    let inet = apply(869, BINARY, &[2, 32, 0, 4, 10, 1, 2, 3], Transform::Generalise);
    assert_eq!(inet, Some(vec![2, 24, 0, 4, 10, 1, 2, 0]));
    let infinite = apply(1082, BINARY, &i32::MAX.to_be_bytes(), Transform::Generalise);
    assert_eq!(infinite, Some(vec![0; 4]));
    let infinite = apply(1184, BINARY, &i64::MIN.to_be_bytes(), Transform::Generalise);
    assert_eq!(infinite, Some(vec![0; 8]));
    let decimal = apply(1700, BINARY, &numeric("12345.67"), Transform::Generalise).unwrap();
    assert_eq!(numeric_text(&decimal), "10000.00");
}

fn numeric(value: &str) -> Vec<u8> {
    // 12345.67 is the groups 1, 2345, 6700 with weight 1.
    match value {
        "12345.67" => vec![0, 3, 0, 1, 0, 0, 0, 2, 0, 1, 9, 41, 26, 44],
        "-0.0005" => vec![0, 1, 255, 255, 64, 0, 0, 4, 0, 5],
        "0.00000005" => vec![0, 1, 255, 254, 0, 0, 0, 8, 0, 5],
        "10000" => vec![0, 1, 0, 1, 0, 0, 0, 0, 0, 1],
        "0.00" => vec![0, 0, 0, 0, 0, 0, 0, 2],
        _ => panic!("{value}"),
    }
}

/// The text of a binary decimal, as numeric.c's `get_str_from_var` writes it.
fn numeric_text(value: &[u8]) -> String {
    let field = |at: usize| i16::from_be_bytes([value[at], value[at + 1]]);
    let (count, weight, sign, scale) = (field(0), field(2), field(4), field(6));
    let group = |place: i16| match (0..count).contains(&place) {
        true => field(8 + 2 * place as usize),
        false => 0,
    };
    let mut text = if sign == NEGATIVE { "-" } else { "" }.to_owned();
    let whole: String = (0..=weight).map(|place| format!("{:04}", group(place))).collect();
    let whole = whole.trim_start_matches('0');
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        let groups = (0..scale / 4 + 1).map(|n| format!("{:04}", group(weight + 1 + n)));
        text.push('.');
        text.push_str(&groups.collect::<String>()[..scale as usize]);
    }
    text
}

const NEGATIVE: i16 = 0x4000;

#[test]
fn decimals_mean_the_same_in_both_formats() {
    for value in ["12345.67", "-0.0005", "0.00000005", "10000", "0.00"] {
        let shown = token(1700, value);
        assert_eq!(numeric_text(&binary(1700, &numeric(value))), shown, "{value}");
        assert_ne!(shown, value);
        let scale = |text: &str| text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        assert_eq!(scale(&shown), scale(value));
    }
    assert_eq!(token(1700, "10000"), token(23, "10000"));
    assert_eq!(token(1700, "10000.00"), format!("{}.00", token(20, "10000")));
    let endless = "9".repeat(60);
    assert_eq!(token(1700, &endless).len(), 60);
}

#[test]
fn instants_mean_the_same_in_both_formats() {
    let day = token(1082, "2024-01-15");
    let days = i32::from_be_bytes(binary(1082, &8780i32.to_be_bytes()).try_into().unwrap());
    // Postgres itself says that 2024-01-15 is 8780 days after 2000-01-01.
    assert_eq!(token(1082, "2024-01-15").len(), 10);
    let back = apply(1082, TEXT, day.as_bytes(), Transform::Token).unwrap();
    let again = apply(1082, BINARY, &days.to_be_bytes(), Transform::Token).unwrap();
    let again = i32::from_be_bytes(again.try_into().unwrap());
    let (back, span) = (String::from_utf8(back).unwrap(), i64::from(again));
    assert_eq!(super::moment::day(span), back);
    assert_eq!(super::moment::day(8780), "2024-01-15");
    assert_eq!(super::moment::day(-1), "1999-12-31");
    assert_eq!(super::moment::day(59), "2000-02-29");
    let us = 8780 * 86_400_000_000i64 + 37_230_500_000;
    let shown = binary(1184, &us.to_be_bytes());
    let one = token(1184, "2024-01-15 10:20:30.5+00");
    assert_eq!(one, token(1184, "2024-01-15 15:50:30.500+05:30"));
    assert_eq!(one, token(1184, "2024-01-15 07:20:30.5-03"));
    assert_eq!(one.strip_suffix("+00").unwrap(), token(1114, "2024-01-15 10:20:30.5"));
    assert_eq!(shown, binary(1114, &us.to_be_bytes()));
    assert_eq!(apply(1184, TEXT, one.as_bytes(), Transform::Token), {
        let text = apply(1184, BINARY, &shown, Transform::Token).unwrap();
        let us = i64::from_be_bytes(text.try_into().unwrap());
        let days = us.div_euclid(86_400_000_000);
        let rest = us.rem_euclid(86_400_000_000);
        let (s, f) = (rest / 1_000_000, rest % 1_000_000);
        let time = format!("{:02}:{:02}:{:02}.{f:06}", s / 3600, s / 60 % 60, s % 60);
        Some(format!("{} {time}+00", super::moment::day(days)).into_bytes())
    });
}

#[test]
fn addresses_mean_the_same_in_both_formats() {
    let uuid = token(2950, "550E8400-e29b-41d4-a716-446655440000");
    let clear = 0x550e8400_e29b_41d4_a716_446655440000u128.to_be_bytes();
    let hex: String = binary(2950, &clear).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(uuid.replace('-', ""), hex);
    assert_eq!(uuid.as_bytes()[14], b'8');
    let inet = token(869, "10.1.2.3");
    assert!(matches!(inet.parse().unwrap(), IpAddr::V4(a) if a.octets()[0] >= 240));
    let shown = binary(869, &[2, 32, 0, 4, 10, 1, 2, 3]);
    assert_eq!(IpAddr::from(<[u8; 4]>::try_from(&shown[4..]).unwrap()).to_string(), inet);
    assert!(token(869, "2001:db8::1").starts_with("100::"));
    let mac = token(829, "08:00:2b:01:02:03");
    let shown = binary(829, &[8, 0, 0x2b, 1, 2, 3]);
    let pairs: Vec<String> = shown.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(mac, pairs.join(":"));
}

fn array(element: u32, cells: &[Option<&[u8]>]) -> Vec<u8> {
    let null = cells.contains(&None);
    let head = [1, i32::from(null), element as i32, cells.len() as i32, 1];
    let mut array = head.map(i32::to_be_bytes).concat();
    for cell in cells {
        let length = cell.map_or(-1, |cell| cell.len() as i32);
        array.extend_from_slice(&length.to_be_bytes());
        array.extend_from_slice(cell.unwrap_or_default());
    }
    array
}

#[test]
fn arrays_are_built_again() {
    let clear = array(25, &[Some(b"a@b.io"), None, Some(b"ok")]);
    let (masker, rules) = (masker(), ContentRules::all(Some(Transform::Redact)));
    let hand = Hand { masker: &masker, rules: &rules };
    let content = |oid, format, value: &[u8]| {
        let mut out = Vec::new();
        (hand.content(oid, format, value, &mut out, &mut Counts::new()), out)
    };
    let (outcome, out) = content(1009, BINARY, &clear);
    assert_eq!(outcome, Outcome::Replaced);
    assert_eq!(out, array(25, &[Some(b"[redacted]"), None, Some(b"ok")]));
    let (_, out) = content(1009, TEXT, br#"{ok,"a@b.io \"x\"",NULL,"NULL"}"#);
    assert_eq!(out, br#"{ok,"[redacted] \"x\"",NULL,"NULL"}"#);
    let (_, out) = content(3807, TEXT, br#"{"{\"k\": \"a\\u0040b.io\"}"}"#);
    assert_eq!(out, br#"{"{\"k\": \"[redacted]\"}"}"#);
    assert_eq!(content(1009, BINARY, &array(25, &[Some(b"ok")])).0, Outcome::Unchanged);
    // A bytea element can't be cut: it is NULL, and the array says so.
    let (_, out) = content(1001, BINARY, &array(17, &[Some(b"a@b.io"), Some(b"ok")]));
    assert_eq!(out, array(17, &[None, Some(b"ok")]));
    for broken in [&clear[..clear.len() - 1], &[&clear[..], b"x"].concat()] {
        assert_eq!(content(1009, BINARY, broken).0, Outcome::Null);
    }
    let mut huge = clear.clone();
    huge[12..16].copy_from_slice(&i32::MAX.to_be_bytes());
    assert_eq!(content(1009, BINARY, &huge).0, Outcome::Null);
    let clear = array(23, &[Some(&7i32.to_be_bytes()), None]);
    let shown = binary(1007, &clear);
    assert_eq!(shown, array(23, &[Some(&binary(23, &7i32.to_be_bytes())), None]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn integers_mean_the_same_at_every_width(
        one in any::<i64>(), two in any::<i64>(), cut in 0u32..63,
    ) {
        let (one, two) = (one >> cut, two >> cut);
        let shown: i64 = token(20, &one.to_string()).parse().unwrap();
        prop_assert_ne!(shown, one);
        prop_assert_eq!(shown < 0, one < 0);
        prop_assert_eq!(binary(20, &one.to_be_bytes()), shown.to_be_bytes());
        if let Ok(narrow) = i32::try_from(one) {
            prop_assert_eq!(binary(23, &narrow.to_be_bytes()), (shown as i32).to_be_bytes());
            prop_assert_eq!(i64::from(shown as i32), shown);
        }
        if let Ok(narrow) = i16::try_from(one) {
            prop_assert_eq!(binary(21, &narrow.to_be_bytes()), (shown as i16).to_be_bytes());
            prop_assert_eq!(i64::from(shown as i16), shown);
        }
        prop_assert_eq!(token(20, &two.to_string()) == token(20, &one.to_string()), one == two);
    }

    #[test]
    fn a_coarse_number_stands_for_many(value in any::<i64>(), cut in 0u32..63) {
        let value = value >> cut;
        let coarse: i64 = text(20, &value.to_string(), Transform::Generalise).parse().unwrap();
        let again = text(20, &coarse.to_string(), Transform::Generalise);
        prop_assert_eq!(&again, &coarse.to_string());
        let unit = 10u64.pow(coarse.unsigned_abs().checked_ilog10().unwrap_or(1));
        prop_assert!(unit >= 10 && value.abs_diff(coarse) < unit, "{} {}", value, coarse);
        let shown = apply(20, BINARY, &value.to_be_bytes(), Transform::Generalise).unwrap();
        prop_assert_eq!(shown, coarse.to_be_bytes());
        let decimal = text(1700, &value.to_string(), Transform::Generalise);
        prop_assert_eq!(decimal, coarse.to_string());
        let float: f64 = text(701, &value.to_string(), Transform::Generalise).parse().unwrap();
        prop_assert!(float.abs() <= (value as f64).abs());
    }

    #[test]
    fn a_coarse_date_is_the_first_of_its_month(days in any::<i32>(), us in any::<i64>()) {
        let coarse = apply(1082, BINARY, &days.to_be_bytes(), Transform::Generalise).unwrap();
        let coarse = i32::from_be_bytes(coarse.try_into().unwrap());
        prop_assert!(coarse == 0 || (0..31).contains(&(days - coarse)));
        let shown = super::moment::day(i64::from(coarse));
        prop_assert!(shown.ends_with("-01"));
        if coarse != 0 {
            let clear = super::moment::day(i64::from(days));
            prop_assert_eq!(&clear[..8], &shown[..8]);
            prop_assert_eq!(text(1082, &clear, Transform::Generalise), shown);
        }
        let coarse = apply(1184, BINARY, &us.to_be_bytes(), Transform::Generalise).unwrap();
        let coarse = i64::from_be_bytes(coarse.try_into().unwrap());
        prop_assert!(coarse == 0 || (0..31 * 86_400_000_000).contains(&(us - coarse)));
        prop_assert_eq!(coarse % 86_400_000_000, 0);
    }

    #[test]
    fn floats_parse_back(value in any::<f64>()) {
        let shown: f64 = token(701, &value.to_string()).parse().unwrap();
        prop_assert_ne!(shown, value);
        if !value.is_nan() {
            prop_assert_eq!(binary(701, &value.to_be_bytes()), shown.to_be_bytes());
        }
        let shown: f32 = token(700, &(value as f32).to_string()).parse().unwrap();
        if !value.is_nan() {
            prop_assert_eq!(binary(700, &(value as f32).to_be_bytes()), shown.to_be_bytes());
        }
    }

    #[test]
    fn decimals_parse_back(
        whole in any::<u64>(), fraction in "[0-9]{0,12}", minus in any::<bool>(),
    ) {
        let sign = if minus { "-" } else { "" };
        let dot = if fraction.is_empty() { "" } else { "." };
        let value = format!("{sign}{whole}{dot}{fraction}");
        let shown = token(1700, &value);
        prop_assert_ne!(&shown, &value);
        prop_assert!(!shown.contains(&value) || value.len() < 5);
        let all = shown.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
        prop_assert!(all && shown.parse::<f64>().is_ok());
    }

    #[test]
    fn dates_have_tokens_of_their_own(one in -32_768i32..32_768, two in -32_768i32..32_768) {
        let (a, b) = (binary(1082, &one.to_be_bytes()), binary(1082, &two.to_be_bytes()));
        prop_assert_eq!(a == b, one == two);
        prop_assert_ne!(&a[..], &one.to_be_bytes()[..]);
        let day = super::moment::day(i64::from(one));
        let shown = i32::from_be_bytes(a.try_into().unwrap());
        prop_assert_eq!(token(1082, &day), super::moment::day(i64::from(shown)));
    }
}
