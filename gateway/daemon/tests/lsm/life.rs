//! The programs outlive the gateway, are replaced by the next one, and end with the last binding.

use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use weir::intercept::Interceptor;
use weir::intercept::lsm::{self, LsmStatus};

use crate::rig::{Rig, options, pins, settle};
use crate::{CALLS, rig};

const LIST: &str = "/sys/kernel/security/lsm";

const ASK: &str = "
while True:
    sys.stdin.readline()
    attempt(lambda: call(321, 0, ctypes.create_string_buffer(64), 64))";

#[test]
fn the_programs_stay_when_the_gateway_dies_and_the_next_one_replaces_them() {
    let Some(mut rig) = rig("stay") else { return };
    let mut client = rig.client(&format!("{CALLS}{ASK}"));
    let mut ask = || {
        client.go();
        client.line()
    };
    assert_eq!(ask(), "EPERM");
    // What kill -9 does: descriptors are closed, nothing is undone.
    rig.interceptor = None;
    assert_eq!(ask(), "EPERM");
    let status = lsm::status(&rig.options);
    assert!(status.available, "{status:?}");

    let mut next = Interceptor::start(&rig.options).unwrap();
    assert_eq!(next.tier(), "T3");
    assert_eq!(next.refused()["bpf"], 0);
    assert_eq!(ask(), "EPERM");
    assert_eq!(next.refused()["bpf"], 1);
    let refusal = next.refusals().unwrap().next().unwrap();
    assert_eq!((refusal.hook, next.leaves()[&refusal.leaf]), ("bpf", 7));
    let pins = pins(&rig.options).join("lsm");
    let names = std::fs::read_dir(&pins).unwrap().count();
    assert_eq!(names, status.programs.len(), "none is there twice");
    next.retire().unwrap();
    assert!(!pins.exists());
    assert!(!lsm::status(&rig.options).available);
}

#[test]
fn the_status_is_true_without_a_gateway() {
    let status = lsm::status(&options("nobody"));
    assert!(!status.available && !status.reason.is_empty(), "{status:?}");
    assert!(status.programs.iter().all(|program| !program.attached), "{status:?}");
    let list = std::fs::read_to_string(LIST).unwrap_or_default();
    let has_it = list.split(',').any(|name| name.trim() == "bpf");
    assert_eq!(status.reason == "no gateway has attached them", has_it, "{status:?}");
    assert!(status.to_string().starts_with("no LSM programs: "), "{status}");
}

/// What a gateway finds that can't read the kernel's list, in a mount namespace of its own.
fn without_the_list() -> LsmStatus {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let all = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
    mount(None::<&str>, "/", None::<&str>, all, None::<&str>).unwrap();
    let _ = umount2("/sys/kernel/security", MntFlags::MNT_DETACH);
    assert!(!Path::new(LIST).exists());
    let mut interceptor = Interceptor::start(&options("unread")).unwrap();
    let status = interceptor.lsm().clone();
    interceptor.retire().unwrap();
    status
}

#[test]
fn a_kernel_that_never_calls_the_programs_is_found_out() {
    settle();
    let list = std::fs::read_to_string(LIST).unwrap_or_default();
    let status = std::thread::spawn(without_the_list).join().unwrap();
    let has_it = list.split(',').any(|name| name.trim() == "bpf");
    assert_eq!(status.available, has_it, "{status}");
    // It attaches them all the same, where it has them built in.
    if !list.is_empty() && !has_it {
        assert!(status.reason.contains("never called"), "{status}");
    }
}

#[test]
fn two_gateways_have_their_own_programs() {
    let Some(first) = rig("first") else { return };
    let second = Rig::new("second");
    assert_eq!(second.interceptor.as_ref().unwrap().tier(), "T3");
    let script =
        format!("{CALLS}attempt(lambda: call(321, 0, ctypes.create_string_buffer(64), 64))");
    for rig in [&first, &second] {
        assert_eq!(rig.client(&script).line(), "EPERM");
    }
    let refused = |rig: &Rig| rig.interceptor.as_ref().unwrap().refused()["bpf"];
    assert_eq!((refused(&first), refused(&second)), (1, 1));
}
