//! Expressions: calls, operators, casts, fields, subqueries.

use super::Grammar;

/// Calls that write, and that the classifier must see wherever they stand. `@` is a number.
const WRITING: &[&str] = &[
    "nextval('seq')",
    "setval('seq', @)",
    "nextval('public.seq'::regclass)::int",
    "evil(@)",
    "public.evil(@)",
    "evil_definer(@)",
    "evil_immutable(@)",
    "evil_dynamic('insert into trap_log values (1)')",
    "(@).evil",
    "@ @!@ @",
    "@ operator(other.+) @",
    "@ operator(public.@!@) @",
    "other.count(@)",
    "length(other.lower('x'))",
    "length(evil('x'::text))",
    "lo_create(0)::int",
    "lo_unlink(4711)",
    "lo_put(4711, 0, 'x') is null",
    "lo_creat(-1)::int",
    "lowrite(lo_open(4711, 131072), 'x')",
    "lo_truncate(lo_open(4711, 393216), 1)",
    "length(set_config('work_mem', '4MB', true))",
    "length(set_config('search_path', 'other, pg_catalog', true))",
    "length(query_to_xml('select public.evil(1)', true, true, '')::text)",
    "length(query_to_xml('insert into trap_log values (1) returning 1', true, true, '')::text)",
    "length(table_to_xml('v_plain', true, true, '')::text)",
    "length(cursor_to_xml('c', 1, true, true, '')::text)",
    "pg_advisory_lock(@) is null",
    "pg_try_advisory_xact_lock(@)::int",
    "pg_advisory_xact_lock_shared(1, @) is null",
    "(pg_notify('trap', 'x') is null)::int",
    "evil_notify()",
    "length(evil_setting())",
    "(select sum(evil) from evil(@))",
    "(select count(*) from evil_rows())::int",
    "evil_sum(@)",
    "('x'::text).evil::int",
    "length(lo_from_bytea(0, 'x')::text)",
    "coalesce(evil(@), 1)",
    "case when evil(@) > 0 then 1 end",
    "(array[evil(@)])[1]",
    "length(pg_export_snapshot())",
    "length((select string_agg(evil(s), '') from t1))",
    "greatest(evil(@), 2)",
    "evil(i => @)",
    "ts_rewrite('a'::tsquery, 'select ''a''::tsquery, ''b''::tsquery from evil(1)')::text::int",
    "(xpath('/a', query_to_xml('select evil(1)', true, true, '')))[1] is null",
    "(table evil(@))",
    "(select evil from (values (evil(@))) v(evil))",
    "count(evil(@))::int",
    "pg_catalog.nextval(U&'se\\0071')::int",
    "\"evil\"(@)",
    "U&\"\\0065vil\"(@)",
    "pg_catalog.setval('seq', @)::int",
    "(row(evil(@), 2)).f1",
    "json_value('1', '$' default evil(@) on error)::int",
    "lastval()::int + nextval('seq')::int",
    "length(format('%s', evil(@)))",
    "any_value(evil(@))",
    "sum(@) filter (where evil(@) > 0)",
    "row_number() over (order by evil(@))::int",
    "(select max(n) from t1 limit evil(@))",
];

/// Traps that only the catalogue knows.
const HIDDEN: &[&str] = &[
    "length(lower(s::varchar))",
    "count(@, @)",
    "abs('x'::text)",
    "length('a'::text + 'b'::text)",
    "length(sum(s))",
    "(@::mood) is null",
    "@::trapped",
    "cast(@ as trapped)",
    "trapped(@)",
    "(select max(n) from v_evil)",
    "(select count(*) from v_evil_where)::int",
    "(select max(t1.evil_row) from t1)",
    "(select v.evil_record from (values (1)) v)",
    "(select max((t2).evil_any) from t2)",
    "(select v.evil_any from (select 1 as a) v)",
];

