//! Attacks on the gate that a review found: each speaks the protocol itself and once got through.

use weir_tests::{Gateway, Setup, python};

/// A client of raw messages; `ask` sends bytes and reads until `ready` ReadyForQuery messages came.
const RAW: &str = r#"
import socket, struct, sys
def msg(t, b): return t + struct.pack('!I', len(b) + 4) + b
def Q(x): return msg(b'Q', x.encode() + b'\0')
def P(n, x): return msg(b'P', n.encode() + b'\0' + x.encode() + b'\0\0\0')
def B(p, s): return msg(b'B', p.encode() + b'\0' + s.encode() + b'\0' + b'\0' * 6)
def D(k, n): return msg(b'D', k.encode() + n.encode() + b'\0')
def E(p): return msg(b'E', p.encode() + b'\0' + b'\0' * 4)
def C(k, n): return msg(b'C', k.encode() + n.encode() + b'\0')
S = msg(b'S', b'')
class Talk:
    def __init__(self, **more):
        self.s = socket.create_connection((sys.argv[1], 5432)); self.s.settimeout(4)
        pairs = {'user': 'x', 'database': 'x', **more}
        body = struct.pack('!I', 196608) + b''.join(k.encode() + b'\0' + v.encode() + b'\0' for k, v in pairs.items()) + b'\0'
        self.s.sendall(struct.pack('!I', len(body) + 4) + body); self.left = b''; self.read(1)
    def read(self, ready):
        got = b''
        try:
            while ready:
                while len(self.left) < 5 or len(self.left) < 1 + struct.unpack('!I', self.left[1:5])[0]:
                    more = self.s.recv(65536)
                    if not more: return got + self.left + b' CLOSED'
                    self.left += more
                n = 1 + struct.unpack('!I', self.left[1:5])[0]
                m, self.left = self.left[:n], self.left[n:]
                got += m
                if m[:1] == b'Z': ready -= 1
        except (TimeoutError, OSError): got += b' TIMEOUT'
        return got
    def ask(self, data, ready=1): self.s.sendall(data); return self.read(ready)
"#;

pub(crate) fn attack(gateway: &Gateway, script: &str) -> String {
    let interpreter = python::interpreter().display().to_string();
    let script = format!("{RAW}\nsaid = b''\n{script}\nprint(repr(said))\n");
    gateway.agent().run(&interpreter, &["-c", &script, &gateway.host]).ok().out
}

#[test]
fn settings_that_change_how_sql_is_read_are_fixed_at_start() {
    let gateway = Gateway::start(&Setup::default());
    let said = attack(
        &gateway,
        r#"
try:
    t = Talk(options='-c standard_conforming_strings=off')
    said = t.ask(Q("set standard_conforming_strings=on"))
    said += t.ask(Q("reset standard_conforming_strings") + Q("select 'a\\' , '; drop table orders cascade; select ' -- '"), 2)
except OSError: pass
for more in ({'standard_conforming_strings': 'off'}, {'client_encoding': 'SJIS'}, {'options': '--session-authorization=postgres'}):
    try: t = Talk(**more); said += t.ask(Q("select 'let in'"))
    except OSError: pass
"#,
    );
    assert!(!said.contains("DROP TABLE") && !said.contains("let in"), "{said}");
    assert_eq!(gateway.postgres.direct("select count(*) from orders"), "500");
    // What the server or the role says by default is no way around either.
    gateway.postgres.direct("alter role app set standard_conforming_strings = off");
    let said = gateway.agent().psql("show standard_conforming_strings");
    gateway.postgres.direct("alter role app reset standard_conforming_strings");
    assert_eq!(said.ok().out, "on");
}

