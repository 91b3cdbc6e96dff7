//! Roads that a program may know past connect: io_uring, exhausted memory, DNS to elsewhere, ends
//! that are reused before anybody has looked.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::time::Duration;

use weir::intercept::Asker;

use crate::rig::{Client, Rig, receive, there};

const URING: &str = include_str!("uring.py");

#[test]
fn io_uring_connects_like_everybody() {
    let rig = Rig::new("uring");
    // By the submitting task, by a worker of the kernel, and without a hook-able connect: a
    // datagram with an address.
    let script = format!(
        "{URING}
ring = Ring()
for flags, port in ((0, 1), (16, 2)):
    s = socket.socket(); to = inet('192.0.2.1', port)
    say(ring.submit(16, s.fileno(), ctypes.addressof(to), 0, 16, flags), s.getpeername())
s = socket.socket(); to = inet('127.0.0.1', {})
say(ring.submit(16, s.fileno(), ctypes.addressof(to), 0, 16))
kind = ring.submit(45, 2, 0, 255, 3)
say(kind)
d = udp(); to = inet('192.0.2.9', 9); data = ctypes.create_string_buffer(b'q')
io = ctypes.create_string_buffer(struct.pack('QQ', ctypes.addressof(data), 1))
m = ctypes.create_string_buffer(struct.pack('QIIQQQQQ', ctypes.addressof(to), 16, 0, ctypes.addressof(io), 1, 0, 0, 0))
say(ring.submit(9, d.fileno(), ctypes.addressof(m), 1)); input()",
        rig.listeners().tcp[0].local_addr().unwrap().port()
    );
    let mut client = rig.client(&script);
    let pid = client.child.id();
    for port in [1, 2] {
        let facts = rig.facts(&rig.accept()).expect("attributed");
        assert_eq!((facts.original.port(), facts.pid, facts.binding), (port, pid, 7));
        assert_eq!(client.line(), format!("0 ('192.0.2.1', {port})"));
    }
    assert_eq!(client.line(), "ECONNREFUSED"); // Weir's own port
    assert_eq!(client.line(), "EPERM"); // a raw socket
    assert_eq!(client.line(), "EPERM"); // a datagram that is no query
}

/// A message's control data is paid for from the memory that socket storage needs.
#[test]
fn a_socket_without_memory_for_its_facts_is_refused() {
    let rig = Rig::new("optmem");
    let script = "
memory = int(open('/proc/sys/net/core/optmem_max').read())
def starve(kind, flags, to):
    for size in range(memory, memory - 2000, -16):
        s = socket.socket(socket.AF_INET, kind)
        try: return s.sendmsg([b'x'], [(999, 1, bytes(size))], flags, to)
        except OSError as e:
            if e.errno != errno.ENOBUFS: return errno.errorcode[e.errno]
say(starve(socket.SOCK_DGRAM, 0, ('192.0.2.53', 53)))
say(starve(socket.SOCK_STREAM, socket.MSG_FASTOPEN, ('192.0.2.1', 1)))
say('done'); input()";
    let mut client = rig.client(script);
    assert_eq!([client.line(), client.line()], ["EPERM"; 2]);
    assert_eq!(client.line(), "done");
    assert_eq!(rig.count("denied_no_storage"), 2);
    assert!(rig.listeners().dns[0].recv(&mut [0; 9]).is_err());
    assert!(rig.listeners().tcp[0].accept().is_err());
}

