//! The before-image of a statement: which rows, once each, or that it is not known.

use weir_model::Dialect;

use crate::{Before, BeforeImage, SqlState, before_image};

fn of(sql: &str) -> BeforeImage {
    before_image(Dialect::Postgres, sql.as_bytes(), &SqlState::default())
}

fn check(sql: &str, expected: &[(&str, &str)]) {
    let rows = expected
        .iter()
        .map(|(table, query)| Before { table: (*table).to_owned(), query: (*query).to_owned() });
    assert_eq!(of(sql), BeforeImage::Rows(rows.collect()), "{sql}");
}

#[test]
fn a_statement_on_one_table_keeps_its_condition() {
    check("delete from orders", &[("orders", "SELECT orders.* FROM orders")]);
    check(
        "delete from only app.orders as o where o.id = $1 and total > 5 returning id",
        &[("app.orders", "SELECT o.* FROM ONLY app.orders o WHERE o.id = $1 AND total > 5")],
    );
    check(
        "update \"Odd Name\" set a = 1 where id in (select id from old)",
        &[("Odd Name", "SELECT \"Odd Name\".* FROM \"Odd Name\" WHERE id IN (SELECT id FROM old)")],
    );
}

#[test]
fn what_others_match_is_told_once() {
    check(
        "delete from orders o using customers c, lateral (select 1) x where o.customer = c.id",
        &[(
            "orders",
            "SELECT o.* FROM orders o WHERE EXISTS (SELECT FROM customers c, LATERAL (SELECT 1) x WHERE o.customer = c.id)",
        )],
    );
    check(
        "with old as (select id from t where a < 5) update orders set x = 1 from old where old.id = orders.id",
        &[(
            "orders",
            "WITH old AS (SELECT id FROM t WHERE a < 5) SELECT orders.* FROM orders WHERE EXISTS (SELECT FROM old WHERE old.id = orders.id)",
        )],
    );
    check(
        "merge into t using s on t.id = s.id when matched then delete when not matched then insert values (1)",
        &[("t", "SELECT t.* FROM t WHERE EXISTS (SELECT FROM s WHERE t.id = s.id)")],
    );
    check(
        "merge into t using s on t.id = s.id when not matched by source then delete",
        &[("t", "SELECT t.* FROM t")],
    );
}

#[test]
fn truncate_takes_all_of_each() {
    let both = [("a", "SELECT a.* FROM a"), ("s.b", "SELECT b.* FROM ONLY s.b")];
    check("truncate a, only s.b restart identity", &both);
}

#[test]
fn what_only_reads_or_adds_changes_nothing() {
    for sql in [
        "select 1",
        "begin",
        "explain delete from t",
        "insert into t values (1)",
        "insert into t select * from u on conflict do nothing",
        "with x as (select 1) insert into t select * from x",
    ] {
        assert_eq!(of(sql), BeforeImage::Nothing, "{sql}");
    }
}

#[test]
fn what_no_query_tells_is_unknown() {
    for sql in [
        "delete from t where random() < 0.5",
        "delete from t where id < nextval('s')",
        "delete from t where id in (select id from u order by id limit 5)",
        "delete from t using u tablesample system (5) where t.a = u.a",
        "delete from t where id in (select id from u for update skip locked)",
        "update t set a = 1 where b > pg_catalog.clock_timestamp()",
        "delete from t where f(a)",
        "delete from t where current of c",
        "delete from t; delete from u",
        "with d as (delete from u returning *) delete from t using d where t.a = d.a",
        "with d as (delete from u returning *) insert into t select * from d",
        "insert into t values (1) on conflict (a) do update set a = 2",
        "explain analyze delete from t",
        "prepare p as delete from t",
        "truncate t cascade",
        "drop table t",
        "alter table t drop column a",
        "copy t from stdin",
        "refresh materialized view m",
        "do $$ begin delete from t; end $$",
        "execute p",
        "delete from t where",
    ] {
        assert_eq!(of(sql), BeforeImage::Unknown, "{sql}");
    }
}
