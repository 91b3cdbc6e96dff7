//! `weir sessions`.

use std::process::ExitCode;

/// Arguments of `weir sessions`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: Args, _common: &super::Common) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not written yet")
}
