//! Unix sockets of others, and sockets that others hand over.

use std::net::TcpListener;
use std::os::unix::net::{UnixDatagram, UnixListener};

use crate::rig::Client;
use crate::{CALLS, bound, outsider, rig, said};

const CONNECT: &str = "
def unix(path, kind=socket.SOCK_STREAM):
    s = socket.socket(socket.AF_UNIX, kind); s.connect(path); return 'in'
def send(path):
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'x', path)
";

#[test]
fn unix_sockets_of_others_are_closed_but_for_those_on_the_list() {
    let Some(mut rig) = rig("unix") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let _closed = UnixListener::bind(path("closed")).unwrap();
    let _listed = UnixListener::bind(path("listed")).unwrap();
    let log = UnixDatagram::bind(path("log")).unwrap();
    let listed_log = UnixDatagram::bind(path("listed-log")).unwrap();
    let abstract_ones = format!(
        "
for name in ('closed', 'listed'):
    s = socket.socket(socket.AF_UNIX); s.bind('\\0weir-{0}-' + name); s.listen(); globals()[name] = s
say('up'); input()",
        std::process::id()
    );
    let mut abstract_ones = outsider(&abstract_ones);
    assert_eq!(abstract_ones.line(), "up");
    let on_list =
        [path("listed"), path("listed-log"), format!("@weir-{}-listed", std::process::id())];
    rig.interceptor().allow_unix(&on_list).unwrap();
    let script = format!(
        "{CONNECT}
attempt(lambda: unix('{0}/closed')); attempt(lambda: unix('{0}/listed'))
attempt(lambda: unix('\\0weir-{1}-closed')); attempt(lambda: unix('\\0weir-{1}-listed'))
attempt(lambda: send('{0}/log')); attempt(lambda: send('{0}/listed-log'))
attempt(lambda: unix('{0}/log', socket.SOCK_DGRAM))
os.chdir('{0}'); attempt(lambda: unix('closed')); attempt(lambda: unix('listed'))",
        folder.path().display(),
        std::process::id()
    );
    let wanted = ["EPERM", "in", "EPERM", "in", "EPERM", "1", "EPERM", "EPERM", "in"];
    assert_eq!(bound(&rig, &script, wanted.len()), wanted);
    log.set_nonblocking(true).unwrap();
    assert!(log.recv(&mut [0; 9]).is_err());
    assert_eq!(listed_log.recv(&mut [0; 9]).unwrap(), 1);
    assert!(rig.interceptor().allow_unix(&["x".repeat(200)]).is_err());
}

#[test]
fn a_binding_s_own_unix_sockets_are_open_to_it_alone() {
    let Some(mut rig) = rig("own") else { return };
    let other = rig.interceptor().bind(8, "other").unwrap();
    let path = format!("/run/weir-own-{}", std::process::id());
    let server = format!(
        "
s = socket.socket(socket.AF_UNIX); s.bind('{path}'); s.listen(); say('up')
a, b = socket.socketpair(); a.send(b'x'); say(b.recv(1))
leaf = '{}'; os.mkdir(leaf + '/nested')
if os.fork() == 0:
    open(leaf + '/nested/cgroup.procs', 'w').write(str(os.getpid()))
    c = socket.socket(socket.AF_UNIX); c.connect('{path}'); say('nested in'); os._exit(0)
os.wait(); input()",
        rig.bound.path.display()
    );
    let mut server = rig.client(&server);
    assert_eq!(said(&mut server, 3), ["up", "b'x'", "nested in"]);
    let connect = format!("{CONNECT}attempt(lambda: unix('{path}'))");
    assert_eq!(bound(&rig, &connect, 1), ["in"]);
    let mut stranger = Client::spawn(&["python3"], &connect);
    rig.interceptor().enter(&other, stranger.child.id()).unwrap();
    stranger.go();
    assert_eq!(stranger.line(), "EPERM");
    assert_eq!(outsider(&connect).line(), "in");
}

#[test]
fn sockets_of_others_are_not_received() {
    let Some(mut rig) = rig("passed") else { return };
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let path = format!("/run/weir-passed-{}", std::process::id());
    let giver = format!(
        "
s = socket.socket(socket.AF_UNIX); s.bind('{path}'); s.listen(); say('up')
way_out = tcp(('127.0.0.1', {})); agent = socket.socketpair()[0]; file = os.open('/etc/hostname', os.O_RDONLY)
for give in (way_out.fileno(), agent.fileno(), file):
    c, _ = s.accept(); socket.send_fds(c, [b'x'], [give])
input()",
        target.local_addr().unwrap().port()
    );
    let mut giver = outsider(&giver);
    assert_eq!(giver.line(), "up");
    rig.interceptor().allow_unix(std::slice::from_ref(&path)).unwrap();
    let taker = format!(
        "
for _ in range(3):
    s = socket.socket(socket.AF_UNIX); s.connect('{path}')
    _, given, flags, _ = socket.recv_fds(s, 1, 4)
    say(len(given), bool(flags & socket.MSG_CTRUNC))
a, b = socket.socketpair(); mine = socket.socket(); socket.send_fds(a, [b'x'], [mine.fileno()])
say(len(socket.recv_fds(b, 1, 4)[1]))"
    );
    let found = bound(&rig, &taker, 4);
    assert_eq!(found, ["0 True", "0 True", "1 False", "1"]);
    assert_eq!(rig.interceptor().refused()["file_receive"], 2);
}

#[test]
fn redirected_connections_work_as_before() {
    let Some(rig) = rig("still") else { return };
    let mut client = rig.client(&format!("{CALLS}s = tcp(('192.0.2.1', 1)); say(s.getpeername())"));
    assert_eq!(rig.facts(&rig.accept()).unwrap().binding, 7);
    assert_eq!(client.line(), "('192.0.2.1', 1)");
}
