//! The kernel's half of the ledger: what is counted adds up, closes are told, attachment is proven, and
//! the canary sees what is open.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use weir::intercept::balance::{Balance, EQUATIONS};
use weir::intercept::canary::{Canary, HOLDS};
use weir::intercept::close::Served;
use weir::intercept::{Closed, InterceptError};

use crate::rig::{Rig, forking, layout, settle};

/// Waits until every whole has become its parts.
fn check_even(rig: &Rig) {
    let interceptor = rig.interceptor.as_ref().unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let counters = interceptor.counters(7).unwrap();
        let uneven = |equation: &&_| -> bool {
            let equation: &weir::intercept::balance::Equation = equation;
            equation.check(&counters, &counters) != Balance::Even
        };
        let Some(wrong) = EQUATIONS.iter().find(uneven) else { return };
        let named = rig.interceptor.as_ref().unwrap().named_counters(7).unwrap();
        assert!(Instant::now() < deadline, "{}: {named:#?}", wrong.name);
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn closed(rig: &mut Rig, count: usize) -> Vec<Closed> {
    let mut closes = rig.interceptor().closes().unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut found = Vec::new();
    while found.len() < count {
        match closes.next() {
            Some(closed) => found.push(closed),
            None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            None => panic!("{found:?}"),
        }
    }
    found
}

#[test]
fn a_close_tells_what_was_sent_and_received() {
    let mut rig = Rig::new("close");
    let script = "
s = tcp(('192.0.2.1', 1)); s.sendall(b'x' * 1000); s.shutdown(socket.SHUT_WR)
say(len(s.recv(9999)), s.recv(1)); s.close(); say('closed')";
    let mut client = rig.client(script);
    let mut flow = rig.accept();
    let facts = rig.facts(&flow).unwrap();
    let mut got = Vec::new();
    flow.read_to_end(&mut got).unwrap();
    flow.write_all(&[b'y'; 500]).unwrap();
    drop(flow);
    assert_eq!(client.line(), "500 b''");
    assert_eq!(client.line(), "closed");
    let told = closed(&mut rig, 1)[0];
    assert_eq!((told.binding, told.cookie, told.taken), (7, facts.cookie, 1));
    assert_eq!(told.connected_ns, facts.at_ns);
    let served = Served { read: 1000, written: 500, to_the_end: true };
    assert_eq!(told.check(&served), Ok(()), "{told:?}");
    assert!(told.check(&Served { read: 999, ..served }).is_err());
    assert!(told.check(&Served { written: 499, ..served }).is_err());
    check_even(&rig);
}

#[test]
fn connects_that_never_sent_anything_are_counted_as_such() {
    let mut rig = Rig::new("unsent");
    // The second socket has no four-tuple left: same source, same listener.
    let script = "
def bound():
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('127.0.0.1', int(port))); return s
port = sys.stdin.readline()
one = bound(); one.connect(('192.0.2.1', 1)); say('in')
two = bound(); attempt(lambda: two.connect(('192.0.2.2', 2))); attempt(lambda: two.connect(('192.0.2.2', 3)))
two.close(); say('closed'); input()";
    let mut client = rig.client(script);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    client.child.stdin.as_mut().unwrap().write_all(format!("{free}\n").as_bytes()).unwrap();
    assert_eq!(client.line(), "in");
    let _flow = rig.accept();
    assert_eq!((client.line(), client.line()), ("EADDRNOTAVAIL".into(), "EADDRNOTAVAIL".into()));
    assert_eq!(client.line(), "closed");
    assert_eq!((rig.count("never_sent"), rig.count("published")), (2, 1));
    assert_eq!(rig.count("tcp_redirected"), 3);
    drop(client);
    check_even(&rig);
    assert_eq!(closed(&mut rig, 1).len(), 1);
}

#[test]
fn connections_that_nobody_accepts_in_time_are_aborted_or_taken() {
    let mut rig = Rig::new("aborted");
    let script = "
for i in range(500):
    s = socket.socket(); s.setblocking(False); s.connect_ex(('192.0.2.1', 1 + i)); s.close()
s = tcp(('192.0.2.1', 9)); s.connect_ex(('192.0.2.1', 10))
import ctypes
libc = ctypes.CDLL(None)
unspecified = struct.pack('H14x', socket.AF_UNSPEC)
assert libc.connect(s.fileno(), unspecified, 16) == 0
s.connect(('192.0.2.1', 11)); s.close(); say('done')";
    let mut client = rig.client(script);
    assert_eq!(client.line(), "done");
    drop(client);
    // Connections that were taken sit in the listener's queue; closing it ends them.
    rig.lose_listeners();
    check_even(&rig);
    assert_eq!(rig.count("published"), 502);
    let told = closed(&mut rig, 502);
    let taken = told.iter().filter(|closed| closed.taken == 1).count() as u64;
    assert_eq!(taken, rig.count("handshakes"));
    assert_eq!(rig.count("handshakes") + rig.count("aborted"), 502);
}

