//! Rows and batches mean the same.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::time::Time;

#[test]
fn rows_survive_arrow() {
    let row = AnswerRow {
        entry_index: 3,
        exchange: "X".into(),
        session: None,
        at: Time(5),
        columns: ["a".to_owned(), "b".to_owned()].into(),
        rows: vec![vec![Some("1".to_owned()), None], vec![]],
        bytes: Some(vec![0, 255]),
        tag: Some("SELECT 2".to_owned()),
        groups: ["dba".to_owned()].into(),
        ..AnswerRow::default()
    };
    let empty = AnswerRow::default();
    let batch = AnswerRow::batch(&[row.clone(), empty.clone()]).unwrap();
    assert!(AnswerRow::rows(&batch) == [row, empty]);
    let exchange = ExchangeRow {
        parameters: vec![None, Some("p".to_owned())],
        held_us: Some(1),
        forwarded: true,
        ..ExchangeRow::default()
    };
    let batch = ExchangeRow::batch(std::slice::from_ref(&exchange)).unwrap();
    assert!(ExchangeRow::rows(&batch) == [exchange]);
}

#[test]
fn a_file_of_an_older_gateway_reads_with_defaults() {
    let batch = EventRow::batch(&[EventRow { kind: "k".to_owned(), ..EventRow::default() }]);
    let batch = batch.unwrap().project(&[5]).unwrap();
    assert_eq!(EventRow::rows(&batch)[0].kind, "k");
}

#[test]
fn each_field_has_an_id_of_its_own() {
    for table in Table::ALL {
        let mut ids = std::collections::BTreeSet::new();
        let schema = table.schema();
        for field in schema.fields() {
            assert!(ids.insert(field.metadata()["PARQUET:field_id"].clone()), "{}", field.name());
        }
        for column in table.lookup_columns() {
            assert!(schema.field_with_name(column).is_ok(), "{column}");
        }
    }
}

#[test]
fn rows_show_nothing_of_themselves_in_debug() {
    let row = ExchangeRow { statement: "secret".into(), ..ExchangeRow::default() };
    assert_eq!(format!("{row:?}"), "ExchangeRow(hidden)");
}
