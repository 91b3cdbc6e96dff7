//! A risky statement waits in the wire until a human says something.

use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;
use weir_tests::{Gateway, Setup, wait_for};

const DELETE: &str = "delete from orders";

fn start_psql(gateway: &Gateway, sql: &str) -> Child {
    let agent = gateway.agent();
    let mut command = agent.command("psql", &["-X", "-h", &gateway.host, "-c", sql]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("weir run")
}

fn waiting(gateway: &Gateway) -> Value {
    wait_for("a hold", Duration::from_secs(10), || {
        let holds = gateway.json(&["holds"]);
        holds.as_array().and_then(|holds| holds.first().cloned())
    })
}

fn finish(child: Child) -> (String, String, Option<i32>) {
    let output = child.wait_with_output().expect("an end");
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
        output.status.code(),
    )
}

fn count(gateway: &Gateway) -> String {
    gateway.postgres.direct("select count(*) from orders")
}

#[test]
fn an_approved_statement_runs_and_the_record_says_who() {
    let gateway = Gateway::start(&Setup::default());
    let child = start_psql(&gateway, DELETE);
    let hold = waiting(&gateway);
    assert_eq!(hold["statement"], DELETE);
    assert_eq!(hold["subject"], "alice");
    assert_eq!(count(&gateway), "500", "nothing runs while it waits");
    gateway.ask(&["holds", "approve", hold["id"].as_str().expect("an id")]);
    let (out, err, status) = finish(child);
    assert_eq!(status, Some(0), "{out}{err}");
    assert!(out.contains("DELETE 500"), "{out}{err}");
    assert!(err.contains("waiting for approval"), "the agent is told: {err}");
    assert_eq!(count(&gateway), "0");
    let rows = gateway.duckdb("select verdict, hold, approver, affected, status from exchanges");
    assert_eq!(rows[0]["verdict"], "hold");
    assert_eq!(rows[0]["approver"], "unix:root");
    assert_eq!(rows[0]["affected"], 500);
    let holds = gateway.duckdb("select * from holds");
    assert!(!holds.is_empty());
}

#[test]
fn a_denied_statement_does_not_run() {
    let gateway = Gateway::start(&Setup::default());
    let child = start_psql(&gateway, DELETE);
    let hold = waiting(&gateway);
    let id = hold["id"].as_str().expect("an id");
    gateway.ask(&["holds", "deny", id, "--comment", "not today"]);
    let (_, err, status) = finish(child);
    assert_ne!(status, Some(0));
    assert!(err.contains("not today"), "{err}");
    assert_eq!(count(&gateway), "500");
    assert!(gateway.weir(&["holds", "approve", id]).output().is_ok_and(|o| !o.status.success()));
}

#[test]
fn a_client_that_hangs_up_withdraws_its_hold() {
    let gateway = Gateway::start(&Setup::default());
    let mut child = start_psql(&gateway, DELETE);
    waiting(&gateway);
    child.kill().expect("kill");
    child.wait().expect("an end");
    wait_for("the hold to be gone", Duration::from_secs(10), || {
        gateway.json(&["holds"]).as_array().is_some_and(Vec::is_empty).then_some(())
    });
    assert_eq!(count(&gateway), "500");
}

#[test]
fn in_a_transaction_a_hold_soon_becomes_a_ticket_that_works_once() {
    let gateway = Gateway::start(&Setup::default());
    // The same connection throughout: an approval is bound to the session.
    let script = "import psycopg, sys, time\n\
        c = psycopg.connect(host=sys.argv[1])\n\
        try: c.execute('delete from orders')\n\
        except psycopg.Error as e: print(e.diag.sqlstate, e.diag.message_hint, flush=True)\n\
        c.rollback()\n\
        sys.stdin.readline()\n\
        print(c.execute('delete from orders').rowcount, flush=True)\n\
        c.rollback()";
    let agent = gateway.agent();
    let python = weir_tests::python::interpreter().display().to_string();
    let mut command = agent.command(&python, &["-c", script, &gateway.host]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("weir run");
    let hold = waiting(&gateway);
    std::thread::sleep(Duration::from_secs(6));
    gateway.ask(&["holds", "approve", hold["id"].as_str().expect("an id")]);
    let mut stdin = child.stdin.take().expect("stdin");
    std::io::Write::write_all(&mut stdin, b"\n").expect("a line");
    drop(stdin);
    let (out, err, status) = finish(child);
    assert_eq!(status, Some(0), "{out}{err}");
    assert!(out.contains("42501") && out.contains("identical statement"), "{out}");
    assert!(out.trim_end().ends_with("500"), "the ticket lets it through: {out}");
}

#[test]
fn no_approval_comes_from_a_bound_cgroup() {
    let gateway = Gateway::start(&Setup::default());
    let child = start_psql(&gateway, DELETE);
    let hold = waiting(&gateway);
    let id = hold["id"].as_str().expect("an id").to_owned();
    let weir = weir_tests::weir().display().to_string();
    let config = gateway.config().display().to_string();
    let said = gateway.agent().run(&weir, &["--config", &config, "holds", "approve", &id]);
    assert_ne!(said.status, Some(0), "{said:#?}");
    assert_eq!(count(&gateway), "500");
    gateway.ask(&["holds", "deny", &id]);
    finish(child);
}

#[test]
fn parameters_are_part_of_what_is_approved() {
    let gateway = Gateway::start(&Setup::default());
    let script = "import psycopg, sys\n\
        c = psycopg.connect(host=sys.argv[1], autocommit=True)\n\
        print(c.execute('update orders set total = %s', (sys.argv[2],)).rowcount)";
    let agent = gateway.agent();
    let python = weir_tests::python::interpreter().display().to_string();
    let mut command = agent.command(&python, &["-c", script, &gateway.host, "42"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("weir run");
    let hold = waiting(&gateway);
    gateway.ask(&["holds", "approve", hold["id"].as_str().expect("an id")]);
    let (out, err, _) = finish(child);
    assert!(out.contains("500"), "{out}{err}");
    let rows = gateway.duckdb("select parameters from exchanges where hold is not null");
    assert!(rows[0]["parameters"].to_string().contains("42"), "{rows:#?}");
}
