//! Queries.

use super::templates::{AGGREGATES, WINDOWS};
use super::{Column, Kind, Maker, Query, Relation};

impl Maker {
    /// A query of whatever form.
    pub(super) fn query(&mut self, depth: usize) -> Query {
        match self.rng.u32(..20) {
            0 | 1 if depth > 0 => self.set_operation(depth),
            2..=4 if depth > 0 && self.budget > 1 => self.with(depth),
            5 if depth > 0 => self.recursive(),
            6..=8 => self.aggregate(depth),
            9 => self.windowed(depth),
            _ => self.select(depth),
        }
    }

    /// One row's expressions of the kinds that are asked for.
    pub(super) fn select_of(&mut self, kinds: &[Kind], depth: usize) -> Query {
        self.levels.push(Vec::new());
        let from = self.from(depth.min(1));
        let columns: Vec<Column> =
            kinds.iter().map(|kind| Column { name: self.name("c"), kind: *kind }).collect();
        let list: Vec<String> =
            columns.iter().map(|c| format!("{} as {}", self.cast(c.kind), c.name)).collect();
        let condition =
            if self.chance(60) { format!(" where {}", self.condition()) } else { String::new() };
        self.levels.pop();
        Query { sql: format!("select {} from {from}{condition}", list.join(", ")), columns }
    }

    /// An expression of exactly a kind's own type, as sides of a set operation have to be.
    fn cast(&mut self, kind: Kind) -> String {
        let expr = self.expr(kind, 1);
        let to = match kind {
            Kind::Text => "text",
            Kind::Int => "int8",
            Kind::Num => "numeric",
            Kind::Texts => "text[]",
            Kind::Ints => "int8[]",
            _ => return expr,
        };
        // A bare column keeps its origin.
        if expr.chars().all(|c| c.is_ascii_alphanumeric() || "._\"".contains(c)) && self.chance(70)
        {
            return expr;
        }
        format!("({expr})::{to}")
    }

    pub(super) fn select(&mut self, depth: usize) -> Query {
        self.levels.push(Vec::new());
        let from = self.from(depth);
        let (list, columns) = self.list();
        let distinct = match self.rng.u32(..14) {
            0 => "distinct ".to_owned(),
            1 => format!("distinct on ({}) ", self.key()),
            _ => String::new(),
        };
        let mut sql = format!("select {distinct}{list} from {from}");
        if self.chance(70) {
            sql += &format!(" where {}", self.condition());
        }
        if distinct.is_empty() && self.chance(30) {
            let by = if self.chance(80) { self.key() } else { "1".to_owned() };
            sql += &format!(" order by {by}{}", self.one(&["", " desc", " nulls first"]));
        }
        self.tail(&mut sql);
        self.levels.pop();
        Query { sql, columns }
    }

    fn tail(&mut self, sql: &mut String) {
        if self.chance(50) {
            let count = self.rng.u32(1..12);
            sql.push_str(&match self.rng.u32(..4) {
                0 => format!(" fetch first {count} rows only"),
                1 => format!(" limit {count} offset 1"),
                _ => format!(" limit {count}"),
            });
        }
    }

    /// A select list.
    pub(super) fn list(&mut self) -> (String, Vec<Column>) {
        let relations: Vec<Relation> = self.levels.last().cloned().unwrap_or_default();
        let (mut parts, mut columns) = (Vec::new(), Vec::new());
        for _ in 0..self.rng.usize(1..=4) {
            match self.rng.u32(..24) {
                0 => {
                    parts.push("*".to_owned());
                    columns.extend(relations.iter().flat_map(|r| r.columns.clone()));
                }
                1 | 2 if !relations.is_empty() => {
                    let of = self.one(&relations).clone();
                    let dot = if self.chance(25) {
                        format!("({}).*", of.alias)
                    } else {
                        format!("{}.*", of.alias)
                    };
                    parts.push(dot);
                    columns.extend(of.columns);
                }
                3 if !relations.is_empty() => {
                    let of = self.one(&relations).alias.clone();
                    parts.push(of);
                }
                4 => parts.push(self.fill("({c}).*", 0)),
                _ => {
                    let kind = self.kind();
                    let expr = self.expr(kind, 2);
                    match self.rng.u32(..4) {
                        0 => {
                            let simple = expr
                                .rsplit('.')
                                .next()
                                .unwrap_or_default()
                                .trim_matches('"')
                                .to_owned();
                            let plain = expr
                                .chars()
                                .all(|c| c.is_ascii_alphanumeric() || "._\"".contains(c));
                            if plain {
                                columns.push(Column { name: simple, kind });
                            }
                            parts.push(expr);
                        }
                        // A harmless name, or one that another column has.
                        1 => {
                            let name =
                                (*self.one(&["note", "id", "email", "level", "name"])).to_owned();
                            let kind =
                                if name == "id" || name == "level" { continue } else { kind };
                            parts.push(format!("{expr} as {name}"));
                            columns.push(Column { name, kind });
                        }
                        _ => {
                            let name = self.name("c");
                            parts.push(format!("{expr} as {name}"));
                            columns.push(Column { name, kind });
                        }
                    }
                }
            }
        }
        if parts.is_empty() {
            parts.push("1 as one".to_owned());
        }
        (parts.join(", "), columns)
    }

