//! A refusal is PostgreSQL's own error, with the rule and what to do instead; the session goes on.

use weir_tests::{Gateway, Setup};

#[test]
fn drop_is_refused_with_the_rule_and_what_to_do_instead() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway
        .agent()
        .psql_script("\\set VERBOSITY verbose\ndrop table orders;\nselect count(*) from orders;\n");
    assert!(said.err.contains("42501"), "{said:#?}");
    assert!(said.err.contains("rule prod.no-drop"), "{said:#?}");
    assert!(said.err.contains("HINT:"), "{said:#?}");
    assert!(said.out.contains("500"), "the session must go on: {said:#?}");
    assert_eq!(gateway.postgres.direct("select count(*) from orders"), "500");
    let rows = gateway.duckdb("select verdict, status, error_code, forwarded, policies from exchanges where statement like 'drop%'");
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(rows[0]["verdict"], "deny");
    assert_eq!(rows[0]["status"], "refused");
    assert_eq!(rows[0]["forwarded"], false);
}

#[test]
fn the_transactions_state_is_the_servers_own() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway.agent().python(
        "import psycopg, sys\n\
         c = psycopg.connect(host=sys.argv[1])\n\
         c.execute('update orders set total = 0 where id = 1')\n\
         try: c.execute('truncate orders')\n\
         except psycopg.errors.InsufficientPrivilege as e: print(e.diag.message_detail)\n\
         print(c.info.transaction_status.name)\n\
         try: c.execute('select 1')\n\
         except psycopg.errors.InFailedSqlTransaction: print('failed')\n\
         c.rollback()\n\
         print(c.execute('select total > 0 from orders where id = 1').fetchone()[0])",
    );
    let out = said.clone().ok().out;
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].contains("prod.no-drop"), "{said:#?}");
    assert_eq!(lines[1..], ["INERROR", "failed", "True"], "{said:#?}");
}

#[test]
fn several_statements_in_one_message_go_or_stay_together() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway.agent().psql("update orders set total = 0 where id = 1; drop table orders");
    assert!(said.err.contains("prod.no-drop") || said.err.contains("DROP"), "{said:#?}");
    assert_ne!(gateway.postgres.direct("select total from orders where id = 1"), "0.00");
}

#[test]
fn prepared_statements_are_refused_where_they_are_made() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway.agent().python(
        "import asyncio, asyncpg, sys\n\
         async def main():\n\
         \x20 c = await asyncpg.connect(host=sys.argv[1], user='x', database='x')\n\
         \x20 try: await c.fetch('drop table orders')\n\
         \x20 except asyncpg.InsufficientPrivilegeError as e: print(e.sqlstate)\n\
         \x20 print(await c.fetchval('select count(*) from orders'))\n\
         asyncio.run(main())",
    );
    assert_eq!(said.ok().out, "42501\n500");
}

#[test]
fn ways_around_the_classifier_lead_nowhere() {
    let gateway = Gateway::start(&Setup::default());
    let before = gateway.postgres.direct("select sum(total), count(*) from orders");
    for sql in [
        "dr/* */op table orders",
        "/* select */ drop table orders",
        "select 1; drop table orders",
        "explain analyze delete from orders",
        "with gone as (delete from orders returning *) select count(*) from gone",
        "do $$ begin execute 'drop ' || 'table orders'; end $$",
        "prepare p as delete from orders",
        "copy orders to program 'cat > /tmp/weir-escape'",
        "select pg_read_file('/etc/passwd')",
        "select query_to_xml('delete from orders returning 1', true, true, '')",
        "set role postgres",
        "alter role app superuser",
        "create function f() returns int language sql as 'select 1'",
        "truncate orders",
        "delete from orders where true",
        "delete from orders where 1 = 1",
    ] {
        let said = gateway
            .agent()
            .run("timeout", &["1.5", "psql", "-X", "-A", "-t", "-h", &gateway.host, "-c", sql]);
        assert_ne!(said.status, Some(0), "{sql}: {said:#?}");
    }
    assert_eq!(gateway.postgres.direct("select sum(total), count(*) from orders"), before);
}