#[test]
fn letters_of_another_encoding_are_not_taken_for_utf_8() {
    let gateway = Gateway::start(&Setup::default());
    for begin in [
        "t = Talk(client_encoding='latin1')",
        "t = Talk(); t.ask(Q('set client_encoding = latin1'))",
    ] {
        let ask = |sql: &str| attack(&gateway, &format!("{begin}; said = t.ask(Q(\"{sql}\"))"));
        let said = ask("select 'let in'");
        assert!(said.contains("let in"), "{begin}: {said}");
        // Two letters to the server, and one here.
        let said = ask("select 'let in \u{e9}'");
        assert!(said.contains("waiting for approval"), "{begin}: {said}");
    }
    // Before the target has said that it changed, in one write.
    let script = "t = Talk(); said = t.ask(Q('set client_encoding = latin1') + Q(\"select 'let in \u{e9}'\"), 2)";
    let said = attack(&gateway, script);
    assert!(said.contains("waiting for approval"), "{said}");
    let said = attack(&gateway, "t = Talk(); said = t.ask(Q(\"select 'let in \u{e9}'\"))");
    assert!(said.contains("SELECT 1"), "{said}");
    for (asked, spoken) in [("eucjp", "EUC_JP"), ("KOI8", "KOI8R"), ("euc-kr", "EUC_KR")] {
        let script =
            format!("t = Talk(client_encoding='{asked}'); said = t.ask(Q('show client_encoding'))");
        assert!(attack(&gateway, &script).contains(spoken), "{asked}");
    }
}

#[test]
fn a_name_does_not_change_its_meaning_between_sql_and_protocol() {
    let gateway = Gateway::start(&Setup::default());
    for script in [
        "t = Talk(); t.ask(Q('prepare d as select 1')); t.ask(C('S', 'd') + P('d', 'delete from orders') + S); said = t.ask(Q('execute d'))",
        "t = Talk(); t.ask(P('p', 'delete from orders') + S); t.ask(Q('prepare p as select 1')); said = t.ask(Q('execute p'))",
        "t = Talk(); t.ask(P('p', 'delete from orders') + S); t.ask(Q('deallocate nope')); t.ask(Q('begin')); t.ask(Q('nonsense')); t.ask(Q('deallocate p')); t.ask(Q('rollback')); t.ask(Q('prepare p as select 1')); said = t.ask(Q('execute p'))",
    ] {
        let said = attack(&gateway, script);
        assert!(!said.contains("DELETE 500"), "{script}: {said}");
        assert_eq!(gateway.postgres.direct("select count(*) from orders"), "500", "{script}");
    }
}

#[test]
fn portals_and_cursors_keep_what_went_into_them() {
    let gateway = Gateway::start(&Setup::default());
    for script in [
        "t = Talk(); t.ask(Q('begin')); t.ask(P('s', 'select reverse(email) from customers where id = 5') + B('p1', 's') + S); said = t.ask(Q('fetch all from p1'))",
        "t = Talk(); t.ask(Q('begin')); t.ask(P('s', \"select 'a' || ''\") + B('p1', 's') + D('P', 'p1') + S); t.ask(Q('close p1')); t.ask(Q('declare p1 cursor for select reverse(email) from customers where id = 5')); said = t.ask(E('p1') + S)",
    ] {
        let said = attack(&gateway, script);
        assert!(!said.contains("moc.elpmaxe"), "{script}: {said}");
    }
}

#[test]
fn values_do_not_leave_by_errors_statistics_stores_or_locks() {
    let gateway = Gateway::start(&Setup::default());
    gateway.postgres.direct("analyze customers");
    for sql in [
        "delete from orders where id = (select reverse(email)::int from customers where id = 5)",
        "select encode(email::bytea, 'escape')::regclass from customers where id = 5",
        "select current_setting(reverse(email)) from customers where id = 5",
        "update customers set name = null where id = 5",
        "update customers set note = reverse(excluded.email) from customers as excluded where customers.id = 7 and excluded.id = 5 returning note",
    ] {
        let said = gateway
            .agent()
            .run("timeout", &["2", "psql", "-X", "-A", "-t", "-h", &gateway.host, "-c", sql]);
        let text = format!("{}{}", said.out, said.err);
        assert!(!text.contains("moc.elpmaxe") && !text.contains("customer5@ex"), "{sql}: {text}");
    }
    let database = &gateway.postgres.database;
    let statistics = format!(
        "select reverse(histogram_bounds::text) from {database}.pg_catalog.pg_stats where attname = 'email'"
    );
    let said = gateway.agent().psql(&statistics);
    assert!(said.err.contains("prod.no-statistics"), "{said:#?}");
    let locks = "select pg_advisory_lock(i, ascii(substr(email, i, 1))) from customers, generate_series(1, 21) i where id = 5";
    let said =
        gateway.agent().run("timeout", &["2", "psql", "-X", "-h", &gateway.host, "-c", locks]);
    assert_ne!(said.status, Some(0), "{said:#?}");
}

