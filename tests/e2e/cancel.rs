//! A cancel request reaches the statement it means, and nobody else's.

use std::time::{Duration, Instant};

use weir_tests::postgres::{Version, verified};
use weir_tests::{Gateway, Setup};

#[test]
fn a_running_statement_is_cancelled() {
    let gateway = Gateway::start(&Setup::default());
    let begin = Instant::now();
    let said = gateway.agent().python(
        "import psycopg, sys, threading\n\
         c = psycopg.connect(host=sys.argv[1], autocommit=True)\n\
         threading.Timer(0.5, c.cancel).start()\n\
         try: c.execute('select count(*) from generate_series(1, 3000000000) g')\n\
         except psycopg.errors.QueryCanceled as e: print(e.diag.sqlstate)\n\
         print(c.execute('select 1').fetchone()[0])",
    );
    assert_eq!(said.ok().out, "57014\n1");
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_held_statement_is_cancelled() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway.agent().python(
        "import psycopg, sys, threading\n\
         c = psycopg.connect(host=sys.argv[1], autocommit=True)\n\
         threading.Timer(1, c.cancel).start()\n\
         try: c.execute('delete from orders')\n\
         except psycopg.errors.QueryCanceled as e: print(e.diag.sqlstate)\n\
         print(c.execute('select count(*) from orders').fetchone()[0])",
    );
    assert_eq!(said.ok().out, "57014\n500");
    assert_eq!(gateway.json(&["holds"]).as_array().map(Vec::len), Some(0));
}

/// libpq 18 encrypts the request where the connection is encrypted, and has long keys in 3.2.
#[test]
fn every_version_and_transport_cancels() {
    for version in Version::ALL {
        for tls in [Setup::default().tls, verified(version, "")] {
            if version == Version::V18 && tls != Setup::default().tls {
                continue;
            }
            let gateway = Gateway::start(&Setup { version, tls: tls.clone(), ..Setup::default() });
            let said = gateway.agent().python(
                "import psycopg, sys, threading\n\
                 for more in ('', 'max_protocol_version=3.2', 'sslmode=require max_protocol_version=3.2'):\n\
                 \x20 c = psycopg.connect(f'host={sys.argv[1]} {more}', autocommit=True)\n\
                 \x20 threading.Timer(0.5, c.cancel_safe).start()\n\
                 \x20 try: c.execute('select count(*) from generate_series(1, 3000000000) g')\n\
                 \x20 except psycopg.errors.QueryCanceled as e: print(c.pgconn.full_protocol_version, e.diag.sqlstate)",
            );
            let spoken = match version {
                Version::V18 => "30000 57014\n30002 57014\n30002 57014",
                _ => "30000 57014\n30000 57014\n30000 57014",
            };
            assert_eq!(said.ok().out, spoken, "{version:?} {tls}");
        }
    }
}

#[test]
fn psql_cancels_on_an_interrupt() {
    let gateway = Gateway::start(&Setup { version: Version::V18, ..Setup::default() });
    let psql = gateway.postgres.bin().join("psql").display().to_string();
    let script = "(sleep 1; kill -INT $$) & exec \"$0\" -X -A -t -d \"host=$1 max_protocol_version=3.2\" \
                  -c 'select count(*) from generate_series(1, 3000000000) g'";
    let agent = gateway.agent();
    let mut command = agent.command("bash", &["-c", script, &psql, &gateway.host]);
    command.env("LD_LIBRARY_PATH", gateway.postgres.library().expect("its libraries"));
    let begin = Instant::now();
    let output = command.output().expect("weir run");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(err.contains("canceling statement due to user request"), "{err}");
    assert!(begin.elapsed() < Duration::from_secs(15));
}

#[test]
fn the_backend_has_the_number_that_the_client_was_told() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway.agent().python(
        "import psycopg, sys\n\
         c = psycopg.connect(host=sys.argv[1], autocommit=True)\n\
         own = c.pgconn.backend_pid\n\
         print(own == c.execute('select pg_backend_pid()').fetchone()[0])\n\
         c.execute('listen jobs'); c.execute('notify jobs')\n\
         print([n.pid == own for n in c.notifies(timeout=10, stop_after=1)])",
    );
    assert_eq!(said.ok().out, "True\n[True]");
}

#[test]
fn a_cancel_request_that_is_done_hits_nothing_later() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway.agent().python(
        "import psycopg, sys\n\
         c = psycopg.connect(host=sys.argv[1], autocommit=True)\n\
         for i in range(200):\n\
         \x20 c.cancel()\n\
         \x20 assert c.execute('select %s::int', (i,)).fetchone() == (i,)\n\
         print('undisturbed')",
    );
    assert_eq!(said.ok().out, "undisturbed");
}
