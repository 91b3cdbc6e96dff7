//! A token that an agent was given leads back to its value inside of the target, and nowhere else.

use weir_tests::{Agent, Gateway, Setup};

/// The token of customer 5's email, as an agent sees it.
fn token(agent: &Agent<'_>) -> String {
    agent.psql("select email from customers where id = 5").ok().out
}

/// Runs scripts of SQL in one session of an agent's: what an agent learns is its session's.
fn session(gateway: &Gateway, subject: &str, script: &str) -> String {
    let agent = Agent::new(gateway, gateway.token(subject, &["agents"], 3600));
    let said = agent.python(&format!(
        "import psycopg, sys\n\
         def row(cursor):\n\
         \x20 got = cursor.fetchone() if cursor.description else None\n\
         \x20 return got[0] if got else None\n\
         c = psycopg.connect(host=sys.argv[1], autocommit=True)\n\
         old = psycopg.connect(host=sys.argv[1], autocommit=True)\n\
         cursor = psycopg.ClientCursor(old)\n\
         def run(sql, *given, **more): return row(c.execute(sql, given or None, **more))\n\
         def simple(sql):\n\
         \x20 cursor.execute(sql)\n\
         \x20 return row(cursor)\n\
         token = run('select email from customers where id = 5')\n\
         {script}"
    ));
    let said = said.ok();
    assert!(!said.out.contains("customer5@example.com"), "{said:#?}");
    assert!(!said.err.contains("customer5@example.com"), "{said:#?}");
    said.out
}

#[test]
fn a_token_finds_its_row() {
    let gateway = Gateway::start(&Setup::default());
    gateway.postgres.direct(
        "create table leads (id int, email varchar(80)); insert into leads values (7, 'customer5@example.com');\
         alter table leads owner to app",
    );
    let said = session(
        &gateway,
        "alice",
        "find = 'select id from customers where email = '\n\
         print(run(find + '%s', token), simple(find + f\"'{token}'\"))\n\
         print(run(find + '%s', token, prepare=True), run(find + '%s', token, prepare=True))\n\
         print(run(find + '%s', token, binary=True), run(find + '%s::text', token))\n\
         print(run('select count(*) from customers where email <> %s', token))\n\
         print(run('select id from customers where email in (%s, %s)', 'x', token))\n\
         print(simple(f\"select id from customers where email = any(array['x', '{token}'])\"))\n\
         print(run('select o.customer from orders o join customers c on c.id = o.customer and c.email = %s limit 1', token))\n\
         print(simple(f\"select count(*) from orders where customer in (select id from customers where email = '{token}')\"))\n\
         print(run('select email from customers where email = %s group by email', token) == token)\n\
         print(row(c.execute('select id from customers where email = %(t)s or email = %(t)s', {'t': token})))\n\
         old.autocommit = False\n\
         simple(f\"update customers set balance = -1 where email = '{token}'\")\n\
         print(simple('select balance from customers where id = 5'))\n\
         old.rollback()\n\
         print(simple('select balance from customers where id = 5'))",
    );
    assert_eq!(said, "5 5\n5 5\n5 5\n99\n5\n5\n5\n5\nTrue\n5\n-1.00\n50.00");
    let rows = gateway.duckdb(
        "select distinct e.statement, e.parameters from exchanges e where e.statement like '%email = %'",
    );
    let text = serde_json::to_string(&rows).expect("JSON");
    assert!(text.contains("@masked.invalid") && !text.contains("customer5@example.com"), "{text}");
    let events = gateway.duckdb("select count(*) as n from events where kind = 'token.revealed'");
    assert_eq!(events, [serde_json::json!({ "n": 14 })]);
    for file in gateway.files() {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let clear = b"customer5@example.com";
        let found = bytes.windows(clear.len()).any(|window| window == clear);
        assert!(!found, "a clear value stands in {}", file.display());
    }
}

#[test]
fn a_token_of_somebody_elses_finds_nothing() {
    let gateway = Gateway::start(&Setup::default());
    let alices = token(&gateway.agent());
    let find = format!("simple(\"select id from customers where email = '{alices}'\")");
    let script = format!(
        "token = None\nprint({find}, run('select id from customers where email = %s', '{alices}'))"
    );
    // Bob was given the token by his own look at row 5; of row 6 he was not given alice's.
    assert_eq!(session(&gateway, "bob", &script), "5 5");
    let other = gateway.agent().psql("select email from customers where id = 6").ok().out;
    let script = script.replace(&alices, &other);
    assert_eq!(session(&gateway, "bob", &script), "None None");
    let said = gateway.agent().psql(&format!("select id from customers where email = '{other}'"));
    assert_eq!(said.ok().out, "", "another session of the same agent");
}

