//! The tree is the one that pg_query gives by way of protobuf, for every text that there is.

#![allow(clippy::disallowed_methods, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

use crate::{ParseError, parse};

/// Compares both trees, wherever protobuf's own limit of nesting lets there be one. Returns whether
/// the text has a tree.
fn check(sql: &str) -> bool {
    match (parse(sql), pg_query::parse(sql, 0)) {
        (Ok(tree), Ok(other)) => {
            assert_eq!(tree.statements, other.protobuf.stmts, "{sql}");
            let other = pg_query::fingerprint(sql, 0, 0).unwrap();
            assert_eq!(tree.fingerprint, other.value.cast_signed(), "{sql}");
            true
        }
        (Ok(_), Err(pg_query::Error::Decode(_))) => true,
        (Err(ParseError::Syntax | ParseError::Depth), Err(_)) => false,
        (tree, other) => panic!("{sql}\n{tree:?}\n{other:?}"),
    }
}

#[test]
fn the_corpus_has_the_trees_of_protobuf() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/sql-evasion");
    let mut trees = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "sql") {
            trees += text.split("-- next: ").filter(|sql| check(sql)).count();
            continue;
        }
        let table: toml::Table = text.parse().unwrap();
        for case in table["cases"].as_array().unwrap() {
            trees += usize::from(check(case["sql"].as_str().unwrap()));
        }
    }
    assert!(trees > 250, "{trees} trees are few");
}

/// Statements whose nodes the corpus has not: each kind of node that the grammar makes has been seen.
#[test]
fn rare_statements_have_the_trees_of_protobuf() {
    let all: Vec<&str> = RARE.split(";\n").filter(|sql| !sql.trim().is_empty()).collect();
    let wrong: Vec<&&str> = all.iter().filter(|sql| !check(sql)).collect();
    assert!(wrong.is_empty(), "these do not parse: {wrong:#?}");
    assert!(check(RARE), "all at once");
}

#[test]
fn a_text_without_a_statement_has_none() {
    for sql in ["", " ", ";", "-- nothing", ";;"] {
        assert_eq!(parse(sql).unwrap().statements, []);
    }
}

#[test]
fn what_is_no_sql_is_refused_and_leaves_the_next_text_alone() {
    for sql in ["selec 1", "select 'a", "select 1 1 1", "select \u{e9} from", "a\0b"] {
        assert_eq!(parse(sql), Err(ParseError::Syntax), "{sql}");
        assert!(check("select 1"));
    }
}

#[test]
fn nesting_is_bounded_and_threads_have_their_own_trees() {
    let deep = |n: usize| format!("SELECT {}1{}", "ARRAY[".repeat(n), "]".repeat(n));
    assert!(check(&deep(40)));
    assert_eq!(parse(&deep(400)), Err(ParseError::Depth));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for n in 0..200 {
                    assert!(check(&format!(
                        "select {n} from t{thread} where a = {n} or b <> '{n}'"
                    )));
                }
            });
        }
    });
}

const RARE: &str = include_str!("tests/rare.sql");
