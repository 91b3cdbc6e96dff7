//! Calls of functions by number: large objects are decided like their names in SQL, all others wait.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;
use weir_tests::{Gateway, Setup, python, wait_for};

/// A client that speaks the protocol by itself: `call(number, ...)` with texts as arguments says what came
/// back, and `wait` goes on when the test says so.
const CLIENT: &str = "import socket, struct, sys\n\
    s = socket.create_connection((sys.argv[1], 5432)); f = s.makefile('rb')\n\
    def answer():\n\
    \x20 said = []\n\
    \x20 while True:\n\
    \x20   tag = f.read(1); body = f.read(struct.unpack('!i', f.read(4))[0] - 4)\n\
    \x20   if tag == b'V': said.append('V ' + body[4:].decode())\n\
    \x20   if tag == b'E': said += [x[1:].decode() for x in body.split(b'\\0') if x[:1] == b'C']\n\
    \x20   if tag == b'Z': return said\n\
    def send(tag, body): s.sendall(tag + struct.pack('!i', len(body) + 4) + body)\n\
    def query(text): send(b'Q', text.encode() + b'\\0'); return answer()\n\
    def call(number, *arguments):\n\
    \x20 body = struct.pack('!ihh', number, 0, len(arguments))\n\
    \x20 for a in arguments: body += struct.pack('!i', len(a)) + a.encode()\n\
    \x20 send(b'F', body + struct.pack('!h', 0)); print(answer(), flush=True)\n\
    def wait(): sys.stdin.readline()\n\
    send(b'', struct.pack('!i', 196608) + b'user\\0app\\0database\\0' + sys.argv[2].encode() + b'\\0\\0'); answer()\n";

fn start(gateway: &Gateway, script: &str) -> Child {
    let python = python::interpreter().display().to_string();
    let script = format!("{CLIENT}{script}");
    let arguments = ["-c", &script, &gateway.host, &gateway.postgres.database];
    let mut command = gateway.agent().command(&python, &arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("weir run")
}

fn waiting(gateway: &Gateway) -> Value {
    wait_for("a hold", Duration::from_secs(10), || {
        gateway.json(&["holds"]).as_array().and_then(|holds| holds.first().cloned())
    })
}

fn lines(child: Child) -> Vec<String> {
    let output = child.wait_with_output().expect("an end");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{err}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn large_objects_by_number_are_decided_like_their_names_in_sql() {
    let gateway = Gateway::start(&Setup::default());
    let make = "select lo_from_bytea(4242, 'kept'); alter large object 4242 owner to app";
    gateway.postgres.direct(make);
    // lo_get and lo_unlink, then one that is gone.
    let child = start(&gateway, "call(3458, '4242'); call(964, '4242'); call(3458, '4242')");
    assert_eq!(lines(child), ["['V \\\\x6b657074']", "['V 1']", "['42704']"]);
    let left = gateway.postgres.direct("select count(*) from pg_largeobject_metadata");
    assert_eq!(left, "0");
    let rows = gateway.duckdb(
        "select statement, effect, verdict from exchanges where statement like 'FunctionCall%' order by asked_at",
    );
    let shown: Vec<String> = rows
        .iter()
        .map(|row| {
            format!("{} {} {}", row["statement"], row["effect"], row["verdict"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        shown,
        [
            "FunctionCall 3458 read allow",
            "FunctionCall 964 write allow",
            "FunctionCall 3458 read allow"
        ]
    );
}

#[test]
fn any_other_call_by_number_is_held_with_its_arguments() {
    let gateway = Gateway::start(&Setup::default());
    let file = format!("/tmp/weir-exported-{}", std::process::id());
    let child = start(&gateway, &format!("call(765, '4242', '{file}')"));
    let hold = waiting(&gateway);
    assert_eq!(hold["statement"], "FunctionCall 765");
    let id = hold["id"].as_str().expect("an id");
    let shown = gateway.json(&["holds", "show", id]);
    assert_eq!(shown["parameters"], serde_json::json!(["4242", file]), "{shown:#}");
    gateway.ask(&["holds", "deny", id]);
    assert_eq!(lines(child), ["['42501']"]);
    assert!(!std::path::Path::new(&file).exists());
}

#[test]
fn an_approved_call_by_number_is_no_other_call() {
    let gateway = Gateway::start(&Setup::default());
    // length, in a transaction, so that the hold soon becomes a ticket; then other arguments, another
    // function (md5), and at last what was approved.
    let child = start(
        &gateway,
        "query('begin'); call(1317, 'ABC'); query('rollback'); wait(); query('begin')\n\
         call(1317, 'XYZ'); query('rollback'); query('begin'); call(2311, 'ABC'); query('rollback')\n\
         query('begin'); call(1317, 'ABC')",
    );
    let mut child = child;
    let hold = waiting(&gateway);
    std::thread::sleep(Duration::from_secs(6));
    gateway.ask(&["holds", "approve", hold["id"].as_str().expect("an id")]);
    child.stdin.take().expect("stdin").write_all(b"\n").expect("a line");
    assert_eq!(lines(child), ["['42501']", "['42501']", "['42501']", "['V 3']"]);
}
