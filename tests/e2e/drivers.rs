//! The usual clients carry on without their noticing.

use weir_tests::postgres::Version;
use weir_tests::{Gateway, Setup};

#[test]
fn pgbench_runs_in_all_three_modes() {
    for version in Version::ALL {
        let gateway = Gateway::start(&Setup { version, ..Setup::default() });
        let made = gateway.postgres.tool("pgbench").args(["-i", "-q", "-s", "1"]).output();
        assert!(made.is_ok_and(|output| output.status.success()));
        gateway.postgres.direct(
            "alter table pgbench_accounts owner to app; alter table pgbench_branches owner to app;\
             alter table pgbench_tellers owner to app; alter table pgbench_history owner to app",
        );
        let (program, library) = gateway.postgres.client("pgbench");
        let program = program.display().to_string();
        for mode in ["simple", "extended", "prepared"] {
            let arguments =
                ["-h", &gateway.host, "-M", mode, "-n", "-c", "2", "-t", "50", "-b", "tpcb-like"];
            let agent = gateway.agent();
            let mut command = agent.command(&program, &arguments);
            if let Some(library) = library {
                command.env("LD_LIBRARY_PATH", library);
            }
            let output = command.output().expect("pgbench");
            let text = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{mode}: {text}");
            assert!(text.contains("100/100"), "{mode}: {text}");
        }
        let rows = gateway.duckdb("select count(*) as n from exchanges where status = 'unknown'");
        assert_eq!(rows[0]["n"], 0);
    }
}

#[test]
fn psql_describes_copies_and_pages() {
    // Debian's psql does not know how 17 and later list databases.
    let version = Some(Version::usual()).filter(|version| version.number() < 17);
    let version = version.unwrap_or(Version::V15);
    let gateway = Gateway::start(&Setup { version, ..Setup::default() });
    let said = gateway.agent().psql_script(
        "\\d orders\n\\dt\n\\d+ customers\n\\df\n\\l\n\\du\n\
         \\copy (select id from orders where id <= 3) to stdout\n\
         begin;\n\
         \\copy orders (id, customer, total) from stdin\n9001\t1\t5.5\n9002\t2\t6.5\n\\.\n\
         select count(*) from orders where id > 9000;\nrollback;\n\
         \\set FETCH_COUNT 10\nselect id from orders order by id limit 25;\n",
    );
    assert_eq!(said.status, Some(0), "{said:#?}");
    assert!(!said.err.contains("ERROR"), "{said:#?}");
    assert!(said.out.contains("COPY 2") && said.out.lines().any(|line| line == "2"), "{said:#?}");
}

#[test]
fn psycopg_pipelines_copies_and_uses_server_side_cursors() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway.agent().python(
        "import psycopg, sys\n\
         with psycopg.connect(host=sys.argv[1]) as c:\n\
         \x20 with c.pipeline():\n\
         \x20  cs = [c.execute('select %s::int', (i,)) for i in range(50)]\n\
         \x20 print(sum(x.fetchone()[0] for x in cs))\n\
         \x20 with c.cursor(name='s') as s:\n\
         \x20  s.itersize = 7; s.execute('select id from orders order by id')\n\
         \x20  print(sum(r[0] for r in s))\n\
         \x20 with c.cursor().copy('copy orders (id, customer, total) from stdin') as w:\n\
         \x20  for i in range(10000, 12000): w.write_row((i, 1, 2))\n\
         \x20 print(c.execute('select count(*) from orders').fetchone()[0])\n\
         \x20 with c.cursor().copy('copy (select id from orders) to stdout (format binary)') as r:\n\
         \x20  r.set_types(['int4']); print(sum(1 for _ in r.rows()))\n\
         \x20 c.rollback()\n\
         \x20 try: c.execute('select * from no_such_table')\n\
         \x20 except psycopg.errors.UndefinedTable as e: print(e.diag.sqlstate)\n\
         \x20 c.rollback()\n\
         \x20 print(c.info.server_version // 10000, c.info.encoding)",
    );
    let version = Version::usual().number();
    assert_eq!(said.ok().out, format!("1225\n125250\n2500\n2500\n42P01\n{version} utf-8"));
}

/// A portal that is read in pieces, each behind a Sync, is on record as far as it was read.
fn told_to_the_end(gateway: &Gateway, statement: &str, count: u64) {
    let rows = gateway.duckdb(&format!(
        "select e.status, e.rows, sum(len(a.rows)) as told from exchanges e join answers a using (exchange) \
         where e.statement like '{statement}' group by all",
    ));
    assert_eq!(rows, [serde_json::json!({ "status": "ok", "rows": count, "told": count })]);
    let orphans = gateway.duckdb("select message from events where kind = 'record.orphan'");
    assert_eq!(orphans, Vec::<serde_json::Value>::new());
}

