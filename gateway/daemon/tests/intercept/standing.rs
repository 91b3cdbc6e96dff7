//! What stands without a gateway: the slice's own programs, and pins of gateways that are gone.

use std::fs;
use std::path::Path;

use nix::mount::umount;
use weir::intercept::{self, InterceptError, Interceptor, Link, Options};

use crate::rig::{Client, Rig, accept, layout, options, settle};

fn put(client: &Client, cgroup: &Path) {
    fs::create_dir_all(cgroup).unwrap();
    fs::write(cgroup.join("cgroup.procs"), client.child.id().to_string()).unwrap();
}

fn links(options: &Options, id: u64) -> Vec<Link> {
    let all = intercept::instances(options.bpffs.as_deref()).unwrap();
    let own = all.into_iter().find(|instance| instance.name == options.instance).unwrap();
    own.bindings.into_iter().find(|binding| binding.id == id).unwrap().links
}

const TWICE: &str = "
for _ in range(3):
    attempt(lambda: tcp(('192.0.2.1', 1)).getpeername())
    sys.stdin.readline()";

#[test]
fn below_an_attached_slice_only_bound_leaves_get_out() {
    settle();
    let options = options("boot");
    let attached = intercept::attach(&options).unwrap();
    assert!(!attached.running);
    let free = Client::spawn(&["python3"], TWICE);
    let stray = Client::spawn(&["python3"], TWICE);
    let nested = Client::spawn(&["python3"], TWICE);
    put(&free, &attached.slice);
    put(&stray, &attached.slice.join("stray"));
    put(&nested, &attached.slice.join("sess-1/deeper"));
    for mut client in [free, stray, nested] {
        client.go();
        assert_eq!(client.line(), "EPERM");
    }

    let mut interceptor = Interceptor::start(&options).unwrap();
    assert!(!attached.slice.join("stray").exists(), "it is bound to nobody");
    assert!(intercept::attach(&options).unwrap().running);
    let bound = interceptor.bind(7, "agent").unwrap();
    let listeners = interceptor.listen(std::process::id(), 1).unwrap().unwrap();
    let mut agent = Client::spawn(&["python3"], TWICE);
    interceptor.enter(&bound, agent.child.id()).unwrap();
    agent.go();
    accept(&listeners.tcp[0]);
    assert_eq!(agent.line(), "('192.0.2.1', 1)");
    let mut beside = Client::spawn(&["python3"], TWICE);
    put(&beside, &attached.slice.join("beside"));
    beside.go();
    assert_eq!(beside.line(), "EPERM", "a bound leaf opens itself alone");

    drop(beside);
    interceptor.end(7).unwrap();
    fs::remove_dir(attached.slice.join("beside")).unwrap();
    interceptor.retire().unwrap();
    drop(interceptor);
    let mut after = Client::spawn(&["python3"], TWICE);
    put(&after, &attached.slice);
    after.go();
    assert_eq!(after.line(), "EPERM", "the slice stays attached without a gateway");
    intercept::retire(&options).unwrap();
    assert!(!attached.slice.exists());
    assert!(!after.child.wait().unwrap().success());
}

#[test]
fn a_socket_that_is_older_than_the_attachment_sends_nothing() {
    settle();
    let options = options("early");
    let slice = intercept::attach(&options).unwrap().slice;
    intercept::retire(&options).unwrap();
    let sink = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut early = Client::spawn(
        &["python3"],
        &format!(
            "s = udp()
s.connect(('127.0.0.1', {port}))
attempt(lambda: s.send(b'x'))
sys.stdin.readline()
attempt(lambda: s.send(b'y'))
sys.stdin.readline()",
            port = sink.local_addr().unwrap().port()
        ),
    );
    put(&early, &slice);
    early.go();
    assert_eq!(early.line(), "1");
    intercept::attach(&options).unwrap();
    early.go();
    assert_eq!(early.line(), "EPERM");
    intercept::retire(&options).unwrap();
}

