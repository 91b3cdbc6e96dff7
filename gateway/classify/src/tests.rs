//! The corpus, and what no corpus can list: random bytes, deep nesting, session state.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // tests read files and measure

mod before;
mod body;
mod corpus;
mod depth;
mod random;
mod skeleton;

use std::collections::BTreeSet;
use std::sync::Arc;

use weir_model::{Dialect, Effect, Flag, Operation, Statement};

use crate::{Facts, SqlState, classify, classify_sql, join};

fn facts(sql: &str) -> Facts {
    classify_sql(Dialect::Postgres, sql.as_bytes(), &SqlState::default())
}

fn effect(sql: &str) -> Effect {
    facts(sql).operation.effect
}

#[test]
fn columns_belong_to_every_table_that_may_have_them() {
    let check = |sql: &str, expected: &[(&str, &[&str])]| {
        let operation = facts(sql).operation;
        let found: Vec<(&str, Vec<&str>)> = operation
            .resources
            .iter()
            .map(|r| (r.name.as_str(), r.columns.iter().map(String::as_str).collect()))
            .collect();
        let expected: Vec<(&str, Vec<&str>)> =
            expected.iter().map(|(n, c)| (*n, c.to_vec())).collect();
        assert_eq!(found, expected, "{sql}");
    };
    check("SELECT a, t.b FROM t, u", &[("t", &["a", "b"]), ("u", &["a"])]);
    check("SELECT x.b FROM t x, u", &[("t", &["b"]), ("u", &[])]);
    check("SELECT * FROM t, u", &[("t", &["*"]), ("u", &["*"])]);
    check("SELECT t.* FROM t, u", &[("t", &["*"]), ("u", &[])]);
    check("SELECT t FROM t", &[("t", &["*", "t"])]);
    check("SELECT (t).ssn FROM t", &[("t", &["ssn"])]);
    check("SELECT public.t.ssn FROM public.t", &[("public.t", &["ssn"])]);
    check("SELECT 1 FROM t WHERE EXISTS (SELECT ssn FROM u)", &[("t", &["ssn"]), ("u", &["ssn"])]);
    check("SELECT s.a FROM (SELECT a FROM t) s", &[("t", &["a"])]);
    check("SELECT a FROM t JOIN u USING (k)", &[("t", &["a", "k"]), ("u", &["a", "k"])]);
    check("UPDATE t SET a = b WHERE c = 1 RETURNING new.d", &[("t", &["a", "b", "c", "d"])]);
    check("INSERT INTO t VALUES (1)", &[("t", &["*"])]);
    check("INSERT INTO t (a) VALUES (1)", &[("t", &["a"])]);
    check("COPY t (a) TO STDOUT", &[("t", &["a"])]);
    check("COPY t TO STDOUT", &[("t", &["*"])]);
    check(
        "SELECT j.ssn FROM (t JOIN u USING (k)) AS j",
        &[("t", &["k", "ssn"]), ("u", &["k", "ssn"])],
    );
    check("SELECT b.t.ssn FROM a.t, b.t", &[("a.t", &["ssn"]), ("b.t", &["ssn"])]);
}

#[test]
fn execute_is_unknown_until_its_name_is_resolved() {
    let prepared = facts("PREPARE p AS DELETE FROM t WHERE id = $1");
    let (name, operation) = prepared.prepares[0].clone();
    assert_eq!(name, "p");
    let run = facts("EXECUTE p(1)");
    assert_eq!(run.executes, ["p"]);
    assert!(run.deferred);
    assert_eq!(run.resolve(&|_| None).effect, Effect::Unknown);
    let resolved = run.resolve(&|n| (n == "p").then(|| Arc::clone(&operation)));
    assert_eq!(resolved.effect, Effect::Write);
    assert_eq!(resolved.verbs, ["execute", "delete"]);
    assert!(resolved.resources[0].written);
    let both = facts("PREPARE q AS SELECT 1; EXECUTE q; EXECUTE p");
    assert_eq!(both.resolve(&|_| None).effect, Effect::Unknown);
    assert_eq!(facts("PREPARE q AS SELECT 1; EXECUTE q").resolve(&|_| None).effect, Effect::Read);
    // The worse of two meanings counts.
    let anew = facts("DEALLOCATE p; PREPARE p AS SELECT 1; EXECUTE p");
    assert_eq!(anew.resolve(&|_| Some(Arc::clone(&operation))).effect, Effect::Write);
    // What stands beside EXECUTE is not forgotten.
    let beside = facts("EXECUTE q; DROP TABLE t");
    let read = Arc::clone(&facts("SELECT 1").operation);
    assert_eq!(beside.resolve(&|_| Some(Arc::clone(&read))).effect, Effect::Schema);
}

