//! Calls that give power over the kernel, and sockets of families that no other hook sees.

use crate::{bound, outsider, rig, said};

/// bpf(2): map creation, and detaching a link by number; perf_event_open(2).
const POWERS: &str = "
attributes = ctypes.create_string_buffer(bytes([2, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0]), 64)
attempt(lambda: call(321, 0, attributes, 64) > 0)
attempt(lambda: call(321, 30, ctypes.create_string_buffer(64), 64) > 0)  # by number: the first link
event = ctypes.create_string_buffer(b'\\1\\0\\0\\0' + b'\\x40\\0\\0\\0' + b'\\2', 64)
attempt(lambda: call(298, event, 0, -1, -1, 0) > 0)";

#[test]
fn bpf_and_perf_are_not_for_bound_processes() {
    let Some(rig) = rig("powers") else { return };
    assert_eq!(bound(&rig, POWERS, 3), ["EPERM"; 3]);
    let counts = rig.interceptor.as_ref().unwrap().refused();
    assert_eq!((counts["bpf"], counts["perf_event_open"]), (2, 1), "{counts:?}");
    let free = said(&mut outsider(POWERS), 3);
    assert_eq!((free[0].as_str(), free[2].as_str()), ("True", "True"), "{free:?}");
    assert_ne!(free[1], "EPERM");
}

#[test]
fn no_module_is_loaded() {
    let Some(rig) = rig("modules") else { return };
    // What the file is does not matter: it is refused before the kernel looks at it.
    let script = "
module = os.open('/etc/hostname', os.O_RDONLY)
attempt(lambda: call(313, module, b'', 0))  # finit_module
attempt(lambda: call(175, ctypes.create_string_buffer(4096), 4096, b''))  # init_module";
    assert_eq!(bound(&rig, script, 2), ["EPERM"; 2]);
    assert_eq!(said(&mut outsider(script), 2), ["ENOEXEC"; 2]);
}

const FAMILIES: &str = "
made = []
for family in range(1, 46):
    for kind in (1, 2, 3, 5):
        for protocol in range(0, 23) if family == 16 else (0, 0x300):
            try: socket.socket(family, kind, protocol).close()
            except OSError: continue
            if (family, protocol) not in made: made.append((family, protocol))
say(made)";

#[test]
fn sockets_of_other_families_are_not_made() {
    let Some(rig) = rig("families") else { return };
    assert_eq!(bound(&rig, FAMILIES, 1), ["[(1, 0), (2, 0), (10, 0), (16, 0)]"]);
    // The others are there, for those who are not bound.
    let four = "for family, protocol in ((16, 4), (17, 0), (38, 0), (40, 0)):
    attempt(lambda: socket.socket(family, 5 if family == 38 else 2, protocol).family.value)";
    assert_eq!(said(&mut outsider(four), 4), ["16", "17", "38", "40"]);
    let script =
        "attempt(lambda: socket.socket(17, 3, 0)); attempt(lambda: socket.socket(16, 3, 9))";
    assert_eq!(bound(&rig, script, 2), ["EAFNOSUPPORT", "EPROTONOSUPPORT"]);
}
