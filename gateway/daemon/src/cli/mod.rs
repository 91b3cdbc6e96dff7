//! The commands: one file per subcommand, each with its `Args` and `run`.
#![allow(clippy::print_stdout)] // commands speak on standard output

pub mod attach;
pub mod audit;
pub mod bindings;
pub mod ca;
pub mod credentials;
pub mod dev;
pub mod doctor;
pub mod gateway;
pub mod holds;
pub mod mask;
pub mod output;
pub mod policy;
pub mod replay;
pub mod run;
pub mod sessions;
pub mod show;
pub mod upgrade;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;

/// Where the configuration is looked for by default.
pub const DEFAULT_CONFIG: &str = "/etc/weir/weir.toml";

/// eBPF-assisted transparent interception gateway for AI agents.
#[derive(Parser)]
#[command(name = "weir", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(clap::Args)]
pub struct Common {
    /// The configuration file.
    #[arg(long, global = true, env = "WEIR_CONFIG", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// The gateway's control socket (default: the configuration's, else /run/weir/control.sock).
    #[arg(long, global = true, env = "WEIR_SOCKET")]
    pub socket: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    pub json: bool,
}

impl Common {
    /// The state directory: the one named, else the configuration's.
    ///
    /// # Errors
    /// The configuration can't be read.
    pub fn state_dir(&self, named: Option<PathBuf>) -> anyhow::Result<PathBuf> {
        match named {
            Some(dir) => Ok(dir),
            None => Ok(Config::load_or_default(&self.config)?.gateway.state_dir),
        }
    }
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway on this host.
    Gateway(gateway::Args),
    /// Replace the running gateway's program without cutting connections.
    Upgrade(upgrade::Args),
    /// Cut off whatever is below the slice and not bound; for the time before the gateway is up.
    Attach(attach::Args),
    /// What the kernel holds of this gateway and of others, and the end of those that are gone.
    Bindings(bindings::Args),
    /// Run an unmodified program in a bound cgroup; exits with its status.
    Run(run::Args),
    /// What waits for a human: list, show, approve, deny, watch.
    Holds(holds::Args),
    /// Propose which columns of a target are to be masked.
    Mask(mask::Args),
    /// Check, test and explain policy.
    Policy(policy::Args),
    /// List recorded sessions.
    Sessions(sessions::Args),
    /// Show a session, flow, exchange or hold.
    Show(show::Args),
    /// Play a session as it happened.
    Replay(replay::Args),
    /// Seal the record, write views for DuckDB, report coverage.
    Audit(audit::Args),
    /// Look for what is missing or wrong on this host, and say how to mend it.
    Doctor(doctor::Args),
    /// The host's certificate authority.
    Ca(ca::Args),
    /// Sealed credentials for targets.
    Credentials(credentials::Args),
    /// Helpers for development.
    Dev(dev::Args),
    /// The waiting half of `weir run`.
    #[command(name = "__child", hide = true)]
    Child(run::child::Args),
    /// The canary, which the gateway starts.
    #[command(name = "__canary", hide = true)]
    Canary,
}

/// Runs the command line; errors are for `main` to print.
pub fn main(cli: Cli) -> anyhow::Result<ExitCode> {
    let common = &cli.common;
    match cli.command {
        Command::Gateway(args) => gateway::run(args, common),
        Command::Upgrade(args) => upgrade::run(args, common),
        Command::Attach(args) => attach::run(&args, common),
        Command::Bindings(args) => bindings::run(&args, common),
        Command::Run(args) => run::run(args, common),
        Command::Holds(args) => holds::run(args, common),
        Command::Mask(args) => mask::run(args, common),
        Command::Policy(args) => policy::run(args, common),
        Command::Sessions(args) => sessions::run(args, common),
        Command::Show(args) => show::run(args, common),
        Command::Replay(args) => replay::run(args, common),
        Command::Audit(args) => audit::run(args, common),
        Command::Doctor(args) => doctor::run(args, common),
        Command::Ca(args) => ca::run(args, common),
        Command::Credentials(args) => credentials::run(args, common),
        Command::Dev(args) => dev::run(args, common),
        Command::Child(args) => Ok(run::child::run(args)),
        Command::Canary => {
            crate::intercept::canary::attempts::run()?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
