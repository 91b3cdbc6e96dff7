//! The first process of the command's session, where it has a terminal: it starts the command in a
//! group of its own, so that it can be stopped and go on, and ends with its status.
//!
//! It is in the jail like the command itself.

use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::sys::signal::{Signal, killpg, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::termios::tcsetpgrp;

use super::signals::{Signals, status_of};
use super::terminal::standard;

/// Makes a terminal that of this session, which has begun and has none.
pub(super) fn take(number: i32) -> io::Result<()> {
    Ok(rustix::process::ioctl_tiocsctty(standard(number))?)
}

/// Runs the command to its end.
pub(super) fn run(command: &mut Command, number: i32) -> io::Result<u8> {
    let pid = Pid::from_raw(command.process_group(0).spawn()?.id().cast_signed());
    let signals = Signals::block(&[Signal::SIGTTOU])?;
    let terminal = standard(number);
    go_on(terminal, pid);
    loop {
        while let Some(signal) = signals.read()? {
            match signal {
                Signal::SIGCHLD => {
                    if let Some(status) = look(terminal, pid)? {
                        return Ok(status);
                    }
                }
                signal => drop(killpg(pid, signal)),
            }
        }
        // The command may have ended before its signals were listened to.
        if let Some(status) = look(terminal, pid)? {
            return Ok(status);
        }
        signals.wait()?;
    }
}

/// The command's status once it has ended. Where it was stopped, this process stops too, which tells
/// `weir run`, and both go on together.
fn look(terminal: BorrowedFd<'_>, pid: Pid) -> nix::Result<Option<u8>> {
    let status = waitpid(pid, Some(WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED))?;
    match status {
        // It asked for the terminal in the moment before it was given to it.
        WaitStatus::Stopped(_, Signal::SIGTTIN | Signal::SIGTTOU) => go_on(terminal, pid),
        WaitStatus::Stopped(..) => {
            raise(Signal::SIGSTOP)?;
            go_on(terminal, pid);
        }
        WaitStatus::Exited(..)
        | WaitStatus::Signaled(..)
        | WaitStatus::PtraceEvent(..)
        | WaitStatus::PtraceSyscall(_)
        | WaitStatus::Continued(_)
        | WaitStatus::StillAlive => {}
    }
    Ok(status_of(status))
}

/// Brings the command to the front. It may have been stopped before it was there.
fn go_on(terminal: BorrowedFd<'_>, pid: Pid) {
    let group = rustix::process::Pid::from_raw(pid.as_raw());
    // Where that fails it has ended, or the terminal is gone.
    if let Some(Err(error)) = group.map(|group| tcsetpgrp(terminal, group)) {
        tracing::debug!(%error, "bringing the command to the front");
    }
    let _ = killpg(pid, Signal::SIGCONT);
}
