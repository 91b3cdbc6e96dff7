//! A terminal of the command's own, and what goes between it and the user's.
//!
//! Where the user's terminal were the command's too, it could type into it after its end, or read what
//! is typed for others. Here it has one end of a pseudo-terminal, and the relay is outside of its
//! session. While the command runs the user's terminal is raw: what is typed means to the inner
//! terminal what it means there.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::PollFlags;
use nix::unistd::{Gid, Uid, fchown};
use rustix::process::getpgrp;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{
    OptionalActions, OutputModes, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr,
    tcsetwinsize,
};
use weir_model::limits;

use super::plan::Account;

/// What is shown at a time: so little that a terminal that is ready takes it without waiting.
const SHOWN_BYTES: usize = 1 << 10;

/// The outer side.
pub(super) struct Terminal {
    master: File,
    slave: Option<OwnedFd>,
    /// Standard input, output and error: which of them are the user's terminal.
    is_terminal: [bool; 3],
    /// The user's terminal.
    user: File,
    /// How it was, where its input is relayed.
    cooked: Option<Termios>,
    raw: bool,
    typed: Vec<u8>,
    input_ended: bool,
    output_ended: bool,
}

impl Terminal {
    /// Opens one where standard input, output or error is a terminal.
    pub(super) fn open(account: Option<&Account>) -> io::Result<Option<Self>> {
        let is_terminal =
            [io::stdin().is_terminal(), io::stdout().is_terminal(), io::stderr().is_terminal()];
        // Where there is a choice, that which is written to.
        let order = [(1, is_terminal[1]), (2, is_terminal[2]), (0, is_terminal[0])];
        let Some((number, _)) = order.into_iter().find(|(_, is)| *is) else {
            return Ok(None);
        };
        let user = File::from(standard(number).try_clone_to_owned()?);
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let slave = ioctl_tiocgptpeer(&master, flags)?;
        let cooked = tcgetattr(&user)?;
        let mut inner = cooked.clone();
        if !is_terminal[0] {
            // The user's terminal stays as it is, and ends the lines.
            inner.output_modes.remove(OutputModes::OPOST);
        }
        tcsetattr(&slave, OptionalActions::Now, &inner)?;
        if let Some(account) = account {
            let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
            fchown(&slave, Some(uid), Some(gid))?;
        }
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
        let terminal = Self {
            master: File::from(master),
            slave: Some(slave),
            is_terminal,
            user,
            cooked: is_terminal[0].then_some(cooked),
            raw: false,
            typed: Vec::new(),
            input_ended: false,
            output_ended: false,
        };
        terminal.resize();
        Ok(Some(terminal))
    }

    /// What the command gets in the place of standard input, output or error, where that is a terminal.
    pub(super) fn inner(&self, number: usize) -> io::Result<Option<Stdio>> {
        match (&self.slave, self.is_terminal.get(number)) {
            (Some(slave), Some(true)) => Ok(Some(Stdio::from(slave.try_clone()?))),
            _ => Ok(None),
        }
    }

    /// The first of standard input, output and error that is the command's terminal.
    pub(super) fn number(&self) -> i32 {
        self.is_terminal.iter().position(|is| *is).unwrap_or(0) as i32
    }

    /// The command has its end now.
    pub(super) fn started(&mut self) {
        self.slave = None;
        self.resume();
    }

    /// Hands the user's terminal to the command, unless something else is in front there.
    pub(super) fn resume(&mut self) {
        self.resize();
        let Some(cooked) = self.cooked.as_ref().filter(|_| in_front(&self.user)) else { return };
        let mut raw = cooked.clone();
        raw.make_raw();
        self.raw = tcsetattr(&self.user, OptionalActions::Now, &raw).is_ok();
    }

    /// Gives the user's terminal back as it was.
    pub(super) fn suspend(&mut self) {
        if let Some(cooked) = &self.cooked
            && self.raw
        {
            let _ = tcsetattr(&self.user, OptionalActions::Now, cooked);
            self.raw = false;
        }
    }

    /// Gives the inner terminal the size of the outer one.
    pub(super) fn resize(&self) {
        if let Ok(size) = tcgetwinsize(&self.user) {
            let _ = tcsetwinsize(&self.master, size);
        }
    }

    /// Says something of Weir's own to the user.
    pub(super) fn say(&self, text: &str) {
        let end = if self.raw { "\r\n" } else { "\n" };
        let _ = write!(io::stderr(), "{text}{end}");
    }

    /// What to wait for: the user's terminal to be typed at, the inner one.
    pub(super) fn wanted(&self) -> [(BorrowedFd<'_>, PollFlags); 2] {
        let empty = PollFlags::empty();
        let listens = self.raw && !self.input_ended && self.typed.is_empty();
        let input = if listens { PollFlags::POLLIN } else { empty };
        let mut inner = if self.output_ended { empty } else { PollFlags::POLLIN };
        if !self.typed.is_empty() {
            inner |= PollFlags::POLLOUT;
        }
        [(standard(0), input), (self.master.as_fd(), inner)]
    }

    /// Carries what there is, after `input` and `inner` of those were found ready.
    pub(super) fn carry(&mut self, input: PollFlags, inner: PollFlags) -> io::Result<()> {
        let ready = PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR;
        if input.intersects(ready) && in_front(&self.user) {
            self.read_typed();
        }
        if !self.typed.is_empty() && inner.contains(PollFlags::POLLOUT) {
            self.write_typed();
        }
        if inner.intersects(ready) {
            self.show()?;
        }
        Ok(())
    }

    fn read_typed(&mut self) {
        let mut bytes = [0; limits::TYPED_BYTES];
        // Past the buffer of the standard library, which would keep what poll can't see.
        match nix::unistd::read(standard(0), &mut bytes) {
            Ok(0) => self.input_ended = true,
            Ok(count) => self.typed.extend_from_slice(&bytes[..count]),
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
            // The user's terminal is gone.
            Err(_) => self.input_ended = true,
        }
    }

    fn write_typed(&mut self) {
        match self.master.write(&self.typed) {
            Ok(count) => drop(self.typed.drain(..count)),
            Err(error) if retries(&error) => {}
            Err(_) => {
                self.typed.clear();
                self.input_ended = true;
            }
        }
    }

    /// Shows what the command wrote; whether there was something.
    fn show(&mut self) -> io::Result<bool> {
        let mut bytes = [0; SHOWN_BYTES];
        match self.master.read(&mut bytes) {
            Ok(0) => self.output_ended = true,
            Ok(count) => {
                self.user.write_all(&bytes[..count])?;
                return Ok(true);
            }
            Err(error) if retries(&error) => {}
            // Nobody has the other end any more.
            Err(_) => self.output_ended = true,
        }
        Ok(false)
    }

    /// Shows what is left when the command has ended.
    pub(super) fn drain(&mut self) {
        while !self.output_ended && self.show().unwrap_or(false) {}
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.suspend();
    }
}

fn retries(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Whether this process may read from a terminal without being stopped.
fn in_front(terminal: &File) -> bool {
    match tcgetpgrp(terminal) {
        Ok(group) => group == getpgrp(),
        // It is not the one that controls this session, so that nobody is stopped for it.
        Err(error) => error == rustix::io::Errno::NOTTY,
    }
}

/// Standard input, output or error.
pub(super) fn standard(number: i32) -> BorrowedFd<'static> {
    match number {
        0 => rustix::stdio::stdin(),
        1 => rustix::stdio::stdout(),
        _ => rustix::stdio::stderr(),
    }
}
