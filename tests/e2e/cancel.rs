//! A cancel request reaches the statement it means, and nobody else's.

use std::time::{Duration, Instant};

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
