//! Table-driven cases: `tests/corpus/sql-evasion`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::Value;
use weir_model::ResourceKind;

use super::facts;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/sql-evasion")
}

fn cases(file: &str) -> Vec<toml::Table> {
    let text = std::fs::read_to_string(folder().join(file)).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let list = table["cases"].as_array().unwrap();
    list.iter().map(|c| c.as_table().unwrap().clone()).collect()
}

fn list(value: &Value) -> Vec<String> {
    let text = value.as_str().unwrap();
    text.split(", ").filter(|t| !t.is_empty()).map(str::to_owned).collect()
}

/// Every difference between what a case expects and what the classifier says.
fn differences(case: &toml::Table) -> Vec<String> {
    let sql = case["sql"].as_str().unwrap();
    let facts = facts(sql);
    let operation = &facts.operation;
    let mut wrong = Vec::new();
    let mut compare = |what: &str, expected: Vec<String>, found: Vec<String>| {
        if expected != found {
            wrong.push(format!("{sql}\n  {what}: expected {expected:?}, found {found:?}"));
        }
    };
    compare("effect", list(&case["effect"]), vec![operation.effect.name().to_owned()]);
    if let Some(verbs) = case.get("verbs") {
        compare("verbs", list(verbs), operation.verbs.clone());
    }
    if let Some(flags) = case.get("flags") {
        let expected: BTreeSet<String> = list(flags).into_iter().collect();
        let found: BTreeSet<String> = operation.flags.iter().map(|f| f.name().to_owned()).collect();
        compare("flags", expected.into_iter().collect(), found.into_iter().collect());
    }
    if let Some(tables) = case.get("tables") {
        let found = operation
            .resources
            .iter()
            .filter(|r| r.kind == ResourceKind::Table)
            .map(|r| format!("{}{}", r.name, if r.written { "!" } else { "" }))
            .collect();
        compare("tables", list(tables), found);
    }
    if let Some(computed) = case.get("computed") {
        compare("computed", list(computed), facts.computed.iter().cloned().collect());
    }
    if let Some(compares) = case.get("compares") {
        let expected: BTreeSet<&str> =
            compares.as_str().unwrap().split("; ").filter(|c| !c.is_empty()).collect();
        let shown = facts.compares.iter().map(|comparison| {
            let columns: Vec<&str> = comparison.columns.iter().map(String::as_str).collect();
            format!("{}{}", columns.join("+"), if comparison.alone { "!" } else { "" })
        });
        let found: BTreeSet<String> = shown.collect();
        let expected = expected.into_iter().map(str::to_owned).collect();
        compare("compares", expected, found.into_iter().collect());
    }
    for (key, found) in [("stores", facts.stores), ("session", facts.changes_session)] {
        if let Some(expected) = case.get(key) {
            compare(key, vec![expected.to_string()], vec![found.to_string()]);
        }
    }
    if let Some(columns) = case.get("columns") {
        let tables = operation.resources.iter().filter(|r| r.kind == ResourceKind::Table);
        let found = tables.flat_map(|r| r.columns.iter().map(|c| format!("{}.{c}", r.name)));
        compare("columns", list(columns), found.collect());
    }
    wrong
}

#[test]
fn every_case_of_the_corpus_is_classified_as_it_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for file in [
        "queries.toml",
        "disguise.toml",
        "nowhere.toml",
        "functions.toml",
        "statements.toml",
        "lineage.toml",
        "inference.toml",
    ] {
        for case in cases(file) {
            count += 1;
            wrong.extend(differences(&case));
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 300, "{count}");
}

#[test]
fn introspection_of_psql_and_drivers_is_a_read() {
    let mut wrong = Vec::new();
    for file in ["introspection-psql.sql", "introspection-drivers.sql"] {
        let text = std::fs::read_to_string(folder().join(file)).unwrap();
        for sql in text.split("\n-- next") {
            let sql = sql.split_once('\n').map_or(sql, |(first, rest)| {
                if first.is_empty() || first.starts_with(':') { rest } else { sql }
            });
            let operation = facts(sql).operation;
            if operation.effect.name() != "read" {
                let calls: Vec<&str> = operation
                    .resources
                    .iter()
                    .filter(|r| r.kind == ResourceKind::Function)
                    .map(|r| r.name.as_str())
                    .collect();
                wrong.push(format!("{:?} {calls:?}\n{sql}", operation.effect));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
