//! The rarer parts of the protocol: notifications, large objects, binary COPY, portals that are read in
//! pieces.

use std::sync::OnceLock;

use weir_tests::postgres::Version;
use weir_tests::{Gateway, Setup};

/// A gateway whose policy permits everything, approvals included.
pub(crate) fn permissive(version: Version) -> Gateway {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "@id(\"test.all\")\npermit (principal, action, resource);\n";
        std::fs::write(folder.path().join("policy.cedar"), text).expect("a policy");
        folder
    });
    let policy = folder.path().join("policy.cedar");
    let extra = format!("[policy]\nfiles = [\"{}\"]", policy.display());
    Gateway::start(&Setup { version, extra, ..Setup::default() })
}

#[test]
fn notifications_arrive_and_are_masked() {
    for version in Version::ALL {
        let gateway = Gateway::start(&Setup { version, ..Setup::default() });
        let said = gateway.agent().python(
            "import psycopg, sys\n\
             a = psycopg.connect(host=sys.argv[1], autocommit=True)\n\
             b = psycopg.connect(host=sys.argv[1], autocommit=True)\n\
             a.execute('listen jobs')\n\
             b.execute(\"notify jobs, 'first'\")\n\
             b.execute(\"select pg_notify('jobs', 'customer5@example.com')\")\n\
             for n in a.notifies(timeout=10, stop_after=2): print(n.channel, n.payload)\n\
             a.execute('unlisten *')\n\
             b.execute(\"notify jobs, 'third'\")\n\
             print(list(a.notifies(timeout=1)), a.execute('select 1').fetchone())",
        );
        let said = said.ok();
        let lines: Vec<&str> = said.out.lines().collect();
        assert_eq!(lines[0], "jobs first", "{said:#?}");
        assert!(lines[1].starts_with("jobs ") && !said.out.contains("customer5@"), "{said:#?}");
        assert_eq!(lines[2], "[] (1,)", "{said:#?}");
    }
}

#[test]
fn large_objects_go_in_and_come_out() {
    for version in Version::ALL {
        let gateway = permissive(version);
        let path = gateway.dir.join("large");
        let bytes: Vec<u8> = (0..100_000u32).map(|at| (at * 7 + at / 251) as u8).collect();
        std::fs::write(&path, bytes).expect("a file");
        let path = path.display();
        let said = gateway.agent().psql_script(&format!(
            "\\lo_import {path}\n\\lo_export :LASTOID /tmp/weir-large\n\
             \\! cmp {path} /tmp/weir-large && echo the same\n\\! rm /tmp/weir-large\n\
             select length(lo_get(:LASTOID));\n\\lo_unlink :LASTOID\n\
             select count(*) from pg_largeobject_metadata;\n"
        ));
        let said = said.ok();
        assert!(!said.err.contains("ERROR"), "{version:?}: {said:#?}");
        assert!(said.out.contains("the same\n100000"), "{version:?}: {said:#?}");
        assert!(said.out.trim_end().ends_with('0'), "{version:?}: {said:#?}");
    }
}

#[test]
fn copy_is_binary_both_ways() {
    for version in Version::ALL {
        let gateway = Gateway::start(&Setup { version, ..Setup::default() });
        let said = gateway.agent().python(
            "import psycopg, sys\n\
             c = psycopg.connect(host=sys.argv[1])\n\
             with c.cursor().copy('copy orders (id, customer, total) from stdin (format binary)') as w:\n\
             \x20 w.set_types(['int4', 'int4', 'numeric'])\n\
             \x20 for i in range(5000, 9000): w.write_row((i, 1, i))\n\
             with c.cursor().copy('copy (select id, total from orders where id >= 5000 order by id) to stdout (format binary)') as r:\n\
             \x20 r.set_types(['int4', 'numeric'])\n\
             \x20 print(sum(1 for i, t in r.rows() if i == t))\n\
             try:\n\
             \x20 with c.cursor().copy('copy orders (id) from stdin (format binary)') as w: w.write(b'no header')\n\
             except psycopg.Error as e: print(e.diag.sqlstate)\n\
             c.rollback()\n\
             print(c.execute('select count(*) from orders').fetchone()[0])",
        );
        assert_eq!(said.ok().out, "4000\n22P04\n500", "{version:?}");
    }
}