#[test]
fn an_update_changes_the_programs_and_keeps_the_links() {
    let mut rig = Rig::new("renew");
    let mut client = rig.client(
        "s = tcp(('192.0.2.1', 1))
for _ in range(200): s.send(b'x')
say('sent')
attempt(lambda: tcp(('192.0.2.2', 1)).getpeername())",
    );
    let flow = rig.accept();
    let before = links(&rig.options, 7);
    for _ in 0..5 {
        rig.interceptor().renew(7).unwrap();
    }
    let after = links(&rig.options, 7);
    assert_eq!((before.len(), after.len()), (16, 16));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((&before.name, before.link), (&after.name, after.link));
        assert_ne!(before.program, after.program, "{}", before.name);
    }
    assert_eq!(client.line(), "sent");
    rig.accept();
    assert_eq!(client.line(), "('192.0.2.2', 1)");
    assert_eq!(rig.facts(&flow).unwrap().binding, 7);
    assert_eq!(rig.count("tcp_seen"), 2);
}

#[test]
fn a_binding_of_another_layout_is_moved_and_never_uncovered() {
    let mut rig = Rig::new("moved");
    let mut client = rig.client(TWICE);
    rig.accept();
    assert_eq!(client.line(), "('192.0.2.1', 1)");
    rig.interceptor = None;
    rig.lose_listeners();
    let ours = layout(&rig.options);
    let theirs = ours.with_file_name("v1-0000000000000001");
    fs::rename(&ours, &theirs).unwrap();
    let next = Interceptor::start(&rig.options).unwrap();
    assert_eq!(next.adopted(), std::slice::from_ref(&rig.bound));
    rig.interceptor = Some(next);
    assert!(!theirs.exists());
    client.go();
    assert_eq!(client.line(), "ECONNREFUSED");
    rig.listeners = rig.interceptor().listen(std::process::id(), 1).unwrap();
    client.go();
    rig.accept();
    assert_eq!(client.line(), "('192.0.2.1', 1)");
    assert_eq!(links(&rig.options, 7).len(), 16);
}

#[test]
fn a_map_of_another_shape_is_refused_and_the_instance_can_be_retired() {
    let mut rig = Rig::new("shape");
    let mut client = rig.client("input()");
    rig.interceptor = None;
    let maps = layout(&rig.options).join("maps");
    fs::rename(maps.join("COUNTERS"), maps.join("BIND")).unwrap();
    let refused = Interceptor::start(&rig.options).unwrap_err();
    assert!(refused.to_string().contains("its type or size differs"), "{refused}");
    assert!(matches!(refused, InterceptError::MapShape(_)));
    intercept::retire(&rig.options).unwrap();
    assert!(!client.child.wait().unwrap().success(), "what was bound is ended");
    assert!(!rig.bound.path.exists() && !maps.exists());
}

#[test]
fn a_running_gateway_is_not_retired() {
    let rig = Rig::new("alive");
    let refused = intercept::retire(&rig.options);
    assert!(matches!(refused, Err(InterceptError::Running(_))));
    assert!(rig.bound.path.exists());
}

/// A bpffs of the test's own.
struct Mounted(tempfile::TempDir);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = umount(self.0.path());
    }
}

#[test]
fn a_leaf_whose_pins_are_gone_with_their_bpffs_is_cleared() {
    settle();
    let mounted = Mounted(tempfile::tempdir().unwrap());
    let options = Options { bpffs: Some(mounted.0.path().to_owned()), ..options("remount") };
    let mut first = Interceptor::start(&options).unwrap();
    let bound = first.bind(9, "left").unwrap();
    let mut client = Client::spawn(&["python3"], "input()");
    first.enter(&bound, client.child.id()).unwrap();
    drop(first);
    umount(mounted.0.path()).unwrap();
    let mut second = Interceptor::start(&options).unwrap();
    assert_eq!(second.adopted(), []);
    assert!(!bound.path.exists());
    assert!(!client.child.wait().unwrap().success());
    second.retire().unwrap();
}

#[test]
fn a_directory_that_somebody_else_made_is_not_used() {
    settle();
    let mounted = Mounted(tempfile::tempdir().unwrap());
    let options = Options { bpffs: Some(mounted.0.path().to_owned()), ..options("foreign") };
    Interceptor::start(&options).unwrap().retire().unwrap();
    let theirs = mounted.0.path().join("weir").join(&options.instance);
    fs::create_dir(&theirs).unwrap();
    std::os::unix::fs::chown(&theirs, Some(65534), None).unwrap();
    let refused = Interceptor::start(&options);
    assert!(matches!(refused, Err(InterceptError::Foreign { uid: 65534, .. })), "{refused:?}");
}
