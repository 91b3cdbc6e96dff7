//! PostgreSQL's own regression tests, statement by statement: how many of those that the server accepts
//! the classifier can't read. The server's log tells the statements, so psql has split and filled them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use weir_tests::Postgres;
use weir_tests::postgres::{self, Version};

use crate::judge::{classified, unread};

/// What was made of the suite.
#[derive(Default)]
pub struct Share {
    /// Statements that the server took.
    pub accepted: usize,
    /// Those of them that were not read.
    pub unread: Vec<String>,
    /// The accepted ones, by effect.
    pub by_effect: BTreeMap<&'static str, usize>,
}

/// Runs the suite's files, in the order of its schedule, and reads what the server logged.
pub fn run(version: Version, suite: &Path) -> Share {
    let postgres = Postgres::start(version);
    for setting in [
        "log_statement = 'all'",
        "log_min_messages = 'error'",
        "log_min_error_statement = 'panic'",
        "log_line_prefix = '@@%p@@ '",
        "lc_messages = 'C'",
    ] {
        postgres.direct(&format!("alter system set {setting}"));
    }
    postgres.direct("select pg_reload_conf()");
    let mut regression = postgres.clone();
    regression.database = "regression".to_owned();
    postgres.direct("create database regression template template0");
    let schedule = std::fs::read_to_string(suite.join("parallel_schedule")).expect("a schedule");
    let tests = schedule.lines().filter_map(|line| line.strip_prefix("test:"));
    for test in tests.flat_map(str::split_whitespace) {
        psql(&regression, suite, test);
    }
    let log = std::fs::read(postgres::log(version)).expect("the server's log");
    share(&String::from_utf8_lossy(&log))
}

fn psql(postgres: &Postgres, suite: &Path, test: &str) {
    let file: PathBuf = suite.join("sql").join(format!("{test}.sql"));
    let output = postgres
        .tool("psql")
        .args(["-X", "-q", "-a", "-v", "HIDE_TABLEAM=on", "-v", "HIDE_TOAST_COMPRESSION=on", "-f"])
        .arg(&file)
        .envs([
            ("PGTZ", "PST8PDT"),
            ("PGDATESTYLE", "Postgres, MDY"),
            ("PGAPPNAME", "weir regress"),
        ])
        .env("PGOPTIONS", "-c intervalstyle=postgres_verbose -c statement_timeout=20s")
        .envs([("PG_ABS_SRCDIR", suite), ("PG_ABS_BUILDDIR", suite), ("PG_LIBDIR", suite)])
        .env("PG_DLSUFFIX", ".so")
        .output()
        .expect("psql");
    // 3 is what psql says of a script's error, which ON_ERROR_STOP alone would make.
    assert!(output.status.code().is_some_and(|code| code < 2 || code == 3), "{test}: {output:?}");
}

/// A statement is accepted if no error of its process comes before that process's next one.
fn share(log: &str) -> Share {
    let mut share = Share::default();
    let mut running: HashMap<&str, String> = HashMap::new();
    for entry in log.split("\n@@") {
        let Some((process, message)) = entry.trim_start_matches("@@").split_once("@@ ") else {
            continue;
        };
        if message.starts_with("ERROR:") || message.starts_with("FATAL:") {
            running.remove(process);
            continue;
        }
        let Some(message) = message.strip_prefix("LOG:  ") else { continue };
        let text = message.strip_prefix("statement: ").or_else(|| {
            message.strip_prefix("execute ").and_then(|m| m.split_once(": ")).map(|(_, text)| text)
        });
        let Some(text) = text else { continue };
        // The log sets a tab before each line but the first.
        let text = text.trim_end_matches('\n').replace("\n\t", "\n");
        if let Some(done) = running.insert(process, text) {
            share.count(done);
        }
    }
    running.into_values().for_each(|done| share.count(done));
    share
}

impl Share {
    fn count(&mut self, text: String) {
        let (facts, operation) = classified(&text, &weir_classify::Behind::default());
        self.accepted += 1;
        *self.by_effect.entry(operation.effect.name()).or_default() += 1;
        if unread(&facts) {
            self.unread.push(text);
        }
    }
}
