//! What a masked column's condition may tell: statements that would spell it wait, plain searches go on.

use weir_tests::{Gateway, Setup};

/// A gateway that refuses at once what the shipped policy holds.
fn start(folder: &std::path::Path) -> Gateway {
    let policy = folder.join("policy.cedar");
    let refused = "@id(\"test.inference\")\n@severity(\"high\")\n@message(\"would tell\")\n\
                   forbid (principal, action == Weir::Action::\"sql.run\", resource)\n\
                   when { context.flags.contains(\"inference\") };\n";
    let text = format!("{}\n{refused}", include_str!("../../policies/default.cedar"));
    std::fs::write(&policy, text).expect("a policy");
    let extra = format!("[policy]\nfiles = [\"{}\"]\n", policy.display());
    Gateway::start(&Setup { extra, ..Setup::default() })
}

#[test]
fn a_condition_tells_no_more_than_the_client_wrote() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = start(folder.path());
    gateway.postgres.direct(
        "create view contacts as select id, email as contact from customers;\
         create table words (word text, n int); insert into words select chr(g), g from generate_series(1, 126) g;\
         grant select on contacts, words to app",
    );
    let agent = gateway.agent();
    for sql in [
        "select string_agg(chr(g), '' order by i) from customers, generate_series(1, 21) i, generate_series(32, 126) g where id = 5 and substr(email, i, 1) = chr(g)",
        "select w.word from words w, customers c where c.id = 5 and w.word = substr(c.email, 1, 1)",
        "select w.n from words w join customers c on w.n = ascii(c.email) where c.id = 5",
        "select max(w.word) from words w where w.word < (select email from customers where id = 5)",
        "select w.word from words w where exists (select from contacts c where c.contact like w.word || '%')",
        "select g from generate_series(1, 200) g limit (select ascii(email) from customers where id = 5)",
        "select g from customers c, generate_series(1, ascii(email)) g where c.id = 5",
        "select id from customers order by substr(email, 9, 2), id",
        "select s.n from (select substr(c.email, w.n, 1) as ch, w.n from customers c, words w where c.id = 5 and w.n < 22) s where s.ch = 'u'",
        "update words set word = 'hit' from customers c where substr(c.email, words.n, 1) = words.word returning words.n",
        "select s.n, w.n from (select substr(c.email, i.n, 1) as ch, i.n from customers c, words i where c.id = 5) s join (select word as ch, n from words) w using (ch)",
        "select w.word from words w where exists (select w.word intersect select substr(email, 1, 1) from customers where id = 5)",
        "select w.n, generate_series(1, ascii(c.email)) from words w, customers c where w.n = 1 and c.id = 5",
        "select w.word, regexp_matches(c.email, '^' || w.word) from words w, customers c where c.id = 5 and w.n > 96 and w.n < 123",
        "select w.n, regexp_matches(c.email, w.word) from words w, customers c where c.id = 5 and w.n > 96 and w.n < 123",
        "select id from (select id, substr(email, 9, 2) as k from customers) s order by k",
        "prepare p as select n from customers, words where substr(email, n, 1) = $1",
        "declare c cursor with hold for select n from customers, words where substr(email, n, 1) = word",
    ] {
        let said = agent.psql(sql);
        assert!(said.err.contains("test.inference"), "{sql}: {said:#?}");
        assert_eq!(said.out, "", "{sql}");
    }
    let said = agent.python(
        "import psycopg, sys\n\
         with psycopg.connect(host=sys.argv[1], autocommit=True) as c:\n\
         \x20 for i in range(3):\n\
         \x20  try: print(c.execute('select w.n from words w, customers c where c.id = %s and w.word = substr(c.email, 1, 1)', (5,), prepare=True).fetchall())\n\
         \x20  except psycopg.Error as error: print(error.sqlstate)",
    );
    assert_eq!(said.ok().out, "42501\n42501\n42501");
    let flagged = gateway.duckdb(
        "select count(*) as n from exchanges where list_contains(flags, 'inference') and verdict = 'deny' and statement not like '%$1 and %'",
    );
    assert_eq!(flagged, [serde_json::json!({ "n": 18 })]);
}

#[test]
fn plain_searches_and_joins_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = start(folder.path());
    // All columns of a view count as sensitive, its own `id` too; that of a table does not for that.
    gateway.postgres.direct("create view contacts as select id, email as contact from customers");
    let agent = gateway.agent();
    for (sql, rows) in [
        ("select id from customers where email = 'customer5@example.com'", "5"),
        (
            "select id from customers where lower(email) like 'customer5@%' order by lower(email)",
            "5",
        ),
        (
            "select id from customers where (email, id) > ('customer5@', 4) order by email, id limit 1",
            "5",
        ),
        ("select count(*) from customers where email in ('customer5@example.com', 'x')", "1"),
        (
            "select o.customer from orders o join customers c on c.id = o.customer where c.email like 'customer5@%' group by 1",
            "5",
        ),
        ("select a.id from customers a join customers b on a.email = b.email where b.id = 5", "5"),
        (
            "select id from (select id, row_number() over (partition by email order by id) as n from customers) s where n = 1 and id = 5",
            "5",
        ),
        (
            "select id from customers where id in (select customer from orders) and concat(name, email) like '%customer5@%'",
            "5",
        ),
    ] {
        let said = agent.psql(sql);
        assert_eq!(said.out.trim(), rows, "{sql}: {said:#?}");
    }
}