#[test]
fn the_value_reaches_no_other_place() {
    let gateway = Gateway::start(&Setup::default());
    gateway.postgres.direct(
        "create table notes (id int, body text, email text); insert into notes values (1, 'x', 'customer5@example.com');\
         create view seen as select id, email, note from customers;\
         alter table notes owner to app; alter view seen owner to app",
    );
    let said = session(
        &gateway,
        "alice",
        "text = f\"'{token}'\"\n\
         run('update notes set body = %s where id = 1', token)\n\
         print(run('select body from notes') == token, run('select 1 from notes where body = %s', token))\n\
         simple(f'update notes set body = {text} where id = 1')\n\
         print(run('select body from notes') == token)\n\
         print(run('select id from notes where email = %s', token), simple(f'select id from notes where email = {text}'))\n\
         print(simple(f'select customers.id from customers, notes where notes.email = {text}'))\n\
         print(simple(f'select {text}') == token, run('select %s::text', token) == token)\n\
         print(simple(f'select {text} from customers where email = {text}') == token)\n\
         print('$1' in run('select current_query() from customers where email = %s', token))\n\
         print('$1' in simple(f'select current_query() from customers where email = {text}'))\n\
         print(simple(f'select id from customers where email like {text}'))\n\
         print(simple(f'select id from customers where email = lower({text})'))\n\
         print(simple(f'select id from customers where email = {text}::varchar(3)'))\n\
         print(simple(f'select id from seen where email = {text}'))\n\
         print(run(\"select string_agg(statement, ';') like '%%customer5@%%' from pg_prepared_statements\"))\n\
         print(simple(\"select count(*) from pg_stat_activity where query like '%%customer5@ex%%' and query not like '%%activity%%'\"))\n\
         print(simple(f\"explain (costs off) select id from customers where email = {text}\"))\n\
         print(run(f\"with customers(id, email) as (values (1, 'customer5@example.com')) select id from customers where email = %s\", token))",
    );
    let expected =
        "True 1\nTrue\nNone None\nNone\nTrue True\nTrue\nTrue\nTrue\nNone\nNone\nNone\nNone\n";
    assert!(said.starts_with(expected), "{said}");
    assert!(said.ends_with("\nNone"), "{said}");
    let stored = gateway.postgres.direct("select body from notes");
    assert!(stored.contains("@masked.invalid"), "{stored}");
}

#[test]
fn a_statement_of_weirs_name_is_not_the_clients() {
    let gateway = Gateway::start(&Setup::default());
    let said = session(
        &gateway,
        "alice",
        "c.pgconn.prepare(b'weir.given', b\"select 'mine'::text\")\n\
         print(c.pgconn.exec_prepared(b'weir.given', []).get_value(0, 0))\n\
         try: psycopg.ClientCursor(c).execute(f\"select email, 1 / (id - 5) from customers where email = '{token}'\")\n\
         except psycopg.Error as error: print(error.sqlstate)\n\
         print(run(\"select count(*) from pg_prepared_statements where name = 'weir.given'\"))\n\
         again = c.pgconn.exec_prepared(b'weir.given', [token.encode()])\n\
         print(again.ntuples, again.error_field(psycopg.pq.DiagnosticField.SQLSTATE))\n\
         cursor = psycopg.ClientCursor(c)\n\
         print(cursor.execute(f\"select id from customers where email = '{token}'\").fetchone()[0])",
    );
    assert_eq!(said, "b'mine'\n22012\n1\n0 b'26000'\n5");
}

#[test]
fn a_token_is_stored_as_its_value_where_it_is_masked_the_same() {
    let gateway = Gateway::start(&Setup::default());
    let said = session(
        &gateway,
        "alice",
        "run('insert into customers (id, name, email, card) values (201, %s, %s, %s)', token, 'new@example.com', token)\n\
         simple(f\"update customers set card = '{token}' where id = 6\")\n\
         for sql in ('insert into customers (id, name, email) values (202, %s, %s)',):\n\
         \x20 try: run(sql, 'x', token)\n\
         \x20 except psycopg.Error as error: print(error.sqlstate, error)\n\
         try: simple(f\"insert into customers (id, name, email) values (203, 'x', '{token}')\")\n\
         except psycopg.Error as error: print(error.sqlstate, error)\n\
         print(simple(f\"select id from customers where email = '{token}'\"))",
    );
    assert!(said.contains("23505") && said.ends_with("\n5"), "{said}");
    let stored = gateway.postgres.direct("select name, card from customers where id = 201");
    assert!(stored.ends_with("@masked.invalid|customer5@example.com"), "{stored}");
    assert_eq!(
        gateway.postgres.direct("select card from customers where id = 6"),
        "customer5@example.com"
    );
}

#[test]
fn without_a_policy_a_token_stays_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = folder.path().join("policy.cedar");
    let forbid = "@id(\"test.none\") forbid (principal, action == Weir::Action::\"token.reveal\", resource);";
    let text = format!("{}\n{forbid}\n", include_str!("../../policies/default.cedar"));
    std::fs::write(&policy, text).expect("a policy");
    let extra = format!("[policy]\nfiles = [\"{}\"]\n", policy.display());
    let gateway = Gateway::start(&Setup { extra, ..Setup::default() });
    let script = "print(run('select id from customers where email = %s', token), \
                  simple(f\"select id from customers where email = '{token}'\"))";
    assert_eq!(session(&gateway, "alice", script), "None None");
}
