//! The parent's watch over the child: signals on their way in, what is typed and shown, its end, the
//! gateway's end.

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
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2};

use super::child::HIDDEN;
use super::plan::{self, Failure, Plan};
use super::signals::{Signals, status_of};
use super::terminal::Terminal;
use crate::control::Client;

/// The child, which waits until it is told to go, and fails where it is dropped before.
pub(super) struct Child {
    pid: Pid,
    plan: Option<File>,
    report: File,
    ended: Option<u8>,
}

impl Child {
    /// Starts the waiting half of `weir run`.
    pub(super) fn spawn(command: &[OsString], terminal: Option<&Terminal>) -> io::Result<Self> {
        let (plan_read, plan_write) = pipe2(OFlag::O_CLOEXEC)?;
        let (report_read, report_write) = pipe2(OFlag::O_CLOEXEC)?;
        inherit(&plan_read)?;
        inherit(&report_write)?;
        let mut weir = Command::new("/proc/self/exe");
        HIDDEN.iter().for_each(|name| {
            weir.env_remove(name);
        });
        if let Some(terminal) = terminal {
            let [input, output, error] = [0, 1, 2].map(|number| terminal.inner(number));
            input?.map(|input| weir.stdin(input));
            output?.map(|output| weir.stdout(output));
            error?.map(|error| weir.stderr(error));
        }
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

    /// Notices its end, if it has ended; whether it has been stopped.
    fn reap(&mut self) -> nix::Result<bool> {
        let flags = WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED;
        let status = waitpid(self.pid, Some(flags))?;
        self.ended = status_of(status);
        Ok(matches!(status, WaitStatus::Stopped(..)))
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

/// The parent's side of a run.
pub(super) struct Watch<'a> {
    /// The command, or what runs it.
    pub(super) child: &'a mut Child,
    /// What comes to this process.
    pub(super) signals: &'a Signals,
    /// The terminal between, where there is one.
    pub(super) terminal: Option<&'a mut Terminal>,
}

impl Watch<'_> {
    /// Waits for the end of the command and passes signals on; the status to exit with.
    pub(super) fn until_end(&mut self, gateway: &Client) -> anyhow::Result<u8> {
        let mut listening = true;
        loop {
            while let Some(signal) = self.signals.read().context("reading signals")? {
                self.pass(signal).context("watching over the command")?;
            }
            if let Some(status) = self.child.ended {
                if let Some(terminal) = &mut self.terminal {
                    terminal.drain();
                    terminal.suspend();
                }
                if let Some(failure) = self.child.failure() {
                    eprintln!("weir: {}: {}", failure.step, failure.error);
                }
                return Ok(status);
            }
            if self.wait(gateway, listening).context("watching over the command")? {
                listening = false;
                self.say(
                    "weir: the gateway is gone; the command goes on, but its connections are \
                     refused: start the gateway, then run the command again",
                );
            }
        }
    }

    fn say(&self, text: &str) {
        match &self.terminal {
            Some(terminal) => terminal.say(text),
            None => eprintln!("{text}"),
        }
    }

    fn pass(&mut self, signal: Signal) -> nix::Result<()> {
        match (signal, &mut self.terminal) {
            (Signal::SIGCHLD, terminal) => {
                if self.child.reap()?
                    && let Some(terminal) = terminal
                {
                    return stop(terminal, self.child);
                }
                Ok(())
            }
            (Signal::SIGTSTP, None) => {
                // A session without a terminal ignores this one, so it is stopped outright.
                self.child.send(Signal::SIGSTOP);
                raise(Signal::SIGSTOP)
            }
            (Signal::SIGWINCH, Some(terminal)) => {
                terminal.resize();
                Ok(())
            }
            (signal, terminal) => {
                if let (Signal::SIGCONT, Some(terminal)) = (signal, terminal) {
                    terminal.resume();
                }
                self.child.send(signal);
                Ok(())
            }
        }
    }

    /// Waits for a signal, something to carry, or the gateway's end; true for the latter.
    fn wait(&mut self, gateway: &Client, listening: bool) -> anyhow::Result<bool> {
        let hangup = if listening { PollFlags::POLLIN } else { PollFlags::empty() };
        let mut all = vec![(self.signals.as_fd(), PollFlags::POLLIN), (gateway.as_fd(), hangup)];
        all.extend(self.terminal.iter().flat_map(|terminal| terminal.wanted()));
        // What is not waited for is left out: poll tells of a hang-up whether asked or not.
        let (places, mut waiting): (Vec<usize>, Vec<PollFd<'_>>) = all
            .into_iter()
            .enumerate()
            .filter(|(_, (_, wanted))| !wanted.is_empty())
            .map(|(place, (file, wanted))| (place, PollFd::new(file, wanted)))
            .unzip();
        match poll(&mut waiting, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let mut found = [PollFlags::empty(); 4];
        for (place, waited) in places.into_iter().zip(&waiting) {
            found[place] = waited.revents().unwrap_or(PollFlags::empty());
        }
        let [_, gone, input, inner] = found;
        if let Some(terminal) = &mut self.terminal {
            terminal.carry(input, inner).context("carrying what is typed and shown")?;
        }
        // The gateway says nothing unasked, so that whatever comes is its end.
        Ok(!gone.is_empty())
    }
}

/// Stops as the command did, with the user's terminal as it was. The signal is the one that a shell
/// with nobody to continue it would ignore.
fn stop(terminal: &mut Terminal, child: &Child) -> nix::Result<()> {
    terminal.suspend();
    let stopping = SigSet::from(Signal::SIGTSTP);
    stopping.thread_unblock()?;
    raise(Signal::SIGTSTP)?;
    stopping.thread_block()?;
    terminal.resume();
    child.send(Signal::SIGCONT);
    Ok(())
}
