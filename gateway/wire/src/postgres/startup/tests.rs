//! Start-up packets and their bytes.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

#[test]
fn requests_are_eight_bytes_exactly() {
    assert_eq!(parse(b"\0\0\0\x08\x04\xd2\x16\x2f"), Ok(Startup::Ssl));
    assert_eq!(parse(b"\0\0\0\x08\x04\xd2\x16\x30"), Ok(Startup::GssEnc));
    assert!(parse(b"\0\0\0\x09\x04\xd2\x16\x2fx").is_err());
    assert!(parse(b"\0\0\0\x09\x04\xd2\x16\x2f").is_err());
    assert!(parse(b"\0\0\0\x08\x04\xd2\x16\x2fx").is_err());
}

#[test]
fn cancel_keys_have_4_to_256_bytes() {
    for (length, good) in [(0, false), (3, false), (4, true), (32, true), (256, true), (257, false)]
    {
        let key = vec![7; length];
        let mut out = b"before".to_vec();
        assert_eq!(encode_cancel(5, &key, &mut out).is_ok(), good, "{length}");
        if good {
            assert_eq!(parse(&out[6..]), Ok(Startup::Cancel { pid: 5, key: &key }));
        } else {
            assert_eq!(out, b"before");
        }
        let mut raw = u32::try_from(12 + length).unwrap().to_be_bytes().to_vec();
        raw.extend_from_slice(&CANCEL_CODE.to_be_bytes());
        raw.extend_from_slice(&[0, 0, 0, 5]);
        raw.extend_from_slice(&key);
        assert_eq!(parse(&raw).is_ok(), good, "{length}");
    }
}

#[test]
fn a_start_keeps_its_version_and_parameters() {
    let parameters = [(b"user".as_slice(), b"ann".as_slice()), (b"options", b"")];
    for minor in [0, 2, 9_999] {
        let mut out = Vec::new();
        encode_start(minor, parameters, &mut out).unwrap();
        let expected = Startup::Start { minor, parameters: parameters.to_vec() };
        assert_eq!(parse(&out), Ok(expected));
    }
}

#[test]
fn a_start_that_may_be_read_in_two_ways_is_refused() {
    let many: Vec<u8> = (0..300).flat_map(|at| format!("p{at}\0x\0").into_bytes()).collect();
    for (why, body) in [
        ("nothing", b"".as_slice()),
        ("no terminator", b"user\0ann\0"),
        ("bytes after the terminator", b"user\0ann\0\0x"),
        ("a second list", b"user\0ann\0\0database\0x\0\0"),
        ("a name without value", b"user\0"),
        ("a value without end", b"user\0ann"),
        ("two users", b"user\0ann\0user\0root\0\0"),
        ("too many", &[&many[..], b"\0"].concat()),
    ] {
        let length = u32::try_from(8 + body.len()).unwrap().to_be_bytes();
        let packet = [&length, &[0, 3, 0, 0], body].concat();
        assert!(parse(&packet).is_err(), "{why}");
    }
    assert!(parse(b"\0\0\0\x09\0\x02\0\0\0").is_err(), "version 2");
    assert!(parse(b"\0\0\0\x09\0\x04\0\0\0").is_err(), "version 4");
    assert!(parse(b"\0\0\0\x09\0\x03\0\0\0").is_ok());
}

#[test]
fn parameters_that_would_end_the_list_early_are_not_written() {
    for bad in [(b"".as_slice(), b"x".as_slice()), (b"a\0b", b"x"), (b"a", b"x\0user\0root")] {
        let mut out = b"before".to_vec();
        assert!(encode_start(0, [bad], &mut out).is_err());
        assert_eq!(out, b"before");
    }
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(format!("{:?}", Startup::Cancel { pid: 1, key: b"hush" }), "CancelRequest");
}