impl Grammar<'_> {
    /// A number.
    pub(super) fn number(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.one_in(3) {
            return self.simple();
        }
        let below = depth - 1;
        match self.random.below(24) {
            0 | 1 if !self.calm => self.writing(below),
            2 => format!("({} + {})", self.number(below), self.number(below)),
            3 => format!("abs({})", self.number(below)),
            4 => format!("length({})", self.words(below)),
            5 => format!("coalesce({}, {})", self.number(below), self.number(below)),
            6 => format!(
                "(case when {} then {} else {} end)",
                self.truth(below),
                self.number(below),
                self.simple()
            ),
            7 | 8 => {
                let query = self.query(below, 1);
                // Not `(query) limit 1`: a debug build of libpg_query stops at two limits (an assertion).
                format!("(select min(id) from {query} m)")
            }
            9 => format!("({})::int", self.number(below)),
            10 => format!("cast({} as integer)", self.number(below)),
            11 => format!("(array[{}, 2])[1]", self.number(below)),
            12 => format!("(row({}, 2)).f1", self.number(below)),
            13 => format!("pg_catalog.mod({}, 5)", self.number(below)),
            14 => format!("({} operator(pg_catalog.*) 2)", self.number(below)),
            15 => format!("greatest({}, {})", self.number(below), self.simple()),
            16 => format!("(select count(*) from {})::int", self.name()),
            17 => format!("nullif({}, {})", self.number(below), self.simple()),
            18 => format!("- {}", self.number(below)),
            19 | 20 => format!("length(({})::text)", self.built_in()),
            21 => "lo_lseek(lo_open(4711, 262144), 0, 0)".to_owned(),
            22 => "length(lo_get(4711))".to_owned(),
            _ => self.simple(),
        }
    }

    fn simple(&mut self) -> String {
        if !self.scope.is_empty() && !self.random.one_in(3) {
            let at = self.random.below(self.scope.len());
            let name = self.scope[at].clone();
            let column = self.pick(&["id", "n", "id", "n", "n"]);
            return match self.random.below(8) {
                0 => format!("({name}).{column}"),
                1 if self.scope.len() == 1 => column,
                _ => format!("{name}.{column}"),
            };
        }
        self.pick(&["1", "2", "42", "0", "'7'::int", "int '3'", "-1", "length(E'\\'')"])
    }

    /// A call that writes.
    pub(super) fn writing(&mut self, depth: usize) -> String {
        let depth = depth.min(1);
        let list = if self.hidden && self.random.one_in(3) { HIDDEN } else { WRITING };
        let mut text = self.pick(list);
        while text.contains('@') && !text.contains("@!@") {
            let number = if depth == 0 { self.simple() } else { self.number(depth - 1) };
            if number.contains('@') {
                return text.replace('@', "1");
            }
            text = text.replacen('@', &number, 1);
        }
        text.replace("@ @!@ @", "1 @!@ 2").replace(".@!@) @", ".@!@) 2").replace("@ oper", "1 oper")
    }

    /// A call of one of the server's own functions, whatever it does, by any of the ways to call it.
    pub(super) fn built_in(&mut self) -> String {
        let at = self.random.below(self.functions.len());
        let functions = self.functions;
        let Some(function) = functions.get(at) else { return "1".to_owned() };
        let mut values = Vec::new();
        for kind in &function.arguments {
            values.push(self.sample(kind));
        }
        let name = &function.name;
        let quoted = format!("\"{name}\"");
        let name =
            if name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') { name } else { &quoted };
        match (self.random.below(6), values.as_slice()) {
            (0, [one]) => format!("({one}).{name}"),
            (1, _) => format!("pg_catalog.{name}({})", values.join(", ")),
            (2, _) => format!("(select f::text from {name}({}) f limit 1)", values.join(", ")),
            _ => format!("{name}({})", values.join(", ")),
        }
    }

    fn sample(&mut self, kind: &str) -> String {
        let text: &[&str] = match kind {
            "integer" | "bigint" | "smallint" | "numeric" | "double precision" | "real" => {
                &["1", "2", "0", "-1", "4711", "262144"]
            }
            "oid" => &["4711", "1259", "'t1'::regclass", "0"],
            "regclass" => &["'t1'", "'seq'", "'v_plain'", "'t1_n_idx'"],
            "text" | "name" | "cstring" | "character" | "\"char\"" | "character varying" => &[
                "'t1'",
                "'x'",
                "'seq'",
                "''",
                "'public'",
                "'work_mem'",
                "'select public.evil(1)'",
                "'id'",
            ],
            "boolean" => &["true", "false"],
            "bytea" => &["'\\x00'", "'abc'"],
            "xml" => &["'<a/>'"],
            "json" | "jsonb" => &["'{}'", "'[1]'", "'{\"a\": 1}'"],
            "jsonpath" => &["'$'"],
            "date" | "timestamp without time zone" | "timestamp with time zone" => {
                &["'2020-01-01'", "'now'"]
            }
            "time without time zone" | "time with time zone" => &["'10:00'"],
            "interval" => &["'1 day'"],
            "tsquery" => &["'a'", "'a & b'"],
            "tsvector" => &["'a'"],
            "uuid" => &["'00000000-0000-0000-0000-000000000000'"],
            "inet" | "cidr" => &["'10.0.0.0/8'"],
            "pg_lsn" => &["'0/1'"],
            "anyelement" | "anycompatible" | "any" | "anynonarray" | "\"any\"" => {
                &["1", "'x'::text"]
            }
            "anyarray" | "anycompatiblearray" | "integer[]" => &["array[1, 2]"],
            "text[]" | "name[]" => &["array['a', 'id']"],
            "record" => &["row(1, 'x')"],
            "point" => &["'(1,2)'"],
            "box" => &["'((0,0),(1,1))'"],
            _ => &["null", "''", "'1'"],
        };
        let value = self.pick(text);
        if kind.starts_with("any")
            || kind.contains("\"any\"")
            || value == "null" && self.random.one_in(2)
        {
            return value;
        }
        format!("{value}::{kind}")
    }

    /// A text.
    pub(super) fn words(&mut self, depth: usize) -> String {
        let below = depth.saturating_sub(1);
        match self.random.below(14) {
            0 if depth > 0 => format!("lower({})", self.words(below)),
            1 if depth > 0 => format!("({} || {})", self.words(below), self.words(below)),
            2 if depth > 0 => format!("({})::text", self.number(below)),
            3 if depth > 0 => format!("concat({}, {})", self.words(below), self.number(below)),
            4 if depth > 0 => format!("upper({})", self.words(below)),
            5 if depth > 0 => format!("({})::text", self.built_in()),
            6 => self.pick(&[
                "$$select 1$$",
                "$a$ ' $a$",
                "E'\\' delete from t1 --'",
                "U&'\\0041'",
                "'a' \n 'b'",
            ]),
            7 => self.pick(&["'; drop table t1; --'", "'/*'", "'*/'", "'$$'", "'it''s'", "N'x'"]),
            8 => self.pick(&[
                "current_user::text",
                "current_setting('search_path')",
                "version()",
                "current_schema()::text",
            ]),
            _ if !self.scope.is_empty() => {
                let at = self.random.below(self.scope.len());
                format!("{}.s", self.scope[at])
            }
            _ => "'x'".to_owned(),
        }
    }

    /// A condition.
    pub(super) fn truth(&mut self, depth: usize) -> String {
        let below = depth.saturating_sub(1);
        match self.random.below(14) {
            0 if depth > 0 => format!("exists ({})", self.query(below, 3)),
            1 if depth > 0 => {
                let query = self.query(below, 1);
                format!("{} in ({query})", self.number(below))
            }
            2 if depth > 0 => format!("({} and {})", self.truth(below), self.truth(below)),
            3 if depth > 0 => format!("(not {})", self.truth(below)),
            4 => "true".to_owned(),
            5 => format!("{} is not null", self.number(below)),
            6 => format!("{} like 'r%'", self.words(below)),
            7 if depth > 0 => {
                let query = self.query(below, 1);
                format!("{} = any ({query})", self.number(below))
            }
            8 => format!("{} between {} and 9", self.number(below), self.number(below)),
            _ => format!("{} > {}", self.number(below), self.number(below)),
        }
    }
}