#[test]
fn queries_to_other_servers_come_to_weir_all_the_same() {
    let rig = Rig::new("tunnel");
    let script = "
s = udp(); s.connect(('192.0.2.53', 53)); s.send(b'a')
import ctypes
ctypes.CDLL(None).connect(s.fileno(), struct.pack('=H14x', 0), 16)
attempt(lambda: s.sendto(b'x', ('192.0.2.54', 5353)))
s.sendto(b'b', ('198.51.100.1', 53)); s.sendto(b'c', ('127.0.0.53', 53))
attempt(lambda: s.sendto(b'd', ('192.0.2.54', 853))); say('done'); input()";
    let mut client = rig.client(script);
    assert_eq!([client.line(), client.line()], ["EPERM"; 2]);
    assert_eq!(client.line(), "done");
    let facts = rig.interceptor.as_ref().unwrap().facts();
    let mut found = BTreeMap::new();
    for (slot, socket) in (0..).zip(&rig.listeners().dns[..3]) {
        let (query, from) = receive(socket);
        let asker = there(facts.dns(rig.listeners().netns, slot, from).unwrap());
        found.insert(String::from_utf8(query).unwrap(), asker.original.to_string());
    }
    let wanted = [("a", "192.0.2.53:53"), ("b", "198.51.100.1:53"), ("c", "127.0.0.53:53")];
    assert_eq!(found, wanted.map(|(query, to)| (query.to_owned(), to.to_owned())).into());
}

/// Its port may be an outsider's a moment later.
#[test]
fn the_asker_is_forgotten_when_its_socket_closes() {
    let rig = Rig::new("askergone");
    let script = "s = udp(); s.bind(('127.0.0.1', 0)); s.sendto(b'q', ('192.0.2.53', 53))
say(s.getsockname()[1]); sys.stdin.readline(); s.close(); say('closed'); input()";
    let mut client = rig.client(script);
    let port: u16 = client.line().parse().unwrap();
    let (_, from) = receive(&rig.listeners().dns[0]);
    let facts = rig.interceptor.as_ref().unwrap().facts();
    let asker = || facts.dns(rig.listeners().netns, 0, from).unwrap();
    there(asker());
    client.go();
    assert_eq!(client.line(), "closed");
    assert_eq!(asker(), Some(Asker::Gone { binding: 7 }));
    let outsider = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    outsider.send_to(b"mine", rig.listeners().dns[0].local_addr().unwrap()).unwrap();
    assert_eq!(receive(&rig.listeners().dns[0]).0, b"mine");
    assert_eq!(asker(), Some(Asker::Gone { binding: 7 }));
    assert!(rig.count("released") >= 1);
}

#[test]
fn a_port_that_is_used_again_at_once_keeps_flows_apart() {
    let rig = Rig::new("portstorm");
    let script = "
import random
for i in range(400):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); s.settimeout(5)
    s.bind(('127.0.0.1', 39871)); s.connect(('192.0.2.1', 10000 + i))
    s.sendall(str(10000 + i).encode()); sys.stdin.readline(); s.close()
say('done'); input()";
    let mut client = rig.client(script);
    for port in 10_000..10_400_u16 {
        let mut flow = rig.accept();
        let mut sent = [0; 5];
        std::io::Read::read_exact(&mut flow, &mut sent).unwrap();
        assert_eq!(flow.peer_addr().unwrap().port(), 39_871);
        let facts = rig.facts(&flow).expect("attributed");
        assert_eq!(
            (facts.original.port(), &sent),
            (port, port.to_string().as_bytes().try_into().unwrap())
        );
        client.go();
        // A FIN of ours that crossed the client's reset would refuse the next SYN.
        std::io::Read::read(&mut flow, &mut sent).unwrap_err();
    }
    assert_eq!(client.line(), "done");
    assert_eq!((rig.count("published"), rig.count("publish_failed")), (400, 0));
}

#[test]
fn who_closes_before_the_accept_is_known_or_gone() {
    let rig = Rig::new("hangups");
    let script = "
for i in range(300):
    s = tcp(('192.0.2.1', 10000 + i))
    if i % 3 == 1: s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    if i % 3 == 2: s.sendall(b'x')
    s.close()
say('done'); input()";
    let mut client = rig.client(script);
    assert_eq!(client.line(), "done");
    std::thread::sleep(Duration::from_millis(100));
    let mut accepted = 0;
    while let Ok((flow, _)) = rig.listeners().tcp[0].accept() {
        let facts = rig.facts(&flow).expect("attributed");
        assert_eq!(facts.original.port() % 1000 % 300, u16::try_from(accepted).unwrap() % 300);
        accepted += 1;
    }
    assert_eq!(rig.count("published"), 300);
    assert_eq!(rig.count("aborted") + accepted, 300);
}

