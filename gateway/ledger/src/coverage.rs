//! The coverage row, and the bytes of it that are signed.
//!
//! The signed bytes can be made again from the Parquet alone. They are the line `weir-coverage-1`,
//! then columns 2 to 17 in order, one line each, and nothing after the last line end:
//!
//! ```text
//! name:length:value
//! ```
//!
//! `length` counts the value's bytes in UTF-8; NULL has the length `-` and no value. Numbers are
//! decimal, times are microseconds since the Unix epoch, a list is each of its elements as
//! `length:value,`, strings are as they stand (also those that hold JSON). The signature is Ed25519
//! over these bytes, with the key of column 18. `previous` is the SHA-256 of the signed bytes of the
//! row before it in the same life of the gateway, so that a row that is missing shows.
//!
//! Not signed: the row's place in the log, and the actor, which stands on the session's row.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use weir_model::entry::Coverage;

use crate::rows::CoverageRow;
use crate::time::Time;
use crate::value::hex;

/// How an invariant that does not hold begins.
pub const VIOLATED: &str = "violated";

/// The row of an entry.
pub fn row(entry: &Coverage, entry_index: i64, host: &str) -> CoverageRow {
    let violated = entry.invariants.values().filter(|state| state.starts_with(VIOLATED)).count();
    CoverageRow {
        entry_index,
        host: host.into(),
        life: entry.life,
        seq: entry.seq,
        previous: entry.previous.clone(),
        kind: entry.kind.clone(),
        session: entry.session.map(|session| session.to_string()),
        since: Time(entry.since_us),
        at: Time(entry.at_us),
        tier: entry.tier.clone(),
        not_enforced: entry.not_enforced.clone(),
        kernel: json(&entry.kernel),
        proxy: json(&entry.proxy),
        invariants: json(&entry.invariants),
        violated: i64::try_from(violated).unwrap_or(i64::MAX),
        programs: json(&entry.programs),
        gap: entry.gap.clone(),
        key: entry.key.clone(),
        signature: entry.signature.clone(),
        ..CoverageRow::default()
    }
}

/// The bytes that are signed.
pub fn signed_bytes(row: &CoverageRow) -> Vec<u8> {
    let mut text = String::from("weir-coverage-1\n");
    let mut line = |name: &str, value: Option<&str>| {
        // Writing to a String does not fail.
        let _ = match value {
            Some(value) => writeln!(text, "{name}:{}:{value}", value.len()),
            None => writeln!(text, "{name}:-:"),
        };
    };
    line("host", Some(&*row.host));
    line("life", Some(&row.life.to_string()));
    line("seq", Some(&row.seq.to_string()));
    line("previous", Some(&row.previous));
    line("kind", Some(&row.kind));
    line("session", row.session.as_deref());
    line("since", Some(&row.since.0.to_string()));
    line("at", Some(&row.at.0.to_string()));
    line("tier", Some(&row.tier));
    let list = row.not_enforced.iter().map(|one| format!("{}:{one},", one.len()));
    line("not_enforced", Some(&list.collect::<String>()));
    line("kernel", Some(&row.kernel));
    line("proxy", Some(&row.proxy));
    line("invariants", Some(&row.invariants));
    line("violated", Some(&row.violated.to_string()));
    line("programs", Some(&row.programs));
    line("gap", row.gap.as_deref());
    text.into_bytes()
}

/// What the next row of the same life carries as `previous`.
pub fn link(signed: &[u8]) -> String {
    hex(&Sha256::digest(signed))
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use super::*;
    use crate::rows::Row as _;

    fn entry() -> Coverage {
        Coverage {
            life: 7,
            seq: 1,
            kind: "end".to_owned(),
            since_us: 1,
            at_us: 2,
            tier: "T1".to_owned(),
            not_enforced: vec!["a".to_owned(), "b,c".to_owned()],
            kernel: BTreeMap::from([("tcp_seen".to_owned(), 3)]),
            invariants: BTreeMap::from([
                ("flows".to_owned(), "holds".to_owned()),
                ("bytes".to_owned(), "violated: 1 of 3".to_owned()),
            ]),
            ..Coverage::default()
        }
    }

    #[test]
    fn the_signed_bytes_are_the_documented_ones() {
        let row = row(&entry(), 9, "h");
        let expected = "weir-coverage-1\nhost:1:h\nlife:1:7\nseq:1:1\nprevious:0:\nkind:3:end\n\
            session:-:\nsince:1:1\nat:1:2\ntier:2:T1\nnot_enforced:10:1:a,3:b,c,\n\
            kernel:14:{\"tcp_seen\":3}\nproxy:2:{}\n\
            invariants:44:{\"bytes\":\"violated: 1 of 3\",\"flows\":\"holds\"}\nviolated:1:1\n\
            programs:2:{}\ngap:-:\n";
        assert_eq!(String::from_utf8(signed_bytes(&row)).unwrap(), expected);
    }

    #[test]
    fn a_row_that_went_through_parquet_has_the_same_signed_bytes() {
        let row = row(&entry(), 9, "h");
        let batch = CoverageRow::batch(std::slice::from_ref(&row)).unwrap();
        assert_eq!(signed_bytes(&CoverageRow::rows(&batch)[0]), signed_bytes(&row));
    }

    #[test]
    fn what_is_signed_can_not_be_moved_between_columns() {
        let mut one = row(&entry(), 9, "h");
        one.gap = Some("x\nkey:1:y".to_owned());
        let mut other = one.clone();
        other.gap = Some("x".to_owned());
        assert_ne!(signed_bytes(&one), signed_bytes(&other));
        other.gap = None;
        assert_ne!(signed_bytes(&row(&entry(), 9, "")), signed_bytes(&other));
    }
}
