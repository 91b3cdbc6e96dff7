//! What was found of a text holds for every other of its skeleton whose fixed integers are the same.

use std::path::Path;

use proptest::prelude::*;
use weir_model::Dialect;

use crate::{Facts, SqlState, classify_sql, skeleton};

fn facts(text: &[u8]) -> Facts {
    classify_sql(Dialect::Postgres, text, &SqlState::default())
}

/// The text with other numbers in place of its free integers; how many there were.
fn varied(text: &str, numbers: &[u64]) -> (Vec<u8>, usize) {
    let Some(found) = skeleton(text.as_bytes()) else { return (text.into(), 0) };
    let free = facts(text.as_bytes()).free;
    let mut out = Vec::new();
    let (mut from, mut count) = (0, 0);
    for integer in found.integers.iter().filter(|integer| free.contains(&integer.start)) {
        out.extend_from_slice(&text.as_bytes()[from..integer.start]);
        out.extend_from_slice(numbers[count % numbers.len()].to_string().as_bytes());
        (from, count) = (integer.end, count + 1);
    }
    out.extend_from_slice(&text.as_bytes()[from..]);
    (out, count)
}

/// Returns how many integers of the text are free.
fn check(text: &str, numbers: &[u64]) -> usize {
    let (other, count) = varied(text, numbers);
    if count > 0 {
        let (mut one, mut two) = (facts(text.as_bytes()), facts(&other));
        // Places move with the lengths of what stands before them.
        assert_eq!(one.free.len(), two.free.len(), "{text}");
        (one.free, two.free) = (Vec::new(), Vec::new());
        assert_eq!(one, two, "{text}\n{}", String::from_utf8_lossy(&other));
        let key = |text: &[u8]| skeleton(text).map(|found| found.key);
        assert_eq!(key(text.as_bytes()), key(&other), "{text}");
    }
    count
}

#[test]
fn integers_that_mean_nothing_are_free() {
    for (text, expected) in [
        ("SELECT abalance FROM pgbench_accounts WHERE aid = 4711;", 1),
        ("select 1 from t where a in (1, 2, 3) and 4 < b or c <> 99999999999", 5),
        ("select a = 1, 2 from t order by 1 limit 5", 1),
        ("select a from t where a + 1 = 2 and f(3) = 4 and b = -5 and c between 6 and 7", 0),
        ("select a from t group by 1 having count(*) > 2 offset 3", 0),
        ("select substr(a, 1) from t where b = 1 and 2 = 2", 1),
        ("delete from t where a = 1 or a <> 2", 0),
        ("update t set a = 1 where b = 2", 0),
        ("prepare p as select a from t where b = 1", 0),
        ("select a from t where b operator(pg_catalog.=) 1", 0),
        ("select a from t where b = 1 -- 2", 0),
    ] {
        assert_eq!(check(text, &[7, 123_456_789_012]), expected, "{text}");
    }
}

#[test]
fn the_corpus_does_not_depend_on_free_integers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/sql-evasion");
    let mut free = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let table: toml::Table = text.parse().unwrap();
            for case in table["cases"].as_array().unwrap() {
                free += check(case["sql"].as_str().unwrap(), &[0, 1, 3_000_000_000]);
            }
        }
    }
    assert!(free > 5, "{free} are few");
}

const PARTS: &[&str] = &[
    "select a from t where b = 1",
    "select",
    "a",
    "b",
    "from t",
    "from t, u",
    "where",
    "and",
    "or",
    "not",
    "(",
    ")",
    "1",
    "2",
    "30",
    "= 1",
    "< 2",
    "<>",
    "in (1, 2)",
    "order by 1",
    "order by a = 1",
    "limit 1",
    "group by 2",
    "union select a from u where c = 3",
    ",",
    "count(*)",
    "f(1)",
    "a = 1",
    "1 = a",
    "t.a = 5",
    "exists (select 1 from u where d = 4)",
    "'x 1'",
    "\"c 2\"",
    "case when a = 1 then 2 end",
    "::int",
    "between 1 and 2",
    "is null",
    "with x as (select 1 where a = 1)",
    "values (1)",
    "array[1]",
    "[1]",
    "a[1] = 2",
    "x.y = 1",
    "a = 1.5",
    "a = 1e5",
    "$1",
    "= $1",
    "delete from t where a = 1",
    "; ",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_text_depends_on_its_free_integers(
        parts in proptest::collection::vec(proptest::sample::select(PARTS), 1..16),
        numbers in proptest::collection::vec(0_u64..5_000_000_000, 1..4),
    ) {
        check(&parts.join(" "), &numbers);
        check(&format!("select a from t where {}", parts.join(" ")), &numbers);
    }
}
