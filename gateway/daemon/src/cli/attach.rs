//! `weir attach`: the slice's own programs, before any agent and without a gateway.

use std::process::ExitCode;

use anyhow::Context as _;

use super::Common;
use crate::config::{Config, Mode};
use crate::intercept::{self, Options};

/// Attach to the slice, for good: what is below it and in no bound leaf makes no connection.
#[derive(clap::Args)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// The kernel or the permissions don't allow it.
pub fn run(_: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let config = Config::load_or_default(&common.config)?.gateway;
    anyhow::ensure!(
        config.mode == Mode::Ebpf,
        "the configuration says explicit mode, in which nothing is attached"
    );
    let options = Options { instance: config.instance, bpffs: config.bpffs };
    let attached = intercept::attach(&options).context("attaching to the slice")?;
    if common.json {
        println!("{}", serde_json::to_string_pretty(&attached)?);
    } else {
        let by = if attached.running { ", by the gateway that runs" } else { "" };
        println!("{}: attached{by}", attached.slice.display());
    }
    Ok(ExitCode::SUCCESS)
}
