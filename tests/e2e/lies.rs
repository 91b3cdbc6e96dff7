//! A target that lies: the client gets an error or nothing, other connections go on, memory stays.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use weir_tests::liar::{Conversation, Liar, complete, description, message, ready, row};
use weir_tests::{Agent, Gateway, Setup, python};

/// Sends each text as a query on a connection of its own (`x:` before it: as a prepared statement), and
/// prints the types of the messages that came, and the SQLSTATE of the error among them.
const ASK: &str = "import re, socket, struct, sys
def m(tag, body): return tag + struct.pack('!I', len(body) + 4) + body
def tags(data):
    out = ''
    while len(data) >= 5:
        out += chr(data[0]); data = data[1 + struct.unpack('!I', data[1:5])[0]:]
    return out
for text in sys.argv[2:]:
    s = socket.create_connection(('liar.test', int(sys.argv[1]))); s.settimeout(20)
    body = struct.pack('!I', 196608) + b'user\\0x\\0database\\0x\\0\\0'
    s.sendall(struct.pack('!I', len(body) + 4) + body)
    got = b''
    def read(until):
        global got
        try:
            while not got.endswith(until):
                more = s.recv(65536)
                if not more: return 'closed'
                got += more
            return 'ready'
        except TimeoutError: return 'silent'
        except OSError: return 'closed'
    end = read(b'Z\\0\\0\\0\\5I')
    if end == 'ready':
        got, sql = b'', text.removeprefix('x:').encode() + b'\\0'
        if text.startswith('x:'):
            s.sendall(m(b'P', b'\\0' + sql + b'\\0\\0') + m(b'B', b'\\0\\0' + b'\\0' * 6)
                      + m(b'D', b'P\\0') + m(b'E', b'\\0\\0\\0\\0\\0') + m(b'S', b''))
        else: s.sendall(m(b'Q', sql))
        end = read(b'Z\\0\\0\\0\\5I')
        if end == 'ready':
            s.settimeout(0.5)  # for what should not come
            try:
                more = s.recv(65536)
                got, end = got + more, 'closed'
            except TimeoutError: pass
    code = re.search(b'C([0-9A-Z]{5})\\0', got)
    print(tags(got), code and code[1].decode(), end, 'PLANTED' if b'planted' in got else '-')
    s.close()
";

fn ask(agent: &Agent<'_>, liar: &Liar, texts: &[&str]) -> Vec<String> {
    let (python, port) = (python::interpreter().display().to_string(), liar.port.to_string());
    let arguments = [&["-c", ASK, &port], texts].concat();
    let said = agent.run(&python, &arguments).ok();
    said.out.lines().map(str::to_owned).collect()
}

/// MiB that the gateway holds, without the pages of the record that it has mapped.
pub fn resident(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid()));
    let status = status.expect("a process");
    let line = status.lines().find(|line| line.starts_with("RssAnon")).expect("its memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("KiB") >> 10
}

fn start(liar: &Liar, more: &str) -> Gateway {
    let extra = format!("{}{more}", liar.target());
    Gateway::start(&Setup { extra, ..Setup::default() })
}

fn lives_on(gateway: &Gateway) {
    assert_eq!(gateway.agent().psql("select 1").ok().out, "1");
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
}

