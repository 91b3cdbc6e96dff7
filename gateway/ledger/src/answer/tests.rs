//! Answers are decoded as they were delivered.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u32 + 4).to_be_bytes();
    [&[kind], &len[..], payload].concat()
}

fn columns(columns: &[(&str, u32, i16)]) -> Vec<u8> {
    let mut payload = (columns.len() as u16).to_be_bytes().to_vec();
    for (name, oid, format) in columns {
        payload.extend_from_slice(name.as_bytes());
        payload.extend_from_slice(&[0; 7]);
        payload.extend_from_slice(&oid.to_be_bytes());
        payload.extend_from_slice(&[0; 6]);
        payload.extend_from_slice(&format.to_be_bytes());
    }
    message(b'T', &payload)
}

fn row(cells: &[Option<&[u8]>]) -> Vec<u8> {
    let mut payload = (cells.len() as u16).to_be_bytes().to_vec();
    for cell in cells {
        let len = cell.map_or(u32::MAX, |cell| cell.len() as u32);
        payload.extend_from_slice(&len.to_be_bytes());
        payload.extend_from_slice(cell.unwrap_or_default());
    }
    message(b'D', &payload)
}

fn read_part(cursor: &mut Cursor, parts: &[Vec<u8>]) -> Vec<Run> {
    read(cursor, PartKind::PostgresMessages, &[], &parts.concat())
}

fn text(cells: &[Option<&str>]) -> Vec<Option<String>> {
    cells.iter().map(|cell| cell.map(str::to_owned)).collect()
}

#[test]
fn rows_are_read_across_parts_and_results() {
    let mut cursor = Cursor::default();
    let one = [columns(&[("id", 23, 0), ("name", 25, 0)]), row(&[Some(b"1"), None])];
    let runs = read_part(&mut cursor, &one);
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].columns[..], ["id", "name"]);
    assert_eq!(runs[0].rows, [text(&[Some("1"), None])]);
    let two = [
        row(&[Some(b"2"), Some(b"x")]),
        message(b'C', b"SELECT 2\0"),
        columns(&[("n", 20, 0)]),
        row(&[Some(b"9")]),
        message(b'C', b"SELECT 1\0"),
        message(b'C', b"UPDATE 5\0"),
        message(b'Z', b"I"),
    ];
    let runs = read_part(&mut cursor, &two);
    let seen: Vec<_> = runs.iter().map(|run| (run.result, run.tag.as_deref().unwrap())).collect();
    assert_eq!(seen, [(0, "SELECT 2"), (1, "SELECT 1"), (2, "UPDATE 5")]);
    assert_eq!(runs[0].columns[..], ["id", "name"]);
    assert_eq!(runs[1].columns[..], ["n"]);
    assert!(runs[2].columns.is_empty() && runs[2].rows.is_empty());
}

#[test]
fn binary_cells_are_read_by_type() {
    let uuid: [u8; 16] = std::array::from_fn(|at| at as u8);
    let cases: [(u32, &[u8], &str); 17] = [
        (16, &[1], "t"),
        (16, &[2], "\\x02"),
        (21, &(-2_i16).to_be_bytes(), "-2"),
        (23, &7_i32.to_be_bytes(), "7"),
        (20, &i64::MIN.to_be_bytes(), "-9223372036854775808"),
        (20, &[0, 1], "\\x0001"),
        (700, &1.5_f32.to_be_bytes(), "1.5"),
        (701, &(-0.25_f64).to_be_bytes(), "-0.25"),
        (25, "\u{fc}".as_bytes(), "\u{fc}"),
        (25, &[0xff], "\\xff"),
        (3802, b"\x01{}", "{}"),
        (2950, &uuid, "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        (1082, &0_i32.to_be_bytes(), "2000-01-01"),
        (1082, &i32::MAX.to_be_bytes(), "\\x7fffffff"),
        (1184, &0_i64.to_be_bytes(), "2000-01-01 00:00:00.000000+00"),
        (1114, &i64::MAX.to_be_bytes(), "\\x7fffffffffffffff"),
        (600, &[1, 2], "\\x0102"),
    ];
    for (oid, value, expected) in cases {
        assert_eq!(cell::text(value, oid, 1), expected, "{oid}");
    }
    assert_eq!(cell::text(b"as it is", 20, 0), "as it is");
}

#[test]
fn formats_stand_in_for_a_description() {
    let body = row(&[Some(b"a"), Some(&[1])]);
    for (formats, expected) in [(&[0, 1][..], ["a", "\\x01"]), (&[1], ["\\x61", "\\x01"])] {
        let runs = read(&mut Cursor::default(), PartKind::PostgresMessages, formats, &body);
        assert_eq!(runs[0].rows, [text(&expected.map(Some))]);
    }
}

#[test]
fn what_is_said_besides_rows_is_kept() {
    let parts = [
        message(b'N', b"SNOTICE\0C00000\0Mheld\0\0"),
        message(b'E', b"SERROR\0VERROR\0C42P01\0Mno such table\0Hlook\0\0"),
        message(b'A', b"\0\0\0\x01chan\0hi\0"),
        message(b'S', b"TimeZone\0UTC\0"),
        message(b'?', b"odd"),
        b"D\0\0".to_vec(),
    ];
    let runs = read_part(&mut Cursor::default(), &parts);
    let expected = "NOTICE 00000: held\nERROR 42P01: no such table (look)\nNOTIFY chan: hi\n\
                    PARAMETER TimeZone = UTC";
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].message, expected);
    assert_eq!(runs[0].bytes, b"?\0\0\0\x07oddD\0\0");
    let copy = [message(b'H', b"\0\0\0"), message(b'd', b"1\t2\n"), message(b'c', b"")];
    let runs = read_part(&mut Cursor::default(), &copy);
    assert_eq!((runs[0].kind, &runs[0].bytes[..]), ("copy_out", &b"1\t2\n"[..]));
}

proptest! {
    #[test]
    fn no_body_panics(
        body in prop::collection::vec(any::<u8>(), 0..200),
        kind in prop::sample::select(&b"TDCENASd"[..]),
    ) {
        let mut cursor = Cursor::default();
        read(&mut cursor, PartKind::PostgresMessages, &[], &message(kind, &body));
        read(&mut cursor, PartKind::PostgresMessages, &[1, 0], &body);
    }
}
