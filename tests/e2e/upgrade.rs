//! A running gateway is replaced by another program, and nobody who works through it notices.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_tests::{Gateway, Setup, copy_weir, python, wait_for, weir};

/// A second copy of the binary, as an upgrade has it.
fn copy(gateway: &Gateway) -> PathBuf {
    let path = gateway.dir.join("weir-next");
    copy_weir(&path);
    path
}

/// The links of the only binding that has processes: name, link, program.
fn links(gateway: &Gateway) -> Vec<(String, u64, u64)> {
    let all = gateway.json(&["bindings"]);
    let own = all.as_array().expect("a list").iter().find(|of| of["name"] == *gateway.instance);
    let bindings = own.expect("this instance")["bindings"].as_array().expect("bindings");
    // The canary of a gateway that has just begun is not looked at.
    let sessions = |of: &&Value| of["leaf"].as_str().is_some_and(|leaf| leaf.starts_with("sess-"));
    let links = bindings
        .iter()
        .filter(sessions)
        .flat_map(|binding| binding["links"].as_array().expect("links"));
    let number = |link: &Value, key: &str| link[key].as_u64().expect("an id");
    links
        .map(|link| (link["name"].to_string(), number(link, "link"), number(link, "program")))
        .collect()
}

fn pgbench(gateway: &Gateway, arguments: &[&str]) -> Child {
    let agent = gateway.agent();
    let script = gateway.dir.join("bench.sql");
    std::fs::write(&script, "select 1 as a;\n").expect("a script");
    let script = script.display().to_string();
    let mut all = vec!["-n", "-h", &gateway.host, "-f", &script];
    all.extend(arguments);
    let mut command = agent.command("pgbench", &all);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("weir run")
}

/// How many transactions it made; none failed.
fn done(child: Child) -> u64 {
    let output = child.wait_with_output().expect("an end");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(!err.contains("error") && !err.contains("gone"), "{err}");
    assert!(out.contains("number of failed transactions: 0"), "{out}{err}");
    let line = out
        .lines()
        .find_map(|line| line.strip_prefix("number of transactions actually processed: "));
    let count = line.and_then(|line| line.split('/').next()?.trim().parse().ok());
    count.unwrap_or_else(|| panic!("{out}{err}"))
}

#[test]
fn an_upgrade_under_load_fails_no_statement_and_records_each_once() {
    let mut gateway = Gateway::start(&Setup { class: "disk".to_owned(), ..Setup::default() });
    // Longer than an upgrade takes on a busy host.
    let steady = pgbench(&gateway, &["-c", "4", "-j", "2", "-T", "16"]);
    let churning = pgbench(&gateway, &["-C", "-c", "2", "-T", "16"]);
    std::thread::sleep(Duration::from_secs(3));
    let before = links(&gateway);
    let begun = Instant::now();
    let next = copy(&gateway);
    gateway.replace(&next);
    let took = begun.elapsed();
    let after = wait_for("new programs", Duration::from_secs(5), || {
        let after = links(&gateway);
        let renewed = after.iter().zip(&before).all(|(new, old)| new.2 != old.2);
        (renewed && after.len() == before.len()).then_some(after)
    });
    for (new, old) in after.iter().zip(&before) {
        assert_eq!((&new.0, new.1), (&old.0, old.1), "the links stay");
    }
    assert_eq!((before.len(), after.len()), (32, 32));
    let statements = done(steady) + done(churning);
    let mut old = gateway.replaced().pop().expect("the old gateway");
    let ended = wait_for("the old gateway", Duration::from_secs(10), || old.try_wait().ok()?);
    assert!(ended.success(), "{ended}");
    let log = gateway.log();
    let paused = log.lines().find_map(|line| line.split_once("changed hands paused="));
    println!("{statements} statements, {took:?}, paused {}", paused.map_or("?", |(_, time)| time));

    let rows = gateway.duckdb(
        "select count(*) as n, count(distinct exchange) as once, count(*) filter (status = 'ok') as ok, \
         count(*) filter (subject = 'alice') as alice from exchanges where statement like 'select 1 as a%'",
    );
    for column in ["n", "once", "ok", "alice"] {
        assert_eq!(rows[0][column], statements, "{rows:?}");
    }
    let flows = gateway.duckdb_unsealed(
        "select count(*) as n, count(distinct flow) as once, \
         count(*) filter (close_reason = 'unknown' or closed_at is null) as lost from flows",
    );
    assert_eq!((&flows[0]["n"], &flows[0]["lost"]), (&flows[0]["once"], &Value::from(0)));
    let bad = gateway.duckdb_unsealed(
        "select kind, message from events where kind in ('record.orphan', 'record.recovered', \
         'gateway.upgrade_failed', 'flow.unattributed') or severity = 'error'",
    );
    assert!(bad.is_empty(), "{bad:?}");
    let sessions = gateway.duckdb_unsealed("select end_reason, exit_status from sessions");
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    for session in sessions {
        assert_eq!((&session["end_reason"], &session["exit_status"]), (&"exit".into(), &0.into()));
    }
    assert_eq!(gateway.agent().psql("select 7").ok().out, "7");
}

