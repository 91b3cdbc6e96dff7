//! Values are hidden by where they come from and by what they look like, in every format.

use std::time::Duration;

use weir_tests::{Agent, Gateway, Setup, wait_for};

use crate::evade::attack;

fn start() -> Gateway {
    Gateway::start(&Setup::default())
}

/// Nothing of a customer's email or card may come out.
fn is_masked(agent: &Agent<'_>, sql: &str) {
    let said = agent.psql(sql);
    let clear = said.out.contains("customer5@example.com") || said.out.contains("4111111111111111");
    assert!(!clear, "{sql}: {said:#?}");
    let said = format!("{}{}", said.out, said.err);
    assert!(!said.contains("customer5@example.com"), "{sql}: {said}");
}

#[test]
fn columns_are_hidden_wherever_they_come_from() {
    let gateway = start();
    gateway.postgres.direct(
        "create view contacts as select id, email as contact from customers;\
         create view people as select * from contacts; grant select on contacts, people to app",
    );
    let agent = gateway.agent();
    for sql in [
        "select email, card from customers where id = 5",
        "select c.email as harmless from customers c where c.id = 5",
        "select * from customers where id = 5",
        "table customers",
        "select upper(email), lower(email) from customers where id = 5",
        "select email || '' from customers where id = 5",
        "select row_to_json(c) from customers c where id = 5",
        "select c from customers c where id = 5",
        "select string_agg(email, ',') from customers",
        "select array_agg(email) from customers",
        "select email from customers where id = 5 union select 'x'",
        "with x as (select email as e from customers where id = 5) select e || '' from x",
        "select (select email from customers where id = 5)",
        "select contact from contacts where id = 5",
        "select * from people where id = 5",
        "select o.id, c.email from orders o join customers c on c.id = o.customer where c.id = 5",
        "update customers set balance = 1 where id = 5 returning email",
        "select note from customers where id = 5",
        "select json_build_object('a', note) from customers where id = 5",
        "select note::bytea from customers where id = 5",
        "select email::int from customers where id = 5",
        "insert into customers values (101, 'x', 'customer5@example.com')",
        "begin; declare c cursor for select upper(email), email from customers where id = 5; fetch c",
    ] {
        is_masked(&agent, sql);
    }
}

#[test]
fn copy_out_of_a_sensitive_table_is_not_a_plain_read() {
    let gateway = start();
    for sql in ["copy customers to stdout", "copy (select email from customers) to stdout"] {
        let said =
            gateway.agent().run("timeout", &["1.5", "psql", "-X", "-h", &gateway.host, "-c", sql]);
        assert!(!said.out.contains("@example.com"), "{said:#?}");
    }
    let said =
        gateway.agent().psql("copy (select note from customers where id = 5) to stdout").ok();
    assert!(said.out.contains("call ") && !said.out.contains("@example.com"), "{said:#?}");
    let said = gateway.agent().psql("copy (select id from orders where id < 4) to stdout").ok();
    assert_eq!(said.out, "1\n2\n3");
}

#[test]
fn tokens_keep_joins_and_comparisons() {
    let gateway = start();
    let one = gateway.agent().psql("select email from customers where id = 5").ok().out;
    let two = gateway.agent().psql("select email from customers where id = 5").ok().out;
    let other = gateway.agent().psql("select email from customers where id = 6").ok().out;
    assert_eq!(one, two);
    assert_ne!(one, other);
    assert!(one.contains('@'), "an email stays an email: {one}");
}

