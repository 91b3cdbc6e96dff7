//! What the child gives up before it becomes the command: mounts, capabilities, its user, and the way
//! to any of them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_no_new_privs;
use nix::unistd::{Gid, Uid, getegid, geteuid, getgid, getuid, setgroups, setresgid, setresuid};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities,
    capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits,
};

use super::plan::{Account, Failure, Plan, Step as _};

/// Gives it all up. Any step that fails ends the run: half a jail is none.
pub(super) fn enter(plan: &Plan) -> Result<(), Failure> {
    if geteuid().is_root() {
        shut_mounts(&plan.cgroup_mounts)?;
        shrink_bounds()?;
        lock_root()?;
    }
    if let Some(account) = &plan.account
        && (geteuid().is_root() || account.uid != geteuid().as_raw())
    {
        switch(account)?;
    }
    drop_capabilities()?;
    set_no_new_privs().step("ruling out new privileges")
}

/// In mounts of its own, the cgroup file system becomes read-only and pinned eBPF objects vanish.
/// Mounting them anew needs a capability that is dropped after this.
fn shut_mounts(known: &[PathBuf]) -> Result<(), Failure> {
    unshare(CloneFlags::CLONE_NEWNS)
        .step("making mounts of its own (root needs CAP_SYS_ADMIN for that, or give --user)")?;
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)
        .step("keeping its mounts to itself")?;
    let table = std::fs::read("/proc/self/mountinfo").step("reading the mount table")?;
    let mut mounts = parse_mounts(&table);
    for path in known {
        if !mounts.iter().any(|(_, mounted)| mounted == path) {
            mounts.push((Kind::Cgroup, path.clone()));
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
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Cgroup,
    Bpf,
}

fn close_mount(kind: Kind, path: &Path) -> nix::Result<()> {
    let inert = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let nothing = None::<&str>;
    match kind {
        Kind::Cgroup => {
            mount(nothing, path, nothing, inert | MsFlags::MS_REMOUNT | MsFlags::MS_BIND, nothing)
        }
        Kind::Bpf => mount(Some("none"), path, Some("tmpfs"), inert, Some("mode=0,size=4k")),
    }
}

/// The mounts of cgroup v2 and bpffs in a mount table.
fn parse_mounts(table: &[u8]) -> Vec<(Kind, PathBuf)> {
    let parse = |line: &[u8]| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        // Optional fields of any number end with a dash.
        let dash = fields.iter().skip(6).position(|field| *field == b"-")? + 6;
        let kind = match *fields.get(dash + 1)? {
            b"cgroup2" => Kind::Cgroup,
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

/// No program that it runs can have more capabilities than none.
fn shrink_bounds() -> Result<(), Failure> {
    let step = "dropping capabilities for good";
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        match capability_is_in_bounding_set(capability) {
            Ok(true) => remove_capability_from_bounding_set(capability).step(step)?,
            Ok(false) => {}
            // The kernel knows no more of them.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(Failure::new(step, error)),
        }
    }
    Ok(())
}

/// Being user 0 stops to mean having capabilities, now and in all programs that follow.
fn lock_root() -> Result<(), Failure> {
    let bits = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    set_capabilities_secure_bits(bits).step("taking capabilities from root")
}

fn switch(account: &Account) -> Result<(), Failure> {
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    let groups: Vec<Gid> = account.groups.iter().copied().map(Gid::from_raw).collect();
    let step = format!("becoming user {}", account.name);
    setgroups(&groups).step(&step)?;
    setresgid(gid, gid, gid).step(&step)?;
    setresuid(uid, uid, uid).step(&step)?;
    if (getuid(), geteuid(), getgid(), getegid()) != (uid, uid, gid, gid) {
        return Err(Failure::new(step, "the kernel did not do it"));
    }
    Ok(())
}

fn drop_capabilities() -> Result<(), Failure> {
    let step = "dropping capabilities";
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    clear_ambient_capability_set().step(step)?;
    set_capabilities(None, sets).step(step)?;
    if capabilities(None).step(step)?.permitted != none {
        return Err(Failure::new(step, "the kernel did not do it"));
    }
    Ok(())
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
            (Kind::Cgroup, PathBuf::from("/sys/fs/cgroup")),
            (Kind::Bpf, PathBuf::from("/sys/fs/bpf")),
            (Kind::Cgroup, PathBuf::from("/mnt/a b")),
        ];
        assert_eq!(parse_mounts(table), expected);
        assert_eq!(unescape(b"a\\134\\01"), b"a\\\\01");
    }
}
