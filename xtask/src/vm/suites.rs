//! The test programs that run in a machine: the same ones that `cargo test` runs here.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::shell;

/// A built test target of the package `weir`.
#[derive(Clone, Debug)]
pub(super) struct Suite {
    pub(super) name: String,
    pub(super) program: PathBuf,
}

/// Where `cargo test` starts the programs.
pub(super) fn folder() -> PathBuf {
    shell::root().join("gateway/daemon")
}

/// The binary that the test programs run.
pub(super) fn weir() -> PathBuf {
    shell::build_dir().join("debug/weir")
}

/// Builds test targets, and the binary that they run.
pub(super) fn build(names: &[String]) -> Result<Vec<Suite>> {
    let mut cargo = shell::cargo();
    cargo.args(["test", "--no-run", "--package", "weir", "--message-format", "json"]);
    for name in names {
        cargo.args(["--test", name]);
    }
    cargo.stderr(std::process::Stdio::inherit());
    let said = shell::capture(&mut cargo)?;
    let messages: Vec<Value> = said.lines().flat_map(serde_json::from_str).collect();
    let find = |name: &String| {
        let program = messages.iter().find_map(|message| program(message, name));
        let program = program.with_context(|| format!("cargo built no test {name}"))?;
        Ok(Suite { name: name.clone(), program })
    };
    names.iter().map(find).collect()
}

/// The program that a message of Cargo's is about, if it is this test.
fn program(message: &Value, name: &str) -> Option<PathBuf> {
    let target = message.get("target")?;
    let is_test = target.get("kind")?.as_array()?.iter().any(|kind| kind == "test");
    if !is_test || target.get("name")?.as_str()? != name {
        return None;
    }
    message.get("executable")?.as_str().map(PathBuf::from)
}
