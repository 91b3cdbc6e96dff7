//! The auditor's side: DuckDB over the sealed files, and Weir's own commands.

use weir_tests::{Gateway, Setup};

#[test]
fn the_views_tell_who_did_what() {
    let gateway = Gateway::start(&Setup::default());
    gateway.agent().psql("select id from orders where id = 1").ok();
    gateway.agent().psql("drop table orders");
    let rows = gateway
        .duckdb("select subject, agent, verdict, statement from exchanges order by asked_at");
    let told: Vec<(&str, &str)> = rows
        .iter()
        .filter_map(|row| Some((row["verdict"].as_str()?, row["statement"].as_str()?)))
        .collect();
    assert_eq!(
        told,
        [("allow", "select id from orders where id = 1"), ("deny", "drop table orders")],
        "{rows:#?}"
    );
    for view in
        ["who_did_what", "denied", "held", "masked", "by_agent", "by_table", "coverage_by_session"]
    {
        gateway.duckdb(&format!("select * from {view}"));
    }
    for table in ["sessions", "flows", "exchanges", "answers", "holds", "events", "coverage"] {
        gateway.duckdb(&format!("select count(*) as n from {table}"));
    }
}

/// A text that differs from another in nothing but integers is not read again: it is recorded, decided
/// and masked by itself all the same.
#[test]
fn statements_that_differ_in_a_number_are_each_their_own() {
    let gateway = Gateway::start(&Setup::default());
    let texts: Vec<String> = (1..=20)
        .map(|n| format!("select id, email from customers where id = {n} limit {}", n % 2))
        .chain((1..=3).map(|n| format!("select email from customers where id = {n} order by {n}")))
        .collect();
    let said = gateway.agent().psql_script(&texts.join(";\n"));
    assert!(!said.out.contains("customer"), "{said:#?}");
    let ids: Vec<&str> = said.out.lines().filter_map(|line| line.split('|').next()).collect();
    let odd: Vec<String> = (1..=20).step_by(2).map(|n| n.to_string()).collect();
    assert_eq!(&ids[..10], odd, "{said:#?}");
    assert_eq!(said.err.matches("ORDER BY position").count(), 2, "{said:#?}");
    let rows = gateway.duckdb("select statement, verdict, masked from exchanges order by asked_at");
    let told: Vec<&str> = rows.iter().filter_map(|row| row["statement"].as_str()).collect();
    let sent: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(told.iter().map(|text| text.trim_end_matches(';')).collect::<Vec<_>>(), sent);
    assert!(rows.iter().all(|row| row["verdict"] == "allow"), "{rows:#?}");
}

#[test]
fn weirs_own_commands_show_the_same_sealed_or_not() {
    let gateway = Gateway::start(&Setup::default());
    gateway.agent().psql("select 'a certain word'").ok();
    for sealed in [false, true] {
        if sealed {
            gateway.ask(&["audit", "seal"]);
        }
        let sessions = gateway.json(&["sessions"]);
        let session = sessions[0]["session"].as_str().expect("a session").to_owned();
        assert_eq!(sessions[0]["subject"], "alice");
        assert!(gateway.ask(&["show", &session]).contains("a certain word"));
        let played = gateway.ask(&["replay", &session, "--instant"]);
        assert!(played.contains("a certain word"), "{played}");
    }
}

#[test]
fn an_acknowledged_entry_survives_kill_nine_and_bound_agents_are_cut_off() {
    let mut gateway = Gateway::start(&Setup::default());
    // A process that dies closes its sockets one after the other, so a dead gateway's listener may still take a connection that
    // nobody reads: what counts is whether anybody answers, as any PostgreSQL does when it is asked for TLS.
    let script = "import psycopg, sys, time\n\
        c = psycopg.connect(host=sys.argv[1], autocommit=True)\n\
        n = 0\n\
        try:\n\
        \x20 while True:\n\
        \x20  c.execute(f'select {n} as n'); n += 1\n\
        \x20  open(sys.argv[2], 'w').write(str(n))\n\
        except psycopg.OperationalError: pass\n\
        import socket\n\
        def direct():\n\
        \x20 try:\n\
        \x20  s = socket.create_connection((sys.argv[3], 5432), 3)\n\
        \x20  s.sendall(bytes([0, 0, 0, 8, 4, 210, 22, 47]))\n\
        \x20  return 'passed' if s.recv(1) else 'refused'\n\
        \x20 except OSError as e: return 'refused'\n\
        print(direct(), flush=True)\n\
        sys.stdin.readline()\n\
        print(psycopg.connect(host=sys.argv[1]).execute('select 7').fetchone()[0])";
    let progress = gateway.dir.join("progress");
    let python = weir_tests::python::interpreter().display().to_string();
    let shown = progress.display().to_string();
    let address = gateway.postgres.address.clone();
    let arguments = ["-c", script, &gateway.host.clone(), &shown, &address];
    let mut command = gateway.agent().command(&python, &arguments);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().expect("weir run");
    weir_tests::wait_for("some load", std::time::Duration::from_secs(15), || {
        let done: u64 = std::fs::read_to_string(&progress).ok()?.parse().ok()?;
        (done > 200).then_some(())
    });
    gateway.kill();
    std::thread::sleep(std::time::Duration::from_secs(1));
    gateway.spawn();
    std::thread::sleep(std::time::Duration::from_secs(1));
    let mut stdin = child.stdin.take().expect("stdin");
    std::io::Write::write_all(&mut stdin, b"\n").expect("a line");
    drop(stdin);
    let output = child.wait_with_output().expect("an end");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(out.trim(), "refused\n7", "{out}\n{}", gateway.log());
    let done: u64 = std::fs::read_to_string(&progress).expect("a count").parse().expect("a number");
    let rows = gateway.duckdb(
        "select count(distinct statement) as n from exchanges where statement like 'select % as n'",
    );
    assert!(rows[0]["n"].as_u64().is_some_and(|n| n >= done), "{rows:?} of {done}");
}
