//! The classifier against real servers: statements are made at random, run in a transaction that is
//! rolled back, and what they changed is compared with what the classifier said of them. A write
//! that is called a read is a way around every policy.
//!
//! `cargo xtask differential` runs many more of them, by these variables: `WEIR_DIFFERENTIAL_STATEMENTS`,
//! `WEIR_DIFFERENTIAL_SEED`, `WEIR_DIFFERENTIAL_REPORT` (a file for the figures).

mod client;
mod grammar;
mod judge;
mod oracle;
mod random;
mod regress;
mod second;

use std::collections::BTreeMap;
use std::time::Instant;

use weir_classify::{Behind, SqlState};
use weir_model::{Effect, Operation, Statement};
use weir_tests::Postgres;
use weir_tests::postgres::Version;

use grammar::{BuiltIn, Grammar};
use judge::{classified, judge, unread};
use oracle::{Look, Oracle};

/// Statements for each server in an ordinary test run.
const STATEMENTS: u64 = 3_000;
const SEED: u64 = 20_260_401;
/// Statements from one word of progress to the next.
const PROGRESS: u64 = 5_000;
/// Findings after which a run ends.
const ENOUGH: usize = 40;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// What a run found, and what it was made of.
#[derive(Default)]
struct Tally {
    statements: u64,
    accepted: u64,
    by_effect: BTreeMap<&'static str, u64>,
    unread: u64,
    lost: u64,
    seconded: u64,
    findings: Vec<String>,
    kinds: BTreeMap<String, usize>,
}

impl Tally {
    fn found(&mut self, seed: u64, what: &str, text: &str) {
        let kind = self.kinds.entry(what.to_owned()).or_default();
        *kind += 1;
        if *kind <= 5 {
            eprintln!("{what}: seed {seed}: {text}");
            self.findings.push(format!("{what}\n  seed {seed}: {text}"));
        }
    }
}

/// Nothing stays of a plain query; now and then that is not taken on trust.
fn how(operation: &Operation, seed: u64) -> Look {
    match operation.effect {
        Effect::Unknown => Look::Away,
        effect if effect >= Effect::Write => Look::Written,
        _ if operation.verbs == ["select"]
            && operation.flags.is_empty()
            && !seed.is_multiple_of(4) =>
        {
            Look::Lightly
        }
        _ => Look::Closely,
    }
}

fn one(oracle: &mut Oracle, behind: &Behind, seed: u64, text: &str, tally: &mut Tally) {
    tally.statements += 1;
    if std::env::var_os("SHOW").is_some() {
        eprintln!("{seed}: {text}");
    }
    let (facts, operation) = classified(text, behind);
    let harmless = operation.effect < Effect::Write;
    let seen = oracle.run(text, how(&operation, seed));
    tally.lost += u64::from(seen.lost);
    if seen.error.is_none() && !seen.lost {
        tally.accepted += 1;
        *tally.by_effect.entry(operation.effect.name()).or_default() += 1;
        if unread(&facts) {
            tally.unread += 1;
        }
    }
    let wrong = judge(text, &operation, &oracle.schema, &seen);
    if let Some(wrong) = wrong.filter(|_| again(oracle, seed, text, &operation)) {
        tally.found(seed, &wrong, text);
    }
    let second = second::writes(text);
    if harmless && second == Some(true) {
        tally.found(seed, "a read, but a write to sqlparser", text);
    }
    tally.seconded += u64::from(second.is_some());
}

/// Whether a finding is there again. The next number of the server moves, too, when a backend that is gone
/// gives up what it had begun.
fn again(oracle: &mut Oracle, seed: u64, text: &str, operation: &Operation) -> bool {
    (0..2).any(|_| {
        let seen = oracle.run(text, how(operation, seed));
        judge(text, operation, &oracle.schema, &seen).is_some()
    })
}

/// The statements of the corpus, to be changed a little.
fn corpus() -> Vec<String> {
    let folder = weir_tests::root().join("tests/corpus/sql-evasion");
    let mut texts = Vec::new();
    for file in
        ["disguise", "functions", "inference", "lineage", "nowhere", "queries", "statements"]
    {
        let text = std::fs::read_to_string(folder.join(format!("{file}.toml"))).expect("a corpus");
        let table: toml::Table = text.parse().expect("TOML");
        for case in table["cases"].as_array().expect("cases") {
            texts.push(case["sql"].as_str().expect("SQL").to_owned());
        }
    }
    texts
}

fn run(version: Version, hidden: bool) -> Tally {
    let statements = variable("WEIR_DIFFERENTIAL_STATEMENTS").unwrap_or(STATEMENTS);
    let seed = variable("WEIR_DIFFERENTIAL_SEED").unwrap_or(SEED);
    let mut oracle = Oracle::new(Postgres::start(version), hidden);
    let functions: Vec<BuiltIn> = oracle.functions();
    // Without traps behind names the classifier has to do without the catalogue.
    let behind = if hidden { oracle.behind() } else { Behind::default() };
    let corpus = corpus();
    let begin = Instant::now();
    let mut tally = Tally::default();
    for seed in seed..seed + statements {
        let mut grammar = Grammar::new(seed, &functions, hidden);
        let text = if seed.is_multiple_of(5) { grammar.mutate(&corpus) } else { grammar.text() };
        one(&mut oracle, &behind, seed, &text, &mut tally);
        if tally.statements.is_multiple_of(PROGRESS) {
            let (done, found) = (tally.statements, tally.findings.len());
            eprintln!(
                "{version:?}: {done} statements, {found} findings, {} s",
                begin.elapsed().as_secs()
            );
        }
        if tally.findings.len() >= ENOUGH {
            break;
        }
    }
    report(&serde_json::json!({
        "server": format!("{version:?}"),
        "seed": seed,
        "statements": tally.statements,
        "accepted": tally.accepted,
        "by_effect": tally.by_effect,
        "accepted_but_not_read": tally.unread,
        "read_by_sqlparser_too": tally.seconded,
        "connections_lost": tally.lost,
        "databases_made_anew": oracle.rebuilt(),
        "findings": tally.kinds,
        "seconds": begin.elapsed().as_secs(),
    }));
    tally
}