/// An agent that is told line by line what to do.
struct Puppet {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

const PUPPET: &str = "
import psycopg, sys, threading
host = sys.argv[1]
held = psycopg.connect(host=host, autocommit=True)
print('ready', flush=True)
for line in sys.stdin:
    word, _, sql = line.strip().partition(' ')
    try:
        if word == 'cancelled': threading.Timer(0.5, held.cancel).start()
        connection = held if word in ('held', 'cancelled') else psycopg.connect(host=host, autocommit=True)
        cursor = connection.execute(sql)
        print(cursor.fetchone()[0] if cursor.description else cursor.statusmessage, flush=True)
    except psycopg.Error as error:
        print('failed', str(error).replace('\\n', ' '), flush=True)
";

impl Puppet {
    fn start(gateway: &Gateway) -> Self {
        let python = python::interpreter().display().to_string();
        let mut command = gateway.agent().command(&python, &["-c", PUPPET, &gateway.host]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("weir run");
        let to = child.stdin.take().expect("its input");
        let from = BufReader::new(child.stdout.take().expect("its output"));
        let mut puppet = Self { child, to, from };
        assert_eq!(puppet.line(), "ready");
        puppet
    }

    fn say(&mut self, line: &str) {
        writeln!(self.to, "{line}").expect("a listening agent");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).expect("a line");
        line.trim().to_owned()
    }

    fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.line()
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Speaks the hand-over as a successor does and dies when it has got everything, or at once where
/// its claim differs; prints what it was told.
const SUCCESSOR: &str = "
import json, os, socket, struct, sys
claim = json.loads(sys.argv[2])
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(json.dumps({'request': 'take_over', **claim}).encode() + b'\\n')
answer = json.loads(s.makefile().readline()) if sys.argv[3] == 'refused' else None
if answer:
    print(answer.get('error'))
    sys.exit()
line = b''
while not line.endswith(b'\\n'): line += s.recv(1)
def send(message):
    body = json.dumps(message).encode()
    s.sendall(struct.pack('<II', len(body), 0) + body)
send(None)
count = 0
while True:
    head, files, _, _ = socket.recv_fds(s, 8, 250)
    if not head: break
    length, wanted = struct.unpack('<II', head)
    assert wanted == len(files)
    count += len(files)
    body = b''
    while len(body) < length: body += s.recv(length - len(body))
    if 'Rest' in json.loads(body): break
print('got', count, flush=True)
os.kill(os.getpid(), 9)
";

fn successor(gateway: &Gateway, claim: &Value, end: &str) -> String {
    let socket = gateway.dir.join("control.sock").display().to_string();
    let mut command = std::process::Command::new(python::interpreter());
    command.args(["-c", SUCCESSOR, &socket, &claim.to_string(), end]);
    let output = command.output().expect("python");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!error.contains("Traceback"), "{error}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn claim(gateway: &Gateway) -> Value {
    let attached = gateway.json(&["attach"]);
    serde_json::json!({
        "form": 2, "instance": gateway.instance, "layout": attached["layout"],
        "record": gateway.record, "state": gateway.dir.join("state"),
    })
}

#[test]
fn a_successor_that_dies_before_it_serves_changes_nothing() {
    let gateway = Gateway::start(&Setup::default());
    let mut agent = Puppet::start(&gateway);
    assert_eq!(agent.ask("held select 1"), "1");
    for _ in 0..3 {
        let got = successor(&gateway, &claim(&gateway), "dies");
        // The control socket, two locks, the way to the record; a connection of weir run's; at least
        // one listener each for TCP and DNS.
        let count: u32 = got.strip_prefix("got ").expect(&got).parse().expect("a number");
        assert!(count >= 7, "{got}");
        assert_eq!(agent.ask("held select 2"), "2", "what was open goes on");
        assert_eq!(agent.ask("new select 3"), "3", "and so does what is new");
    }
    let program = PathBuf::from("/bin/false");
    let refused = gateway.weir(&["upgrade", "--binary"]).arg(program).output().expect("weir");
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(error.contains("ended before it had taken over"), "{error}");
    assert_eq!(agent.ask("held select 4"), "4");
    let rows =
        gateway.duckdb("select statement, count(*) as n from exchanges group by all order by all");
    let counts: Vec<u64> = rows.iter().filter_map(|row| row["n"].as_u64()).collect();
    assert_eq!(counts, [1, 3, 3, 1], "{rows:?}");
    let failed =
        gateway.duckdb_unsealed("select 1 from events where kind = 'gateway.upgrade_failed'");
    assert_eq!(failed.len(), 3);
}

#[test]
fn a_successor_that_is_something_else_is_refused_with_the_reason() {
    let gateway = Gateway::start(&Setup::default());
    let ours = claim(&gateway);
    for (key, other, said) in [
        ("form", Value::from(0), "the form of the hand-over differs"),
        ("layout", Value::from("v1-0"), "the layout of the kernel's maps differs"),
        ("instance", Value::from("other"), "the instance differs"),
        ("record", Value::from("/elsewhere"), "the record's directory differs"),
        ("state", Value::from("/elsewhere"), "the state directory differs"),
    ] {
        let mut theirs = ours.clone();
        theirs[key] = other;
        let error = successor(&gateway, &theirs, "refused");
        assert!(error.contains(said) && error.contains("cut off in between"), "{error}");
    }
    let mut agent = gateway.agent().command(&weir().display().to_string(), &["upgrade"]);
    let output = agent.env("WEIR_CONFIG", gateway.config()).output().expect("weir run");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("from inside an agent's session is refused"), "{error}");
    assert_eq!(gateway.agent().psql("select 7").ok().out, "7");
}

#[test]
fn an_old_gateway_that_dies_while_it_drains_takes_only_its_own_connections_along() {
    let mut gateway = Gateway::start(&Setup::default());
    let mut agent = Puppet::start(&gateway);
    assert_eq!(agent.ask("held select 1"), "1");
    let next = copy(&gateway);
    gateway.replace(&next);
    assert_eq!(agent.ask("held select 2"), "2", "the old one serves it, the new one records it");
    assert_eq!(agent.ask("new select 3"), "3");
    // The request comes to the new one and means a connection of the old one's.
    let cancelled = agent.ask("cancelled select count(*) from generate_series(1, 60000000) g");
    assert!(cancelled.contains("canceling statement"), "{cancelled}");
    let again = gateway.replacing(&next).wait().expect("an end");
    assert!(!again.success(), "one replacement at a time");
    let old = gateway.replaced().first_mut().expect("the old gateway");
    old.kill().expect("kill");
    old.wait().expect("an end");
    assert!(agent.ask("held select 4").starts_with("failed"));
    assert_eq!(agent.ask("new select 5"), "5");
    let closed = wait_for("the end of its flow", Duration::from_secs(5), || {
        let rows = gateway.duckdb(
            "select close_reason from flows where close_reason = 'the gateway that served it ended'",
        );
        (!rows.is_empty()).then_some(rows.len())
    });
    assert_eq!(closed, 1);
    let rows = gateway.duckdb_unsealed(
        "select statement from exchanges where statement not like '%series%' order by asked_at",
    );
    let statements: Vec<&str> = rows.iter().filter_map(|row| row["statement"].as_str()).collect();
    assert_eq!(statements, ["select 1", "select 2", "select 3", "select 5"]);
    // Now another replacement may come.
    gateway.replace(&next);
    assert_eq!(agent.ask("new select 6"), "6");
}

#[test]
fn a_new_gateway_that_dies_leaves_nobody_who_serves_unrecorded() {
    let mut gateway = Gateway::start(&Setup::default());
    let mut agent = Puppet::start(&gateway);
    let next = copy(&gateway);
    gateway.replace(&next);
    assert_eq!(agent.ask("held select 1"), "1");
    gateway.kill();
    let mut old = gateway.replaced().pop().expect("the old gateway");
    wait_for("the old gateway's end", Duration::from_secs(10), || old.try_wait().ok()?);
    assert!(agent.ask("held select 2").starts_with("failed"));
    assert!(agent.ask("new select 3").starts_with("failed"), "cut off until a gateway is back");
    gateway.spawn();
    assert_eq!(agent.ask("new select 4"), "4");
    let rows = gateway.duckdb("select statement, subject from exchanges order by asked_at");
    let told: Vec<_> = rows.iter().map(|row| (&row["statement"], &row["subject"])).collect();
    let (first, last) = (Value::from("select 1"), Value::from("select 4"));
    assert_eq!(told, [(&first, &"alice".into()), (&last, &"alice".into())]);
}

#[test]
fn an_upgrade_waits_for_what_is_held_and_ends_sessions_in_both() {
    let gateway = Gateway::start(&Setup::default());
    let mut agent = Puppet::start(&gateway);
    agent.say("held delete from orders");
    let hold = wait_for("a hold", Duration::from_secs(10), || {
        gateway.json(&["holds"]).as_array()?.first().cloned()
    });
    let next = copy(&gateway);
    let mut upgrade = gateway.weir(&["upgrade", "--binary"]);
    let mut upgrade = upgrade.arg(&next).stdout(Stdio::piped()).spawn().expect("weir upgrade");
    std::thread::sleep(Duration::from_secs(1));
    assert!(upgrade.try_wait().expect("its status").is_none(), "a statement is held");
    gateway.ask(&["holds", "approve", hold["id"].as_str().expect("an id")]);
    assert_eq!(agent.line(), "DELETE 500");
    let output = upgrade.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("took over as process"), "{said}");
    let heir = said.split_whitespace().last().expect("a number").to_owned();

    // A hold can't be opened in the old one any more, and the agent is told what to do.
    let held = agent.ask("held delete from customers");
    assert!(held.contains("connect again"), "{held}");
    assert_eq!(agent.ask("held select 1"), "1");
    // The session belongs to the new one; its end reaches the old one's connections.
    let session = gateway.duckdb("select distinct session from exchanges")[0]["session"].clone();
    assert!(session.is_string());
    agent.child.kill().expect("kill");
    let old = gateway.pid();
    wait_for("the old gateway to end", Duration::from_secs(15), || {
        std::fs::read_to_string(format!("/proc/{old}/stat"))
            .map_or(Some(()), |stat| stat.contains(") Z ").then_some(()))
    });
    let told = std::process::Command::new("kill").args(["-TERM", &heir]).status();
    assert!(told.expect("kill").success());
    wait_for("the new gateway to end", Duration::from_secs(15), || {
        (!PathBuf::from(format!("/proc/{heir}")).exists()).then_some(())
    });
}
