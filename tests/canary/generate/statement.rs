//! Statements, and scripts of several.

use super::scenes::{CHANGES, ERRORS};
use super::templates::FAULTS;
use super::{Column, Maker, Query, Relation, Script};
use crate::generate::from::columns;
use crate::generate::tables::TABLES;
use crate::wire::Way;

impl Maker {
    pub(super) fn script(&mut self) -> Script {
        let simple = |steps: Vec<String>| Script {
            steps: steps.into_iter().map(|s| (s, Way::Simple)).collect(),
        };
        match self.rng.u32(..100) {
            0..=57 => {
                let query = self.query(2);
                let way = self.way();
                Script { steps: vec![(query.sql, way)] }
            }
            58..=67 => self.write(),
            68..=71 => simple(self.cursor()),
            72..=75 => simple(self.prepared()),
            76..=78 => {
                let copy = self.copy();
                let way =
                    if self.chance(30) { Way::Extended { binary: false } } else { Way::Simple };
                Script { steps: vec![(copy, way)] }
            }
            79..=82 => {
                let query = self.query(2);
                let options = *self.one(&[
                    "",
                    "analyze ",
                    "verbose ",
                    "analyze verbose ",
                    "(analyze, verbose, format json) ",
                    "(analyze, buffers, format xml) ",
                ]);
                simple(vec![format!("explain {options}{}", query.sql)])
            }
            83..=90 => self.fault(),
            91..=97 => self.scene(),
            _ => {
                let (one, other) = (self.query(1), self.query(2));
                simple(vec![format!("{}; {}", one.sql, other.sql)])
            }
        }
    }