/// Keeps the figures of a test where `cargo xtask differential` finds them.
fn report(figures: &serde_json::Value) {
    use std::io::Write as _;
    eprintln!("{figures}");
    if let Some(path) = std::env::var_os("WEIR_DIFFERENTIAL_REPORT") {
        let mut file =
            std::fs::OpenOptions::new().append(true).create(true).open(path).expect("a report");
        writeln!(file, "{figures}").expect("a line");
    }
}

fn check(version: Version, hidden: bool) {
    let tally = run(version, hidden);
    assert!(tally.findings.is_empty(), "{:#?}\n{}", tally.kinds, tally.findings.join("\n"));
    // Where next to nothing is accepted, or nothing is a read, nothing could be found.
    let reads = tally.by_effect.get("read").copied().unwrap_or_default();
    assert!(
        reads * 10 >= tally.statements,
        "only {reads} reads were accepted: {:?}",
        tally.by_effect
    );
}

#[test]
fn no_statement_that_writes_on_15_is_called_a_read() {
    check(Version::V15, false);
}

#[test]
fn no_statement_that_writes_on_18_is_called_a_read() {
    check(Version::V18, false);
}

/// Were the witness blind, nothing would ever be found.
#[test]
fn whatever_writes_is_seen() {
    let mut oracle = Oracle::new(Postgres::start(Version::V15), false);
    for text in [
        "insert into t1 values (99)",
        "select evil_immutable(1)",
        "select id from t1 for share",
        "create temp table x ()",
        "select lo_create(0)",
        "select 1 / (evil(1) - 1)",
        "rollback; delete from trap_log where false; truncate trap_log; begin",
        "savepoint a; insert into trap_log values (1); rollback to a",
    ] {
        let seen = oracle.run(text, Look::Closely);
        assert!(seen.wrote, "{text}: {seen:?}");
    }
    assert!(oracle.run("select nextval('seq')", Look::Closely).sequences);
    assert!(
        oracle.run("select 1 / (nextval('seq') - nextval('seq') + 1)", Look::Written).sequences
    );
    assert!(oracle.run("select pg_notify('trap', 'x')", Look::Lightly).notified);
    assert!(oracle.run("set role app", Look::Closely).role);
    let locks = oracle.run("lock table t1 in share mode", Look::Closely).locks;
    assert_eq!(locks, "relation ShareLock");
    assert_eq!(
        oracle.run("select pg_advisory_xact_lock(1)", Look::Closely).locks,
        "advisory ExclusiveLock"
    );
    let settings = oracle.run("set local search_path = other", Look::Closely).settings;
    assert_eq!(settings, [("search_path".into(), "user".into(), "other".into())]);
    let seen = oracle.run("select count(*) from v_joined", Look::Closely);
    assert!(!seen.wrote && !seen.scanned.is_empty() && seen.written.is_empty(), "{seen:?}");
    let seen = oracle.run("select txid_current()", Look::Closely);
    assert!(seen.wrote, "{seen:?}");
}

#[test]
fn no_statement_that_writes_behind_a_name_is_called_a_read() {
    check(Version::V18, true);
}

#[test]
fn functions_by_number_are_what_the_servers_call_so() {
    for version in [Version::V15, Version::V18] {
        let postgres = Postgres::start(version);
        let list = postgres
            .direct("select string_agg(oid || ' ' || proname, ',') from pg_proc where oid < 16384");
        let mut known = 0;
        for (number, name) in list.split(',').filter_map(|entry| entry.split_once(' ')) {
            let number = number.parse().expect("a number");
            let facts =
                weir_classify::classify(&Statement::Function { number }, &SqlState::default());
            if facts.operation.effect != Effect::Unknown {
                assert_eq!(facts.operation.resources[0].name, name, "{version:?}: {number}");
                known += 1;
            }
        }
        assert_eq!(known, 17, "{version:?}");
    }
}

#[test]
#[ignore = "wants PostgreSQL's source, which `cargo xtask differential` fetches"]
fn one_regression_statement_in_a_hundred_at_most_is_not_read() {
    let suite =
        std::env::var_os("WEIR_DIFFERENTIAL_REGRESS").expect("the folder src/test/regress of 15");
    let share = regress::run(Version::V15, std::path::Path::new(&suite));
    report(&serde_json::json!({
        "suite": "regress",
        "server": "V15",
        "accepted": share.accepted,
        "by_effect": share.by_effect,
        "accepted_but_not_read": share.unread.len(),
    }));
    share.unread.iter().for_each(|text| eprintln!("not read: {text}"));
    assert!(share.accepted > 20_000, "only {} statements were accepted", share.accepted);
    assert!(
        share.unread.len() * 100 <= share.accepted,
        "{} of {}",
        share.unread.len(),
        share.accepted
    );
}
