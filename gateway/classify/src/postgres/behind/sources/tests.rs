//! What is asked for, what is learnt of it, what is forgotten.

#![allow(clippy::unwrap_used)]

use super::*;

fn row(cells: &[&str]) -> Row {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// A function of some version and a view of some version, in a database with nothing else.
fn results(function: &str, view: &str) -> Vec<Vec<Row>> {
    let function = ["20000", function, "lower", "sql", "v", "f", "f", "", "", "f", "f", "f"];
    let mut results = vec![Vec::new(); 10];
    results[0].push(row(&function));
    results[6].push(row(&["20001", "20002", "seen", "t"]));
    results[9].push(row(&["v", "20003", view, "20001"]));
    results
}

fn own() -> Vec<Vec<Row>> {
    vec![vec![row(&["lower", "870", "internal", "i", "f"])]]
}

fn text(kind: &str, oid: &str, version: &str, body: &str, tree: &str) -> Vec<Vec<Row>> {
    vec![vec![row(&[kind, oid, version, "here", body, tree])]]
}

#[test]
fn only_what_changed_is_asked_for() {
    let mut sources = Sources::default();
    let first = results("700", "800");
    assert!(sources.wanted(&first).unwrap().contains("pg_language"));
    assert!(sources.learn(&first, &own()));
    let asked = sources.wanted(&first).unwrap();
    assert!(asked.contains("{20000}") && asked.contains("{20003}"), "{asked}");
    assert!(sources.behind(&first).is_none(), "there are no texts yet");
    let body = "insert into t values (1) returning 1";
    assert!(sources.learn(&first, &text("f", "20000", "700", body, "")));
    assert!(
        sources.learn(&first, &text("v", "20003", "800", "", ":funcid 20000 :x (17 20001 20009"))
    );
    assert!(sources.wanted(&first).is_none());
    assert!(!sources.learn(&first, &text("v", "20003", "800", "", "")), "it is known");
    assert!(sources.learn(&first, &text("v", "20003", "801", "", ":funcid 20000 ")));
    let behind = sources.behind(&first).unwrap();
    assert!(behind.functions.contains("lower"));

    // The function is another one now, the view is the same.
    let second = results("701", "800");
    let asked = sources.wanted(&second).unwrap();
    assert!(asked.contains("{20000}") && !asked.contains("20003"), "{asked}");
    assert!(sources.behind(&second).is_none(), "its text is not known");
    assert!(sources.learn(&second, &text("f", "20000", "701", "select 1", "")));
    assert!(sources.behind(&second).unwrap().is_empty());

    // What was forgotten is asked for again.
    assert!(sources.wanted(&first).is_some());
}

#[test]
fn what_is_not_answered_whole_tells_nothing() {
    let mut sources = Sources::default();
    let mut some = results("700", "800");
    sources.learn(&some, &text("f", "20000", "700", "select 1", ""));
    sources.learn(&some, &text("v", "20003", "800", "", ""));
    assert!(sources.behind(&some).is_none(), "the server's functions are not known");
    sources.learn(&some, &own());
    assert!(sources.behind(&some).unwrap().is_empty());
    some.pop();
    assert!(sources.behind(&some).is_none());
}

#[test]
fn what_is_too_long_counts_and_what_is_for_later_is_asked_for_again() {
    let mut sources = Sources::default();
    let some = results("700", "800");
    sources.learn(&some, &own());
    sources.learn(&some, &text("f", "20000", "700", "select 1", ""));
    let later = vec![vec![row(&["v", "20003", "800", LATER, "", ""])]];
    assert!(!sources.learn(&some, &later));
    assert!(sources.wanted(&some).unwrap().contains("{20003}"));
    assert!(sources.learn(&some, &[vec![row(&["v", "20003", "800", TOO_LONG, "", ""])]]));
    let behind = sources.behind(&some).unwrap();
    assert!(behind.relations.contains("seen") && behind.functions.is_empty());
}

#[test]
fn a_body_that_calls_what_nobody_knows_counts_though_nothing_else_does() {
    let mut sources = Sources::default();
    let mut some = results("700", "800");
    some[9].clear();
    sources.learn(&some, &own());
    sources.learn(&some, &text("f", "20000", "700", "select mystery(1)::text", ""));
    assert!(sources.behind(&some).unwrap().functions.contains("lower"));
}