/// What is said to a query, and what the client is left with: types of messages, SQLSTATE.
fn lies() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let shape = || description(&[("a", 0, 0), ("b", 0, 0)]);
    let good = || row(&["1", "2"]);
    let end = || [complete("SELECT 1"), ready()].concat();
    let head = |tag: u8, length: u32| [&[tag], &length.to_be_bytes()[..]].concat();
    let counted = |count: u16, rest: &[u8]| message(b'T', &[&count.to_be_bytes(), rest].concat());
    let error = message(b'E', b"SERROR\0C22012\0Mno\0\0");
    let broken = [shape(), good(), message(b'D', &error), error];
    vec![
        ("select 'as it should be'", [shape(), good(), end()].concat(), "TDCZ None ready -"),
        (
            "select 'more cells'",
            [shape(), row(&["planted", "2", "3"])].concat(),
            "TE 42501 closed -",
        ),
        ("select 'fewer cells'", [shape(), row(&["planted"])].concat(), "TE 42501 closed -"),
        ("select 'no description'", row(&["planted", "2"]), "E 42501 closed -"),
        ("select 'a negative count'", counted(0xffff, b""), "E 08P01 closed -"),
        ("select 'a huge count'", counted(0x7fff, &[0; 19]), "E 08P01 closed -"),
        ("select 'too many'", counted(1665, &[0; 19 * 1665]), "E 08P01 closed -"),
        ("select 'length 0'", head(b'D', 0), "E 08P01 closed -"),
        ("select 'length 3'", head(b'D', 3), "E 08P01 closed -"),
        ("select 'length 2 GiB'", head(b'D', 1 << 31), "E 08P01 closed -"),
        (
            "select 'a row of 1 GiB'",
            [shape(), head(b'D', (1 << 30) - 1)].concat(),
            "TE 42501 closed -",
        ),
        ("select 'ready twice'", [end(), ready()].concat(), "CZE 08P01 closed -"),
        (
            "x:select 'complete twice'",
            [parsed(), complete("SELECT 1"), end()].concat(),
            "12TCE 08P01 closed -",
        ),
        ("select 'a parse'", message(b'1', b""), "E 08P01 closed -"),
        ("select 'a bind'", message(b'2', b""), "E 08P01 closed -"),
        ("select 'copied'", message(b'd', b"planted\n"), "E 08P01 closed -"),
        ("select 'copying'", [copying(), message(b'd', b"planted\n")].concat(), "E 08P01 closed -"),
        (
            "copy orders to stdout",
            [copying(), message(b'd', b"fine\n"), message(b'c', b""), end()].concat(),
            "HdcCZ None ready -",
        ),
        (
            "copy orders to stdout ",
            [copying(), message(b'c', b""), message(b'd', b"planted\n")].concat(),
            "HcE 08P01 closed -",
        ),
        ("select 'copy in'", message(b'G', &[0, 0, 0]), "E 08P01 closed -"),
        ("select 'replication'", message(b'W', &[0, 0, 0]), "E 08P01 closed -"),
        ("select 'start-up'", message(b'R', &[0, 0, 0, 3]), "E 08P01 closed -"),
        ("select 'no such type'", message(b'?', b"planted"), "E 08P01 closed -"),
        ("select 'an error within a row'", broken.concat(), "TDE 08P01 closed -"),
        ("select 'half an error'", message(b'E', b"SERROR\0C22012"), "E 08P01 closed -"),
    ]
}

fn parsed() -> Vec<u8> {
    [message(b'1', b""), message(b'2', b""), description(&[("a", 0, 0)])].concat()
}

fn copying() -> Vec<u8> {
    message(b'H', &[0, 0, 1, 0, 0])
}

#[test]
fn what_does_not_fit_ends_its_own_connection() {
    let lies = lies();
    let said: Vec<(&str, Vec<u8>)> =
        lies.iter().map(|(text, bytes, _)| (*text, bytes.clone())).collect();
    let liar = Liar::answering(move |text| {
        let found = said.iter().find(|(lie, _)| lie.trim_start_matches("x:") == text);
        found.map(|(_, bytes)| bytes.clone()).unwrap_or_default()
    });
    let gateway = start(&liar, "");
    let texts: Vec<&str> = lies.iter().map(|(text, ..)| *text).collect();
    let heard = ask(&gateway.agent(), &liar, &texts);
    let expected: Vec<String> =
        lies.iter().map(|(text, _, heard)| format!("{text}: {heard}")).collect();
    let heard: Vec<String> =
        texts.iter().zip(heard).map(|(text, heard)| format!("{text}: {heard}")).collect();
    assert_eq!(heard, expected);
    lives_on(&gateway);
}

/// A target has the values, and could show them under any name; but where it says a column's true origin,
/// or one that nobody knows, the value is hidden, and no number of a table's does any harm.
#[test]
fn origins_that_lie_are_no_more_than_a_target_can_do() {
    let columns = || {
        let columns = description(&[("oid", 0, 0); 7]);
        let rows = ["email", "id"]
            .iter()
            .zip(["2", "1"])
            .map(|(name, place)| row(&["20001", "public", "customers", place, name, "25", "r"]));
        let rows: Vec<u8> = rows.flatten().collect();
        let empty = [description(&[("a", 0, 0); 3]), complete("SELECT 0")].concat();
        [columns, rows, complete("SELECT 2"), empty.repeat(3)].concat()
    };
    let liar = Liar::with_columns(columns, |text| {
        let end = [complete("SELECT 1"), ready()].concat();
        let (table, column) = match text.rsplit_once("--") {
            Some((_, "true")) => (20_001, 2),
            Some((_, "stranger")) => (20_002, 2),
            Some((_, "no such column")) => (20_001, -7),
            Some((_, "last")) => (u32::MAX, i16::MAX),
            _ => (0, 0),
        };
        [description(&[("email", table, column)]), row(&["planted"]), end].concat()
    });
    let column = "[[column]]\ntarget = \"liar\"\ntable = \"public.customers\"\n\
                  columns = [\"email\"]\nclasses = [\"pii\"]\n";
    let gateway = start(&liar, column);
    let texts = ["true", "stranger", "no such column", "last"];
    let texts = texts.map(|lie| format!("select email from customers --{lie}"));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for heard in ask(&gateway.agent(), &liar, &texts) {
        assert_eq!(heard, "TDCZ None ready -");
    }
    lives_on(&gateway);
}

