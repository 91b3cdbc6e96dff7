//! Messages of the client and their bytes.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::postgres::build;

#[test]
fn bytes_and_messages_are_the_same_thing() {
    for (bytes, expected) in [
        (b"Q\0\0\0\x09SQL \0".as_slice(), Frontend::Query(b"SQL ")),
        (b"Q\0\0\0\x05\0", Frontend::Query(b"")),
        (b"S\0\0\0\x04", Frontend::Sync),
        (b"H\0\0\0\x04", Frontend::Flush),
        (b"X\0\0\0\x04", Frontend::Terminate),
        (b"c\0\0\0\x04", Frontend::CopyDone),
        (b"d\0\0\0\x06\0\xff", Frontend::CopyData(b"\0\xff")),
        (b"f\0\0\0\x07no\0", Frontend::CopyFail(b"no")),
        (b"p\0\0\0\x06a\0", Frontend::Password(b"a\0")),
        (b"D\0\0\0\x07Ss\0", Frontend::Describe { kind: Kind::Statement, name: b"s" }),
        (b"C\0\0\0\x06P\0", Frontend::Close { kind: Kind::Portal, name: b"" }),
        (b"E\0\0\0\x0ap\0\0\0\0\x07", Frontend::Execute { portal: b"p", max_rows: 7 }),
        (b"E\0\0\0\x09\0\xff\xff\xff\xff", Frontend::Execute { portal: b"", max_rows: -1 }),
    ] {
        assert_eq!(parse(bytes), Ok(expected), "{}", bytes.escape_ascii());
        let mut again = Vec::new();
        build::frontend(&expected, &mut again).unwrap();
        assert_eq!(again, bytes);
    }
}

#[test]
fn a_bind_gives_formats_and_parameters() {
    let mut out = Vec::new();
    let values = [Some(b"ann".as_slice()), None, Some(b"")];
    build::bind(b"p", b"s", [0, 1, 0], values, [1], &mut out).unwrap();
    let Ok(Frontend::Bind { portal, statement, formats, parameters, result_formats }) = parse(&out)
    else {
        panic!("no bind");
    };
    assert_eq!((portal, statement), (b"p".as_slice(), b"s".as_slice()));
    assert!(formats.iter().eq([0, 1, 0]));
    assert!(parameters.iter().eq(values));
    assert_eq!(parameters.get(0), Some(Some(b"ann".as_slice())));
    assert_eq!(parameters.get(1), Some(None));
    assert_eq!(parameters.get(3), None);
    assert_eq!((formats.of(1), formats.of(3)), (Some(1), None));
    assert_eq!((result_formats.of(0), result_formats.of(9)), (Some(1), Some(1)));
    assert_eq!(format!("{parameters:?}"), "3 values of 15 bytes");
}

#[test]
fn what_the_server_and_we_may_read_differently_is_refused() {
    for (why, bytes) in [
        ("a NUL in a query", b"Q\0\0\0\x0aone\0two\0".as_slice()),
        ("a NUL in a query, right length", b"Q\0\0\0\x0cone\0two\0"),
        ("a query without NUL", b"Q\0\0\0\x07one"),
        ("a query without anything", b"Q\0\0\0\x04"),
        ("a shorter length", b"Q\0\0\0\x05one\0"),
        ("a longer length", b"Q\0\0\0\x09one\0"),
        ("a body behind Sync", b"S\0\0\0\x05x"),
        ("an unknown kind", b"D\0\0\0\x06X\0"),
        ("no name", b"D\0\0\0\x05S"),
        ("a name too many", b"C\0\0\0\x08Ss\0\0"),
        ("no row limit", b"E\0\0\0\x05\0"),
        ("types beyond the end", b"P\0\0\0\x08\0\0\xff\xff"),
        ("parameters beyond the end", b"B\0\0\0\x0a\0\0\0\0\xff\xff"),
        ("a parameter of length -2", b"B\0\0\0\x10\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0"),
        ("a parameter beyond the end", b"B\0\0\0\x10\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0"),
        ("formats beyond the end", b"B\0\0\0\x0a\0\0\xff\xff\0\0"),
        ("no result formats", b"B\0\0\0\x0a\0\0\0\0\0\0"),
        ("an argument beyond the end", b"F\0\0\0\x0e\0\0\0\x01\0\0\0\x02\0\0"),
        ("an unknown type", b"z\0\0\0\x04"),
        ("nothing", b""),
        ("no length", b"Q\0\0"),
    ] {
        assert!(parse(bytes).is_err(), "{why}");
    }
    let nul = parse(b"Q\0\0\0\x0cone\0two\0");
    assert_eq!(nul, Err(WireError::InteriorNul { what: "Query" }));
}

#[test]
fn debug_shows_no_value() {
    assert_eq!(format!("{:?}", Frontend::Password(b"hush")), "PasswordMessage");
    assert_eq!(format!("{:?}", Frontend::CopyData(b"hush")), "CopyData");
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    vec(1u8.., 0..12)
}

fn cells() -> impl Strategy<Value = Vec<Option<Vec<u8>>>> {
    vec(prop::option::of(vec(any::<u8>(), 0..20)), 0..8)
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        (portal, statement, text) in (name(), name(), name()),
        types in vec(any::<u32>(), 0..5),
        (formats, results) in (vec(any::<i16>(), 0..5), vec(any::<i16>(), 0..5)),
        values in cells(),
    ) {
        let mut out = Vec::new();
        build::parse(&statement, &text, types.iter().copied(), &mut out).unwrap();
        let Ok(Frontend::Parse { name, text: read, types: oids }) = parse(&out) else {
            panic!("no parse");
        };
        prop_assert_eq!((name, read), (&*statement, &*text));
        prop_assert!(oids.iter().eq(types));

        out.clear();
        let cells = values.iter().map(Option::as_deref);
        let (each, result) = (formats.iter().copied(), results.iter().copied());
        build::bind(&portal, &statement, each, cells.clone(), result, &mut out).unwrap();
        let Ok(Frontend::Bind { parameters, result_formats, formats: codes, .. }) = parse(&out)
        else {
            panic!("no bind");
        };
        prop_assert!(parameters.iter().eq(cells));
        prop_assert!(codes.iter().eq(formats));
        prop_assert!(result_formats.iter().eq(results));
    }
}