#[test]
fn a_policy_may_ask_for_coarser_values_or_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = folder.path().join("policy.cedar");
    let masks = ["generalise", "null"].map(|mask| {
        format!(
            "@id(\"test.{mask}\") @mask(\"{mask}\")\n\
             forbid (principal, action == Weir::Action::\"column.clear\", resource)\n\
             when {{ resource.classes.contains(\"{mask}\") }};\n"
        )
    });
    let text = format!("{}\n{}", include_str!("../../policies/default.cedar"), masks.concat());
    std::fs::write(&policy, text).expect("a policy");
    let column = |columns: &str, class: &str| {
        format!(
            "[[column]]\ntarget = \"orders\"\ntable = \"public.people\"\n\
             columns = [{columns}]\nclasses = [\"{class}\"]\n"
        )
    };
    let extra = format!(
        "[policy]\nfiles = [\"{}\"]\n{}{}",
        policy.display(),
        column("\"mail\", \"born\", \"seen\", \"pay\", \"ip\", \"tags\"", "generalise"),
        column("\"iban\", \"pin\"", "null"),
    );
    let gateway = Gateway::start(&Setup { extra, ..Setup::default() });
    gateway.postgres.direct(
        "create table people (id int, mail text, born date, seen timestamptz, pay numeric(10,2), ip inet,\
         tags text[], iban text not null, pin int not null);\
         insert into people values (1, 'alice@example.org', '1987-05-23', '2024-02-29 12:00:00+00', 52300.75,\
         '192.0.2.77', '{+4930901820123,x}', 'DE89370400440532013000', 1234); alter table people owner to app",
    );
    let said = gateway.agent().psql("select * from people").ok().out;
    assert_eq!(
        said,
        "1|*@example.org|1987-05-01|2024-02-01 00:00:00+00|50000.00|192.0.2.0/24|\
         {\"+49***********\",\"[redacted]\"}||"
    );
    let said = gateway.agent().python(
        "import psycopg, sys\n\
         with psycopg.connect(host=sys.argv[1]) as c:\n\
         \x20 print(*c.execute('select born, seen, pay, ip, tags, iban, pin from people', binary=True).fetchone(), sep='|')",
    );
    assert_eq!(
        said.ok().out,
        "1987-05-01|2024-02-01 00:00:00+00:00|50000.00|192.0.2.0/24|\
         ['+49***********', '[redacted]']|None|None"
    );
}

#[test]
fn what_is_not_sensitive_comes_as_it_is() {
    let gateway = start();
    let sql = "select id, name, balance from customers where id = 7";
    assert_eq!(gateway.agent().psql(sql).ok().out, gateway.postgres.direct(sql));
    let count = gateway.agent().psql("select count(*) from customers").ok();
    assert_eq!(count.out, "100");
}

#[test]
fn binary_results_and_statements_run_again_are_hidden_too() {
    let gateway = start();
    let said = gateway.agent().python(
        "import asyncio, asyncpg, psycopg, sys\n\
         async def main():\n\
         \x20 c = await asyncpg.connect(host=sys.argv[1], user='x', database='x')\n\
         \x20 s = await c.prepare('select id, email, balance from customers where id = $1')\n\
         \x20 for i in (5, 6, 5): print(*(await s.fetchrow(i)))\n\
         asyncio.run(main())\n\
         with psycopg.connect(host=sys.argv[1]) as c:\n\
         \x20 for i in range(8):\n\
         \x20  row = c.execute('select email from customers where id = %s', (5,), prepare=True, binary=True).fetchone()\n\
         \x20  print(row[0])",
    );
    let out = said.clone().ok().out;
    assert_eq!(out.lines().count(), 11, "{said:#?}");
    assert!(!out.contains("@example.com"), "{said:#?}");
}

#[test]
fn the_record_holds_what_was_delivered_and_no_more() {
    let gateway = start();
    gateway.agent().psql("select id, email, note from customers where id = 5").ok();
    let rows = gateway.duckdb(
        "select a.columns, a.rows, e.masked from answers a join exchanges e using (exchange)",
    );
    let text = serde_json::to_string(&rows).expect("JSON");
    assert!(text.contains("email") && !text.contains("@example.com"), "{text}");
    for file in gateway.files() {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let clear = b"customer5@example.com";
        let found = bytes.windows(clear.len()).any(|window| window == clear);
        assert!(!found, "a clear value stands in {}", file.display());
    }
}

