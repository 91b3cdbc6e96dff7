//! Every test there is: unit, property, compile-fail, corpus and end to end.

use std::time::Instant;

use anyhow::Result;

use crate::{setup, shell};

/// Arguments of `test`.
#[derive(clap::Args)]
pub struct Args {
    /// Don't install anything first.
    #[arg(long)]
    no_setup: bool,
    /// For `cargo test`, after `--`: a filter, or options of the test binaries.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Runs the task.
pub fn run(args: &Args) -> Result<()> {
    anyhow::ensure!(shell::is_root(), "the end-to-end tests attach eBPF programs: run as root");
    if !args.no_setup {
        setup::for_tests()?;
    }
    let begin = Instant::now();
    // The end-to-end tests run the binary, which `cargo test` alone would not build.
    shell::run(shell::cargo().args(["build", "--package", "weir"]))?;
    eprintln!("test: built in {} s", begin.elapsed().as_secs());
    let begin = Instant::now();
    let mut tests = shell::cargo();
    tests.args(["test", "--workspace", "--no-fail-fast", "--"]).args(&args.rest);
    tests.env("WEIR_BIN", shell::build_dir().join("debug/weir")).env("WEIR_VENV", shell::venv());
    let done = shell::run(&mut tests);
    eprintln!("test: ran for {} s", begin.elapsed().as_secs());
    done
}