#[test]
fn a_deep_pipeline_does_not_stall_the_others() {
    let gateway = Gateway::start(&Setup::default());
    let begin = std::time::Instant::now();
    let said = attack(
        &gateway,
        "t = Talk(); t.s.settimeout(60); t.ask(P('s', 'select 1') + S); said = b'%d' % t.ask((B('', 's') + E('') + S) * 4000, 4000).count(b'SELECT 1')",
    );
    assert!(said.contains("4000"), "{said}");
    assert!(begin.elapsed().as_secs() < 45, "{:?}", begin.elapsed());
}

/// Whether a name is there is the server's to say, in its own words and with its own state; what SQL made
/// under a name is not run by the protocol.
#[test]
fn unknown_names_are_the_servers_to_tell_and_names_of_sql_are_refused() {
    let gateway = Gateway::start(&Setup::default());
    let said = attack(
        &gateway,
        r#"
import re
def told(got):
    fields = [(m[1].decode(), m[2].decode()) for m in re.finditer(rb'C(\w{5})\0M([^\0]*)\0', got)]
    return fields, 'rule weir.unknown-name' in got.decode(errors='replace'), chr(got[-1]), b'5,customer' in got
t = Talk()
t.ask(P('known', 'select 1') + S)
said = []
for data in (B('', 'nope') + D('P', '') + E('') + S, B('', '') + E('') + S, E('nope') + S, E('') + S,
             B('', 'known') + E('') + B('', 'nope') + E('') + S):
    said.append(told(t.ask(data)))
t.ask(Q('begin'))
said.append(told(t.ask(B('', 'nope') + S))); said.append(told(t.ask(B('', 'nope') + S)))
t.ask(Q('rollback'))
t.ask(Q("prepare mine as select '5,customer'")); t.ask(Q('begin'))
t.ask(Q("declare c cursor for select '5,customer'"))
said.append(told(t.ask(E('c') + S)))
t.ask(Q('rollback'))
said.append(told(t.ask(B('', 'mine') + E('') + S)))
t.ask(P('', "select '5,customer'") + S); t.ask(P('x', 'deallocate all') + B('y', 'x') + E('y') + S)
said.append(told(t.ask(B('', 'x') + E('') + S)))
said = '\n'.join(map(str, said))
"#,
    );
    let said = said.trim_matches(['\'', '"']).replace("\\n", "\n").replace("\\'", "'");
    let own = |code: &str, text: &str, state: char| {
        format!("([('{code}', '{text}')], False, '{state}', False)")
    };
    let refused = |code: &str, kind: &str, state: char| {
        format!("([('{code}', '{kind} does not exist here')], True, '{state}', False)")
    };
    let nope = "prepared statement \"nope\" does not exist";
    let expected = [
        own("26000", nope, 'I'),
        own("26000", "unnamed prepared statement does not exist", 'I'),
        own("34000", "portal \"nope\" does not exist", 'I'),
        own("34000", "portal \"\" does not exist", 'I'),
        own("26000", nope, 'I'),
        own("26000", nope, 'E'),
        own("26000", nope, 'E'),
        refused("34000", "portal", 'E'),
        refused("26000", "prepared statement", 'I'),
        own("26000", "prepared statement \"x\" does not exist", 'I'),
    ];
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said, expected);
}
