//! System calls, sockets, signals and memory of others, tried from inside by real programs.

use std::process::{Child, Command, Stdio};

use crate::rig::{Gateway, compile, out, outside, text};

/// Makes a socket of each family and kind; prints the families that exist.
const FAMILIES: &str = "
import socket, errno
made, kept = set(), set()
for family in range(64):
    for kind in (1, 2, 3, 5):
        for protocol in range(3):
            try: socket.socket(family, kind, protocol).close(); made.add((family, protocol))
            except OSError as e: kept.add((family, e.errno))
families = sorted({family for family, _ in made})
print('families', *families)
print('netlink', *sorted(p for f, p in made if f == 16))
try: socket.socketpair(30, 5); print('pair made')
except OSError as e: print('pair', errno.errorcode[e.errno])
a, b = socket.socketpair(); a.send(b'x'); print('unix', b.recv(1).decode())
try: socket.socket(17, 3, 0)
except OSError as e: print('packet', errno.errorcode[e.errno])
";

#[test]
fn families_that_no_hook_sees_do_not_exist() {
    let gateway = Gateway::start(false);
    let inside = out(&gateway.python(&[], FAMILIES));
    let expected = "families 1 2 10 16\nnetlink 0\npair EAFNOSUPPORT\nunix x\npacket EAFNOSUPPORT";
    assert_eq!(inside, expected);
    let direct = out(&outside(FAMILIES));
    let families = direct.lines().next().unwrap();
    assert!(families.contains(" 17") && families.contains(" 40"), "packet and vsock: {direct}");
    let relaxed = out(&gateway.python(&["--relax", "vsock,netlink"], FAMILIES));
    assert!(relaxed.starts_with("families 1 2 10 16 40\nnetlink 0 2\n"), "{relaxed}");
}

/// Calls that are refused before the kernel looks at what they were given: everything here is zero, so
/// that it would complain of something else.
const CALLS: &str = "
import ctypes, errno, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(name, number, *arguments):
    got = libc.syscall(number, *(ctypes.c_ulong(a) for a in arguments + (0,) * (6 - len(arguments))))
    print(name, 'done' if got >= 0 else errno.errorcode[ctypes.get_errno()])
NEWUSER, NEWNET, NEWNS = 0x10000000, 0x40000000, 0x20000
call('bpf', 321); call('setns', 308); call('unshare-user', 272, NEWUSER); call('unshare-net', 272, NEWNET)
call('unshare-time', 272, 0x80); call('unshare-files', 272, 0x400)
call('clone-user', 56, NEWUSER | 17); call('clone-net', 56, NEWNET | 17); call('clone-ns', 56, NEWNS | 17)
call('clone3', 435)
for name, number in (('mount', 165), ('umount2', 166), ('pivot_root', 155), ('fsopen', 430), ('fsconfig', 431),
    ('fsmount', 432), ('fspick', 433), ('move_mount', 429), ('open_tree', 428), ('mount_setattr', 442),
    ('open_tree_attr', 467), ('io_uring_setup', 425), ('io_uring_enter', 426), ('io_uring_register', 427),
    ('perf_event_open', 298), ('init_module', 175), ('finit_module', 313),
    ('delete_module', 176), ('kexec_load', 246), ('kexec_file_load', 320), ('add_key', 248),
    ('request_key', 249), ('keyctl', 250), ('open_by_handle_at', 304), ('iopl', 172), ('reboot', 169),
    ('never_heard_of', 1000), ('x32_getpid', 0x40000000 | 39)):
    call(name, number)
call('userfaultfd', 323, 1); call('tiocsti', 16, 1, 0x5412); call('tioclinux', 16, 1, 0x541c); call('tiocsti-high', 16, 1, 0xf00000005412)
";

