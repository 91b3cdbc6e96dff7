//! Messages of the target and their bytes.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::postgres::build;

#[test]
fn bytes_and_messages_are_the_same_thing() {
    for (bytes, expected) in [
        (b"R\0\0\0\x08\0\0\0\0".as_slice(), Backend::Authentication(Authentication::Ok)),
        (b"R\0\0\0\x08\0\0\0\x03", Backend::Authentication(Authentication::Cleartext)),
        (
            b"R\0\0\0\x0c\0\0\0\x05salt",
            Backend::Authentication(Authentication::Md5 { salt: *b"salt" }),
        ),
        (
            b"R\0\0\0\x0b\0\0\0\x0br=x",
            Backend::Authentication(Authentication::SaslContinue(b"r=x")),
        ),
        (b"R\0\0\0\x0b\0\0\0\x0cv=x", Backend::Authentication(Authentication::SaslFinal(b"v=x"))),
        (b"R\0\0\0\x08\0\0\0\x07", Backend::Authentication(Authentication::Other(7))),
        (b"S\0\0\0\x08a\0b\0", Backend::ParameterStatus { name: b"a", value: b"b" }),
        (b"K\0\0\0\x0c\0\0\0\x01abcd", Backend::BackendKeyData { pid: 1, key: b"abcd" }),
        (b"Z\0\0\0\x05I", Backend::ReadyForQuery(Transaction::Idle)),
        (b"Z\0\0\0\x05T", Backend::ReadyForQuery(Transaction::Open)),
        (b"Z\0\0\0\x05E", Backend::ReadyForQuery(Transaction::Failed)),
        (b"C\0\0\0\x0aBEGIN\0", Backend::CommandComplete(b"BEGIN")),
        (b"I\0\0\0\x04", Backend::EmptyQuery),
        (b"1\0\0\0\x04", Backend::ParseComplete),
        (b"2\0\0\0\x04", Backend::BindComplete),
        (b"3\0\0\0\x04", Backend::CloseComplete),
        (b"n\0\0\0\x04", Backend::NoData),
        (b"s\0\0\0\x04", Backend::PortalSuspended),
        (b"c\0\0\0\x04", Backend::CopyDone),
        (b"d\0\0\0\x06\0\xff", Backend::CopyData(b"\0\xff")),
        (b"V\0\0\0\x08\xff\xff\xff\xff", Backend::FunctionResult(None)),
        (b"V\0\0\0\x09\0\0\0\x01x", Backend::FunctionResult(Some(b"x"))),
        (
            b"A\0\0\0\x0c\0\0\0\x09c\0p\0",
            Backend::Notification { pid: 9, channel: b"c", payload: b"p" },
        ),
    ] {
        assert_eq!(parse(bytes), Ok(expected), "{}", bytes.escape_ascii());
        let mut again = Vec::new();
        build::backend(&expected, &mut again).unwrap();
        assert_eq!(again, bytes);
    }
}

#[test]
fn lists_are_read_in_order() {
    let sasl = b"R\0\0\0\x0d\0\0\0\x0aA\0B\0\0";
    let Ok(Backend::Authentication(Authentication::Sasl { mechanisms })) = parse(sasl) else {
        panic!("no sasl");
    };
    assert!(mechanisms.iter().eq([b"A", b"B"]));
    let negotiate = b"v\0\0\0\x10\0\x03\0\0\0\0\0\x02a\0b\0";
    let Ok(Backend::NegotiateProtocolVersion { version, options }) = parse(negotiate) else {
        panic!("no negotiation");
    };
    assert_eq!(version, 196_608);
    assert!(options.iter().eq([b"a", b"b"]));
    let types = b"t\0\0\0\x0e\0\x02\0\0\0\x17\0\0\0\x19";
    let Ok(Backend::ParameterDescription(oids)) = parse(types) else {
        panic!("no types");
    };
    assert!(oids.iter().eq([23, 25]));
    let Ok(Backend::CopyOut { format: 1, columns }) = parse(b"H\0\0\0\x09\x01\0\x01\0\x01") else {
        panic!("no copy");
    };
    assert!(columns.iter().eq([1]));
    let error = b"E\0\0\0\x12SERROR\0C42601\0\0";
    let mut error = error.to_vec();
    error[4] = u8::try_from(error.len() - 1).unwrap();
    let Ok(Backend::Error(fields)) = parse(&error) else {
        panic!("no error");
    };
    assert_eq!(fields.get(b'C'), Some(b"42601".as_slice()));
    assert_eq!(fields.get(b'D'), None);
    assert!(fields.iter().map(|(kind, _)| kind).eq(*b"SC"));
}

