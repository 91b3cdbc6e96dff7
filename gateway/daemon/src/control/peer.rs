//! Who is at the other end: a process that is held on to, so that its number can't come to mean another.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;

use nix::fcntl::{OFlag, openat};
use nix::libc::O_DIRECTORY;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::{PeerCredentials, PeerPidfd};
use nix::sys::stat::Mode;

/// A file of `/proc/PID` that is read here is far shorter.
const PROC_BYTES: u64 = 64 << 10;

/// The process at the other end of a control connection, as it was when the request came.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its process id, as the gateway sees it.
    pub pid: u32,
    /// Its effective user when it connected.
    pub uid: u32,
    /// Its effective group when it connected.
    pub gid: u32,
    /// Its cgroup v2 path below the mount, for instance `/weir.slice/01J...`.
    pub cgroup: String,
    pinned: Arc<Pinned>,
}

/// A process that is held on to by its `/proc` directory, which is the process's and not the
/// number's, and by its start time.
#[derive(Debug)]
pub struct Pinned {
    pid: u32,
    started: u64,
    folder: File,
}

impl Peer {
    /// Pins the process behind a connected socket.
    pub fn of(socket: &impl AsFd) -> io::Result<Self> {
        let credentials = getsockopt(socket, PeerCredentials)?;
        let pid = u32::try_from(credentials.pid()).unwrap_or(0);
        if pid == 0 {
            return Err(gone("the process is outside of the gateway's process namespace"));
        }
        // Older kernels (before 6.5) have no peer pidfd. There the process could have ended and
        // another have got its number before it is pinned, so that its user is compared below.
        let pidfd = getsockopt(socket, PeerPidfd).ok();
        let pinned = Pinned::open(pid)?;
        if let Some(pidfd) = &pidfd
            && pid_of(pidfd)? != pid.to_string()
        {
            return Err(gone("the process that connected has ended"));
        }
        let (uid, gid) = (credentials.uid(), credentials.gid());
        let cgroup = pinned.cgroup()?;
        let peer = Self { pid, uid, gid, cgroup, pinned: Arc::new(pinned) };
        peer.check_user()?;
        Ok(peer)
    }

    /// The same peer as it is now; an error where it has ended or is another user by now.
    pub fn again(&self) -> io::Result<Self> {
        let cgroup = self.pinned.cgroup()?;
        let peer = Self { cgroup, ..self.clone() };
        peer.check_user()?;
        Ok(peer)
    }

    /// Pins a child of the peer, which must run as the peer's user.
    pub fn child(&self, pid: u32) -> io::Result<Pinned> {
        let child = Pinned::open(pid)?;
        if child.parent()? != self.pid || child.user()? != self.uid {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("process {pid} is not a child of process {}", self.pid),
            ));
        }
        self.pinned.check()?;
        Ok(child)
    }

    /// Kills the process.
    pub fn kill(&self) -> io::Result<()> {
        self.pinned.check()?;
        let pid = nix::unistd::Pid::from_raw(self.pid.cast_signed());
        Ok(nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL)?)
    }

    fn check_user(&self) -> io::Result<()> {
        if self.pinned.user()? == self.uid {
            return Ok(());
        }
        Err(gone("the process that connected is another user by now"))
    }
}

impl Pinned {
    /// Pins whatever has this number now.
    pub fn open(pid: u32) -> io::Result<Self> {
        let folder = File::options()
            .read(true)
            .custom_flags(O_DIRECTORY)
            .open(format!("/proc/{pid}"))
            .map_err(|_| gone("the process has ended, or /proc hides it"))?;
        let mut pinned = Self { pid, started: 0, folder };
        pinned.started = pinned.start_time()?;
        Ok(pinned)
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Fails where the process has ended.
    pub fn check(&self) -> io::Result<()> {
        if self.start_time()? == self.started {
            return Ok(());
        }
        Err(gone("the process has ended"))
    }

    /// Its cgroup v2 path below the mount.
    pub fn cgroup(&self) -> io::Result<String> {
        let text = self.read("cgroup")?;
        self.check()?;
        let path = text.lines().find_map(|line| line.strip_prefix("0::"));
        path.map(str::to_owned).ok_or_else(|| gone("the process has no cgroup v2 path"))
    }

    /// The parent's number.
    pub fn parent(&self) -> io::Result<u32> {
        self.stat(1)?.parse().map_err(|_| gone("the process has no readable parent"))
    }

    /// Its effective user.
    pub fn user(&self) -> io::Result<u32> {
        let text = self.read("status")?;
        let users = text.lines().find_map(|line| line.strip_prefix("Uid:"));
        let effective = users.and_then(|users| users.split_ascii_whitespace().nth(1));
        effective
            .and_then(|user| user.parse().ok())
            .ok_or_else(|| gone("the process has no readable user"))
    }

    fn start_time(&self) -> io::Result<u64> {
        if matches!(self.stat(0)?.as_str(), "Z" | "X") {
            return Err(gone("the process has ended"));
        }
        self.stat(19)?.parse().map_err(|_| gone("the process has no readable start time"))
    }

    /// A field of `stat`, counted from the one behind the command's name, which may hold anything.
    fn stat(&self, field: usize) -> io::Result<String> {
        let text = self.read("stat")?;
        let behind = text.rsplit_once(')').map(|(_, behind)| behind);
        behind
            .and_then(|behind| behind.split_ascii_whitespace().nth(field))
            .map(str::to_owned)
            .ok_or_else(|| gone("the process has no readable state"))
    }

    fn read(&self, name: &str) -> io::Result<String> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let file: OwnedFd = openat(&self.folder, name, flags, Mode::empty())?;
        let mut bytes = Vec::new();
        File::from(file).take(PROC_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The number of a pidfd's process; `-1` where it has ended.
fn pid_of(pidfd: &OwnedFd) -> io::Result<String> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    let pid = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    pid.map(|pid| pid.trim().to_owned()).ok_or_else(|| gone("the kernel did not tell the process"))
}

fn gone(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, why)
}