#[test]
fn asyncpg_runs_with_its_own_introspection() {
    let gateway = Gateway::start(&Setup { version: Version::V18, ..Setup::default() });
    let said = gateway.agent().python(
        "import asyncio, asyncpg, sys\n\
         async def main():\n\
         \x20 c = await asyncpg.connect(host=sys.argv[1], user='x', database='x')\n\
         \x20 print(await c.fetchval('select sum(id) from orders where id = any($1::int[])', [1,2,3]))\n\
         \x20 async with c.transaction():\n\
         \x20  n = 0\n\
         \x20  async for r in c.cursor('select id from orders order by id', prefetch=10): n += r[0]\n\
         \x20  print(n)\n\
         \x20 await c.executemany('update orders set total = $1 where id = $2', [(1, 1), (2, 2)])\n\
         \x20 print(await c.fetchval('select total from orders where id = 2'))\n\
         \x20 await c.copy_records_to_table('orders', records=[(7001, 1, 5)], columns=['id', 'customer', 'total'])\n\
         \x20 print(await c.fetchval('select total from orders where id = 7001'))\n\
         asyncio.run(main())",
    );
    assert_eq!(said.ok().out, "6\n125250\n2.00\n5.00");
    told_to_the_end(&gateway, "%order by id", 500);
}

#[test]
fn node_postgres_runs() {
    let gateway = Gateway::start(&Setup::default());
    let script = "const {Client} = require('pg');\n\
        (async () => {\n\
        const c = new Client({host: process.argv[1], user: 'x', database: 'x', password: 'ignored'});\n\
        await c.connect();\n\
        console.log((await c.query('select $1::int + 1 as n', [41])).rows[0].n);\n\
        for (let i = 0; i < 3; i++)\n\
        console.log((await c.query({name: 'p', text: 'select count(*)::int as n from orders where id > $1', values: [i]})).rows[0].n);\n\
        await c.end();\n\
        })().catch(e => { console.error(e); process.exit(1); });";
    let modules = weir_tests::root().join("tests/drivers/node_modules");
    let agent = gateway.agent();
    let mut command = agent.command("node", &["-e", script, &gateway.host]);
    command.env("NODE_PATH", modules);
    let output = command.output().expect("node");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.trim(), "42\n500\n499\n498", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn jdbc_runs() {
    let gateway = Gateway::start(&Setup::default());
    let source = weir_tests::root().join("tests/drivers/Jdbc.java").display().to_string();
    let agent = gateway.agent();
    let jar = "/usr/share/java/postgresql.jar";
    assert!(std::path::Path::new(jar).exists(), "{jar} is missing: run `cargo xtask setup`");
    let output =
        agent.command("java", &["-cp", jar, &source, &gateway.host]).output().expect("java");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        text.trim(),
        "sum 4950\nbatch 10\nfetched 500 1\nmetadata id,customer,total,placed\nrefused 42501",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    told_to_the_end(&gateway, "%order by id", 500);
    told_to_the_end(&gateway, "%order by id desc", 7);
}

#[test]
fn tokio_postgres_runs() {
    let gateway = Gateway::start(&Setup::default());
    let built = weir_tests::weir().with_file_name("examples").join("tokio_postgres_client");
    let said = gateway.agent().run(&built.display().to_string(), &[&gateway.host]);
    assert_eq!(said.ok().out, "sum 125250\nrows 3\nrefused 42501");
}

#[test]
fn many_clients_at_once_are_all_attributed() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway.agent().python(
        "import psycopg, sys, threading\n\
         done = []\n\
         def work(n):\n\
         \x20 for i in range(10):\n\
         \x20  with psycopg.connect(host=sys.argv[1]) as c: done.append(c.execute('select 1').fetchone()[0])\n\
         ts = [threading.Thread(target=work, args=(n,)) for n in range(10)]\n\
         [t.start() for t in ts]; [t.join() for t in ts]\n\
         print(sum(done))",
    );
    assert_eq!(said.ok().out, "100");
    let rows = gateway.duckdb("select count(*) as n from flows where protocol = 'postgres'");
    assert_eq!(rows[0]["n"], 100);
    let lost = gateway.duckdb("select count(*) as n from events where kind = 'flow.unattributed'");
    assert_eq!(lost[0]["n"], 0);
}