#[test]
fn counts_beyond_the_end_and_bytes_after_it_are_errors() {
    for (why, bytes) in [
        ("cells", b"D\0\0\0\x06\xff\xff".as_slice()),
        ("a cell's bytes", b"D\0\0\0\x0b\0\x01\0\0\0\x02x"),
        ("a cell of length -2", b"D\0\0\0\x0a\0\x01\xff\xff\xff\xfe"),
        ("bytes after a row", b"D\0\0\0\x07\0\0x"),
        ("columns", b"T\0\0\0\x06\0\x01"),
        ("half a column", b"T\0\0\0\x0a\0\x01a\0\0\0"),
        ("types", b"t\0\0\0\x06\0\x01"),
        ("options", b"v\0\0\0\x0c\0\x03\0\0\xff\xff\xff\xff"),
        ("mechanisms", b"R\0\0\0\x0a\0\0\0\x0aA\0"),
        ("a short salt", b"R\0\0\0\x0a\0\0\0\x05sa"),
        ("a long salt", b"R\0\0\0\x0d\0\0\0\x05salty"),
        ("Ok with a body", b"R\0\0\0\x09\0\0\0\0x"),
        ("fields without end", b"E\0\0\0\x07Sx\0"),
        ("a field without NUL", b"E\0\0\0\x06Sx"),
        ("bytes after fields", b"E\0\0\0\x06\0x"),
        ("a state", b"Z\0\0\0\x05X"),
        ("two states", b"Z\0\0\0\x06II"),
        ("a COPY format", b"G\0\0\0\x07\x02\0\0"),
        ("a short key", b"K\0\0\0\x0b\0\0\0\x01abc"),
        ("a NUL in a tag", b"C\0\0\0\x08a\0b\0"),
        ("a frontend type", b"Q\0\0\0\x05\0"),
    ] {
        assert!(parse(bytes).is_err(), "{why}");
    }
}

#[test]
fn command_tags_give_verb_and_rows() {
    for (tag, verb, rows) in [
        (b"SELECT 3".as_slice(), b"SELECT".as_slice(), Some(3)),
        (b"INSERT 0 5", b"INSERT", Some(5)),
        (b"MERGE 2", b"MERGE", Some(2)),
        (b"COPY 10", b"COPY", Some(10)),
        (b"CREATE TABLE", b"CREATE TABLE", None),
        (b"BEGIN", b"BEGIN", None),
        (b"", b"", None),
        (b"UPDATE ", b"UPDATE ", None),
        (b"UPDATE 99999999999999999999", b"UPDATE 99999999999999999999", None),
        (b"UPDATE +1", b"UPDATE +1", None),
    ] {
        assert_eq!(command_tag(tag), (verb, rows), "{}", tag.escape_ascii());
    }
}

#[test]
fn debug_shows_no_value() {
    let mut out = Vec::new();
    build::data_row([Some(b"hush".as_slice())], &mut out).unwrap();
    let row = parse(&out).unwrap();
    assert_eq!(format!("{row:?}"), "DataRow");
    let Backend::DataRow(cells) = row else { panic!("no row") };
    assert_eq!(format!("{cells:?}"), "1 values of 8 bytes");
}

#[test]
fn a_result_has_no_more_columns_than_a_server_can_send() {
    for (count, fits) in [(1_664u16, true), (1_665, false), (u16::MAX, false)] {
        let body = [&count.to_be_bytes()[..], &vec![0; 19 * usize::from(count)]].concat();
        let length = (body.len() as u32 + 4).to_be_bytes();
        let message = [&b"T"[..], &length, &body].concat();
        assert_eq!(parse(&message).is_ok(), fits, "{count}");
    }
}
