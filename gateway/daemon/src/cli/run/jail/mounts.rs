//! Mounts of its own: what could lead out of the cgroup is read-only there, or gone.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::cli::run::plan::{Failure, Step as _};

const INERT: MsFlags =
    MsFlags::MS_RDONLY.union(MsFlags::MS_NOSUID).union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);

/// Files of proc that set the kernel, which user 0 may write even without capabilities. One of them
/// names a program that the kernel runs as true root.
const SETTINGS: [&str; 5] =
    ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs"];

/// In mounts of its own, cgroups and the kernel's settings become read-only and pinned eBPF objects
/// vanish. Mounting them anew needs a capability that is dropped after this.
pub(super) fn shut(known: &[PathBuf]) -> Result<(), Failure> {
    unshare(CloneFlags::CLONE_NEWNS)
        .step("making mounts of its own (root needs CAP_SYS_ADMIN for that, or give --user)")?;
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)
        .step("keeping its mounts to itself")?;
    let table = std::fs::read("/proc/self/mountinfo").step("reading the mount table")?;
    let mut mounts = parse_mounts(&table);
    for path in known {
        if !mounts.iter().any(|(_, mounted)| mounted == path) {
            mounts.push((Kind::Settings, path.clone()));
        }
    }
    // A mount below another comes later in the table, and can't be reached once that one is hidden.
    for (kind, path) in mounts.iter().rev() {
        let step = format!("closing {}", path.display());
        match close_mount(*kind, path) {
            // Nothing can be reached there, for instance because another mount covers it.
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(error) => return Err(Failure::new(step, error)),
        }
    }
    shut_settings()
}

fn shut_settings() -> Result<(), Failure> {
    for path in SETTINGS.map(Path::new).into_iter().filter(|path| path.exists()) {
        let step = format!("closing {}", path.display());
        bind(path, path).step(&step)?;
        make_read_only(path).step(&step)?;
    }
    Ok(())
}

/// Mounts what stands at one place at another one too.
pub(in crate::cli::run) fn bind(from: &Path, to: &Path) -> nix::Result<()> {
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND, None::<&str>)
}

/// Makes a mount read-only.
pub(in crate::cli::run) fn make_read_only(path: &Path) -> nix::Result<()> {
    let flags = INERT | MsFlags::MS_REMOUNT | MsFlags::MS_BIND;
    mount(None::<&str>, path, None::<&str>, flags, None::<&str>)
}

/// A small file system in memory, for what is the jail's own.
pub(super) fn memory(path: &Path, options: &str) -> nix::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("weir"), path, Some("tmpfs"), flags, Some(options))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Made read-only.
    Settings,
    /// Covered.
    Bpf,
}

fn close_mount(kind: Kind, path: &Path) -> nix::Result<()> {
    match kind {
        Kind::Settings => make_read_only(path),
        Kind::Bpf => {
            let options = Some("mode=0,size=4k");
            mount(Some("none"), path, Some("tmpfs"), INERT, options)
        }
    }
}

/// The mounts to close in a mount table.
fn parse_mounts(table: &[u8]) -> Vec<(Kind, PathBuf)> {
    let parse = |line: &[u8]| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        // Optional fields of any number end with a dash.
        let dash = fields.iter().skip(6).position(|field| *field == b"-")? + 6;
        let kind = match *fields.get(dash + 1)? {
            b"cgroup2" | b"cgroup" | b"sysfs" | b"debugfs" | b"tracefs" | b"securityfs"
            | b"configfs" | b"efivarfs" => Kind::Settings,
            b"bpf" => Kind::Bpf,
            _ => return None,
        };
        Some((kind, PathBuf::from(OsString::from_vec(unescape(fields.get(4)?)))))
    };
    table.split(|byte| *byte == b'\n').filter_map(parse).collect()
}

/// Space, tab, line end and backslash stand as three octal digits in the mount table.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, behind)) = rest.split_first() {
        let octal = behind.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) if *first == b'\\' => {
                bytes.push(code);
                rest = &behind[3..];
            }
            Some(_) | None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_found_in_the_mount_table() {
        let table = b"\
            29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n\
            30 23 0:27 / /sys/fs/bpf rw master:1 shared:4 - bpf bpf rw,mode=700\n\
            31 23 0:28 / /mnt/a\\040b rw - cgroup2 none rw\n\
            32 23 0:29 / /tmp rw - tmpfs cgroup2 rw\n\
            garbage\n";
        let expected = [
            (Kind::Settings, PathBuf::from("/sys/fs/cgroup")),
            (Kind::Bpf, PathBuf::from("/sys/fs/bpf")),
            (Kind::Settings, PathBuf::from("/mnt/a b")),
        ];
        assert_eq!(parse_mounts(table), expected);
        assert_eq!(unescape(b"a\\134\\01"), b"a\\\\01");
    }
}
