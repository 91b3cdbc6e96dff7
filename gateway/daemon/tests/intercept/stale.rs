//! What the connect hook approved and is not true any more: a port that changed hands, a socket that
//! became something else.

use std::io::Read as _;
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use crate::rig::{Rig, receive};

/// Opens in `sendall`, with data in its SYN: the connect hook has long been passed.
const LATE: &str = "
s = socket.socket(); s.settimeout(3)
s.setsockopt(6, 30, 1); s.setsockopt(6, 34, 1)   # FASTOPEN_CONNECT, FASTOPEN_NO_COOKIE
s.connect(('192.0.2.1', 1)); say('connected'); sys.stdin.readline()
attempt(lambda: s.sendall(b'secret') or s.recv(9)); input()";

#[test]
fn a_port_that_the_gateway_lost_gets_no_stream() {
    let mut rig = Rig::new("lost");
    let mut client = rig.client(LATE);
    assert_eq!(client.line(), "connected");
    let port = rig.listeners().tcp[0].local_addr().unwrap();
    rig.lose_listeners();
    let squatter = TcpListener::bind(port).unwrap();
    squatter.set_nonblocking(true).unwrap();
    client.go();
    let said = client.line();
    assert!(said.contains("timed out") || said == "EPERM", "{said}");
    assert!(squatter.accept().is_err());
    assert!(rig.count("denied_listener_gone") >= 1 && rig.count("tcp_packets") == 0);
}

#[test]
fn the_same_stream_arrives_where_the_gateway_listens() {
    let rig = Rig::new("notlost");
    let mut client = rig.client(LATE);
    assert_eq!(client.line(), "connected");
    client.go();
    let mut flow = rig.accept();
    let mut sent = [0; 6];
    flow.read_exact(&mut sent).unwrap();
    assert_eq!(&sent, b"secret");
    assert!(rig.facts(&flow).is_some());
}

#[test]
fn a_port_that_the_resolver_lost_gets_no_query() {
    let mut rig = Rig::new("lostdns");
    let script = "s = udp(); s.connect(('192.0.2.53', 53)); s.send(b'one'); say('sent')
sys.stdin.readline(); attempt(lambda: s.send(b'two')); input()";
    let mut client = rig.client(script);
    assert_eq!(client.line(), "sent");
    assert_eq!(receive(&rig.listeners().dns[0]).0, b"one");
    let port = rig.listeners().dns[0].local_addr().unwrap();
    rig.lose_listeners();
    let squatter = UdpSocket::bind(port).unwrap();
    squatter.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    client.go();
    assert_eq!(client.line(), "EPERM");
    assert!(squatter.recv(&mut [0; 9]).is_err());
    assert_eq!(rig.count("denied_listener_gone"), 1);
}

/// An outsider chooses who receives on a port that both share.
#[test]
fn a_datagram_socket_joins_no_group_on_a_port() {
    let rig = Rig::new("group");
    let outsider = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    outsider.set_reuse_port(true).unwrap();
    outsider.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let port = outsider.local_addr().unwrap().as_socket().unwrap().port();
    let script = format!(
        "s = udp(); attempt(lambda: s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1))
attempt(lambda: s.bind(('127.0.0.1', {port}))); attempt(lambda: udp().sendto(b'x', ('127.0.0.1', {port})))"
    );
    let mut client = rig.client(&script);
    assert_eq!([client.line(), client.line(), client.line()], ["None", "EADDRINUSE", "EPERM"]);
}

#[test]
fn a_socket_that_becomes_a_listener_closes_once() {
    let rig = Rig::new("second");
    let script = "import ctypes
s = tcp(('192.0.2.1', 1)); s.sendall(b'x'); s.recv(1)
ctypes.CDLL(None).connect(s.fileno(), bytes(16), 16)   # AF_UNSPEC
s.bind(('127.0.0.1', 0)); s.listen(); s.close(); say('closed'); input()";
    let mut client = rig.client(script);
    let mut flow = rig.accept();
    flow.read_exact(&mut [0]).unwrap();
    std::io::Write::write_all(&mut flow, b"y").unwrap();
    assert_eq!(client.line(), "closed");
    assert_eq!((rig.count("published"), rig.count("closed")), (1, 1));
}

#[test]
fn one_packet_is_one_query() {
    let rig = Rig::new("gso");
    let script = "s = udp(); s.setsockopt(17, 103, 4); s.connect(('192.0.2.53', 53))
attempt(lambda: s.send(b'one!two!')); attempt(lambda: s.send(b'one!')); input()";
    let mut client = rig.client(script);
    assert_eq!([client.line(), client.line()], ["EPERM", "4"]);
    assert_eq!(receive(&rig.listeners().dns[0]).0, b"one!");
    assert_eq!(rig.count("dns_packets"), 1);
}

#[test]
fn two_bindings_that_ask_from_one_port_are_not_mixed_up() {
    let mut rig = Rig::new("sameport");
    let script = "s = udp(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', PORT)); attempt(lambda: s.sendto(b'q', ('192.0.2.53', 53))); input()";
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let script = script.replace("PORT", &port);
    let mut first = rig.client(&script);
    assert_eq!(first.line(), "1");
    let other = rig.interceptor().bind(8, "other").unwrap();
    let mut second = crate::rig::Client::spawn(&["python3"], &script);
    rig.interceptor().enter(&other, second.child.id()).unwrap();
    second.go();
    assert_eq!(second.line(), "EPERM");
    let (_, from) = receive(&rig.listeners().dns[0]);
    let facts = rig.interceptor().facts();
    let asker = facts.dns(rig.listeners().netns, 0, from).unwrap();
    assert_eq!(crate::rig::there(asker).binding, 7);
}
