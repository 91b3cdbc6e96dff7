//! Peers that take their time: before a session begins there is a deadline, and a bound on how many wait;
//! afterwards who does not read gets no more.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::lies::resident;
use weir_tests::liar::{Liar, complete, message, ready};
use weir_tests::{Gateway, Setup, python};

const CONNECT: &str = "import re, socket, struct, sys, threading, time
host, port = sys.argv[1], int(sys.argv[2])
def connect():
    s = socket.create_connection((host, port)); s.settimeout(90)
    return s
body = struct.pack('!I', 196608) + b'user\\0x\\0database\\0x\\0\\0'
start = struct.pack('!I', len(body) + 4) + body
def code(said):
    found = re.search(b'C([0-9A-Z]{5})\\0', said)
    return found and found[1].decode()
def query(text): return b'Q' + struct.pack('!I', len(text) + 5) + text + b'\\0'
";

fn run(gateway: &Gateway, host: &str, port: u16, script: &str) -> String {
    let (python, port) = (python::interpreter().display().to_string(), port.to_string());
    let script = format!("{CONNECT}{script}");
    gateway.agent().run(&python, &["-c", &script, host, &port]).ok().out
}

fn start(liar: &Liar) -> Gateway {
    Gateway::start(&Setup { extra: liar.target(), ..Setup::default() })
}

/// PostgreSQL's own `authentication_timeout` is a minute too.
#[test]
fn a_client_has_a_minute_to_begin() {
    let gateway = Gateway::start(&Setup::default());
    let script = "
def trickle(s):
    for byte in start + start:
        s.sendall(bytes([byte])); time.sleep(2.5)
def shake(s):
    s.sendall(struct.pack('!II', 8, 80877103)); assert s.recv(1) == b'S'
    s.sendall(b'\\x16\\x03\\x01\\x02\\0')
def direct(s): s.sendall(b'\\x16\\x03\\x01\\x02\\0\\x01')
def serve(begin):
    s, since = connect(), time.monotonic()
    try:
        begin(s)
        while s.recv(999): pass
    except OSError: pass
    told.append(55 < time.monotonic() - since < 75)
told = []
waits = [threading.Thread(target=serve, args=(begin,)) for begin in
         (lambda s: None, lambda s: s.sendall(start[:20]), trickle, shake, direct)]
for wait in waits: wait.start()
for wait in waits: wait.join()
print(*told)";
    let told = run(&gateway, &gateway.host, 5432, script);
    assert_eq!(told, "True True True True True");
}

#[test]
fn only_so_many_connections_wait_to_begin() {
    let gateway = Gateway::start(&Setup::default());
    let script = "
kept = [connect() for _ in range(600)]
time.sleep(1)
refused = []
for s in kept:
    s.settimeout(0.01)
    try: refused.append(code(s.recv(999)))
    except TimeoutError: pass
print(len(refused), set(refused), flush=True)
for s in kept: s.close()
time.sleep(1)
s = connect(); s.sendall(start); print(s.recv(1))";
    let told = run(&gateway, &gateway.host, 5432, script);
    assert_eq!(told, "88 {'53300'}\nb'R'");
    // Nobody else waits for it.
    assert_eq!(gateway.agent().psql("select 1").ok().out, "1");
}

#[test]
fn a_silent_target_is_given_up() {
    let silent = Liar::start(|conversation| conversation.read().map(drop));
    let trickles = Liar::start(|conversation| {
        for byte in message(b'S', &[b'x'; 900]) {
            conversation.say(&[byte])?;
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    });
    for liar in [silent, trickles] {
        let gateway = start(&liar);
        let begin = Instant::now();
        let script = "s = connect(); s.sendall(start); print(code(s.recv(999)))";
        assert_eq!(run(&gateway, "liar.test", liar.port, script), "08006");
        assert!((9..20).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    }
}

#[test]
fn who_does_not_read_gets_no_more() {
    let (sent, reports) = mpsc::channel();
    let sent = std::sync::Mutex::new(sent);
    let liar = Liar::start(move |conversation| {
        conversation.log_in()?;
        conversation.read()?;
        let notification =
            message(b'A', format!("\0\0\0\x07c\0{}\0", "y".repeat(7_000)).as_bytes());
        let setting = message(b'S', format!("a.b\0{}\0", "x".repeat(7_000)).as_bytes());
        let mut count = 0;
        while conversation.say(&notification).and_then(|()| conversation.say(&setting)).is_ok() {
            count += 14_000;
        }
        sent.lock().expect("no panic before").send(count).expect("a test that listens");
        Ok(())
    });
    let gateway = start(&liar);
    let before = resident(&gateway);
    let script = "
s = connect(); s.sendall(start)
got = b''
while not got.endswith(b'Z\\0\\0\\0\\5I'): got += s.recv(999)
s.sendall(query(b'select 1')); time.sleep(3); print('left')";
    assert_eq!(run(&gateway, "liar.test", liar.port, script), "left");
    let count = reports.recv_timeout(Duration::from_secs(20)).expect("the flow ends");
    assert!(count < 40 << 20, "{count} bytes were taken");
    assert!(resident(&gateway) < before + 32, "{} MiB after {before}", resident(&gateway));
}

/// The target takes nothing, so that the gateway can't write; that the client left is noticed all the same.
#[test]
fn a_target_that_does_not_read_keeps_nobody() {
    let (ended, reports) = mpsc::channel();
    let ended = std::sync::Mutex::new(ended);
    let liar = Liar::start(move |conversation| {
        conversation.log_in()?;
        std::thread::sleep(Duration::from_secs(6));
        while conversation.read().is_ok() {}
        ended.lock().expect("no panic before").send(Instant::now()).expect("a test that listens");
        Ok(())
    });
    let gateway = start(&liar);
    let script = "
s = connect(); s.sendall(start)
got = b''
while not got.endswith(b'Z\\0\\0\\0\\5I'): got += s.recv(999)
s.settimeout(2)
try:
    while True: s.sendall(query(b\"select '\" + b'x' * 60000 + b\"'\"))
except TimeoutError: s.close()
time.sleep(9); print('stuck')";
    assert_eq!(run(&gateway, "liar.test", liar.port, script), "stuck");
    let end = reports.recv_timeout(Duration::from_secs(20)).expect("the flow ends");
    assert!(end.elapsed() > Duration::from_secs(1), "it ended with its session");
}

#[test]
fn half_a_message_may_wait_once_a_session_has_begun() {
    let liar = Liar::answering(|_| [complete("SELECT 0"), ready()].concat());
    let gateway = start(&liar);
    let script = "
s = connect(); s.sendall(start)
got = b''
while not got.endswith(b'Z\\0\\0\\0\\5I'): got += s.recv(999)
text = query(b'select 1')
s.sendall(text[:9]); time.sleep(65); s.sendall(text[9:]); print(s.recv(1))";
    assert_eq!(run(&gateway, "liar.test", liar.port, script), "b'C'");
}
