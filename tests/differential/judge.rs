//! Compares what the classifier said with what the server did.

use std::collections::BTreeSet;

use weir_classify::{Behind, Facts, SqlState, classify_sql};
use weir_model::{Dialect, Effect, Operation, ResourceKind};

use crate::oracle::{Schema, Seen};

/// What the classifier says of a text, with what it knows of the database.
pub fn classified(text: &str, behind: &Behind) -> (Facts, Operation) {
    let facts = classify_sql(Dialect::Postgres, text.as_bytes(), &SqlState::default());
    let mut operation = facts.resolve(&|_| None).as_ref().clone();
    if behind.is_used(&facts, &operation) {
        operation.effect = Effect::Unknown;
    }
    (facts, operation)
}

/// Whether it gave up because it could not read the text.
pub fn unread(facts: &Facts) -> bool {
    facts.operation.effect == Effect::Unknown && facts.fingerprint.is_none()
}

/// Settings that change how the server reads texts, or what names mean.
const MEANING: &[&str] = &["standard_conforming_strings", "backslash_quote", "client_encoding"];

/// Their values with which a text is read as the classifier reads it.
const CERTAIN: &[&str] = &["on", "UTF8"];

/// What is wrong with the classifier's answer, if anything is.
pub fn judge(text: &str, operation: &Operation, schema: &Schema, seen: &Seen) -> Option<String> {
    if seen.lost {
        return None;
    }
    let effect = operation.effect;
    if effect < Effect::Write && seen.blind {
        return Some(format!("{} after which nothing can be asked", effect.name()));
    }
    if effect < Effect::Write && seen.wrote && !takes_number(text) {
        return Some(format!("{} that writes", effect.name()));
    }
    if effect < Effect::Write && seen.sequences {
        return Some(format!("{} that moves a sequence", effect.name()));
    }
    if effect < Effect::Write && !seen.locks.is_empty() {
        return Some(format!("{} that holds others up: {}", effect.name(), seen.locks));
    }
    if effect < Effect::Write && seen.notified {
        return Some(format!("{} that notifies", effect.name()));
    }
    if seen.error.is_some() {
        return None;
    }
    if effect < Effect::Admin && seen.role {
        return Some(format!("{} that changes the role", effect.name()));
    }
    settings(text, effect, seen).or_else(|| tables(operation, schema, seen))
}

/// These take a number and write nothing: the server lets them run in read-only transactions.
fn takes_number(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("txid_current") || text.contains("pg_current_xact_id")
}

fn facts(text: &str) -> Facts {
    classify_sql(Dialect::Postgres, text.as_bytes(), &SqlState::default())
}

fn settings(text: &str, effect: Effect, seen: &Seen) -> Option<String> {
    for (name, context, value) in &seen.settings {
        // What says that it leaves UTF-8 has texts beyond ASCII after it unknown.
        let told = name == "client_encoding"
            && weir_classify::is_ascii_safe(value.as_bytes())
            && facts(text).leaves_utf8;
        let certain = told || CERTAIN.contains(&value.as_str());
        let meaning = MEANING.contains(&name.as_str()) && !certain;
        let hides = name == "search_path"
            && value.contains("pg_catalog")
            && !value.starts_with("pg_catalog");
        if (meaning || hides) && effect < Effect::Unknown {
            return Some(format!("{} that sets {name} to {value}", effect.name()));
        }
        if context != "user" && effect < Effect::Admin {
            return Some(format!(
                "{} that sets {name}, which is not for every user",
                effect.name()
            ));
        }
    }
    None
}

/// Every table that the server changed or scanned is named, or stands behind a name: a view's tables, a
/// parent's children, what refers to a table. What triggers and rules write beside is `trap_log`.
fn tables(operation: &Operation, schema: &Schema, seen: &Seen) -> Option<String> {
    if operation.effect >= Effect::Schema {
        return None;
    }
    let named = |written: bool| -> BTreeSet<u32> {
        let tables = operation.resources.iter().filter(|r| r.kind == ResourceKind::Table);
        let names: BTreeSet<&str> = tables
            .filter(|r| !written || r.written)
            .map(|r| r.name.rsplit('.').next().unwrap_or_default())
            .collect();
        let fits = |(oid, name): (&u32, &String)| names.contains(name.as_str()).then_some(*oid);
        schema.names.iter().filter_map(fits).collect()
    };
    let show = |oids: &BTreeSet<u32>| {
        let names = oids.iter().filter_map(|oid| schema.names.get(oid).map(String::as_str));
        names.collect::<Vec<_>>().join(", ")
    };
    let trap = schema.names.iter().find(|(_, name)| *name == "trap_log").map(|(oid, _)| *oid);
    let mut written = reached(named(true), schema, false);
    written.extend(trap);
    let missed: BTreeSet<u32> = seen.written.difference(&written).copied().collect();
    if !missed.is_empty() {
        return Some(format!("changes tables that it does not name as written: {}", show(&missed)));
    }
    let mut read = reached(named(false), schema, true);
    read.extend(trap);
    let missed: BTreeSet<u32> = seen.scanned.difference(&read).copied().collect();
    if !missed.is_empty() {
        return Some(format!("reads tables that it does not name: {}", show(&missed)));
    }
    None
}

fn reached(mut oids: BTreeSet<u32>, schema: &Schema, both_ways: bool) -> BTreeSet<u32> {
    loop {
        let mut more = oids.clone();
        for (from, to) in schema.through.iter().chain(&schema.referred) {
            if oids.contains(from) {
                more.insert(*to);
            }
        }
        for (to, from) in schema.referred.iter().filter(|_| both_ways) {
            if oids.contains(from) {
                more.insert(*to);
            }
        }
        if more.len() == oids.len() {
            return oids;
        }
        oids = more;
    }
}
