//! The canary property of masking: planted values, random queries, and none of the values arrives.

use anyhow::{Result, ensure};

use crate::setup::{self, Part};
use crate::shell;

/// Arguments of `canary`.
#[derive(clap::Args)]
pub struct Args {
    /// How many queries.
    #[arg(long, default_value_t = 100_000)]
    queries: u64,
    /// Which ones (default: a new seed, which is printed).
    #[arg(long)]
    seed: Option<u64>,
    /// The number of the first one, to ask one again: `--seed S --first N --queries 1`.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// PostgreSQL 13 to 18.
    #[arg(long, default_value_t = 15)]
    server: u32,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the task.
pub fn run(args: &Args) -> Result<()> {
    ensure!(shell::is_root(), "the gateway attaches eBPF programs: run as root");
    setup::install(&[Part::Build, Part::Postgres, Part::Python])?;
    // Optimised, since most of the time goes into looking for values in what arrives.
    shell::run(shell::cargo().args(["build", "--locked", "--release", "--package", "weir"]))?;
    let mut canary = shell::cargo();
    canary.args(["run", "--locked", "--quiet", "--release", "--package", "weir-tests"]);
    canary.args(["--bin", "weir-canary"]);
    canary.args(["--", "run", "--queries", &args.queries.to_string()]);
    canary.args(["--first", &args.first.to_string(), "--server", &args.server.to_string()]);
    if let Some(seed) = args.seed {
        canary.args(["--seed", &seed.to_string()]);
    }
    if args.json {
        canary.arg("--json");
    }
    canary.env("WEIR_BIN", shell::build_dir().join("release/weir")).env("WEIR_VENV", shell::venv());
    shell::run(&mut canary)
}
