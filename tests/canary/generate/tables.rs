//! What can be read from, with its columns.

/// A relation's name, and its columns with the letters of their kinds.
pub const TABLES: &[(&str, &str)] = &[
    ("people", PEOPLE),
    ("people", PEOPLE),
    ("people", PEOPLE),
    ("public.people", PEOPLE),
    ("only people", PEOPLE),
    (
        "staff",
        "id:i team:i email:t alias:t tags:a codes:k doc:j raw:w card:c account:i serial:i salary:n born:d seen:s key:u blob:b level:i note:t loud:t badge:t grade:i",
    ),
    ("events", EVENTS),
    ("events_old", EVENTS),
    ("public.events_new", EVENTS),
    ("mail_log", "id:i email:t sent:i"),
    ("contacts", "id:i address:t loud:t level:i note:t"),
    ("deep", "id:i address:t loud:t note:t"),
    ("shipped", "id:i name:t buyer:t qty:i"),
    ("whole", "id:i"),
    ("documents", "id:i document:j"),
    ("called", "id:i mail:t name:t"),
    ("anybody", "id:i email:t doc:j loud:t"),
    ("mixed", "id:i value:t"),
    ("nightly", "id:i email:t nick:t level:i"),
    ("plain", "id:i level:i note:t"),
    ("items", ITEMS),
    ("items", ITEMS),
    ("pairs", "k:i v:t"),
    ("teams", "id:i name:t budget:i"),
];
const PEOPLE: &str = "id:i team:i email:t alias:t tags:a codes:k doc:j raw:w card:c account:i serial:i salary:n born:d seen:s key:u blob:b level:i note:t loud:t";
const EVENTS: &str = "id:i person:i kind:t origin:t payload:j day:d";
const ITEMS: &str = "id:i person:i name:t qty:i sold:d";

/// Views over masked columns.
pub const VIEWS: &[&str] =
    &["contacts", "deep", "shipped", "whole", "documents", "called", "anybody", "mixed", "nightly"];

/// Columns by which relations are joined and told apart, none of them masked.
pub const KEYS: &[&str] =
    &["id", "team", "level", "person", "k", "qty", "grade", "sent", "budget", "n"];

/// Functions in a from list, with the names and kinds of their columns.
pub const FUNCTIONS: &[(&str, &str)] = &[
    ("unnest({a})", "u:t"),
    ("unnest({a})", "u:t"),
    ("unnest({k})", "u:i"),
    ("unnest({a}, {k})", "u:t v:i"),
    ("jsonb_each_text({j})", "key:t value:t"),
    ("jsonb_each({j})", "key:t value:j"),
    ("jsonb_array_elements_text(jsonb_build_array({t}, {t}))", "e:t"),
    ("jsonb_array_elements(({j})->'list')", "e:j"),
    ("jsonb_path_query({j}, '$.*')", "e:j"),
    ("string_to_table({t}, null)", "c:t"),
    ("regexp_split_to_table({t}, '')", "c:t"),
    ("regexp_matches({t}, '.{9}', 'g')", "m:a"),
    ("json_each_text(row_to_json({r}))", "key:t value:t"),
    ("json_array_elements_text({w})", "e:t"),
    ("jsonb_object_keys(jsonb_build_object({t}, 1))", "o:t"),
    ("generate_series(1, 3)", "n:i"),
    ("string_to_table({t}, 'q')", "c:t"),
    ("everyone()", "id:i email:t"),
    ("rows from (unnest({a}), generate_series(1, 2))", "u:t n:i"),
    ("unnest(array[{c}])", "mail:t phone:t ref:i"),
    ("jsonb_to_record({j})", "NAMED name text, list jsonb"),
    ("json_to_recordset({w})", "NAMED raw text"),
    ("jsonb_to_record(to_jsonb({r}))", "NAMED email text, serial int8, born date"),
    ("jsonb_populate_record(null::contact, to_jsonb({c}))", "mail:t phone:t ref:i"),
    (
        "jsonb_populate_recordset(null::contact, jsonb_build_array(to_jsonb({c})))",
        "mail:t phone:t ref:i",
    ),
    ("jsonb_populate_record(null::people, to_jsonb({r}))", "id:i team:i email:t alias:t"),
    ("upper({t})", "f:t"),
    ("concat_ws(',', {t}, {t})", "f:t"),
    ("coalesce({t}, {t})", "f:t"),
    ("xmltable('/e' passing xmlelement(name e, {t}) columns x text path '.')", "x:t"),
    (
        "xmltable('/e/i' passing xmlelement(name e, xmlelement(name i, {t})) columns x text path '.', p text default {t} path 'zz')",
        "x:t p:t",
    ),
    ("regexp_split_to_table({t}, 'q') with ordinality", "c:t n:i"),
    ("unnest({a}) with ordinality", "u:t n:i"),
    ("ts_parse('default', {t})", "tokid:i token:t"),
    ("json_object_keys(json_build_object({t}, 1))", "o:t"),
    ("unnest(tsvector_to_array(to_tsvector('simple', {t})))", "u:t"),
];