#[test]
fn session_facts_are_told() {
    assert!(facts("BEGIN; SAVEPOINT a").transaction);
    assert!(!facts("BEGIN; SELECT 1").transaction);
    assert!(!facts("").transaction);
    for sql in ["SET search_path = a", "SELECT set_config('role', 'x', false)", "DISCARD ALL"] {
        assert!(facts(sql).changes_session, "{sql}");
    }
    assert!(!facts("SET statement_timeout = 5").changes_session);
    for sql in ["CREATE TABLE t (a int)", "DROP VIEW v", "DO 'x'", "SELEC", "SELECT f()"] {
        assert!(facts(sql).changes_schema, "{sql}");
    }
    assert!(!facts("INSERT INTO t VALUES (1)").changes_schema);
    assert!(facts("DECLARE c CURSOR FOR SELECT 1").defines);
    assert!(facts("FETCH 1 FROM c").deferred);
    assert_eq!(facts("DEALLOCATE a; DEALLOCATE ALL").deallocates, [Some("a".to_owned()), None]);
    assert_eq!(facts("SELECT 1; SELECT 2").statements, 2);
    assert!(facts("SELECT c.full_name, (x).y FROM c").dotted.contains("full_name"));
}

#[test]
fn storing_what_was_read_is_told() {
    for sql in [
        "INSERT INTO t SELECT ssn FROM u",
        "INSERT INTO t VALUES ((SELECT ssn FROM u))",
        "UPDATE t SET note = ssn WHERE id = 1 RETURNING note",
        "CREATE TABLE x AS SELECT ssn FROM t",
        "SELECT ssn INTO x FROM t",
        "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN UPDATE SET a = u.ssn",
        "PREPARE p AS UPDATE t SET note = ssn WHERE id = 1",
    ] {
        assert!(facts(sql).stores, "{sql}");
    }
    for sql in [
        "INSERT INTO t VALUES ($1, now())",
        "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = excluded.a",
        "UPDATE t SET a = 1 WHERE ssn = 'x' RETURNING a",
        "SELECT ssn FROM t",
    ] {
        assert!(!facts(sql).stores, "{sql}");
    }
}

#[test]
#[ignore = "a measurement: run it with --release"]
fn how_long_a_statement_takes() {
    for sql in [
        "SELECT abalance FROM pgbench_accounts WHERE aid = 7;",
        "SELECT c.id, c.email, count(*) FROM customers c JOIN orders o ON o.cid = c.id \
         WHERE o.at > now() - interval '1 day' GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 10",
    ] {
        let start = std::time::Instant::now();
        for _ in 0..20_000 {
            std::hint::black_box(facts(sql));
        }
        println!("{:?} {sql}", start.elapsed() / 20_000);
    }
}

#[test]
fn fingerprints_ignore_literals_only() {
    let of = |sql: &str| facts(sql).fingerprint;
    assert!(of("SELECT 1").is_some());
    assert_eq!(of("SELECT a FROM t WHERE b = 1"), of("select  a from t where b = 'x'"));
    assert_ne!(of("SELECT a FROM t1"), of("SELECT a FROM t2"));
}

