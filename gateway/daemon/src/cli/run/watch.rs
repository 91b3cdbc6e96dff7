//! The parent's watch over the child: signals on their way in, its end, the gateway's end.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill, killpg, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2};

use super::child::HIDDEN;
use super::plan::{self, Failure, Plan};
use crate::control::Client;

/// Passed on to the command's process group as they are.
const PASSED: [Signal; 8] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
    Signal::SIGCONT,
];

/// Signals, as something to read.
pub(super) struct Signals(SignalFd);

impl Signals {
    /// Blocks what is passed on, and the end of children. The child unblocks it again.
    pub(super) fn block() -> nix::Result<Self> {
        let mut set: SigSet = PASSED.into_iter().collect();
        set.add(Signal::SIGTSTP);
        set.add(Signal::SIGCHLD);
        set.thread_block()?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        SignalFd::with_flags(&set, flags).map(Self)
    }

    fn read(&self) -> nix::Result<Option<Signal>> {
        let info = self.0.read_signal()?;
        Ok(info.and_then(|info| Signal::try_from(info.ssi_signo.cast_signed()).ok()))
    }
}

/// The child, which waits until it is told to go, and fails where it is dropped before.
pub(super) struct Child {
    pid: Pid,
    plan: Option<File>,
    report: File,
    ended: Option<u8>,
}

impl Child {
    /// Starts the waiting half of `weir run`.
    pub(super) fn spawn(command: &[OsString]) -> io::Result<Self> {
        let (plan_read, plan_write) = pipe2(OFlag::O_CLOEXEC)?;
        let (report_read, report_write) = pipe2(OFlag::O_CLOEXEC)?;
        inherit(&plan_read)?;
        inherit(&report_write)?;
        let mut weir = Command::new("/proc/self/exe");
        HIDDEN.iter().for_each(|name| {
            weir.env_remove(name);
        });
        let child = weir
            .arg0("weir")
            .arg("__child")
            .arg(format!("--plan={}", plan_read.as_raw_fd()))
            .arg(format!("--report={}", report_write.as_raw_fd()))
            .arg("--")
            .args(command)
            .spawn()?;
        let pid = Pid::from_raw(child.id().cast_signed());
        Ok(Self { pid, plan: Some(plan_write.into()), report: report_read.into(), ended: None })
    }

    /// Its number.
    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw().cast_unsigned()
    }

    /// Tells it to go on.
    pub(super) fn go(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let text = serde_json::to_vec(plan)?;
        if text.len() as u64 > plan::BYTES {
            anyhow::bail!("the agent's environment is larger than {} bytes", plan::BYTES);
        }
        let pipe = self.plan.take();
        pipe.map_or(Ok(()), |mut pipe| pipe.write_all(&text))
            .context("telling the child to go on (was it killed?)")
    }

    /// Sends a signal to the command and what it started.
    fn send(&self, signal: Signal) {
        // Before it has a session of its own there is no group of that number.
        if self.ended.is_none() && killpg(self.pid, signal).is_err() {
            let _ = kill(self.pid, signal);
        }
    }

    /// Notices its end, if it has ended.
    fn reap(&mut self) -> nix::Result<()> {
        match waitpid(self.pid, Some(WaitPidFlag::WNOHANG))? {
            WaitStatus::Exited(_, code) => self.ended = Some(code.cast_unsigned() as u8),
            WaitStatus::Signaled(_, signal, _) => {
                self.ended = Some(128_u8.saturating_add(signal as i32 as u8));
            }
            WaitStatus::Stopped(..)
            | WaitStatus::PtraceEvent(..)
            | WaitStatus::PtraceSyscall(_)
            | WaitStatus::Continued(_)
            | WaitStatus::StillAlive => {}
        }
        Ok(())
    }

    /// What it wrote about not becoming the command; nothing where it did, since exec closed the pipe.
    fn failure(&mut self) -> Option<Failure> {
        let mut text = Vec::new();
        let read = (&mut self.report).take(plan::BYTES).read_to_end(&mut text);
        match read {
            Ok(0) => None,
            Ok(_) => serde_json::from_slice(&text).ok(),
            Err(_) => None,
        }
    }
}

impl Drop for Child {
    /// Without a plan the child ends by itself when the pipe closes.
    fn drop(&mut self) {
        if self.plan.take().is_some() && self.ended.is_none() {
            let _ = waitpid(self.pid, None);
        }
    }
}

fn inherit(pipe: &OwnedFd) -> nix::Result<()> {
    fcntl(pipe, FcntlArg::F_SETFD(FdFlag::empty())).map(drop)
}

/// Waits for the end of the command and passes signals on; the status to exit with.
pub(super) fn until_end(
    child: &mut Child,
    signals: &Signals,
    gateway: &Client,
) -> anyhow::Result<u8> {
    let mut listening = true;
    loop {
        while let Some(signal) = signals.read().context("reading signals")? {
            pass(child, signal).context("watching over the command")?;
        }
        if let Some(status) = child.ended {
            if let Some(failure) = child.failure() {
                eprintln!("weir: {}: {}", failure.step, failure.error);
            }
            return Ok(status);
        }
        if wait(signals, gateway, listening).context("watching over the command")? {
            listening = false;
            eprintln!(
                "weir: the gateway is gone; the command goes on, but its connections are refused: \
                 start the gateway, then run the command again"
            );
        }
    }
}

fn pass(child: &mut Child, signal: Signal) -> nix::Result<()> {
    match signal {
        Signal::SIGCHLD => child.reap(),
        Signal::SIGTSTP => {
            // A session without a terminal of its own ignores this one, so it is stopped outright.
            child.send(Signal::SIGSTOP);
            raise(Signal::SIGSTOP)
        }
        signal => {
            child.send(signal);
            Ok(())
        }
    }
}

/// Waits for a signal, or for the gateway's end; true for the latter.
fn wait(signals: &Signals, gateway: &Client, listening: bool) -> nix::Result<bool> {
    let signal = PollFd::new(signals.0.as_fd(), PollFlags::POLLIN);
    let hangup = PollFd::new(gateway.as_fd(), PollFlags::POLLIN);
    let mut all = [signal, hangup];
    let count = if listening { 2 } else { 1 };
    match poll(&mut all[..count], PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error),
    }
    // The gateway says nothing unasked, so that whatever comes is its end.
    Ok(listening && all[1].any().unwrap_or(false))
}
