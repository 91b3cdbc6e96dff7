//! Ways out that are not a plain connect: all of them are closed.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use weir::intercept::Reason;

use crate::rig::Rig;

fn lines(rig: &Rig, script: &str, count: usize) -> Vec<String> {
    let mut client = rig.client(script);
    (0..count).map(|_| client.line()).collect()
}

#[test]
fn other_datagrams_connect_but_never_leave() {
    let rig = Rig::new("udp");
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    target.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let script = format!(
        "to = ('127.0.0.1', {})
attempt(lambda: udp().sendto(b'x', to))
s = udp(); attempt(lambda: s.connect(to)); attempt(lambda: s.send(b'x'))
q = udp(); q.connect(('192.0.2.1', 443)); say(q.getpeername()); attempt(lambda: q.send(b'x'))
m = udp(); m.connect(('192.0.2.53', 53)); attempt(lambda: m.sendto(b'x', to))
v = udp(socket.AF_INET6); attempt(lambda: v.sendto(b'x', ('::ffff:127.0.0.1', to[1])))",
        target.local_addr().unwrap().port()
    );
    let wanted = ["EPERM", "None", "EPERM", "('192.0.2.1', 443)", "EPERM", "EPERM", "EPERM"];
    assert_eq!(lines(&rig, &script, wanted.len()), wanted);
    assert!(target.recv(&mut [0; 9]).is_err());
}

#[test]
fn only_plain_tcp_and_udp_sockets_exist() {
    let rig = Rig::new("kinds");
    let script = "
for family in (socket.AF_INET, socket.AF_INET6):
    for kind, protocol in ((1, 262), (3, 255), (2, 136), (2, 1), (2, 58), (1, 132), (5, 132), (6, 33),
                           (1, 256), (3, 6), (1, 0), (2, 0), (1, 6)):
        attempt(lambda: socket.socket(family, kind, protocol).type.name)";
    let found = lines(&rig, script, 26);
    for family in found.chunks(13) {
        assert_eq!(family[..3], ["EPROTONOSUPPORT", "EPERM", "EPERM"]);
        // Ping is refused by the kernel itself where its range of groups is empty; SCTP, DCCP and
        // SMC are where it does not have them.
        assert!(family[3..10].iter().all(|refused| refused.starts_with('E')), "{family:?}");
        assert_eq!(family[10..], ["SOCK_STREAM", "SOCK_DGRAM", "SOCK_STREAM"]);
    }
    assert_eq!(rig.count("denied_multipath"), 2);
}

#[test]
fn source_routes_do_not_lead_out() {
    let rig = Rig::new("routes");
    let script = "
route = bytes([131, 7, 4]) + socket.inet_aton('192.0.2.9') + b'\\0'
attempt(lambda: udp().setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, route))
attempt(lambda: socket.socket().setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, route))
rthdr = struct.pack('=BBBBI', 0, 2, 2, 1, 0) + socket.inet_pton(socket.AF_INET6, 'fd00::9')
six = udp(socket.AF_INET6)
attempt(lambda: six.setsockopt(41, 57, rthdr))
attempt(lambda: six.setsockopt(41, 54, bytes([0, 0, 1, 4, 0, 0, 0, 0])))
# The same with one message, which no hook but the packet's sees.
timestamp = bytes([68, 4, 5, 0])
attempt(lambda: udp().sendmsg([b'q'], [(0, 7, timestamp)], 0, ('192.0.2.53', 53)))
attempt(lambda: udp().sendmsg([b'q'], [(0, 7, route)], 0, ('192.0.2.53', 53)))
attempt(lambda: six.sendmsg([b'q'], [(41, 57, rthdr)], 0, ('2001:db8::53', 53)))
hop = bytes([0, 0, 1, 4, 0, 0, 0, 0])
attempt(lambda: six.sendmsg([b'q'], [(41, 54, hop)], 0, ('2001:db8::53', 53)))
say('done'); input()";
    let mut client = rig.client(script);
    let found: Vec<String> = (0..8).map(|_| client.line()).collect();
    assert_eq!(found[..5], ["EPERM"; 5]);
    // Some are refused by the kernel already, as a source route does not fit to loopback.
    assert!(found[5..].iter().all(|refused| refused.starts_with('E')), "{found:?}");
    assert_eq!(client.line(), "done");
    assert!(rig.count("denied_packet_shape") >= 1, "{found:?}");
    assert_eq!(rig.count("denied_socket_option"), 4);
    for socket in rig.listeners().dns.iter().chain(&rig.listeners().dns6) {
        assert!(socket.recv(&mut [0; 9]).is_err());
    }
}

