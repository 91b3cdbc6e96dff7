//! `weir gateway`.

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::app;
use crate::config::Config;

/// Run the gateway on this host until a signal stops it.
#[derive(clap::Args)]
pub struct Args {
    /// Check the configuration and the policy, and do nothing else.
    #[arg(long)]
    pub check: bool,
    /// Take over from the gateway that runs: listeners, sessions and record, without a connection
    /// refused. It goes on serving what it has until that ends.
    #[arg(long, conflicts_with = "check")]
    pub upgrade: bool,
}

/// Runs the command.
///
/// # Errors
/// What kept the gateway from starting.
pub fn run(args: Args, common: &super::Common) -> anyhow::Result<ExitCode> {
    let config = Config::load(&common.config)?;
    if args.check {
        let live = app::load(&config)?;
        println!("{}: ok, policy {}", common.config.display(), live.policy.hash());
        return Ok(ExitCode::SUCCESS);
    }
    let filter = EnvFilter::try_from_env("WEIR_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if common.json {
        log.json().init();
    } else {
        log.with_ansi(false).init();
    }
    app::run(config, args.upgrade)?;
    Ok(ExitCode::SUCCESS)
}