/// As many processes as a machine bears, each connecting as fast as it can.
#[test]
fn a_fork_bomb_of_connects_is_counted_to_the_last_one() {
    let rig = Rig::new("bomb");
    let script = "
import signal
signal.alarm(60)
for _ in range(200):
    if os.fork() == 0:
        for i in range(25):
            try: tcp(('192.0.2.1', 1000 + i)).close()
            except OSError: pass
        os._exit(0)
while True:
    try: os.wait()
    except ChildProcessError: break
say('done'); input()";
    let mut client = rig.client(script);
    let mut accepted = 0;
    let mut take = || {
        while let Ok((flow, _)) = rig.listeners().tcp[0].accept() {
            assert_eq!(rig.facts(&flow).expect("attributed").binding, 7);
            accepted += 1;
        }
    };
    while rig.count("closed") < 5000 {
        take();
        std::thread::sleep(Duration::from_millis(1));
    }
    take();
    assert_eq!(client.line(), "done");
    assert_eq!((rig.count("tcp_seen"), rig.count("published")), (5000, 5000));
    assert_eq!(accepted + rig.count("aborted"), 5000);
    assert_eq!(rig.count("publish_failed") + rig.count("denied_no_storage"), 0);
}

#[test]
fn one_socket_gets_each_answer_from_the_server_that_it_asked() {
    let rig = Rig::new("servers");
    let script = "
s = udp(); names = {}
for n in range(1, 4): s.sendto(b'q%d' % n, ('192.0.2.%d' % n, 53))
for _ in range(3): data, who = s.recvfrom(9); names[who[0]] = data
say(sorted(names.items()))
six = udp(socket.AF_INET6)
for host in ('2001:db8::1', '::ffff:192.0.2.7'): six.sendto(b'q', (host, 53))
say(sorted(six.recvfrom(9)[1][0] for _ in range(2)))
c = udp(); c.connect(('192.0.2.1', 53)); c.send(b'q1'); say(c.recv(9), c.getpeername())";
    let mut client: Client = rig.client(script);
    let answer = |sockets: &[UdpSocket]| {
        let (slot, query, from) = loop {
            let found = (0..).zip(sockets).find_map(|(slot, socket)| {
                let mut buffer = [0; 9];
                let (length, from) = socket.recv_from(&mut buffer).ok()?;
                Some((slot, buffer[..length].to_vec(), from))
            });
            if let Some(found) = found {
                break found;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let facts = rig.interceptor.as_ref().unwrap().facts();
        let asker = there(facts.dns(rig.listeners().netns, slot, from).unwrap());
        sockets[slot as usize].send_to(&[b"a", &query[1..]].concat(), from).unwrap();
        asker.original.ip().to_string()
    };
    // All three are asked before one of them answers.
    std::thread::sleep(Duration::from_millis(200));
    let mut asked: Vec<String> = (0..3).map(|_| answer(&rig.listeners().dns)).collect();
    asked.sort();
    assert_eq!(asked, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    let shown = "[('192.0.2.1', b'a1'), ('192.0.2.2', b'a2'), ('192.0.2.3', b'a3')]";
    assert_eq!(client.line(), shown);
    assert_eq!(answer(&rig.listeners().dns6), "2001:db8::1");
    assert_eq!(answer(&rig.listeners().dns), "192.0.2.7");
    assert_eq!(client.line(), "['2001:db8::1', '::ffff:192.0.2.7']");
    assert_eq!(answer(&rig.listeners().dns), "192.0.2.1");
    assert_eq!(client.line(), "b'a1' ('192.0.2.1', 53)");
}