#[test]
fn an_unsafe_lexing_state_makes_only_what_depends_on_it_unknown() {
    let strings = SqlState { standard_conforming_strings: false, utf8: true };
    let encoding = SqlState { standard_conforming_strings: true, utf8: false };
    let either = SqlState { standard_conforming_strings: false, utf8: false };
    let effect =
        |sql: &str, state| classify_sql(Dialect::Postgres, sql.as_bytes(), state).operation.effect;
    for sql in ["SELECT 1 FROM t", "SELECT 'a''b', \"a\", $$a$$, E'a'"] {
        assert_eq!(effect(sql, &either), Effect::Read, "{sql}");
    }
    let backslash = r"SELECT 'a\', '; DROP TABLE t; SELECT ' -- '";
    assert_eq!(effect(backslash, &strings), Effect::Unknown);
    assert_eq!(effect("SELECT 'é'", &strings), Effect::Read);
    assert_eq!(effect("SELECT 'é'", &encoding), Effect::Unknown);
    assert_eq!(effect(r"SELECT 'a\'", &encoding), Effect::Read);
    assert_eq!(effect(r#"SELECT 1 FROM U&"\00e9""#, &encoding), Effect::Unknown);
}

#[test]
fn what_leaves_utf_8_says_so() {
    for (sql, leaves) in [
        ("SET client_encoding = LATIN1", true),
        ("SET LOCAL client_encoding TO 'EUC_JP'", true),
        ("SET NAMES 'latin1'", true),
        ("SELECT set_config('client_encoding', 'latin1', false)", true),
        ("PREPARE p AS SELECT set_config('client_encoding', 'latin1', false)", true),
        ("SET client_encoding = 'UTF-8'", false),
        ("RESET client_encoding", false),
        ("SELECT 1", false),
    ] {
        assert_eq!(facts(sql).leaves_utf8, leaves, "{sql}");
    }
}

#[test]
fn encodings_go_by_any_of_their_names() {
    for name in ["UTF8", "utf-8", "Unicode"] {
        assert!(crate::is_utf8(name.as_bytes()) && crate::is_ascii_safe(name.as_bytes()), "{name}");
    }
    for name in ["EUC_JP", "eucjp", "euc-jp", "latin1", "ISO 8859-1", "WIN1251", "KOI8R"] {
        assert!(
            !crate::is_utf8(name.as_bytes()) && crate::is_ascii_safe(name.as_bytes()),
            "{name}"
        );
    }
    for name in
        ["SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB", "win932", "mskanji", "", "MULE_INTERNAL"]
    {
        assert!(!crate::is_ascii_safe(name.as_bytes()), "{name}");
    }
}

#[test]
fn bytes_that_are_not_text_are_unknown() {
    for text in [&b"SELECT 1\0; DROP TABLE t"[..], b"SELECT '\xff'", b"\xc3\x28", b"\0"] {
        let facts = classify_sql(Dialect::Postgres, text, &SqlState::default());
        assert_eq!(facts.operation.effect, Effect::Unknown);
        assert!(facts.computed.contains("*"));
    }
}

#[test]
fn other_statements_have_their_own_operations() {
    let state = SqlState::default();
    let what = Statement::Unknown { what: "Bind" };
    assert_eq!(*classify(&what, &state).operation, Operation::unknown("bind"));
    assert_eq!(classify(&Statement::Connect, &state).operation.verbs, ["connect"]);
    let resolve = Statement::Resolve { name: "a.b".to_owned(), kind: "A".to_owned() };
    assert_eq!(classify(&resolve, &state).operation.resources[0].name, "a.b");
}

#[test]
fn calls_by_number_mean_what_calls_by_name_mean() {
    let check = |number: u32, name: &str| {
        let by_number = classify(&Statement::Function { number }, &SqlState::default()).operation;
        let by_name = facts(&format!("SELECT {name}(1)")).operation;
        assert_eq!(by_number.resources, by_name.resources, "{number}");
        assert_eq!(
            (&by_number.flags, by_number.effect),
            (&by_name.flags, by_name.effect.max(Effect::Read))
        );
        by_number.effect
    };
    assert_eq!(check(952, "lo_open"), Effect::Read);
    assert_eq!(check(954, "loread"), Effect::Read);
    assert_eq!(check(955, "lowrite"), Effect::Write);
    assert_eq!(check(964, "lo_unlink"), Effect::Write);
    // lo_import, lo_export, lower, and a number of nobody's.
    for number in [764, 765, 870, 0] {
        let call = classify(&Statement::Function { number }, &SqlState::default());
        assert_eq!(*call.operation, Operation::unknown("functioncall"));
    }
}

#[test]
fn joining_takes_the_worse_of_both() {
    let read = facts("SELECT a FROM t").operation;
    let write = facts("DELETE FROM t").operation;
    let whole = join(&read, &write);
    assert_eq!(whole.effect, Effect::Write);
    assert_eq!(whole.verbs, ["select", "delete"]);
    assert_eq!(whole.resources.len(), 1);
    assert!(whole.resources[0].written);
    assert_eq!(whole.flags, BTreeSet::from([Flag::NoWhere]));
}

#[test]
fn the_generic_dialect_knows_little_and_says_so() {
    let effect = |sql: &str| {
        classify_sql(Dialect::Generic, sql.as_bytes(), &SqlState::default()).operation.effect
    };
    assert_eq!(effect("SELECT a FROM t WHERE b = 1"), Effect::Read);
    assert_eq!(effect("SELECT count(*) FROM t"), Effect::Read);
    assert_eq!(effect("INSERT INTO t VALUES (1)"), Effect::Write);
    assert_eq!(effect("DROP TABLE t"), Effect::Schema);
    for sql in [
        "SELECT load_file('/etc/passwd')",
        "SELECT 1 /*!50000 INTO OUTFILE '/tmp/x' */",
        "SELECT 'a\\'; DROP TABLE t; -- '",
        "SELECT 1 # x",
        "SELECT sleep(10)",
        "SELECT a INTO x FROM t",
        "SELECT * FROM evil(1)",
        "CALL p()",
        "SELECT \"a\" FROM t",
    ] {
        assert_eq!(effect(sql), Effect::Unknown, "{sql}");
    }
}

#[test]
fn what_an_alteration_fills_is_stored() {
    for (sql, stores) in [
        ("ALTER TABLE t ALTER COLUMN note TYPE text USING email", true),
        ("ALTER TABLE t ALTER COLUMN loud DROP EXPRESSION", true),
        ("ALTER TABLE t ALTER COLUMN note TYPE text", false),
        ("ALTER TABLE t ADD COLUMN n int DEFAULT 1", false),
    ] {
        assert_eq!(facts(sql).stores, stores, "{sql}");
    }
}

#[test]
fn statements_without_rows_of_their_own_are_told_apart() {
    let silent = |sql: &str| facts(sql).silent;
    assert_eq!(silent("UPDATE t SET a = 1; SELECT 1"), [true, false]);
    assert_eq!(silent("DELETE FROM t RETURNING a; INSERT INTO t VALUES (1)"), [false, true]);
    assert_eq!(silent("BEGIN; EXPLAIN DELETE FROM t"), [false, false]);
}

#[test]
fn notifications_are_told_as_they_are_written() {
    let text = |text: &str| crate::Said::Text(text.to_owned());
    for (sql, expected) in [
        ("notify Jobs, 'a'", vec![(text("jobs"), text("a"))]),
        ("notify jobs", vec![(text("jobs"), text(""))]),
        ("select pg_notify('Jobs', 'b')", vec![(text("Jobs"), text("b"))]),
        ("select pg_notify($2, $1)", vec![(crate::Said::Parameter(1), crate::Said::Parameter(0))]),
        ("select pg_notify('jobs', email) from customers", vec![]),
        ("select pg_notify('jobs', 'a' || 'b')", vec![]),
        ("select 1", vec![]),
    ] {
        let state = SqlState { standard_conforming_strings: true, utf8: true };
        let facts = classify_sql(Dialect::Postgres, sql.as_bytes(), &state);
        assert_eq!(facts.notifies, expected, "{sql}");
    }
}