#[test]
fn a_rule_that_is_added_holds_for_open_connections_at_once() {
    let gateway = Gateway::start(&Setup::default());
    let script = "import psycopg, sys
c = psycopg.connect(host=sys.argv[1], autocommit=True)
ask = lambda: c.execute('select name from customers where id = 7', prepare=True).fetchone()[0]
print(ask(), flush=True); sys.stdin.readline()
print(ask(), flush=True)";
    let mut agent = gateway.agent().python_by_turns(script);
    assert_eq!(agent.line(), "Customer 7");
    let config = gateway.config();
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let rule = "\n[[column]]\ntarget = \"orders\"\ntable = \"public.customers\"\n\
        columns = [\"name\"]\nclasses = [\"pii\"]\n";
    std::fs::write(&config, text + rule).expect("the configuration");
    let pid = gateway.pid().to_string();
    std::process::Command::new("kill").args(["-HUP", &pid]).status().expect("kill");
    wait_for("the configuration", Duration::from_secs(20), || {
        gateway.log().contains("reloaded").then_some(())
    });
    agent.go();
    let masked = agent.line();
    assert!(!masked.contains("Customer"), "{masked}");
    agent.end();
}

#[test]
fn a_database_in_another_encoding_is_masked_by_name_and_read_in_ascii_alone() {
    let extra = "[[column]]\ntarget = \"orders\"\ntable = \"public.gens\"\n\
        columns = [\"pr\u{e9}nom\"]\nclasses = [\"pii\"]\n";
    let gateway = Gateway::start(&Setup { extra: extra.to_owned(), ..Setup::default() });
    let database = format!("latin_{}", gateway.postgres.database);
    gateway.postgres.direct(&format!(
        "create database {database} encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C'"
    ));
    let made = "create table gens (id int, \"pr\u{e9}nom\" text); \
        insert into gens values (1, 'Planted'); alter table gens owner to app";
    let mut psql = gateway.postgres.tool("psql");
    psql.env("PGCLIENTENCODING", "UTF8").args(["-X", "-d", &database, "-c", made]);
    assert!(psql.status().expect("psql").success());
    let ask = |sql: &str| {
        attack(&gateway, &format!("t = Talk(database='{database}'); said = t.ask(Q(\"{sql}\"))"))
    };
    let said = ask("select * from gens");
    assert!(said.contains("SELECT 1") && !said.contains("Planted"), "{said}");
    // Where the server folds and clips names otherwise, and escapes for them.
    for sql in ["select '\u{e9}'", "select 1 from U&\\\"g\\\\0065ns\\\""] {
        let said = ask(sql);
        assert!(said.contains("waiting for approval"), "{sql}: {said}");
    }
}

/// Weir logs in as the agents do, so what they set for the role is set for its own connection.
#[test]
fn operators_in_a_roles_search_path_change_no_mask() {
    let column = "[[column]]\ntarget = \"orders\"\ntable = \"public.words\"\n\
                  columns = [\"word\"]\nclasses = [\"pii\"]\n";
    let gateway = Gateway::start(&Setup { extra: column.to_owned(), ..Setup::default() });
    gateway.postgres.direct(
        "create table words (id int, word text); insert into words values (1, 'zebra');
         create view spoken as select id, word as said from words; grant select on spoken to app;
         create schema evil; grant usage on schema evil to public;
         create function evil.no(a oid, b oid) returns bool language sql immutable as 'select false';
         create operator evil.= (leftarg = oid, rightarg = oid, function = evil.no);
         do $$ begin execute format('alter role app in database %I set search_path = evil, pg_catalog, public',
           current_database()); end $$",
    );
    let said = gateway.agent().psql("select said from public.spoken");
    assert_eq!(said.status, Some(0), "{said:?}");
    assert!(said.out.len() > 1 && !said.out.contains("zebra"), "{said:?}");
}