#[test]
fn refusals_sockets_and_packets_add_up() {
    let rig = Rig::new("sums");
    let script = "
attempt(lambda: udp().sendto(b'x', ('192.0.2.1', 9)))
attempt(lambda: socket.socket(2, 3, 255)); attempt(lambda: socket.socket(2, 1, 262))
q = udp(); q.connect(('192.0.2.1', 443)); attempt(lambda: q.send(b'x'))
d = udp(); d.sendto(b'q', ('192.0.2.53', 53)); say('sent')";
    let mut client = rig.client(script);
    let said: Vec<String> = (0..5).map(|_| client.line()).collect();
    assert_eq!(said, ["EPERM", "EPERM", "EPROTONOSUPPORT", "EPERM", "sent"]);
    check_even(&rig);
    assert_eq!((rig.count("denied"), rig.count("events")), (4, 4));
    assert_eq!((rig.count("sockets"), rig.count("sockets_denied")), (3, 2));
    assert_eq!((rig.count("packets_seen"), rig.count("packets_dropped")), (2, 1));
    assert!(rig.count("bytes_left") > 28 && rig.count("bytes_dropped") > 28);
}

#[test]
fn what_is_attached_is_proven_and_what_is_taken_away_is_missed() {
    let rig = Rig::new("proof");
    let interceptor = rig.interceptor.as_ref().unwrap();
    let attached = interceptor.prove(7).unwrap();
    assert_eq!(attached.len(), 16);
    assert!(attached.values().all(|one| one.effective.contains(&one.program)), "{attached:#?}");
    assert_eq!(interceptor.prove(7).unwrap(), attached, "asking changes nothing");
    let pin = layout(&rig.options).join("links/0000000000000007_agent/weir_egress");
    std::fs::remove_file(pin).expect("the usual bpffs");
    let missed = interceptor.prove(7).unwrap_err();
    assert!(
        matches!(&missed, InterceptError::Uncovered { id: 7, what } if what.contains("weir_egress")),
        "{missed}"
    );
}

fn canary() -> Canary {
    let _forking = forking();
    Canary::start(Path::new(env!("CARGO_BIN_EXE_weir"))).unwrap()
}

#[test]
fn the_canary_gets_nowhere_when_bound() {
    let rig = Rig::new("canary");
    let canary = canary();
    rig.interceptor.as_ref().unwrap().enter(&rig.bound, canary.pid()).unwrap();
    let outcomes = canary.run(&rig.bound.path).unwrap();
    for (name, outcome) in &outcomes {
        let told =
            outcome.starts_with("open: ") && (name.contains("vsock") || name.contains("Docker"));
        assert!(outcome == HOLDS || told, "{outcomes:#?}");
    }
    assert!(rig.count("tcp_redirected") >= 4 && rig.count("sockets_denied") >= 1, "{outcomes:#?}");
}

#[test]
fn the_canary_sees_what_is_open_when_nothing_binds_it() {
    settle();
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap().to_owned();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).expect("cgroup v2");
    let mount = mount.split(' ').nth(4).unwrap();
    let leaf = Path::new(mount).join(own.trim_start_matches('/')).join("unbound-canary");
    let _ = std::fs::create_dir(&leaf);
    let canary = canary();
    std::fs::write(leaf.join("cgroup.procs"), canary.pid().to_string()).unwrap();
    let outcomes = canary.run(&leaf).unwrap();
    let _ = std::fs::remove_dir(leaf.join("nested"));
    let _ = std::fs::remove_dir(&leaf);
    for open in [
        "direct TCP over IPv4",
        "direct TCP to a mapped address",
        "UDP over IPv4",
        "connected UDP",
        "multipath TCP socket",
        "server called from outside",
        "direct TCP from a nested cgroup",
    ] {
        assert!(outcomes[open].starts_with("violated"), "{open}: {outcomes:#?}");
    }
    assert_eq!(outcomes["move out of the cgroup"], HOLDS);
}

#[test]
fn a_dead_canary_knows_nothing() {
    let canary = canary();
    let _forking = forking();
    std::process::Command::new("kill").args(["-9", &canary.pid().to_string()]).status().unwrap();
    assert!(canary.run(Path::new("/nonexistent")).is_err());
}
