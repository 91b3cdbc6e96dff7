//! Tests that documents name as proofs are there.

use std::collections::BTreeSet;

use super::{Problem, Tree};

/// Documents in which a word between backticks with three underscores or more is the name of a test.
const DOCUMENTS: [&str; 2] = ["tests/ATTACKS.md", "ARCHITECTURE.md"];

pub(super) fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    let known: BTreeSet<&str> = tree.rust().flat_map(|file| functions(&file.code)).collect();
    for path in DOCUMENTS {
        let Some(file) = tree.file(path) else { continue };
        for (at, line) in file.text.lines().enumerate() {
            for name in named(line).filter(|name| !known.contains(name)) {
                problems.push(file.problem(at + 1, format!("there is no test {name}")));
            }
        }
    }
}

fn functions(code: &str) -> impl Iterator<Item = &str> {
    code.match_indices("fn ").filter_map(|(at, keyword)| {
        let rest = code.get(at + keyword.len()..)?;
        rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next()
    })
}

/// What a line names between backticks as only tests are named.
pub(super) fn named(line: &str) -> impl Iterator<Item = &str> {
    let is_test = |name: &&str| {
        name.bytes()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_')
            && name.matches('_').count() > 2
    };
    line.split('`').skip(1).step_by(2).filter(is_test)
}
