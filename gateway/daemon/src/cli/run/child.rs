//! The waiting half of `weir run`: waits to be bound, gives up what it could get out with, becomes the
//! command. It is single-threaded and opens no socket.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use nix::errno::Errno;
use nix::sys::prctl::set_dumpable;
use nix::sys::signal::SigSet;
use nix::unistd::{close, setsid};

use super::jail::{self, Environment};
use super::monitor;
use super::plan::{self, Failure, NOT_FOUND, NOT_RUN, NOT_TRIED, Plan, Step as _};

/// How the command gets to the token; the agent must not.
pub(super) const HIDDEN: [&str; 2] = ["WEIR_TOKEN", "WEIR_TOKEN_FILE"];

/// Arguments of the hidden command, which only `weir run` gives.
#[derive(clap::Args)]
pub struct Args {
    /// The pipe from which the plan is read.
    #[arg(long)]
    plan: RawFd,
    /// The pipe to which a failure is written.
    #[arg(long)]
    report: RawFd,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Waits, and becomes the command.
pub fn run(args: Args) -> ExitCode {
    let (plan, mut report) = match take_pipes(&args) {
        Ok(pipes) => pipes,
        Err(error) => {
            eprintln!("weir: taking over from weir run: {error}");
            return ExitCode::from(NOT_TRIED);
        }
    };
    let failure = match become_command(&args.command, plan) {
        Ok(status) => return ExitCode::from(status),
        Err(failure) => failure,
    };
    // Where the parent is gone there is nobody left to tell.
    let _ = serde_json::to_vec(&failure).map(|text| report.write_all(&text));
    ExitCode::from(failure.status)
}

/// Closes all that was inherited beside standard input, output and error. The pipes are opened anew,
/// so that they close on exec like everything else that is opened from here on.
fn take_pipes(args: &Args) -> io::Result<(File, File)> {
    close_all_but(&[args.plan, args.report])?;
    let plan = File::open(format!("/proc/self/fd/{}", args.plan))?;
    let report = File::options().write(true).open(format!("/proc/self/fd/{}", args.report))?;
    close(args.plan)?;
    close(args.report)?;
    Ok((plan, report))
}

fn close_all_but(kept: &[RawFd]) -> io::Result<()> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_string_lossy().parse().map_err(io::Error::other)?;
        if number > 2 && !kept.contains(&number) {
            numbers.push(number);
        }
    }
    for number in numbers {
        match close(number) {
            // The folder that was read was one of them.
            Ok(()) | Err(Errno::EBADF) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Becomes the command, or with a terminal runs it to its end; the status to exit with.
fn become_command(command: &[OsString], plan: File) -> Result<u8, Failure> {
    // Until it is the command, another agent of the same user must not take it over.
    set_dumpable(false).step("shutting others out")?;
    let plan = wait(plan)?;
    setsid().step("beginning a new session")?;
    // The parent blocks the signals that it passes on, and a blocked signal stays so over exec.
    SigSet::empty().thread_set_mask().step("unblocking signals")?;
    if let Some(number) = plan.terminal {
        monitor::take(number).step("taking the terminal")?;
    }
    let changes = jail::enter(&plan)?;
    changes.trust.notes.iter().for_each(|note| eprintln!("weir: {note}"));
    exec(command, &plan, changes)
}

/// The plan, which comes when the gateway has moved this process. Without one there is no command.
fn wait(plan: File) -> Result<Plan, Failure> {
    let mut text = Vec::new();
    plan.take(plan::BYTES).read_to_end(&mut text).step("waiting to be bound")?;
    serde_json::from_slice(&text).step("waiting to be bound")
}

fn exec(words: &[OsString], plan: &Plan, changes: Environment) -> Result<u8, Failure> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failure::new("running the command", "it is empty"));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(account) = &plan.account {
        command.env("USER", &account.name).env("LOGNAME", &account.name);
        command.env("HOME", &account.home).env("SHELL", &account.shell);
    }
    command.envs(changes.trust.variables).envs(&plan.environment);
    changes.dropped.iter().for_each(|name| {
        command.env_remove(name);
    });
    HIDDEN.iter().for_each(|name| {
        command.env_remove(name);
    });
    let error = match plan.terminal {
        Some(number) => match monitor::run(&mut command, number) {
            Ok(status) => return Ok(status),
            Err(error) => error,
        },
        None => command.exec(),
    };
    let status = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUN };
    let step = format!("running {}", program.to_string_lossy());
    Err(Failure { status, ..Failure::new(step, error) })
}
