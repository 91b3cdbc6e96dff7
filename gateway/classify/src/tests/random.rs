//! Properties over random texts.

use proptest::prelude::*;
use weir_model::{Dialect, Effect};

use crate::{SqlState, classify_sql};

const TOKENS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "t",
    "u",
    "a",
    "*",
    ",",
    "(",
    ")",
    ";",
    "DELETE",
    "UPDATE",
    "SET",
    "INSERT",
    "INTO",
    "VALUES",
    "1",
    "'x'",
    "E'\\''",
    "$$",
    "$a$",
    "\"q\"",
    "--",
    "\n",
    "/*",
    "*/",
    "=",
    "AND",
    "OR",
    "NOT",
    "WITH",
    "AS",
    "RETURNING",
    "EXPLAIN",
    "ANALYZE",
    "COPY",
    "TO",
    "STDOUT",
    "PROGRAM",
    "DO",
    "CALL",
    "f",
    ".",
    "::",
    "int",
    "UNION",
    "ALL",
    "CASE",
    "WHEN",
    "THEN",
    "END",
    "DROP",
    "TABLE",
    "PREPARE",
    "EXECUTE",
    "DECLARE",
    "CURSOR",
    "FOR",
    "GRANT",
    "$1",
    "U&'\\0041'",
    "[",
    "]",
    "JOIN",
    "ON",
    "LATERAL",
    "OVER",
    "EXISTS",
    "NULL",
    "IS",
    "\\",
    "'",
    "ROW",
    "BEGIN",
    "COMMIT",
    "CREATE",
    "VIEW",
    "INDEX",
    "ALTER",
    "ADD",
    "COLUMN",
    "lower",
];

fn never_a_read_unless_it_parses(text: &[u8]) {
    for dialect in [Dialect::Postgres, Dialect::Generic] {
        let facts = classify_sql(dialect, text, &SqlState::default());
        let parses = std::str::from_utf8(text).is_ok_and(|t| pg_query::parse(t, 0).is_ok());
        if dialect == Dialect::Postgres && !parses {
            assert_eq!(facts.operation.effect, Effect::Unknown);
        }
    }
}

/// Whatever is joined to a text, the whole is no milder than its parts.
fn worst_wins(one: &str, two: &str) {
    let effect = |sql: &str| {
        classify_sql(Dialect::Postgres, sql.as_bytes(), &SqlState::default()).operation.effect
    };
    let whole = effect(&format!("{one}\n;\n{two}"));
    if pg_query::parse(one, 0).is_ok() && pg_query::parse(two, 0).is_ok() {
        assert!(whole >= effect(one).max(effect(two)), "{one} ; {two}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn random_bytes_never_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        never_a_read_unless_it_parses(&text);
    }

    #[test]
    fn random_tokens_never_panic(
        tokens in proptest::collection::vec(proptest::sample::select(TOKENS), 0..30),
    ) {
        never_a_read_unless_it_parses(tokens.join(" ").as_bytes());
    }

    #[test]
    fn a_list_of_statements_is_no_milder_than_any(
        one in proptest::sample::select(&[
            "SELECT 1", "DELETE FROM t", "DROP TABLE t", "GRANT a TO b", "DO 'x'", "SELECT f()",
            "BEGIN", "EXECUTE p", "COPY t TO PROGRAM 'x'", "SET role x", "EXPLAIN DELETE FROM t",
        ][..]),
        two in proptest::sample::select(&[
            "SELECT 1", "EXPLAIN SELECT 1", "EXPLAIN DROP TABLE t", "PREPARE p AS SELECT 1",
            "EXPLAIN DELETE FROM t", "BEGIN", "INSERT INTO t VALUES (1)", "TABLE t",
        ][..]),
    ) {
        worst_wins(one, two);
        worst_wins(two, one);
    }
}
