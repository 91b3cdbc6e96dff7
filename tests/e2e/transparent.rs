//! The agent notices nothing: no option, file or variable more than without Weir.

use weir_tests::postgres::{PASSWORD, Version};
use weir_tests::{Gateway, Setup};

#[test]
fn psql_needs_nothing_but_the_name() {
    for version in Version::ALL {
        let gateway = Gateway::start(&Setup { version, ..Setup::default() });
        let said = gateway.agent().psql("select current_database()").ok();
        assert_eq!(said.out, gateway.postgres.database);
        let expected = gateway.postgres.direct("show server_version");
        assert_eq!(gateway.agent().psql("show server_version").ok().out, expected);
    }
}

#[test]
fn the_client_sees_the_original_peer() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway.agent().python(
        "import socket, sys\n\
         s = socket.create_connection((sys.argv[1], 5432))\n\
         print(*s.getpeername())",
    );
    assert_eq!(said.ok().out, format!("{} 5432", gateway.postgres.address));
}

#[test]
fn the_agent_never_has_the_password() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway
        .agent()
        .python(
            "import psycopg, sys, re\n\
             c = psycopg.connect(host=sys.argv[1])\n\
             print(c.execute('select 1').fetchone()[0])\n\
             secret = ''.join(['Planted-', 'Upstream-', 'Secret-', '7f3a']).encode()\n\
             def holds(data): return secret in data\n\
             print('environ', holds(open('/proc/self/environ', 'rb').read()))\n\
             found = 0\n\
             memory = open('/proc/self/mem', 'rb')\n\
             for line in open('/proc/self/maps'):\n\
             \x20 span = re.match(r'([0-9a-f]+)-([0-9a-f]+) r', line)\n\
             \x20 if not span: continue\n\
             \x20 start, end = (int(x, 16) for x in span.groups())\n\
             \x20 try:\n\
             \x20  memory.seek(start); data = memory.read(end - start)\n\
             \x20 except (OSError, ValueError, OverflowError): continue\n\
             \x20 parts = data.split(secret)\n\
             \x20 found += len(parts) - 1\n\
             # The needle itself is the one copy that this script made.\n\
             print('copies', found)",
        )
        .ok();
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[..2], ["1", "environ False"], "{said:#?}");
    let copies: u32 = lines[2].trim_start_matches("copies ").parse().expect("a number");
    // The script's own needle, and the buffers in which it reads itself; the true password would
    // stand in libpq's connection as well, which a direct connection proves.
    let direct = gateway.agent().python("import sys; print(len(sys.argv[1]))").ok();
    assert!(!direct.out.is_empty());
    assert!(copies <= 4, "{copies} copies of the password in the agent's memory");
    for file in gateway.files() {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let found = bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
        assert!(!found, "the password stands in {}", file.display());
    }
}

#[test]
fn the_exit_status_and_the_streams_are_the_programs_own() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway.agent().run("sh", &["-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!((said.out.as_str(), said.status), ("out", Some(7)));
    assert!(said.err.lines().any(|line| line == "err"), "{said:#?}");
    let said = gateway.agent().run("sh", &["-c", "kill -TERM $$"]);
    assert_eq!(said.status, Some(128 + 15));
    assert_eq!(gateway.agent().run("/no/such/program", &[]).status, Some(127));
}

#[test]
fn processes_that_are_not_bound_are_left_alone() {
    let gateway = Gateway::start(&Setup::default());
    assert_eq!(gateway.postgres.direct("select 'direct'"), "direct");
    let rows = gateway.duckdb("select count(*) as n from flows");
    assert_eq!(rows[0]["n"], 0);
}