#[test]
#[cfg(target_arch = "x86_64")]
fn calls_that_lead_out_are_refused_whatever_they_are_given() {
    let gateway = Gateway::start(false);
    let said = out(&gateway.python(&[], CALLS));
    for line in said.lines() {
        let (name, got) = line.split_once(' ').unwrap();
        let expected = match name {
            "unshare-files" => "done",
            "clone3" | "never_heard_of" | "x32_getpid" => "ENOSYS",
            _ => "EPERM",
        };
        assert_eq!(got, expected, "{name}");
    }
    assert_eq!(said.lines().count(), 42);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn each_relaxation_opens_its_own_calls_and_no_others() {
    let gateway = Gateway::start(false);
    let strict = out(&gateway.python(&[], CALLS));
    let check = |relaxation: &str, opened: &[&str]| {
        let relaxed = out(&gateway.python(&["--relax", relaxation], CALLS));
        let changed: Vec<&str> = strict
            .lines()
            .zip(relaxed.lines())
            .filter(|(before, after)| before != after)
            .filter_map(|(before, _)| before.split(' ').next())
            .collect();
        assert_eq!(changed, opened, "{relaxation}: {relaxed}");
    };
    check("io-uring", &["io_uring_setup", "io_uring_enter", "io_uring_register"]);
    check("userfaultfd", &["userfaultfd"]);
    check("keyring", &["add_key", "request_key", "keyctl"]);
    check("perf", &["perf_event_open"]);
    check("docker,dbus,sockets", &[]);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn other_abis_are_no_way_around_the_filter() {
    let gateway = Gateway::start(false);
    // getpid, which is harmless: nothing at all is spoken in another ABI.
    let source = "int main(void) { long n = 20; __asm__ volatile(\"int $0x80\" : \"+a\"(n)); \
                  return n > 0 ? 0 : 1; }";
    let gate = compile(gateway.folder.path(), "gate", &[], source);
    let source = "void _start(void) { __asm__ volatile(\"int $0x80\" : : \"a\"(1), \"b\"(0)); }";
    let flags = ["-m32", "-nostdlib", "-static", "-fno-pie", "-no-pie"];
    let ia32 = compile(gateway.folder.path(), "ia32", &flags, source);
    for program in [gate, ia32] {
        assert!(Command::new(&program).status().unwrap().success(), "{program} works outside");
        let output = gateway.weir(&[], &[&program]).output().unwrap();
        assert_eq!(output.status.code(), Some(128 + 31), "SIGSYS: {}", text(&output));
    }
}

/// A process of the same user that is not in the jail.
struct Outsider(Child);

impl Outsider {
    fn start() -> Self {
        Self(Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Whether Landlock knows scopes, which keep abstract sockets and signals in: from Linux 6.12.
fn has_scopes() -> bool {
    weir::intercept::probe::landlock_abi().unwrap() >= 6
}

/// Tries to get into another process; with a child of its own the same works.
const DEBUGGING: &str = "
import ctypes, errno, os, subprocess
libc = ctypes.CDLL(None, use_errno=True)
def said(got): return 'done' if got >= 0 else errno.errorcode[ctypes.get_errno()]
def attack(pid):
    got = [said(libc.ptrace(16, pid, 0, 0))]
    if got == ['done']: os.waitpid(pid, 0x40000000) if mine else None; libc.ptrace(17, pid, 0, 0)
    class Iovec(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('len', ctypes.c_size_t)]
    line = [l for l in open(f'/proc/{pid}/maps')][0] if mine else '400000-401000'
    there = Iovec(int(line.split('-')[0], 16), 4)
    buffer = ctypes.create_string_buffer(4)
    here = Iovec(ctypes.addressof(buffer), 4)
    got.append(said(libc.syscall(310, pid, ctypes.byref(here), 1, ctypes.byref(there), 1, ctypes.c_ulong(0))))
    pidfd = libc.syscall(434, pid, 0)
    got.append(said(libc.syscall(438, pidfd, 0, 0)))
    for name in ('mem', 'environ', 'maps', 'fd/0'):
        try: os.close(os.open(f'/proc/{pid}/{name}', os.O_RDONLY)); got.append('done')
        except OSError as e: got.append(errno.errorcode[e.errno])
    try: os.kill(pid, 0); got.append('done')
    except OSError as e: got.append(errno.errorcode[e.errno])
    got.append(said(libc.syscall(424, pidfd, 0, 0, 0)))
    return got
mine = False; print('outsider', *attack(PID))
child = subprocess.Popen(['sleep', '60'], stdin=subprocess.DEVNULL)
mine = True; print('child', *attack(child.pid))
child.kill()
";

#[test]
#[cfg(target_arch = "x86_64")]
fn outsiders_are_neither_debugged_nor_signalled_and_own_children_are() {
    let gateway = Gateway::start(false);
    let outsider = Outsider::start();
    let script = DEBUGGING.replace("PID", &outsider.0.id().to_string());
    let said = out(&gateway.python(&[], &script));
    let mut lines = said.lines();
    // Signals are Landlock's business since Linux 6.12; before, docs/jail.md says that they get through.
    let signals = if has_scopes() { "EPERM EPERM" } else { "done done" };
    let shut = format!("outsider EPERM EPERM EPERM EACCES EACCES EACCES EACCES {signals}");
    assert_eq!(lines.next(), Some(shut.as_str()), "{said}");
    assert_eq!(lines.next().unwrap().matches("done").count(), 9, "{said}");
    let direct = out(&outside(&script));
    let of_outsider = direct.lines().next().unwrap();
    assert!(
        of_outsider.starts_with("outsider done") && of_outsider.ends_with("done done"),
        "{direct}"
    );
}

#[test]
fn strace_and_gdb_work_on_own_children() {
    let gateway = Gateway::start(false);
    let traced = gateway.shell(&[], "strace -f -e trace=execve -o /dev/stdout true");
    assert!(out(&traced).contains("execve("), "{}", text(&traced));
    let script = "gdb -q -batch -ex 'break main' -ex run -ex 'info registers rip' --args /bin/true \
                  2>&1; gdb -q -batch -ex starti -ex 'print 6 * 7' /bin/true 2>&1";
    let debugged = gateway.shell(&[], script);
    assert!(out(&debugged).contains("$1 = 42"), "{}", text(&debugged));
}

/// Connects to an abstract socket of an outsider, and to one of its own.
const ABSTRACT: &str = "
import socket, errno
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    s = socket.socket(socket.AF_UNIX, kind)
    try: s.connect('\\0NAME-%d' % kind); print('connected')
    except OSError as e: print(errno.errorcode[e.errno])
own = socket.socket(socket.AF_UNIX); own.bind('\\0NAME-own'); own.listen()
s = socket.socket(socket.AF_UNIX); s.connect('\\0NAME-own'); print('own')
";

#[test]
fn abstract_sockets_of_others_are_out_of_reach() {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
    let gateway = Gateway::start(false);
    let name = format!("weir-test-{}", std::process::id());
    let address = |kind: u8| SocketAddr::from_abstract_name(format!("{name}-{kind}")).unwrap();
    let _stream = UnixListener::bind_addr(&address(1)).unwrap();
    let _datagram = UnixDatagram::bind_addr(&address(2)).unwrap();
    let script = ABSTRACT.replace("NAME", &name);
    let jailed = if has_scopes() { "EPERM\nEPERM\nown" } else { "connected\nconnected\nown" };
    assert_eq!(out(&gateway.python(&[], &script)), jailed);
    assert_eq!(out(&outside(&script)), "connected\nconnected\nown");
    let relaxed = gateway.python(&["--relax", "abstract-sockets"], &script);
    assert_eq!(out(&relaxed), "connected\nconnected\nown");
}

#[test]
fn a_command_of_root_s_can_not_set_the_kernel() {
    let gateway = Gateway::start(false);
    let script = "for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper \
                  /sys/power/state; do [ -e $f ] || continue; (echo x > $f) 2>&1 | grep -c 'Read-only'; \
                  done | sort | uniq -c | tr -d ' '";
    let said = out(&gateway.shell(&[], script));
    assert!(said.ends_with('1') && said.lines().count() == 1, "{said}");
}
