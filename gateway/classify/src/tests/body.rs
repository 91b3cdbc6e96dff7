//! What bodies of functions are made of, and what texts call by name.

use crate::{Body, SqlState, body, classify_sql};
use weir_model::Dialect;

fn words(set: &std::collections::BTreeSet<String>) -> Vec<&str> {
    set.iter().map(String::as_str).collect()
}

#[test]
fn a_body_that_reads_is_told_by_its_calls() {
    let Body { functions, unlisted, operators, words: all } = body(
        "declare r record; x public.checked := 1; begin
           -- evil(1)
           for r in select id, lower(s) from t1 where trusted (id) > 0 loop return next r; end loop;
           if (x ~~ 'a') then return query (select \"Odd\" (1) over (partition by 2)); end if;
         end",
    )
    .unwrap();
    assert_eq!(words(&functions), ["Odd", "if", "lower", "over", "query", "trusted"]);
    assert_eq!(words(&unlisted), ["Odd", "trusted"]);
    assert!(operators.contains("~~") && operators.contains("="));
    assert!(["checked", "t1", "record", "s"].iter().all(|word| all.contains(*word)));
    assert!(!all.contains("evil"));
}

#[test]
fn a_body_of_nothing_is_read() {
    for text in ["", " \n", "-- nothing", "/* nothing */"] {
        let found = body(text).unwrap();
        assert!(found.words.is_empty() && found.functions.is_empty(), "{text}");
    }
}

#[test]
fn a_body_that_may_do_more_is_none() {
    for text in [
        "insert into t values (1)",
        "with x as (DELETE from t returning *) select * from x",
        "begin execute 'select ' || a; end",
        "begin perform set_config('role', 'x', false); end",
        "select nextval('s')",
        "select pg_terminate_backend(1)",
        "select id from t for update",
        "begin call p(1); end",
        "begin commit; end",
        "select \"nextval\" /* of */ ('s')",
        "select U&\"\\006eextval\"('s')",
        "select U&\"nextval\"('s')",
        // A session may have a backslash read as an escape.
        "select '\\' || evil(1) || '",
        "select query_to_xml('insert into t values (1)', true, true, '')",
        "begin do $$ begin end $$; end",
        "select 'unfinished",
    ] {
        assert_eq!(body(text), None, "{text}");
    }
}

#[test]
fn a_text_says_which_names_it_uses() {
    let names = |text: &str| {
        let facts = classify_sql(Dialect::Postgres, text.as_bytes(), &SqlState::default());
        let names = &facts.names;
        let list = |set| words(set).join(" ");
        format!("{}|{}|{}", list(&names.functions), list(&names.operators), list(&names.types))
    };
    for (text, expected) in [
        ("select lower(a), pg_catalog.upper(b), public.f(c) from t", "lower||"),
        (
            "select a + 1 operator(pg_catalog.*) 2 from t where b operator(public.-) 1 = 2",
            "|+ - =|",
        ),
        ("select a::mood, '1'::public.m[], cast(x as int) from t", "||int4 m mood"),
        ("select case a when 1 then 2 end from t", "|=|"),
        ("select case when a then 2 end from t", "||"),
        ("select * from t where a between 1 and 2", "|<= >= BETWEEN|"),
        ("select * from t where a not between symmetric 1 and 2", "|< > NOT BETWEEN SYMMETRIC|"),
        ("select * from t where a in (select b from u)", "|=|"),
        ("select * from t join u using (a)", "|=|"),
        ("select * from t natural join u", "|=|"),
        ("select * from t join u on true", "||"),
        ("select * from t where exists (select 1 from u)", "||"),
        ("select * from t order by a using <<<", "|<<<|"),
        (
            "select * from json_to_record('{}') as r (a trapped, b int[])",
            "json_to_record||int4 trapped",
        ),
        ("select * from json_table('[]', '$' columns (a trapped path '$'))", "||trapped"),
        (
            "select json_value('{}', '$' returning trapped), json_array(1 returning jsonb)",
            "||jsonb trapped",
        ),
        ("select xmlserialize(content a as trapped) from t", "||trapped"),
        ("select * from xmltable('/a' passing '<a/>' columns b trapped path '.')", "||trapped"),
        ("prepare p (trapped) as select lower($1)", "lower||trapped"),
        ("explain analyze select lower(a) from t", "lower||"),
        ("declare c cursor for select a + 1 from t", "|+|"),
        ("copy (select lower(a) from t) to stdout", "lower||"),
        ("insert into t select lower(a)::mood from u returning b - 1", "lower|-|mood"),
        ("select (x).lower from t x", "||"),
    ] {
        assert_eq!(names(text), expected, "{text}");
    }
}
