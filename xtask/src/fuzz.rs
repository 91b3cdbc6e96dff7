//! Coverage-guided fuzzing of what reads bytes of agents and targets.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::shell;

/// The release of cargo-fuzz that is used.
const CARGO_FUZZ: &str = "0.13.2";

/// Arguments of `fuzz`.
#[derive(clap::Args)]
pub struct Args {
    /// Which targets, by name (default: all in tests/fuzz/fuzz_targets).
    targets: Vec<String>,
    /// How many inputs each of them gets.
    #[arg(long, default_value_t = 10_000_000)]
    runs: u64,
    /// Seconds after which a target is left all the same, 0 for never.
    #[arg(long, default_value_t = 0)]
    seconds: u64,
}

/// Runs the task. What an earlier run found interesting is kept in the build folder and gone on from.
pub fn run(args: &Args) -> Result<()> {
    let known = known()?;
    let targets = if args.targets.is_empty() { &known } else { &args.targets };
    for target in targets {
        ensure!(known.contains(target), "no fuzz target {target}: there are {}", known.join(", "));
    }
    let tools = shell::build_dir().join("tools");
    let program = tools.join("bin/cargo-fuzz");
    if !program.exists() {
        let install = ["install", "--locked", "--version", CARGO_FUZZ, "cargo-fuzz", "--root"];
        shell::run(shell::cargo().args(install).arg(&tools))?;
    }
    for target in targets {
        println!("== {target}");
        shell::run(&mut fuzz(&program, target, args)?)?;
    }
    Ok(())
}

fn fuzz(program: &std::path::Path, target: &str, args: &Args) -> Result<Command> {
    let kept = shell::build_dir().join("fuzz-corpus").join(target);
    let found = shell::build_dir().join("fuzz-found").join(target);
    fs::create_dir_all(&kept)?;
    fs::create_dir_all(&found)?;
    let mut command = shell::program(program);
    // There is no unsafe code in what is fuzzed, so nothing for a sanitizer to find.
    command.args(["fuzz", "run", "--fuzz-dir", "tests/fuzz", "--sanitizer", "none"]);
    command.arg("--target-dir").arg(shell::build_dir().join("fuzz"));
    command.arg(target).arg(kept).arg(shell::root().join("tests/corpus").join(target));
    command.arg("--").arg(format!("-runs={}", args.runs));
    command.arg(format!("-max_total_time={}", args.seconds));
    command.arg(format!("-artifact_prefix={}/", found.display()));
    Ok(command)
}

fn known() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(shell::root().join("tests/fuzz/fuzz_targets"))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}
