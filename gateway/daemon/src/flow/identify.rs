//! Stage 2: who is behind a flow. The kernel says which binding and process; `/proc` fills in what
//! the process is, as evidence.

use std::fs;

use weir_model::{Process, ProcessLink, limits};

/// Describes a process and its parents, up to and including `leader`, from `/proc`.
///
/// What can't be read (the process may have ended since) stays empty.
pub fn process(pid: u32, uid: u32, comm: String, leader: u32) -> Process {
    let mut parents = Vec::new();
    let mut current = pid;
    while current != leader && parents.len() < limits::PARENTS {
        let Some(parent) = parent(current).filter(|&parent| parent > 1) else { break };
        parents.push(link(parent));
        current = parent;
    }
    Process { me: link(pid), uid, comm, parents }
}

fn link(pid: u32) -> ProcessLink {
    let exe = fs::read_link(format!("/proc/{pid}/exe"))
        .map(|path| path.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    raw.truncate(limits::ARGV_BYTES);
    let argv = raw
        .split(|&byte| byte == 0)
        .filter(|arg| !arg.is_empty())
        .map(|arg| String::from_utf8_lossy(arg).into_owned())
        .collect();
    ProcessLink { pid, exe, argv }
}

/// The parent's pid: the fourth field of `/proc/PID/stat`, after the name in parentheses, which may
/// itself contain spaces and parentheses.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after = stat.get(stat.rfind(')')? + 1..)?;
    after.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn this_process_has_itself_and_its_parent() {
        let me = std::process::id();
        let process = process(me, 0, "test".to_owned(), 1);
        assert_eq!(process.me.pid, me);
        assert!(!process.me.exe.is_empty());
        assert!(!process.parents.is_empty());
    }
}
