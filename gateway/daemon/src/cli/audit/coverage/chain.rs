//! Whether all coverage rows are there: in each life of a gateway they are numbered, and each carries
//! the hash of what was signed before it.

use std::collections::{BTreeMap, HashMap};

use weir_ledger::{CoverageRow, coverage};

use crate::record::signing::is_signed;

/// The rows of all lives.
pub(super) struct Chains {
    lives: HashMap<(String, String, i64), Life>,
    /// Whether the first row of each life has to be there.
    whole: bool,
}

type Life = BTreeMap<i64, Vec<Seen>>;

struct Seen {
    previous: String,
    link: String,
}

impl Chains {
    /// No rows yet; `whole` where none are left out by a time.
    pub(super) fn new(whole: bool) -> Self {
        Self { lives: HashMap::new(), whole }
    }

    /// Adds a row; says whether it is signed. One that is not proves nothing, so it stands in no chain.
    pub(super) fn add(&mut self, row: &CoverageRow) -> bool {
        if !is_signed(row) {
            return false;
        }
        let link = coverage::link(&coverage::signed_bytes(row));
        let life = self.lives.entry((row.host.to_string(), row.key.clone(), row.life)).or_default();
        life.entry(row.seq).or_default().push(Seen { previous: row.previous.clone(), link });
        true
    }

    /// What is missing, doubled or does not follow, one sentence each.
    pub(super) fn missing(&self) -> Vec<String> {
        let mut found = Vec::new();
        for ((host, _, began), life) in &self.lives {
            let of = format!("of {host}'s life from {}", weir_ledger::Time(*began).rfc3339());
            let mut before: Option<(i64, &Seen)> = None;
            for (seq, seen) in life {
                let [row] = seen.as_slice() else {
                    found.push(format!("row {seq} {of} is there {} times", seen.len()));
                    before = seen.last().map(|row| (*seq, row));
                    continue;
                };
                match before {
                    None if !self.whole || (*seq == 1 && row.previous.is_empty()) => {}
                    None => found.push(format!("rows before {seq} {of} are missing")),
                    Some((last, _)) if last + 1 != *seq => {
                        found.push(format!("rows {} to {} {of} are missing", last + 1, seq - 1));
                    }
                    Some((_, last)) if last.link != row.previous => {
                        found.push(format!("row {seq} {of} does not follow the one before it"));
                    }
                    Some(_) => {}
                }
                before = Some((*seq, row));
            }
        }
        found.sort();
        found
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use weir_model::entry::Coverage;

    use super::*;
    use crate::record::signing::Signer;

    fn life(signer: &Signer, count: i64) -> Vec<CoverageRow> {
        let mut previous = String::new();
        let rows = (1..=count).map(|seq| {
            let mut entry =
                Coverage { life: 9, seq, previous: previous.clone(), ..Coverage::default() };
            previous = signer.sign(&mut entry, "h");
            coverage::row(&entry, seq, "h")
        });
        rows.collect()
    }

    fn check(rows: &[CoverageRow], whole: bool, expected: &[&str]) {
        let mut chains = Chains::new(whole);
        rows.iter().for_each(|row| {
            chains.add(row);
        });
        let found = chains.missing();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (text, part) in found.iter().zip(expected) {
            assert!(text.contains(part), "{found:?}");
        }
    }

    #[test]
    fn what_is_missing_doubled_or_put_in_shows() {
        let state = tempfile::tempdir().unwrap();
        let signer = Signer::open_or_create(state.path()).unwrap();
        let rows = life(&signer, 5);
        check(&rows, true, &[]);
        let mut shuffled = rows.clone();
        shuffled.reverse();
        check(&shuffled, true, &[]);
        check(&[&rows[..2], &rows[3..]].concat(), true, &["rows 3 to 3"]);
        check(&rows[2..], true, &["rows before 3"]);
        check(&rows[2..], false, &[]);
        check(&[&rows[..], &rows[1..2]].concat(), true, &["row 2"]);
        let mut other = life(&signer, 3);
        let mut entry = Coverage { life: 9, seq: 3, tier: "T9".to_owned(), ..Coverage::default() };
        signer.sign(&mut entry, "h");
        other[2] = coverage::row(&entry, 3, "h");
        check(&other, true, &["row 3"]);
        let mut forged = rows;
        forged[4].gap = Some("nothing to see".to_owned());
        forged[1].violated = 7;
        check(&forged, true, &["rows 2 to 2"]);
    }
}
