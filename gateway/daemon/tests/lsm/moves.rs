//! Ways out of the cgroup, and ways to take the programs off it.

use std::fs::File;
use std::os::fd::AsRawFd as _;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::rig::{Client, layout, pins};
use crate::{CALLS, bound, hierarchy, rig, said};

fn cgroup_of(client: &Client) -> String {
    std::fs::read_to_string(format!("/proc/{}/cgroup", client.child.id())).unwrap()
}

#[test]
fn a_bound_process_does_not_move_itself_out() {
    let Some(rig) = rig("move") else { return };
    let script = format!(
        "{CALLS}
tree, me = '{}', str(os.getpid())
for to in ('/cgroup.procs', '/cgroup.threads', '/weir-tests/cgroup.procs'):
    attempt(lambda: write(tree + to, me))
attempt(lambda: os.mkdir(tree + '/mine'))
attempt(lambda: write(tree + '/weir-tests/cgroup.kill', '1'))
os.mkdir('/run/' + me); libc.unshare(0x20000)
attempt(lambda: libc.mount(b'x', ('/run/' + me).encode(), b'cgroup2', 0, None))
attempt(lambda: write('/run/' + me + '/cgroup.procs', me))
input()",
        hierarchy(&rig)
    );
    let mut client = rig.client(&script);
    let found = said(&mut client, 7);
    assert_eq!(found, ["EPERM", "EPERM", "EPERM", "EPERM", "EPERM", "0", "EPERM"]);
    assert_eq!(cgroup_of(&client).trim(), format!("0::{}", rig.bound.cgroup));
}

#[test]
fn an_open_file_of_an_outsider_s_does_not_move_it_out() {
    let Some(rig) = rig("handed") else { return };
    let tree = hierarchy(&rig);
    // Opened by the test, which may; inherited by what becomes bound.
    let file = File::options().write(true).open(format!("{tree}/cgroup.procs")).unwrap();
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let script = format!(
        "{CALLS}
attempt(lambda: os.write({}, str(os.getpid()).encode()))
class Clone(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in 'flags pidfd child parent signal stack size tls set n cgroup'.split()]
def into(path):
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    pid = call(435, ctypes.byref(Clone(flags=0x200000000, signal=17, cgroup=folder)), 88)
    if pid == 0: os._exit(0)
    os.waitpid(pid, 0); return 'born'
attempt(lambda: into('{tree}'))
attempt(lambda: into('{}'))
input()",
        file.as_raw_fd(),
        rig.bound.path.display()
    );
    let mut client = rig.client(&script);
    assert_eq!(said(&mut client, 3), ["EPERM", "EPERM", "born"]);
    assert_eq!(cgroup_of(&client).trim(), format!("0::{}", rig.bound.cgroup));
}

#[test]
fn inside_its_leaf_a_bound_process_may_do_as_it_likes() {
    let Some(rig) = rig("inside") else { return };
    let script = format!(
        "
leaf = '{}'
os.mkdir(leaf + '/a'); os.mkdir(leaf + '/a/b')
attempt(lambda: write(leaf + '/a/b/cgroup.procs', str(os.getpid())))
attempt(lambda: write('{}/cgroup.procs', str(os.getpid())))
attempt(lambda: write(leaf + '/a/cgroup.procs', str(os.getpid())))
os.rmdir(leaf + '/a/b'); say('gone')",
        rig.bound.path.display(),
        hierarchy(&rig)
    );
    assert_eq!(bound(&rig, &script, 4), ["written", "EPERM", "written", "gone"]);
}

#[test]
fn pins_and_the_file_system_that_they_are_on_are_out_of_reach() {
    let Some(rig) = rig("pins") else { return };
    let pins = pins(&rig.options);
    let link =
        std::fs::read_dir(layout(&rig.options).join("links")).unwrap().next().unwrap().unwrap();
    let link = link.path().join("weir_egress");
    assert!(link.exists(), "{}", link.display());
    let script = format!(
        "
link, lsm = '{}', '{}/lsm/bpf'
for pin in (link, lsm):
    attempt(lambda: os.unlink(pin))
    attempt(lambda: os.rename(pin, pin + '_'))
def libc_call(result):
    if result: raise OSError(ctypes.get_errno(), '')
    return result
attempt(lambda: libc_call(libc.umount2(b'/sys/fs/bpf', 2)))
attempt(lambda: libc_call(libc.umount2(b'/sys', 2)))
attempt(lambda: libc_call(libc.mount(b'x', b'/sys/fs/bpf', b'tmpfs', 0, None)))
def move():
    tree = call(428, -100, b'/tmp', 1)            # open_tree, OPEN_TREE_CLONE
    return call(429, tree, b'', -100, b'/mnt', 4)  # move_mount
attempt(move)
libc.unshare(0x20000)
attempt(lambda: libc_call(libc.mount(b'none', b'/', None, 0x44000, None)))
attempt(lambda: libc_call(libc.mount(b'x', b'/mnt', b'tmpfs', 0, None)))",
        link.display(),
        pins.display()
    );
    let found = bound(&rig, &script, 10);
    assert_eq!(found[..8], ["EPERM"; 8], "{found:?}");
    // In a namespace of its own it may mount.
    assert_eq!(found[8..], ["0"; 2], "{found:?}");
    assert!(link.exists() && pins.join("lsm/bpf").exists());
}
