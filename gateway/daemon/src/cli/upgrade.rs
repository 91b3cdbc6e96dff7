//! `weir upgrade`: the running gateway starts its successor and hands over to it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::Common;
use crate::control::{Client, ClientError, Request, Response};

/// Replace the running gateway's program; no connection is refused, none is cut.
#[derive(clap::Args)]
pub struct Args {
    /// The new program (default: what now stands where the running one was started from).
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// The successor did not take over; the running gateway goes on.
pub fn run(args: Args, common: &Common) -> anyhow::Result<ExitCode> {
    let binary = args.binary.map(std::path::absolute).transpose().context("finding the program")?;
    let answer = Client::connect(common)?.ask(&Request::Upgrade { binary })?;
    let Response::Done { message } = answer else {
        return Err(ClientError::Unexpected("upgrade").into());
    };
    if common.json {
        println!("{}", serde_json::json!({ "message": message }));
    } else {
        println!("{message}");
    }
    Ok(ExitCode::SUCCESS)
}
