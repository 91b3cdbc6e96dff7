//! The `weir` binary: parse the command line, run the command, print what went wrong.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match weir::cli::main(weir::cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("weir: {error:#}");
            ExitCode::from(1)
        }
    }
}