#[test]
fn a_binary_copy_that_holds_a_finding_is_cut_off() {
    let gateway = Gateway::start(&Setup::default());
    let sql = "copy (select 'write to someone@example.com') to stdout (format binary)";
    let said = gateway.agent().psql(sql);
    assert!(said.err.contains("could not be masked"), "{said:#?}");
    assert!(!said.out.contains("someone@"), "{said:#?}");
}

/// A portal read in pieces of seven, two portals at a time, and one that is closed early.
const PIECES: &str = "
import socket, struct, sys
s = socket.create_connection((sys.argv[1], 5432))
f = s.makefile('rb')
def msg(tag, body): return tag + struct.pack('!I', len(body) + 4) + body
def read():
    tag = f.read(1)
    return tag.decode(), f.read(struct.unpack('!I', f.read(4))[0] - 4)
def until(last):
    tags = ''
    while not tags.endswith(last): tags += read()[0]
    return tags
body = b'user\\0x\\0\\0'
s.sendall(struct.pack('!IHH', len(body) + 8, 3, 0) + body)
until('Z')
def open_(portal, text):
    return (msg(b'P', b'\\0' + text + b'\\0\\0\\0') +
            msg(b'B', portal + b'\\0\\0' + b'\\0\\0' * 3) + msg(b'D', b'P' + portal + b'\\0'))
def more(portal, n): return msg(b'E', portal + b'\\0' + struct.pack('!i', n))
flush, sync = msg(b'H', b''), msg(b'S', b'')
s.sendall(msg(b'Q', b'begin\\0')); until('Z')
s.sendall(open_(b'a', b'select id from orders order by id limit 16') +
          open_(b'b', b'select id from orders order by id') + flush)
print(until('T'), until('T'))
for portal, n in ((b'a', 7), (b'b', 3), (b'a', 7), (b'b', 3), (b'a', 7)):
    s.sendall(more(portal, n) + flush)
    tags = ''
    while tags[-1:] not in ('s', 'C'): tags += read()[0]
    print(tags)
s.sendall(msg(b'C', b'Pb\\0') + more(b'b', 3) + sync)
print(until('Z'))
";

#[test]
fn portals_stop_at_their_limit_and_go_on() {
    for version in Version::ALL {
        let gateway = Gateway::start(&Setup { version, ..Setup::default() });
        let said = gateway.agent().python(PIECES).ok();
        let expected = "12T 12T\nDDDDDDDs\nDDDs\nDDDDDDDs\nDDDs\nDDC\n3EZ";
        assert_eq!(said.out, expected, "{version:?}");
    }
}

#[test]
fn what_was_permitted_unread_leaves_the_session_usable() {
    let gateway = permissive(Version::V15);
    let said = gateway.agent().psql_script(
        "do $$ begin perform 1; end $$;\n\
         create temp table things (name text);\n\
         copy things from stdin null 'none';\nnone\nits\n\\.\n\
         select count(name) from things where name = 'its';\n\
         select E'\\\\x', 'a\\b';\n\
         copy things (name) from stdin null E'\\\\N';\n\\N\n\\.\n\
         select count(*) from things;\n",
    );
    let said = said.ok();
    assert_eq!(said.out.lines().filter(|line| *line == "COPY 2" || *line == "COPY 1").count(), 2);
    assert_eq!(said.out.lines().last(), Some("3"), "{said:#?}");
    // Only what a setting could have changed the meaning of is not understood from then on.
    let rows = gateway.duckdb(
        "select statement as text from exchanges where effect = 'unknown' order by statement",
    );
    let texts: Vec<String> = rows.iter().map(|row| row["text"].to_string()).collect();
    assert_eq!(texts.len(), 3, "{texts:#?}");
    assert!(texts.iter().all(|text| text.contains('\\') || text.contains("do $$")), "{texts:#?}");
}

