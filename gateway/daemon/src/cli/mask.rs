//! `weir mask`: proposes which columns of a target are to be masked.

mod catalogue;
mod look;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;
use weir_model::Protocol;

use crate::config::{Config, TargetConfig};

/// Arguments of `weir mask`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Propose `[[column]]` entries for a target from names, types and samples of its columns.
    ///
    /// Logs in with the target's credential, as the gateway does, and only reads. No value is shown.
    Scan(Scan),
}

/// Arguments of `weir mask scan`.
#[derive(clap::Args)]
pub struct Scan {
    /// The target's name in the configuration.
    target: String,
    /// How many rows of each table are looked at; 0 looks at names and types alone.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    sample: u32,
    /// Look at this schema only; may be given more than once.
    #[arg(long = "schema", value_name = "NAME")]
    schemas: Vec<String>,
    /// The database (default: the target's, else the user's own).
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Leave out columns that the configuration names already.
    #[arg(long)]
    only_new: bool,
}

/// A column that should have classes.
#[derive(Debug, Serialize)]
pub struct Proposed {
    /// `schema.table`.
    pub table: String,
    /// Its name.
    pub column: String,
    /// Its type, as SQL writes it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its classes.
    pub classes: Vec<String>,
    /// Why.
    pub reasons: Vec<String>,
    /// How many of its values were looked at.
    pub sampled: u64,
}

/// What a scan found.
#[derive(Debug, Serialize)]
pub struct Found {
    /// The target's name.
    pub target: String,
    /// How many columns were looked at.
    pub columns: usize,
    /// What is proposed, by table.
    pub proposed: Vec<Proposed>,
    /// Tables of which names and types alone are known, and why.
    pub unread: BTreeMap<String, String>,
}

/// Runs the command.
pub fn run(args: Args, common: &super::Common) -> anyhow::Result<ExitCode> {
    let Command::Scan(scan) = args.command;
    let config = Config::load(&common.config)?;
    let target = target(&config, &scan.target)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(look::scan(&config, target, &scan))?;
    if common.json {
        println!("{}", serde_json::to_string(&found)?);
    } else {
        print!("{}", catalogue::text(&found));
    }
    Ok(ExitCode::SUCCESS)
}

fn target<'a>(config: &'a Config, name: &str) -> anyhow::Result<&'a TargetConfig> {
    let target = config.targets.iter().find(|target| target.name == name).with_context(|| {
        let known: Vec<&str> = config.targets.iter().map(|target| target.name.as_str()).collect();
        format!("there is no target {name:?}; the configuration has {}", known.join(", "))
    })?;
    anyhow::ensure!(
        target.protocol == Protocol::Postgres,
        "target {name} speaks {}, and only PostgreSQL has columns to look at",
        target.protocol.name()
    );
    Ok(target)
}
