//! TCP: where a connect ends up, what the client sees, what the gateway knows.

use std::net::{SocketAddr, TcpStream};

use crate::rig::{Client, Rig, accept};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn an_ipv4_connect_arrives_with_its_facts() {
    let rig = Rig::new("v4");
    let mut client = rig.client("s = tcp(('192.0.2.77', 5432)); say(s.getpeername()); input()");
    let flow = rig.accept();
    let facts = rig.facts(&flow).expect("attributed");
    assert_eq!(facts.original, address("192.0.2.77:5432"));
    assert_eq!((facts.binding, facts.pid, facts.uid), (7, client.child.id(), 0));
    assert_eq!(facts.netns, rig.listeners().netns);
    assert!(facts.comm.starts_with("python"), "{}", facts.comm);
    assert_eq!(client.line(), "('192.0.2.77', 5432)");
    assert_eq!((rig.count("tcp_redirected"), rig.count("published")), (1, 1));
}

#[test]
fn an_ipv6_connect_arrives_with_its_facts() {
    let rig = Rig::new("v6");
    let mut client = rig.client(
        "s = tcp(('2001:db8::7', 443), socket.AF_INET6); say(s.getpeername()[:2]); input()",
    );
    let flow = rig.accept6();
    assert_eq!(rig.facts(&flow).unwrap().original, address("[2001:db8::7]:443"));
    assert_eq!(client.line(), "('2001:db8::7', 443)");
}

#[test]
fn a_mapped_connect_arrives_as_ipv4() {
    let rig = Rig::new("mapped");
    let mut client = rig.client(
        "s = tcp(('::ffff:192.0.2.9', 22), socket.AF_INET6); say(s.getpeername()[:2]); input()",
    );
    let flow = rig.accept();
    assert_eq!(rig.facts(&flow).unwrap().original, address("192.0.2.9:22"));
    assert_eq!(client.line(), "('::ffff:192.0.2.9', 22)");
}

#[test]
fn loopback_and_metadata_addresses_are_exits_too() {
    let rig = Rig::new("loopback");
    let targets = ["127.0.0.1:2375", "169.254.169.254:80", "0.0.0.0:22", "127.0.0.1:53"];
    for target in targets {
        let target = address(target);
        let script = format!("s = tcp(('{}', {})); input()", target.ip(), target.port());
        let _client = rig.client(&script);
        let flow = rig.accept();
        assert_eq!(rig.facts(&flow).unwrap().original, target);
    }
}

#[test]
fn a_nested_cgroup_inherits_the_binding() {
    let rig = Rig::new("nested");
    let nested = rig.bound.path.join("inner");
    let script = format!(
        "os.mkdir('{0}'); open('{0}/cgroup.procs', 'w').write(str(os.getpid()))\n\
         s = tcp(('192.0.2.1', 1)); input()",
        nested.display()
    );
    let _client = rig.client(&script);
    assert_eq!(rig.facts(&rig.accept()).unwrap().binding, 7);
}

#[test]
fn a_bound_source_and_a_second_connect_are_followed() {
    let rig = Rig::new("again");
    let script = "
s = socket.socket(); s.bind(('192.0.2.2', 0)) if False else s.bind(('127.0.0.5', 0))
s.connect(('192.0.2.1', 1)); say(s.getpeername())
s = socket.socket(); s.setblocking(False)
s.connect_ex(('192.0.2.3', 3)); s.setblocking(True); s.settimeout(5)
import ctypes
libc = ctypes.CDLL(None)
say(libc.connect(s.fileno(), struct.pack('=H14x', 0), 16))
s.connect(('192.0.2.4', 4)); say(s.getpeername()); input()";
    let mut client = rig.client(script);
    assert_eq!(rig.facts(&rig.accept()).unwrap().original, address("192.0.2.1:1"));
    assert_eq!(client.line(), "('192.0.2.1', 1)");
    assert_eq!(client.line(), "0");
    assert_eq!(client.line(), "('192.0.2.4', 4)");
    let first = rig.facts(&rig.accept());
    let second = rig.facts(&rig.accept()).unwrap();
    assert!(first.is_none_or(|facts| facts.original == address("192.0.2.3:3")));
    assert_eq!(second.original, address("192.0.2.4:4"));
}