#[test]
fn a_pipeline_may_be_of_any_length() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway.agent().python(
        "import psycopg, sys\n\
         p = psycopg.connect(host=sys.argv[1]).pgconn\n\
         p.enter_pipeline_mode(); p.nonblocking = 1\n\
         n, done = 40000, 0\n\
         for i in range(n):\n\
         \x20 p.send_query_params(b'select $1::int', [b'%d' % i])\n\
         \x20 if i % 64 == 0: p.flush(); p.consume_input()\n\
         p.pipeline_sync()\n\
         while p.flush(): p.consume_input()\n\
         while True:\n\
         \x20 r = p.get_result()\n\
         \x20 if r is None: continue\n\
         \x20 if r.status == psycopg.pq.ExecStatus.PIPELINE_SYNC: break\n\
         \x20 assert r.get_value(0, 0) == b'%d' % done, r.error_message\n\
         \x20 done += 1\n\
         print(done)",
    );
    assert_eq!(said.ok().out, "40000");
}

/// What a trigger puts into a payload has no origin, so it may be a masked value of whatever kind.
#[test]
fn payloads_that_the_session_did_not_write_are_hidden() {
    let keys = "tls = { mode = \"off\" }\nclear_channels = [\"progress\"]";
    let gateway = Gateway::start(&Setup { tls: keys.to_owned(), ..Setup::default() });
    gateway.postgres.direct(
        "create function told() returns trigger language plpgsql as $$ begin \
           perform pg_notify('jobs', 'planted ' || reverse(new.email)); \
           perform pg_notify('progress', 'one more'); return new; end $$;\
         create trigger told after update on customers for each row execute function told()",
    );
    let said = gateway.agent().python(
        "import psycopg, sys\n\
         a = psycopg.connect(host=sys.argv[1], autocommit=True)\n\
         b = psycopg.connect(host=sys.argv[1], autocommit=True)\n\
         a.execute('listen jobs'); a.execute('listen progress')\n\
         b.execute('update customers set balance = 1 where id = 5')\n\
         b.execute(\"notify jobs, 'written'\")\n\
         b.execute('notify jobs')\n\
         b.execute('select pg_notify(%s, %s)', ('jobs', 'with parameters'))\n\
         b.execute(\"select pg_notify('jobs', 'as literals')\")\n\
         for n in a.notifies(timeout=10, stop_after=6): print(n.channel, n.payload)",
    );
    assert_eq!(
        said.ok().out,
        "jobs [hidden by weir]\nprogress one more\njobs written\njobs \njobs with parameters\n\
         jobs as literals"
    );
    // What another session wrote, or somebody past the gateway, is not known to be clean.
    let script = "import psycopg, sys\n\
         a = psycopg.connect(host=sys.argv[1], autocommit=True)\n\
         a.execute('listen jobs'); print('listens', flush=True)\n\
         for n in a.notifies(timeout=20, stop_after=2): print(n.payload, flush=True)";
    let python = weir_tests::python::interpreter().display().to_string();
    let mut command = gateway.agent().command(&python, &["-c", script, &gateway.host]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("weir run");
    let out = child.stdout.take().expect("its output");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(out));
    let mut line = || lines.next().expect("a line").expect("a line");
    assert_eq!(line(), "listens");
    gateway.postgres.direct("notify jobs, 'past the gateway'");
    gateway.agent().psql("notify jobs, 'written'").ok();
    assert_eq!([line(), line()], ["[hidden by weir]", "[hidden by weir]"]);
    assert!(child.wait().expect("an end").success());
}
