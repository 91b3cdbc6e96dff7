//! Other processes: looking into them, taking their descriptors, stopping them.

use crate::{bound, outsider, rig};

/// What an attacker does to the process `them`.
const LOOK: &str = "
def opened(path):
    with open(path, 'rb') as f: return len(f.read(8)) >= 0
class Vector(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]
def trace(pid):
    call(101, 16, pid, 0, 0)  # PTRACE_ATTACH
    os.waitpid(pid, 0); call(101, 17, pid, 0, 0); return 'traced'
def memory(pid):
    here = ctypes.create_string_buffer(8); mine = Vector(ctypes.addressof(here), 8)
    theirs = Vector(id(None), 8)
    call(310, pid, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0); return 'read'
def descriptor(pid):
    return 'got' if call(438, call(434, pid, 0), 1, 0) > 0 else 'none'  # pidfd_open, pidfd_getfd
def attack(pid):
    attempt(lambda: trace(pid))
    attempt(lambda: memory(pid))
    attempt(lambda: descriptor(pid))
    attempt(lambda: opened('/proc/%d/environ' % pid))
    attempt(lambda: os.open('/proc/%d/mem' % pid, os.O_RDWR) > 0)
    attempt(lambda: len(os.readlink('/proc/%d/ns/mnt' % pid)) > 0)
";

#[test]
fn an_outsider_is_not_looked_into() {
    let Some(rig) = rig("trace") else { return };
    let victim = outsider("input()");
    let script = format!(
        "{LOOK}
attack({})
child = os.fork()
if child == 0: signal.pause()
attack(child); os.kill(child, 9); os.waitpid(child, 0)",
        victim.child.id()
    );
    let found = bound(&rig, &script, 12);
    // The files in /proc are refused with an errno of their own.
    let refused = |said: &String| said == "EPERM" || said == "EACCES";
    assert!(found[..6].iter().all(refused), "{found:?}");
    assert_eq!(found[6..], ["traced", "read", "got", "True", "True", "True"]);
    // The same program finds all of it open where it is not bound.
    let mut free = outsider(&format!("{LOOK}attack({})", victim.child.id()));
    let free: Vec<String> = (0..6).map(|_| free.line()).collect();
    assert_eq!(
        free,
        ["traced", "EFAULT", "got", "True", "True", "True"].map(|word| {
            // Another interpreter has its None elsewhere, unless addresses are not random.
            if word == "EFAULT" && free[1] == "read" { "read" } else { word }
        })
    );
}

#[test]
fn an_outsider_is_not_signalled() {
    let Some(mut rig) = rig("kill") else { return };
    let mut victim = outsider("input()");
    let script = format!(
        "
them = {}
for number in (0, signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):
    attempt(lambda: os.kill(them, number))
attempt(lambda: signal.pidfd_send_signal(os.pidfd_open(them), signal.SIGKILL))
child = os.fork()
if child == 0: signal.pause()
attempt(lambda: os.kill(child, signal.SIGKILL)); os.waitpid(child, 0)",
        victim.child.id()
    );
    let found = bound(&rig, &script, 6);
    assert_eq!(found, ["None", "EPERM", "EPERM", "EPERM", "EPERM", "None"]);
    assert!(victim.child.try_wait().unwrap().is_none());
    let mut refusals = rig.interceptor().refusals().unwrap();
    let refusal = refusals.next().unwrap();
    assert_eq!((refusal.hook, refusal.detail), ("task_kill", victim.child.id()));
    assert_ne!(refusal.pid, 0);
    assert_eq!(rig.interceptor().leaves().get(&refusal.leaf), Some(&7));
}