#[test]
fn a_direct_connect_to_the_listener_has_no_facts() {
    let rig = Rig::new("direct");
    let listener = rig.listeners().tcp[0].local_addr().unwrap();
    let _outsider = TcpStream::connect(listener).unwrap();
    assert_eq!(rig.facts(&rig.accept()), None);
    let mut agent =
        rig.client(&format!("attempt(lambda: tcp(('127.0.0.1', {})))", listener.port()));
    assert_eq!(agent.line(), "ECONNREFUSED");
    assert_eq!(rig.count("denied_proxy_itself"), 1);
}

#[test]
fn fast_open_does_not_get_around() {
    let rig = Rig::new("fastopen");
    let script = "
s = socket.socket(); say(s.sendto(b'hi', socket.MSG_FASTOPEN, ('192.0.2.1', 1)))
d = socket.socket(); d.setsockopt(socket.IPPROTO_TCP, 34, 1) # needs no cookie
d.setsockopt(socket.IPPROTO_TCP, 30, 1); d.settimeout(5) # connects at the first write
d.connect(('192.0.2.1', 2)); say(d.send(b'hi')); input()";
    let mut client = rig.client(script);
    assert_eq!(rig.facts(&rig.accept()).unwrap().original, address("192.0.2.1:1"));
    assert_eq!(client.line(), "2");
    assert_eq!(client.line(), "2");
    assert_eq!(rig.facts(&rig.accept()).unwrap().original, address("192.0.2.1:2"));
}

#[test]
fn a_thousand_short_connections_are_all_attributed() {
    let rig = Rig::new("thousand");
    let script = "
for i in range(1000):
    s = tcp(('192.0.2.1', 10000 + i)); s.sendall(b'x'); s.close()
say('done'); input()";
    let mut client = rig.client(script);
    for port in 10_000..11_000 {
        let facts = rig.facts(&rig.accept()).expect("attributed");
        assert_eq!(facts.original.port(), port);
    }
    assert_eq!(client.line(), "done");
    assert_eq!((rig.count("published"), rig.count("publish_failed")), (1000, 0));
    assert_eq!(rig.count("aborted"), 0);
}

#[test]
fn another_network_namespace_needs_a_listener_of_its_own() {
    let mut rig = Rig::new("netns");
    let script = "attempt(lambda: tcp(('192.0.2.1', 1)))\nsys.stdin.readline()\n\
                  s = tcp(('192.0.2.1', 2)); say(s.getpeername()); input()";
    let shell = "ip link set lo up && exec python3 \"$@\"";
    let command = ["unshare", "--net", "sh", "-c", shell, "sh"];
    let mut client = rig.started(Client::spawn(&command, script));
    assert_eq!(client.line(), "ECONNREFUSED");
    assert_eq!(rig.count("denied_unknown_netns"), 1);
    let pid = client.child.id();
    let inner = rig.interceptor().listen(pid, 2).unwrap().expect("new");
    assert_ne!(inner.netns, rig.listeners().netns);
    assert_eq!(inner.tcp.len(), 2);
    assert!(rig.interceptor().listen(pid, 2).unwrap().is_none());
    client.go();
    assert_eq!(client.line(), "('192.0.2.1', 2)");
    let flow = inner.tcp.iter().find_map(|listener| listener.accept().ok());
    let flow = flow.map_or_else(|| accept(&inner.tcp[0]), |(flow, _)| flow);
    let facts = rig.facts(&flow).unwrap();
    assert_eq!((facts.netns, facts.original.port()), (inner.netns, 2));
    rig.interceptor().forget(inner.netns);
}

#[test]
fn an_urgent_byte_before_the_accept_is_read_in_line() {
    let rig = Rig::new("urgent");
    let script = "s = tcp(('192.0.2.1', 1)); s.send(b'!', socket.MSG_OOB); s.send(b'x'); say('sent'); input()";
    let mut client = rig.client(script);
    assert_eq!(client.line(), "sent");
    let mut flow = rig.accept();
    let mut sent = [0; 2];
    std::io::Read::read_exact(&mut flow, &mut sent).unwrap();
    assert_eq!(&sent, b"!x");
}
