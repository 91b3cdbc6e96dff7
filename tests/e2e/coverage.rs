//! The completeness ledger: every count agrees, what was not covered is told, and who says so signed it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use weir_tests::{Gateway, Setup, wait_for};

/// Answers each connection with what it sends, for as long as the test runs.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut part = [0u8; 1024];
                while let Ok(count @ 1..) = stream.read(&mut part) {
                    if stream.write_all(&part[..count]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

fn with_echo(port: u16) -> Setup {
    let extra = format!(
        "[[target]]\nname = \"echo\"\nprotocol = \"tcp\"\naddresses = [\"127.0.0.1\"]\nport = {port}\n"
    );
    Setup { extra, ..Setup::default() }
}

fn only_session(report: &Value) -> &Value {
    let sessions = report["sessions"].as_array().expect("sessions");
    assert_eq!(sessions.len(), 1, "{report:#}");
    &sessions[0]
}

fn number(session: &Value, side: &str, name: &str) -> u64 {
    session[side][name].as_u64().unwrap_or_else(|| panic!("{side} {name}: {session:#}"))
}

#[test]
fn ten_thousand_short_connections_agree_to_the_last_byte() {
    let port = echo();
    let gateway = Gateway::start(&with_echo(port));
    let script = format!(
        "import errno, socket, struct, threading\n\
         to = ('127.0.0.1', {port})\n\
         failed = []\n\
         def one(i):\n\
         \x20 s = socket.socket(); s.settimeout(20); kind = i % 5\n\
         \x20 try:\n\
         \x20  if kind == 3:\n\
         \x20   s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n\
         \x20   s.bind(('127.0.0.1', 21000 + i % 40))\n\
         \x20  if kind == 4:\n\
         \x20   s.setblocking(False); s.connect_ex(to); s.close(); return\n\
         \x20  s.connect(to)\n\
         \x20  if kind == 1: s.sendall(b'hello'); assert s.recv(5) == b'hello'\n\
         \x20  if kind == 2:\n\
         \x20   s.sendall(b'bye'); s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n\
         \x20 except OSError as e:\n\
         \x20  if e.errno not in (errno.EADDRNOTAVAIL, errno.EADDRINUSE): failed.append(repr(e))\n\
         \x20 s.close()\n\
         def many(first): [one(i) for i in range(first, 10000, 4)]\n\
         threads = [threading.Thread(target=many, args=(n,)) for n in range(4)]\n\
         [t.start() for t in threads]; [t.join() for t in threads]\n\
         print(failed[:3], len(failed))"
    );
    assert_eq!(gateway.agent().python(&script).ok().out, "[] 0");
    let report = gateway.coverage();
    let session = only_session(&report);
    assert_eq!(session["state"], "covered", "{session:#}");
    let kernel = |name| number(session, "kernel", name);
    let recorded = number(session, "gateway", "recorded");
    assert!(kernel("tcp_seen") > 9_000 && recorded > 7_000, "{session:#}");
    assert_eq!(kernel("handshakes"), number(session, "gateway", "accepted"));
    assert_eq!(kernel("handshakes"), number(session, "gateway", "closes_agreed"));
    assert_eq!(
        kernel("tcp_redirected"),
        kernel("published") + kernel("publish_failed") + kernel("never_sent")
    );
    assert_eq!(kernel("closes_lost"), 0);
    let rows = gateway.duckdb("select count(*) as n from flows");
    assert_eq!(rows[0]["n"].as_u64(), Some(recorded));
}

#[test]
fn urgent_bytes_are_read_like_all_others() {
    let port = echo();
    let gateway = Gateway::start(&with_echo(port));
    let said = gateway.agent().python(&format!(
        "import socket\n\
         s = socket.create_connection(('127.0.0.1', {port})); s.settimeout(10)\n\
         s.sendall(b'abc'); s.send(b'!', socket.MSG_OOB); s.sendall(b'def')\n\
         got = b''\n\
         while len(got) < 7: got += s.recv(16)\n\
         print(got.decode())"
    ));
    assert_eq!(said.ok().out, "abc!def");
    assert_eq!(only_session(&gateway.coverage())["gateway"]["bytes_read"], 7);
}

#[test]
fn a_program_that_is_taken_away_is_a_gap_and_the_session_is_closed() {
    let gateway = Gateway::start(&Setup::default());
    let mut command = gateway.agent().command("sleep", &["60"]);
    let mut agent = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("weir run");
    let session = wait_for("a session", Duration::from_secs(10), || {
        let listed = gateway.ask(&["sessions", "--json"]);
        let listed: Value = serde_json::from_str(&listed).ok()?;
        Some(listed[0]["session"].as_str()?.to_owned())
    });
    let pins = format!("/sys/fs/bpf/weir/{}", gateway.instance);
    let found = Command::new("find")
        .args([&pins, "-path", "*_sess-*/weir_connect4"])
        .output()
        .expect("find");
    let pin = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    std::fs::remove_file(&pin).unwrap_or_else(|error| panic!("{pin:?}: {error}"));
    let ended = wait_for("the end of the session", Duration::from_secs(15), || {
        agent.try_wait().expect("weir run")
    });
    assert!(!ended.success());
    let rows = gateway.duckdb("select severity, message from events where kind = 'coverage.gap'");
    assert_eq!(rows[0]["severity"], "critical", "{rows:#?}");
    assert!(rows[0]["message"].to_string().contains("weir_connect4"), "{rows:#?}");
    let report = gateway.coverage();
    let gaps = report["gaps"].as_array().expect("gaps");
    assert!(gaps.iter().any(|gap| gap["session"] == session.as_str()), "{report:#}");
    assert_eq!(report["well"], true, "what was counted until then agrees: {report:#}");
}

#[test]
fn the_next_life_says_what_is_not_known_of_the_one_that_was_killed() {
    let mut gateway = Gateway::start(&Setup::default());
    let script = "import psycopg, sys\n\
        c = psycopg.connect(host=sys.argv[1]); c.execute('select 1'); print('in', flush=True)\n\
        sys.stdin.readline(); c.close()\n\
        print(psycopg.connect(host=sys.argv[1]).execute('select 2').fetchone()[0])";
    let python = weir_tests::python::interpreter().display().to_string();
    let mut command = gateway.agent().command(&python, &["-c", script, &gateway.host.clone()]);
    let mut agent = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("weir run");
    let mut out = std::io::BufReader::new(agent.stdout.take().expect("its output"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).expect("a line");
    assert_eq!(line, "in\n");
    gateway.kill();
    gateway.spawn();
    writeln!(agent.stdin.take().expect("its input")).expect("a line");
    out.read_to_string(&mut line).expect("the rest");
    assert_eq!(line, "in\n2\n", "{}", gateway.log());
    agent.wait().expect("an end");
    let report = gateway.coverage();
    let session = only_session(&report);
    assert_eq!(session["state"], "unknown", "{report:#}");
    let gaps = report["gaps"].as_array().expect("gaps");
    let of = |session: &Value| gaps.iter().any(|gap| &gap["session"] == session);
    assert!(of(&session["session"]) && of(&Value::Null), "the session's and the host's: {gaps:#?}");
    assert_eq!(report["well"], true, "{report:#}");
}

/// Reads the sealed rows with DuckDB, makes the signed bytes by the documented rule, asks OpenSSL.
const VERIFY: &str = r#"
import duckdb, hashlib, os, subprocess, sys, tempfile
c = duckdb.connect(); c.execute(open(sys.argv[1]).read())
columns = ['host', 'life', 'seq', 'previous', 'kind', 'session', 'since', 'at', 'tier', 'not_enforced',
           'kernel', 'proxy', 'invariants', 'violated', 'programs', 'gap']
chosen = ', '.join(f'epoch_us("{n}")' if n in ('since', 'at') else f'"{n}"' for n in columns)
rows = c.execute(f'select {chosen}, key, signature from coverage order by life, seq').fetchall()
def text(value):
    if isinstance(value, list): return ''.join(f'{len(v.encode())}:{v},' for v in value)
    return str(value)
good, previous = 0, {}
for row in rows:
    signed = b'weir-coverage-1\n'
    for name, value in zip(columns, row):
        if value is None: signed += f'{name}:-:\n'.encode()
        else: signed += f'{name}:{len(text(value).encode())}:{text(value)}\n'.encode()
    life = row[1]
    assert row[3] == previous.get(life, ''), row
    previous[life] = hashlib.sha256(signed).hexdigest()
    with tempfile.TemporaryDirectory() as d:
        put = lambda n, b: open(os.path.join(d, n), 'wb').write(b)
        put('key', bytes.fromhex('302a300506032b6570032100' + row[-2]))
        put('signature', row[-1]); put('signed', signed)
        done = subprocess.run(['openssl', 'pkeyutl', '-verify', '-pubin', '-keyform', 'DER', '-inkey', 'key',
            '-rawin', '-in', 'signed', '-sigfile', 'signature'], cwd=d, capture_output=True)
        good += done.returncode == 0
print(good == len(rows) and good > 2)
"#;

#[test]
fn anybody_can_verify_the_rows_without_weir() {
    let gateway = Gateway::start(&Setup::default());
    gateway.agent().psql("select 1").ok();
    wait_for("the canary", Duration::from_secs(20), || {
        gateway.coverage()["canary_at"].as_str().map(str::to_owned)
    });
    gateway.ask(&["audit", "seal"]);
    let views = gateway.dir.join("views.sql").display().to_string();
    gateway.ask(&["audit", "views", "--out", &views]);
    assert_eq!(weir_tests::python::run(VERIFY, &[&views]).trim(), "True");
    let report =
        gateway.weir(&["audit", "report", "coverage", "--key", "00"]).output().expect("weir");
    assert_eq!(report.status.code(), Some(2), "another key is not trusted");
    let text = gateway.ask(&["audit", "report", "coverage"]);
    assert!(text.contains("none missing, all signed by the trusted key"), "{text}");
    assert!(text.contains("Every count that could be compared agrees"), "{text}");
}

#[test]
fn the_canary_finds_every_way_around_closed() {
    let gateway = Gateway::start(&Setup::default());
    wait_for("the canary", Duration::from_secs(20), || {
        gateway.coverage()["canary_at"].as_str().map(str::to_owned)
    });
    let report = gateway.coverage();
    let canary = report["canary"].as_object().expect("outcomes");
    assert!(canary.len() > 20, "{canary:#?}");
    for (name, outcome) in canary {
        let outcome = outcome.as_str().expect("an outcome");
        let told = outcome.starts_with("open: ")
            && ["vsock socket", "Docker's socket"].contains(&name.as_str());
        assert!(outcome == "holds" || told, "{name}: {outcome}");
    }
    // Its own refusals are its row's, and make no noise.
    let rows = gateway.duckdb(
        "select kind from events where kind in ('perimeter.denied', 'flow.unattributed', 'canary.bypass')",
    );
    assert!(rows.is_empty(), "{rows:#?}");
}
