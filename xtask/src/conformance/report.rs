//! What passes one way and not the other.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::shell;

use super::suites::{Outcome, Suite};

/// The deviations that are accepted.
#[derive(Deserialize)]
pub(super) struct Deviations {
    deviation: Vec<Deviation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    suite: String,
    test: String,
    reason: String,
    /// It passes at times, by who is first.
    #[serde(default)]
    at_times: bool,
}

impl Deviations {
    pub(super) fn read() -> Result<Self> {
        let path = shell::root().join("tests/conformance/deviations.toml");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("reading {}", path.display()))
    }

    fn of(&self, suite: Suite) -> BTreeMap<&str, &Deviation> {
        let own = self.deviation.iter().filter(|one| one.suite == suite.to_string());
        own.map(|one| (one.test.as_str(), one)).collect()
    }
}

/// What one way gave, and how long it took.
pub(super) struct Timed {
    pub(super) outcome: Outcome,
    pub(super) seconds: u64,
}

/// One suite's result.
#[derive(Serialize)]
pub(super) struct Row {
    suite: String,
    tests: usize,
    direct: usize,
    weir: usize,
    /// How long it took, direct and through Weir.
    seconds: [u64; 2],
    /// With their reasons.
    accepted: BTreeMap<String, String>,
    /// What only passes direct, and nobody accepted.
    deviates: BTreeSet<String>,
    /// What is accepted and passes all the same, although it is not said to do so at times.
    passes: BTreeSet<String>,
}

impl Row {
    pub(super) fn new(suite: Suite, direct: &Timed, weir: &Timed, all: &Deviations) -> Self {
        let seconds = [direct.seconds, weir.seconds];
        let (direct, weir) = (&direct.outcome, &weir.outcome);
        let accepted = all.of(suite);
        let passes = |outcome: &Outcome, test: &str| outcome.get(test).is_some_and(|ok| *ok);
        // A test that fails direct shows nothing.
        let only_direct = |test: &&String| passes(direct, test) && !passes(weir, test);
        let differ: BTreeSet<&String> = direct.keys().filter(only_direct).collect();
        let known = |test: &str| accepted.get(test).map(|known| known.reason.clone());
        Self {
            suite: suite.to_string(),
            tests: direct.len(),
            direct: direct.values().filter(|ok| **ok).count(),
            weir: weir.values().filter(|ok| **ok).count(),
            seconds,
            accepted: differ
                .iter()
                .filter_map(|test| Some(((*test).clone(), known(test)?)))
                .collect(),
            deviates: differ
                .iter()
                .filter(|test| known(test).is_none())
                .map(|test| (*test).clone())
                .collect(),
            passes: accepted
                .iter()
                .filter(|(test, known)| passes(weir, test) && !known.at_times)
                .map(|(test, _)| (*test).to_owned())
                .collect(),
        }
    }

    /// How much of it nobody accepted.
    pub(super) fn open(&self) -> usize {
        self.deviates.len() + self.passes.len()
    }
}

pub(super) fn json(rows: &[Row]) -> Result<String> {
    serde_json::to_string_pretty(rows).context("writing JSON")
}

pub(super) fn text(rows: &[Row]) -> String {
    let mut text =
        String::from("suite             tests  direct    weir  accepted  open  seconds\n");
    for row in rows {
        let Row { suite, tests, direct, weir, accepted, seconds: [first, second], .. } = row;
        let (accepted, open) = (accepted.len(), row.open());
        text.push_str(&format!(
            "{suite:<16} {tests:>6}  {direct:>6}  {weir:>6}  {accepted:>8}  {open:>4}  {first}, {second}\n"
        ));
    }
    for row in rows {
        for (test, reason) in &row.accepted {
            text.push_str(&format!("\naccepted: {} {test}: {reason}", row.suite));
        }
        for test in &row.deviates {
            text.push_str(&format!("\nDEVIATES: {} {test}", row.suite));
        }
        for test in &row.passes {
            text.push_str(&format!("\nPASSES, so it is no deviation: {} {test}", row.suite));
        }
    }
    text
}