#[test]
fn a_log_in_that_lies_ends_with_an_error() {
    let sasl = || message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0");
    let answered = |conversation: &mut Conversation| conversation.read().map(drop);
    for (name, script) in [
        ("unknown", vec![message(b'R', &[0, 0, 0, 99])]),
        ("half", vec![message(b'R', &[0, 0])]),
        ("ready", vec![ready()]),
        ("continued", vec![message(b'R', b"\0\0\0\x0br=x")]),
        ("final", vec![message(b'R', b"\0\0\0\x0cv=x")]),
        ("row", vec![message(b'R', &[0; 4]), row(&["planted"])]),
        ("twice", vec![message(b'R', &[0; 4]), message(b'R', &[0; 4]), ready()]),
        ("long", vec![message(b'S', &[b'x'; 70_000])]),
        // Who does not prove that it knows the password has not.
        ("unproven", vec![sasl(), message(b'R', &[0; 4]), ready()]),
        ("again", vec![message(b'R', &[0, 0, 0, 3]), message(b'R', b"\0\0\0\x05salt")]),
    ] {
        let liar = Liar::start(move |conversation| {
            for message in &script {
                conversation.say(message)?;
                if message.starts_with(b"R")
                    && message.get(8).is_some_and(|kind| [3, 10].contains(kind))
                {
                    answered(conversation)?;
                }
            }
            answered(conversation)
        });
        let gateway = start(&liar, "");
        let heard = ask(&gateway.agent(), &liar, &["select 1"]);
        assert_eq!(heard, ["E 08006 closed -"], "{name}");
        lives_on(&gateway);
    }
}

#[test]
fn floods_take_bounded_memory() {
    let liar = Liar::start(|conversation| {
        let setting = message(b'S', format!("a.b\0{}\0", "x".repeat(30_000)).as_bytes());
        let notice = message(b'N', b"SNOTICE\0C00000\0Mno\0\0");
        conversation.say(&message(b'R', &[0; 4]))?;
        loop {
            conversation.say(&setting)?;
            conversation.say(&notice)?;
        }
    });
    let gateway = start(&liar, "");
    let before = resident(&gateway);
    let heard = ask(&gateway.agent(), &liar, &["select 1"]);
    assert_eq!(heard, ["E 08006 closed -"]);
    assert!(resident(&gateway) < before + 48, "{} MiB after {before}", resident(&gateway));
    lives_on(&gateway);
}

/// Each of 64 statements is told the name of a column that is 8 MiB long: what is in work takes some times that,
/// and nothing is kept.
#[test]
fn descriptions_take_bounded_memory() {
    let liar = Liar::answering(|_| {
        let name = "x".repeat(8 << 20);
        [description(&[(&name, 0, 0)]), complete("SELECT 0"), ready()].concat()
    });
    let gateway = start(&liar, "");
    let script = "import socket, struct, sys
s = socket.create_connection(('liar.test', int(sys.argv[1]))); s.settimeout(60)
body = struct.pack('!I', 196608) + b'user\\0x\\0database\\0x\\0\\0'
s.sendall(struct.pack('!I', len(body) + 4) + body)
def ready():
    last, count = b'', 0
    while not last.endswith(b'Z\\0\\0\\0\\5I'):
        more = s.recv(1 << 20); assert more
        count += len(more); last = (last + more)[-6:]
    return count
ready()
for n in range(64):
    text = b\"select 'n%d'\\0\" % n
    s.sendall(b'Q' + struct.pack('!I', len(text) + 4) + text)
    assert ready() > 8 << 20
print('heard', flush=True)
sys.stdin.readline()";
    let before = resident(&gateway);
    let (python, port) = (python::interpreter().display().to_string(), liar.port.to_string());
    let mut command = gateway.agent().command(&python, &["-c", script, &port]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("weir run");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("its output"));
    out.read_line(&mut line).expect("a line");
    assert_eq!(line, "heard\n");
    assert!(resident(&gateway) < before + 320, "{} MiB after {before}", resident(&gateway));
    drop(child.stdin.take());
    assert!(child.wait().expect("an end").success());
    lives_on(&gateway);
}
