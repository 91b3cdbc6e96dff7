//! What is written parses back, and what cannot be written leaves no trace.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::postgres::rows::Field;
use crate::postgres::{Backend, Fields, backend};

#[test]
fn a_row_that_is_dropped_before_its_end_takes_itself_back() {
    let mut out = b"before".to_vec();
    let mut row = RowWriter::begin(&mut out);
    row.push(Some(b"secret")).unwrap();
    drop(row);
    assert_eq!(out, b"before");
}

#[test]
fn a_row_of_too_many_cells_takes_itself_back() {
    let mut out = b"before".to_vec();
    assert!(data_row(std::iter::repeat_n(None, 65_536), &mut out).is_err());
    assert_eq!(out, b"before");
    assert!(data_row(std::iter::repeat_n(None, 65_535), &mut out).is_ok());
    let Ok(Backend::DataRow(cells)) = backend::parse(&out[6..]) else { panic!("no row") };
    assert_eq!(cells.iter().count(), 65_535);
}

#[test]
fn a_text_with_a_nul_is_not_written() {
    let mut out = b"before".to_vec();
    assert!(query(b"SELECT 1\0; DROP TABLE t", &mut out).is_err());
    assert!(parse(b"s\0", b"", [], &mut out).is_err());
    assert!(password(b"a\0b", &mut out).is_err());
    assert!(command_complete(b"a\0b", &mut out).is_err());
    assert_eq!(out, b"before");
}

#[test]
fn an_error_of_ours_goes_out_whatever_it_says() {
    let fields = ErrorFields {
        severity: Severity::Fatal,
        code: "42501",
        message: "a\0b".to_owned(),
        detail: Some("é".repeat(10_000)),
        hint: None,
    };
    let mut out = Vec::new();
    error_response(&fields, &mut out);
    notice(&fields, &mut out);
    let half = out.len() / 2;
    let Ok(Backend::Error(error)) = backend::parse(&out[..half]) else { panic!("no error") };
    let Ok(Backend::Notice(notice)) = backend::parse(&out[half..]) else { panic!("no notice") };
    assert_eq!(error, notice);
    assert_eq!(text(&error, b'S'), "FATAL");
    assert_eq!(text(&error, b'V'), "FATAL");
    assert_eq!(text(&error, b'M'), "a b");
    assert_eq!(text(&error, b'D').len(), 8_192);
    assert_eq!(error.get(b'H'), None);
}

#[test]
fn a_long_text_is_not_cut_inside_a_character() {
    for pad in 0..4 {
        let fields = ErrorFields {
            severity: Severity::Error,
            code: "42501",
            message: "a".repeat(pad) + &"\u{1f600}".repeat(3_000),
            detail: None,
            hint: None,
        };
        let mut out = Vec::new();
        error_response(&fields, &mut out);
        let Ok(Backend::Error(error)) = backend::parse(&out) else { panic!("no error") };
        let length = text(&error, b'M').len();
        assert!((8_189..=8_192).contains(&length), "{length}");
    }
}

#[test]
fn cancel_keys_of_a_wrong_length_are_not_written() {
    let mut out = Vec::new();
    assert!(backend_key_data(1, b"abc", &mut out).is_err());
    assert!(backend_key_data(1, &[0; 257], &mut out).is_err());
    assert!(out.is_empty());
}

fn text<'a>(fields: &Fields<'a>, kind: u8) -> &'a str {
    std::str::from_utf8(fields.get(kind).unwrap()).unwrap()
}

type Column = (Vec<u8>, u32, i16, u32, i16, i32, i16);

fn field((name, table, column, type_oid, type_len, type_mod, format): &Column) -> Field<'_> {
    let (table, column, type_oid) = (*table, *column, *type_oid);
    let (type_len, type_mod, format) = (*type_len, *type_mod, *format);
    Field { name, table, column, type_oid, type_len, type_mod, format }
}

proptest! {
    #[test]
    fn a_row_parses_back_to_its_cells(
        rows in vec(vec(prop::option::of(vec(any::<u8>(), 0..40)), 0..12), 1..4),
    ) {
        let mut out = Vec::new();
        let mut ends = vec![0];
        for row in &rows {
            let mut writer = RowWriter::begin(&mut out);
            for cell in row {
                writer.push(cell.as_deref()).unwrap();
            }
            writer.finish().unwrap();
            ends.push(out.len());
        }
        for (row, span) in rows.iter().zip(ends.windows(2)) {
            let message = &out[span[0]..span[1]];
            let Ok(Backend::DataRow(cells)) = backend::parse(message) else {
                panic!("no row");
            };
            prop_assert_eq!(cells.len(), row.len());
            prop_assert!(cells.iter().eq(row.iter().map(Option::as_deref)));
            for cut in 0..message.len() {
                prop_assert!(backend::parse(&message[..cut]).is_err());
            }
        }
    }

    #[test]
    fn a_row_description_parses_back_to_its_columns(
        columns in vec(
            (vec(1u8.., 0..10), any::<u32>(), any::<i16>(), any::<u32>(), any::<i16>(),
             any::<i32>(), any::<i16>()),
            0..8,
        ),
    ) {
        let mut out = Vec::new();
        row_description(columns.iter().map(field), &mut out).unwrap();
        let Ok(Backend::RowDescription(read)) = backend::parse(&out) else {
            panic!("no description");
        };
        prop_assert_eq!(read.len(), columns.len());
        prop_assert!(read.iter().eq(columns.iter().map(field)));
    }
}
