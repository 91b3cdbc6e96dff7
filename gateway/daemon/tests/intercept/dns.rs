//! DNS: queries reach the DNS listener, their askers are known, answers look like the resolver's.

use std::net::{SocketAddr, UdpSocket};

use weir::intercept::{Asker, FlowFacts};

use crate::rig::{Client, Rig, receive, there};

/// Answers one query; says who asked.
fn answer(rig: &Rig, socket: &UdpSocket) -> FlowFacts {
    let (query, from) = receive(socket);
    assert_eq!(query, b"query");
    let facts = rig.interceptor.as_ref().unwrap().facts();
    let asker = there(facts.dns(rig.listeners().netns, 0, from).unwrap());
    let elsewhere = SocketAddr::new("127.9.9.9".parse().unwrap(), from.port());
    assert_eq!(facts.dns(rig.listeners().netns, 0, elsewhere).unwrap(), None);
    socket.send_to(b"answer", from).unwrap();
    asker
}

fn check(rig: &Rig, script: &str, resolver: &str, shown: &str) {
    let resolver: SocketAddr = resolver.parse().unwrap();
    let mut client = rig.client(&format!("{script}\ninput()"));
    let listeners = rig.listeners();
    let socket = if resolver.is_ipv4() { &listeners.dns[0] } else { &listeners.dns6[0] };
    let asker = answer(rig, socket);
    assert_eq!((asker.binding, asker.pid), (7, client.child.id()));
    assert_eq!(asker.original, resolver);
    assert_eq!(client.line(), shown);
}

#[test]
fn an_unconnected_query_is_answered_by_its_resolver() {
    let rig = Rig::new("dns4");
    let script = "s = udp(); s.sendto(b'query', ('192.0.2.53', 53)); say(s.recvfrom(99))";
    check(&rig, script, "192.0.2.53:53", "(b'answer', ('192.0.2.53', 53))");
    assert_eq!((rig.count("dns_redirected"), rig.count("dns_packets")), (1, 1));
}

#[test]
fn a_connected_query_is_answered_by_its_resolver() {
    let rig = Rig::new("dns4c");
    let script = "s = udp(); s.connect(('127.0.0.53', 53)); s.send(b'query')
say(s.recvfrom(99), s.getpeername())";
    let shown = "(b'answer', ('127.0.0.53', 53)) ('127.0.0.53', 53)";
    check(&rig, script, "127.0.0.53:53", shown);
}

#[test]
fn an_ipv6_query_is_answered_by_its_resolver() {
    let rig = Rig::new("dns6");
    let script = "s = udp(socket.AF_INET6); s.sendto(b'query', ('2001:db8::53', 53))
say(s.recvfrom(99)[1][:2])";
    check(&rig, script, "[2001:db8::53]:53", "('2001:db8::53', 53)");
    let script = "s = udp(socket.AF_INET6); s.connect(('2001:db8::54', 53)); s.send(b'query')
say(s.recvfrom(99)[1][:2])";
    check(&rig, script, "[2001:db8::54]:53", "('2001:db8::54', 53)");
}

#[test]
fn a_mapped_query_is_answered_by_its_resolver() {
    let rig = Rig::new("dns46");
    let script = "s = udp(socket.AF_INET6); s.sendto(b'query', ('::ffff:192.0.2.53', 53))
say(s.recvfrom(99)[1][:2])";
    check(&rig, script, "192.0.2.53:53", "('::ffff:192.0.2.53', 53)");
}

#[test]
fn an_unbound_sender_is_nobody() {
    let rig = Rig::new("dnsnobody");
    let listeners = rig.listeners();
    let outsider = UdpSocket::bind("127.0.0.1:0").unwrap();
    outsider.send_to(b"query", listeners.dns[0].local_addr().unwrap()).unwrap();
    let (_, from) = receive(&listeners.dns[0]);
    let facts = rig.interceptor.as_ref().unwrap().facts();
    assert_eq!(facts.dns(listeners.netns, 0, from).unwrap(), None);
}

#[test]
fn a_revoked_binding_asks_nothing_even_on_an_old_socket() {
    let mut rig = Rig::new("dnsrevoked");
    let script = "s = udp(); s.connect(('192.0.2.53', 53)); s.send(b'query'); say('sent')
sys.stdin.readline()
attempt(lambda: s.send(b'query')); attempt(lambda: udp().sendto(b'q', ('192.0.2.53', 53)))";
    let mut client: Client = rig.client(script);
    assert_eq!(client.line(), "sent");
    rig.interceptor().revoke(7).unwrap();
    client.go();
    assert_eq!((client.line(), client.line()), ("EPERM".to_owned(), "EPERM".to_owned()));
}

const RESOLVER: &str = "('192.0.2.53', 53)";

/// A port that is free.
fn port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn lost(rig: &Rig, binding: u64) -> u64 {
    rig.interceptor.as_ref().unwrap().named_counters(binding).unwrap()["denied_asker_lost"]
}

