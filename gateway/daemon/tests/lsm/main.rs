//! The LSM programs against attacks by a bound process that is root with every capability and outside
//! of any jail: what stops it is the kernel alone. Needs root.
//!
//! Where the kernel has no BPF LSM, each test asserts that the gateway says so, and why.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod calls;
mod life;
mod moves;
mod processes;
#[allow(dead_code)] // the other suite's rig, whole
#[path = "../intercept/rig.rs"]
mod rig;
mod sockets;

use rig::{Client, Rig};

/// Adds to what each attacker has: system calls by number, and what they answer.
const CALLS: &str = r#"
import ctypes, signal
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *words):
    words = [ctypes.c_long(w) if isinstance(w, int) else w for w in words]
    result = libc.syscall(ctypes.c_long(number), *words)
    if result < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return result
def write(path, text):
    with open(path, 'wb', 0) as f: f.write(text.encode())
    return 'written'
"#;

/// A rig, where the kernel has BPF LSM; else the proof that the gateway says the truth.
fn rig(test: &str) -> Option<Rig> {
    let rig = Rig::new(test);
    let status = rig.interceptor.as_ref().unwrap().lsm().clone();
    let list = std::fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    assert_eq!(status.available, list.split(',').any(|name| name.trim() == "bpf"), "{status}");
    assert_eq!(status.available, status.reason.is_empty(), "{status}");
    assert!(status.programs.iter().all(|program| program.attached == status.available));
    let tier = rig.interceptor.as_ref().unwrap().tier();
    assert_eq!(tier, if status.available { "T3" } else { "T1" });
    status.available.then_some(rig)
}

/// What a bound process says.
fn bound(rig: &Rig, script: &str, lines: usize) -> Vec<String> {
    said(&mut rig.client(&format!("{CALLS}{script}")), lines)
}

/// What a process says that is not bound.
fn outsider(script: &str) -> Client {
    let mut client = Client::spawn(&["python3"], &format!("{CALLS}{script}"));
    client.go();
    client
}

fn said(client: &mut Client, lines: usize) -> Vec<String> {
    (0..lines).map(|_| client.line()).collect()
}

/// The cgroup v2 mount.
fn hierarchy(rig: &Rig) -> String {
    let leaf = rig.bound.path.to_str().unwrap();
    leaf.strip_suffix(rig.bound.cgroup.as_str()).unwrap().to_owned()
}