    fn aggregate(&mut self, depth: usize) -> Query {
        self.levels.push(Vec::new());
        let from = self.from(depth.min(1));
        let (mut parts, mut columns) = (Vec::new(), Vec::new());
        for _ in 0..self.rng.usize(1..=3) {
            let (kind, template) = *self.one(AGGREGATES);
            let name = self.name("c");
            parts.push(format!("{} as {name}", self.fill(template, 1)));
            columns.push(Column { name, kind });
        }
        let mut sql = format!("from {from}");
        if self.chance(50) {
            sql += &format!(" where {}", self.condition());
        }
        if self.chance(60) {
            let masked = self.chance(25);
            let key = if masked { self.expr(Kind::Text, 1) } else { self.key() };
            let name = self.name("c");
            parts.insert(0, format!("{key} as {name}"));
            columns.insert(0, Column { name, kind: if masked { Kind::Text } else { Kind::Int } });
            let group = if key == "1" { "2 - 1".to_owned() } else { key.clone() };
            sql += &match self.rng.u32(..6) {
                0 => format!(" group by rollup ({group})"),
                1 => format!(" group by grouping sets (({group}), ())"),
                2 => format!(" group by cube ({group})"),
                3 if key != "1" => " group by 1".to_owned(),
                _ => format!(" group by {group}"),
            };
            if self.chance(20) {
                sql += " having count(*) > 0";
            }
        }
        self.levels.pop();
        self.tail(&mut sql);
        Query { sql: format!("select {} {sql}", parts.join(", ")), columns }
    }

    fn windowed(&mut self, depth: usize) -> Query {
        self.levels.push(Vec::new());
        let from = self.from(depth.min(1));
        let key = self.key();
        let (mut parts, mut columns) =
            (vec![format!("{key} as k0")], vec![Column { name: "k0".to_owned(), kind: Kind::Int }]);
        for _ in 0..self.rng.usize(1..=2) {
            let (kind, template) = *self.one(WINDOWS);
            let name = self.name("c");
            parts.push(format!("{} as {name}", self.fill(template, 1)));
            columns.push(Column { name, kind });
        }
        let by = if self.chance(20) { self.expr(Kind::Text, 0) } else { self.key() };
        self.levels.pop();
        let mut sql =
            format!("select {} from {from} window w as (order by {by})", parts.join(", "));
        self.tail(&mut sql);
        Query { sql, columns }
    }

    fn set_operation(&mut self, depth: usize) -> Query {
        let kinds: Vec<Kind> = (0..self.rng.usize(1..=3))
            .map(|_| self.kind())
            .map(|kind| if kind == Kind::Raw { Kind::Text } else { kind })
            .collect();
        let word = *self.one(&[
            "union all",
            "union all",
            "union all",
            "union all",
            "union all",
            "union",
            "except",
            "intersect",
            "except all",
        ]);
        let (one, other) = (self.select_of(&kinds, depth - 1), self.select_of(&kinds, depth - 1));
        let mut sql = format!("({}) {word} ({})", one.sql, other.sql);
        if self.chance(20) {
            let more = self.select_of(&kinds, 0);
            sql = format!("{sql} union all ({})", more.sql);
        }
        if self.chance(20) {
            sql += " order by 1";
        }
        self.tail(&mut sql);
        Query { sql, columns: one.columns }
    }

    fn with(&mut self, depth: usize) -> Query {
        let kept = std::mem::take(&mut self.levels);
        let mut parts = Vec::new();
        for _ in 0..self.rng.usize(1..=2) {
            self.budget = self.budget.saturating_sub(1);
            let name = self.name("w");
            let (sql, mut columns) = if self.chance(15) {
                let query = self.changing();
                (query.sql, query.columns)
            } else {
                let query = self.query(depth - 1);
                (query.sql, query.columns)
            };
            let mut list = String::new();
            if self.chance(40) && !columns.is_empty() {
                let names: Vec<String> = columns.iter().map(|_| self.name("c")).collect();
                list = format!("({})", names.join(", "));
                columns.iter_mut().zip(names).for_each(|(column, name)| column.name = name);
            }
            let how = *self.one(&["", "", "materialized ", "not materialized "]);
            parts.push(format!("{name}{list} as {how}({sql})"));
            self.ctes.push(Relation { alias: name, columns, masked: false });
        }
        let query = self.query(depth - 1);
        self.ctes.truncate(self.ctes.len() - parts.len());
        self.levels = kept;
        Query { sql: format!("with {} {}", parts.join(", "), query.sql), columns: query.columns }
    }

    fn recursive(&mut self) -> Query {
        let kept = std::mem::take(&mut self.levels);
        let name = self.name("r");
        self.levels.push(Vec::new());
        let from = self.from(0);
        let value = self.cast(Kind::Text);
        let first = format!("select 1, ({value})::text from {from} where {}", self.condition());
        self.levels = kept;
        let step = match self.rng.u32(..5) {
            0..=2 => format!("select n + 1, v from {name}"),
            3 => format!("select n + 1, substr(v, 2) from {name} where n < 4"),
            _ => format!(
                "select n + 1, upper({name}.v) from {name} join teams on teams.id = n where n < 4"
            ),
        };
        let tail = match self.rng.u32(..5) {
            0 => " search depth first by n set path",
            1 => " cycle n set looped using trail",
            _ => "",
        };
        let sql = format!(
            "with recursive {name}(n, v) as ({first} union all {step}){tail} select * from {name} limit 20"
        );
        let columns = vec![
            Column { name: "n".to_owned(), kind: Kind::Int },
            Column { name: "v".to_owned(), kind: Kind::Text },
        ];
        Query { sql, columns }
    }
}