    /// A name that no script before used: of a prepared statement's second meaning nothing is known.
    fn fresh(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.rng.u32(..))
    }

    fn way(&mut self) -> Way {
        let binary = self.chance(60);
        match self.rng.u32(..10) {
            0..=4 => Way::Simple,
            5..=7 => Way::Extended { binary },
            8 => Way::Twice,
            _ => Way::Pieces { binary },
        }
    }

    /// A script of the list.
    fn scene(&mut self) -> Script {
        let list = if self.chance(15) { CHANGES } else { ERRORS };
        let steps = *self.one(list);
        let number = self.rng.u32(1..17).to_string();
        let extended = self.chance(30);
        let way = if extended { Way::Extended { binary: self.chance(50) } } else { Way::Simple };
        let of = |step: &&str| (step.replace("{#}", &number), way);
        let mut steps: Vec<(String, Way)> = steps.iter().map(of).collect();
        // What it changes is undone.
        let first = &steps[0].0;
        let undone = ["begin", "listen", "vacuum"].iter().any(|word| first.starts_with(word));
        if !undone && !first.contains("temp view") {
            steps.insert(0, ("begin".to_owned(), Way::Simple));
            steps.push(("rollback".to_owned(), Way::Simple));
        }
        Script { steps }
    }

    /// An expression that fails with a value in its error.
    fn fault(&mut self) -> Script {
        self.levels.push(Vec::new());
        let from = self.from(1);
        let template = *self.one(FAULTS);
        let value = self.fill(template, 0);
        let condition =
            if self.chance(40) { format!(" where {}", self.condition()) } else { String::new() };
        self.levels.pop();
        let sql = match self.rng.u32(..8) {
            0 => format!("select 1 from {from} where {value} is not null"),
            1 => format!("select count(*) from {from} where ({value})::text <> 'x'"),
            2 => format!("select array_agg({value}) from {from}{condition}"),
            _ => format!("select {value} from {from}{condition}"),
        };
        let steps = match self.rng.u32(..10) {
            0 => vec![
                "begin".to_owned(),
                format!("declare c cursor for {sql}"),
                "fetch all from c".to_owned(),
                "rollback".to_owned(),
            ],
            1 => {
                let name = self.fresh("p");
                vec![
                    format!("prepare {name} as {sql}"),
                    format!("execute {name}"),
                    format!("deallocate {name}"),
                ]
            }
            2 => vec![
                "begin".to_owned(),
                format!("declare c cursor for {sql}"),
                "move all from c".to_owned(),
                "rollback".to_owned(),
            ],
            3 => vec![format!("copy ({sql}) to stdout")],
            4 => vec![format!("explain analyze {sql}")],
            _ => {
                let way = self.way();
                return Script { steps: vec![(sql, way)] };
            }
        };
        Script { steps: steps.into_iter().map(|step| (step, Way::Simple)).collect() }
    }

    fn cursor(&mut self) -> Vec<String> {
        let query = self.query(2).sql;
        let how = *self.one(&[
            "cursor",
            "scroll cursor",
            "binary cursor",
            "no scroll cursor",
            "cursor with hold",
        ]);
        let fetch = *self.one(&[
            "fetch all from c",
            "fetch 3 from c",
            "fetch next in c",
            "fetch forward 2 from c",
        ]);
        let more = *self.one(&["fetch 2 from c", "fetch all c", "move 1 in c", "close c"]);
        vec![
            "begin".to_owned(),
            format!("declare c {how} for {query}"),
            fetch.to_owned(),
            more.to_owned(),
            "rollback".to_owned(),
        ]
    }

    fn prepared(&mut self) -> Vec<String> {
        let inner = if self.chance(20) { self.changing().sql } else { self.query(2).sql };
        let name = self.fresh("p");
        let wrapped = *self.one(&["", "explain analyze ", ""]);
        vec![
            "begin".to_owned(),
            format!("prepare {name} as {inner}"),
            format!("{wrapped}execute {name}"),
            format!("execute {name}"),
            "rollback".to_owned(),
            "deallocate all".to_owned(),
        ]
    }

    fn copy(&mut self) -> String {
        let options = *self.one(&[
            "",
            " (format csv)",
            " (format csv, header)",
            " (format binary)",
            " (format csv, force_quote *)",
            " with delimiter '|'",
        ]);
        match self.rng.u32(..5) {
            0 => {
                let (table, of) = *self.one(TABLES);
                let table = table.trim_start_matches("only ");
                let columns = columns(of);
                let names: Vec<&str> =
                    columns.iter().filter(|_| self.rng.bool()).map(|c| c.name.as_str()).collect();
                let list = if names.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", names.join(", "))
                };
                format!("copy {table}{list} to stdout{options}")
            }
            1 => format!("copy ({}) to stdout{options}", self.changing().sql),
            _ => format!("copy ({}) to stdout{options}", self.query(2).sql),
        }
    }

    fn write(&mut self) -> Script {
        let query = self.changing();
        let way = self.way();
        // A portal that changes rows can't be left half read.
        let steps = vec![
            ("begin".to_owned(), Way::Simple),
            (query.sql, way),
            ("rollback".to_owned(), Way::Simple),
        ];
        Script { steps }
    }

    /// A statement that changes rows and returns some.
    pub(super) fn changing(&mut self) -> Query {
        let kept = std::mem::take(&mut self.levels);
        let target = *self.one(&["people", "people", "events", "mail_log", "items", "staff"]);
        let of = TABLES.iter().find(|(name, _)| *name == target).map_or("", |(_, of)| of);
        let alias = self.name("d");
        let relation = Relation { alias: alias.clone(), columns: columns(of), masked: false };
        self.levels.push(vec![relation]);
        let number = self.rng.u32(1..17);
        let (set, value) = match target {
            "people" | "staff" => ("level", "7"),
            "events" => ("kind", "'changed'"),
            "mail_log" => ("sent", "7"),
            _ => ("qty", "qty + 1"),
        };
        let set = if self.chance(12) {
            format!("{set} = {}", self.key())
        } else {
            format!("{set} = {value}")
        };
        let body = match self.rng.u32(..10) {
            0 | 1 => format!("delete from {target} {alias} where {alias}.id = {number}"),
            2 => {
                let from = self.joined();
                format!("delete from {target} {alias} using {from} where {alias}.id = {number}")
            }
            3 => {
                let from = self.joined();
                format!("update {target} {alias} set {set} from {from} where {alias}.id = {number}")
            }
            4 => self.inserting(target, &alias),
            5 => {
                let from = self.joined();
                format!(
                    "merge into {target} {alias} using {from} on {alias}.id = {number} when matched then update set {set}"
                )
            }
            _ => format!("update {target} {alias} set {set} where {alias}.id = {number}"),
        };
        let (list, columns) = self.list();
        self.levels = kept;
        let bare = body.starts_with("merge") && self.chance(80);
        let sql = if bare { body } else { format!("{body} returning {list}") };
        Query { sql, columns: if bare { Vec::<Column>::new() } else { columns } }
    }

    fn joined(&mut self) -> String {
        self.from(0)
    }

    fn inserting(&mut self, target: &str, alias: &str) -> String {
        let id = self.rng.u32(1..30);
        let (columns, values) = match target {
            "people" | "staff" => ("id, team, email", format!("{id}, 1, 'somebody'")),
            "events" => ("id, person, kind, day", format!("{id}, 1, 'new', '2025-01-01'")),
            "mail_log" => ("id, sent", format!("{id}, 1")),
            _ => ("id, person, name, qty, sold", format!("{id}, 1, 'new', 1, '2025-01-01'")),
        };
        let conflict = match (target, self.rng.u32(..3)) {
            ("people", 0) => format!(" on conflict (id) do update set level = {alias}.level + 1"),
            (_, 1) => " on conflict do nothing".to_owned(),
            _ => String::new(),
        };
        let source = if self.chance(15) {
            format!("select {values} from people limit 1")
        } else {
            format!("values ({values})")
        };
        format!("insert into {target} as {alias} ({columns}) {source}{conflict}")
    }
}

/// Not every kind of value has an order.
#[cfg(test)]
mod tests {
    use super::super::script;

    #[test]
    fn the_same_number_makes_the_same_script() {
        for number in 0..200 {
            assert_eq!(script(7, number).steps, script(7, number).steps);
        }
    }

    #[test]
    fn kinds_have_letters() {
        assert_eq!(super::super::Kind::by_letter('t'), Some(super::super::Kind::Text));
    }
}