#[test]
fn options_that_lead_around_the_hooks_are_refused() {
    let rig = Rig::new("options");
    let script = "
import socket as so
four, six, one = so.AF_INET, so.AF_INET6, struct.pack('i', 1)
group = so.inet_aton('239.1.2.3') + so.inet_aton('127.0.0.1')
group6 = so.inet_pton(so.AF_INET6, 'ff02::1234') + one
options = [(four, 1, 36, one), (four, 1, 25, b'eth0'), (four, 1, 62, one), (four, 0, 19, one),
  (four, 0, 15, one), (four, 0, 35, group), (four, 0, 50, one), (six, 41, 20, group6),
  (six, 41, 75, one), (six, 41, 76, one)]
for family, level, name, value in options:
    attempt(lambda: so.socket(family, so.SOCK_DGRAM).setsockopt(level, name, value))
attempt(lambda: so.socket().setsockopt(6, 31, b'tls'))
attempt(lambda: so.socket().setsockopt(6, 19, one))
attempt(lambda: so.socket().setsockopt(1, 15, one)) # REUSEPORT
attempt(lambda: so.socket(so.AF_UNIX).setsockopt(1, 7, bytes(9000))) # a long value
attempt(lambda: so.socket(six).setsockopt(41, 26, one)) # V6ONLY";
    let found = lines(&rig, script, 15);
    assert_eq!(found[..12], ["EPERM"; 12]);
    assert_eq!(found[12..], ["None"; 3]);
    assert_eq!(rig.count("denied_socket_option"), 12);
    let memberships = std::fs::read_to_string("/proc/net/igmp").unwrap();
    assert!(!memberships.contains("030201EF"), "{memberships}");
}

#[test]
fn a_server_inside_answers_nobody() {
    let rig = Rig::new("server");
    let script = "
s = socket.socket(); s.bind(('0.0.0.0', 0)); s.listen(); say(s.getsockname()[1])
c, _ = s.accept(); c.sendall(b'secret'); say('sent'); input()";
    let mut client = rig.client(script);
    let port: u16 = client.line().parse().unwrap();
    let to = ([127, 0, 0, 1], port).into();
    if let Ok(mut outsider) = TcpStream::connect_timeout(&to, Duration::from_secs(1)) {
        outsider.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        assert!(outsider.read(&mut [0; 9]).is_err());
    }
}

#[test]
fn a_revoked_binding_is_refused() {
    let mut rig = Rig::new("revoked");
    rig.interceptor().revoke(7).unwrap();
    let script = "attempt(lambda: tcp(('192.0.2.1', 1)))
attempt(lambda: tcp(('2001:db8::1', 1), socket.AF_INET6))
attempt(lambda: udp().connect(('192.0.2.1', 9)))";
    assert_eq!(lines(&rig, script, 3), ["EPERM"; 3]);
    assert_eq!(rig.count("denied_revoked"), 3);
    let mut denials = rig.interceptor().denials().unwrap();
    let denial = denials.next().unwrap();
    assert_eq!((denial.reason, denial.binding, denial.protocol), (Reason::Revoked, 7, 6));
    assert_eq!(denial.destination, "192.0.2.1:1".parse().unwrap());
    assert_ne!(denial.pid, 0);
    assert!(denials.next().is_some() && denials.next().is_some() && denials.next().is_none());
}

#[test]
fn without_a_listener_nothing_goes_direct() {
    let mut rig = Rig::new("gone");
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    target.set_nonblocking(true).unwrap();
    let port = rig.listeners().tcp[0].local_addr().unwrap();
    rig.lose_listeners();
    // Somebody takes the port that the gateway lost.
    let squatter = TcpListener::bind(port).unwrap();
    squatter.set_nonblocking(true).unwrap();
    let script = format!(
        "attempt(lambda: tcp(('127.0.0.1', {})))
attempt(lambda: tcp(('2001:db8::1', 1), socket.AF_INET6))
attempt(lambda: udp().sendto(b'q', ('192.0.2.53', 53)))",
        target.local_addr().unwrap().port()
    );
    assert_eq!(lines(&rig, &script, 3), ["ECONNREFUSED"; 3]);
    assert!(target.accept().is_err() && squatter.accept().is_err());
    assert_eq!(rig.count("denied_listener_gone"), 3);
}