/// Asks from a port whenever it may go on, several times from each of some sockets.
fn asks(port: u16, sockets: u32, queries: u32) -> String {
    format!(
        "
def ask():
    for i in range({sockets}):
        s = udp(); s.bind(('127.0.0.1', {port}))
        for j in range({queries}): s.sendto(b'q', {RESOLVER})
        s.close()
    return 'asked'
while sys.stdin.readline(): attempt(ask)"
    )
}

/// A rig with a second binding, and its leaf's clients.
fn two_bindings(test: &str) -> (Rig, weir::intercept::Bound) {
    let mut rig = Rig::new(test);
    let other = rig.interceptor().bind(8, "other").unwrap();
    (rig, other)
}

fn turn(client: &mut Client) -> String {
    client.go();
    client.line()
}

/// Takes a query and says it is answered.
fn done(rig: &Rig) -> u64 {
    let (_, from) = receive(&rig.listeners().dns[0]);
    let (facts, netns) = (rig.interceptor.as_ref().unwrap().facts(), rig.listeners().netns);
    let Some(Asker::Gone { binding }) = facts.dns(netns, 0, from).unwrap() else {
        panic!("the socket is closed")
    };
    facts.answered(netns, 0, from);
    binding
}

#[test]
fn a_port_is_anothers_once_all_that_was_asked_from_it_is_answered() {
    let ((rig, other), port) = (two_bindings("dnsport"), port());
    let mut one = rig.client(&asks(port, 1, 2));
    let mut two = Client::spawn(&["python3"], &asks(port, 1, 1));
    rig.interceptor.as_ref().unwrap().enter(&other, two.child.id()).unwrap();
    two.go();
    assert_eq!(turn(&mut one), "asked");
    assert_eq!(turn(&mut two), "EPERM");
    assert_eq!(done(&rig), 7);
    assert_eq!(turn(&mut two), "EPERM", "one is still on its way");
    assert_eq!(done(&rig), 7);
    assert_eq!(turn(&mut two), "asked");
    assert_eq!(turn(&mut one), "EPERM");
    assert_eq!(done(&rig), 8);
    assert_eq!(turn(&mut one), "asked");
    assert_eq!((lost(&rig, 7), lost(&rig, 8)), (1, 2));
}

/// What an earlier socket asked is taken for what a later one did, so that only all of it frees the port.
#[test]
fn a_port_that_two_sockets_asked_from_is_anothers_once_both_are_answered() {
    let ((rig, other), port) = (two_bindings("dnstwice"), port());
    let mut one = rig.client(&asks(port, 2, 2));
    let mut two = Client::spawn(&["python3"], &asks(port, 1, 1));
    rig.interceptor.as_ref().unwrap().enter(&other, two.child.id()).unwrap();
    two.go();
    assert_eq!(turn(&mut one), "asked");
    for _ in 0..4 {
        assert_eq!(turn(&mut two), "EPERM");
        assert_eq!(done(&rig), 7);
    }
    assert_eq!(turn(&mut two), "asked");
    assert_eq!(done(&rig), 8);
    assert_eq!(lost(&rig, 8), 4);
}

/// Somebody outside sends from the port, too, and is counted for the one who asked: the counts never fit again.
#[test]
fn a_port_whose_queries_were_miscounted_is_not_anothers_at_once() {
    let ((rig, other), port) = (two_bindings("dnscount"), port());
    let mut one = rig.client(&asks(port, 1, 1));
    let mut two = Client::spawn(&["python3"], &asks(port, 1, 1));
    rig.interceptor.as_ref().unwrap().enter(&other, two.child.id()).unwrap();
    two.go();
    assert_eq!(turn(&mut one), "asked");
    assert_eq!(done(&rig), 7);
    let outsider = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    outsider.send_to(b"q", rig.listeners().dns[0].local_addr().unwrap()).unwrap();
    drop(outsider);
    assert_eq!(done(&rig), 7);
    assert_eq!(turn(&mut one), "asked");
    assert_eq!(turn(&mut two), "EPERM");
    assert_eq!(done(&rig), 7);
    assert_eq!(turn(&mut two), "EPERM");
    assert_eq!(lost(&rig, 8), 2);
}

/// It may ask more.
#[test]
fn a_port_is_nobody_elses_while_the_socket_is_open() {
    let ((rig, other), port) = (two_bindings("dnsopen"), port());
    let script = format!(
        "s = udp(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', {port}))
s.sendto(b'q', {RESOLVER}); say('asked'); input()"
    );
    let mut one = rig.client(&script);
    assert_eq!(one.line(), "asked");
    let (_, from) = receive(&rig.listeners().dns[0]);
    let facts = rig.interceptor.as_ref().unwrap().facts();
    there(facts.dns(rig.listeners().netns, 0, from).unwrap());
    facts.answered(rig.listeners().netns, 0, from);
    let script = format!(
        "s = udp(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', {port}))
attempt(lambda: s.sendto(b'q', {RESOLVER})); input()"
    );
    let mut two = Client::spawn(&["python3"], &script);
    rig.interceptor.as_ref().unwrap().enter(&other, two.child.id()).unwrap();
    two.go();
    assert_eq!(two.line(), "EPERM");
    assert_eq!(lost(&rig, 8), 1);
}
