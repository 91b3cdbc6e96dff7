//! Which places are found, and which are not.

use super::*;

/// What stands in each place, for which column of which relations.
fn found(text: &str) -> Vec<String> {
    let shown = |place: &Place| {
        let given = match &place.given {
            Given::Literal { start, end, text: said } => {
                let written = format!("'{}'", said.replace('\'', "''"));
                assert_eq!(&text[*start..*end], written, "{text}");
                said.clone()
            }
            Given::Parameter(number) => format!("${number}"),
        };
        let sign = if place.written { "<-" } else { "=" };
        format!("{}.{} {sign} {given}", place.relations.join("|"), place.column)
    };
    places(text).places.iter().map(shown).collect()
}

#[test]
fn comparisons_and_assignments_are_found() {
    for (text, expected) in [
        ("select id from customers where email = 'a''b'", vec!["customers.email = a'b"]),
        (
            "select 1 from public.customers c where 'x' <> c.email",
            vec!["public.customers.email = x"],
        ),
        (
            "select 1 from customers where not (email in ('x', $1) or id = $2)",
            vec!["customers.email = x", "customers.email = $1", "customers.id = $2"],
        ),
        ("delete from t where a = any(array['x', $3::text])", vec!["t.a = x", "t.a = $3"]),
        ("select 1 from t where a <> all(array[$1])", vec!["t.a = $1"]),
        ("select 1 from t where a = $1::varchar", vec!["t.a = $1"]),
        (
            "select 1 from a join b x on x.k = 'j' where x.v = 'w' and u = 'v'",
            vec!["b.k = j", "b.v = w", "a|b.u = v"],
        ),
        (
            "select 1 from o where exists (select from c where c.e = 'x' and o.f = 'y')",
            vec!["c.e = x", "o.f = y"],
        ),
        ("select 1 from o where k in (select k from c where e = 'x')", vec!["c.e = x"]),
        ("select 1 from (select * from c where e = 'x') s where s.e = 'y'", vec!["c.e = x"]),
        (
            "select 1 from c where e = 'x' union select 1 from d where e = 'y'",
            vec!["c.e = x", "d.e = y"],
        ),
        ("update c set e = 'x', n = $1 where id = 5", vec!["c.e <- x", "c.n <- $1"]),
        ("insert into c (id, e) values (1, 'x'), (2, $1)", vec!["c.e <- x", "c.e <- $1"]),
        ("/* ä */ select 1 from c where 'ß' = n and e = 'x'", vec!["c.n = ß", "c.e = x"]),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
}

#[test]
fn what_may_mean_something_else_is_no_place() {
    for text in [
        "select 1 from t where a like 'x'",
        "select 1 from t where a < 'x'",
        "select 1 from t where lower(a) = 'x'",
        "select 1 from t where a = lower('x')",
        "select 1 from t where a = 'x' || 'y'",
        "select 1 from t where a operator(mine.=) 'x'",
        "select 1 from t where a = E'x'",
        "select 1 from t where a = U&'x'",
        "select 1 from t where a = $$x$$",
        "select 1 from t where a = 'x'\n'y'",
        "select 1 from t where a = N'x'",
        "select 1 from t where a = 'x'::varchar(1)",
        "select 1 from t where a = 'x'::name",
        "select 1 from t where a = 'x'::\"char\"",
        "select 1 from t where a = 'x'::name::text",
        "select 1 from t where a = any('{x}')",
        "select 1 from t where a is distinct from 'x'",
        "select 1 from t where (a = 'x') is true",
        "select 1 from t where case when a = 'x' then true end",
        "select a = 'x' from t",
        "select 'x' from t",
        "select 1 from t group by a having a = 'x'",
        "select 1 from t where a in (select 'x')",
        "select 1 from t u(b, a) where a = 'x'",
        "select 1 from t u(b, a) where u.a = 'x'",
        "select 1 from (values ('y')) t(a) where a = 'x'",
        "select 1 from (values ('y')) t(a) where t.a = 'x'",
        "select 1 from c, (values ('y')) t(a) where a = 'x'",
        "select 1 from c, lateral (select 1 where c.a = 'x') s",
        "select 1 from unnest(array['y']) t(a) where t.a = 'x'",
        "select 1 from (c join d using (k)) j where j.a = 'x'",
        "select 1 from (c join d using (k)) c where c.a = 'x'",
        "select 1 from c join unnest(array[1]) c on c.a = 'x'",
        "select 1 from c where exists (select from unnest(array['y']) c where c.a = 'x')",
        "select 1 from other.public.t where a = 'x'",
        "with t(a) as (values ('y')) select 1 from t where a = 'x'",
        "with t(a) as (values ('y')) update u set b = 'x' from t where t.a = 'x'",
        "select a into u from t where a = 'x'",
        "select 1 from t where a = 'x'; select 2",
        "explain select 1 from t where a = 'x'",
        "prepare p as select 1 from t where a = 'x'",
        "execute p('x')",
        "declare c cursor for select 1 from t where a = 'x'",
        "copy (select 1 from t where a = 'x') to stdout",
        "create table u as select 1 from t where a = 'x'",
        "merge into t using u on t.a = 'x' when matched then delete",
        "insert into t values ('x')",
        "insert into t (a) select 'x'",
        "insert into t (a) values ('x') on conflict (a) do update set b = 'x'",
        "insert into t (a[1]) values ('x')",
        "update t set (a, b) = ('x', 'y')",
        "update t set a = a || 'x'",
        "not sql",
    ] {
        assert_eq!(found(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn every_use_of_a_parameter_is_counted() {
    let uses = |text: &str, number| places(text).uses.get(&number).copied();
    let text = "select $1 from t where a = $1 and b = $10 -- $2 '$1'";
    assert_eq!([1, 2, 10, 3].map(|n| uses(text, n)), [Some(3), Some(1), Some(1), None]);
    assert_eq!(uses("select 1 from t where a = $01", 1), Some(1));
    assert!(places("select 1 from t where a = $1").are_all(1, 1));
    assert!(!places("select $1 from t where a = $1").are_all(1, 1));
}
