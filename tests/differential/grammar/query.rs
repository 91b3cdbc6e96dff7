//! Queries: select with everything that it may hold, and what changes rows, in WITH too.

use super::{Grammar, TARGETS};

impl Grammar<'_> {
    /// A query of so many columns out of id, n and s.
    pub(super) fn query(&mut self, depth: usize, columns: usize) -> String {
        let outer = self.scope.len();
        let text = match self.random.below(16) {
            0 if depth > 0 => {
                let (one, two) = (self.query(depth - 1, columns), self.query(depth - 1, columns));
                let how = self.pick(&["union", "union all", "except", "intersect"]);
                format!("(({one}) {how} ({two}))")
            }
            1 if columns == 3 => {
                format!(
                    "(values ({}, {}, {}))",
                    self.number(depth),
                    self.number(depth),
                    self.words(depth)
                )
            }
            2 if columns == 3 => format!("(table {})", self.name()),
            _ => self.select(depth, columns),
        };
        self.scope.truncate(outer);
        text
    }

    fn select(&mut self, depth: usize, columns: usize) -> String {
        let with = if depth > 1 && self.random.one_in(5) {
            self.with(depth - 1)
        } else {
            (String::new(), None)
        };
        let mut from = Vec::new();
        for _ in 0..=self.random.below(2) {
            from.push(self.item(depth, with.1.as_deref()));
        }
        let join = self.pick(&[", ", " join ", " cross join ", " left join "]);
        let mut from = from.join(&join);
        if join.contains("join") && !join.contains("cross") && from.contains(&join) {
            from = format!("{from} on {}", self.truth(depth.saturating_sub(2)));
        }
        let mut list = vec![self.number(depth)];
        if columns == 3 {
            list.push(self.number(depth));
            list.push(self.words(depth));
        }
        let names = ["id", "n", "s"];
        let list: Vec<String> =
            list.iter().zip(names).map(|(e, n)| format!("{e} as {n}")).collect();
        let mut text =
            format!("{}select {}{} from {from}", with.0, self.distinct(), list.join(", "));
        if self.random.one_in(2) {
            text += &format!(" where {}", self.truth(depth));
        }
        if self.random.one_in(8) {
            text += &format!(" order by {}", self.number(depth.saturating_sub(1)));
        }
        match self.random.below(24) {
            0 => text += " for update",
            1 => text += " for no key update skip locked",
            2 => text += " for share",
            3 => text += &format!(" limit {}", self.number(0)),
            4 => text += &format!(" offset {}", self.number(1)),
            5 => text += " for key share",
            6 if columns == 3 => {
                text = format!(
                    "select id, n, s from (select * from t1 for update) x where {}",
                    self.truth(0)
                )
            }
            _ => {}
        }
        format!("({text})")
    }

    fn distinct(&mut self) -> String {
        self.pick(&["", "", "", "", "distinct ", "all ", "distinct on (1) "])
    }

    /// An item of a from list; its name comes into scope.
    fn item(&mut self, depth: usize, with: Option<&str>) -> String {
        let alias = self.fresh("r");
        let text = match self.random.below(14) {
            0 | 1 if with.is_some() => format!("{} {alias}", with.unwrap_or_default()),
            2 if depth > 0 => format!("{} {alias}", self.query(depth - 1, 3)),
            3 if depth > 0 => {
                let sub = self.query(depth - 1, 3);
                format!("lateral {sub} {alias}")
            }
            4 => format!(
                "generate_series(1, 2) {alias}(id), lateral (select {alias}.id as n, 'x'::text as s) {alias}_"
            ),
            5 => format!("rows from (evil_rows()) {alias}"),
            6 => format!(
                "(values ({}, 2, 'x')) {alias}(id, n, s)",
                self.number(depth.saturating_sub(1))
            ),
            7 => format!("t1 {alias} tablesample system (50)"),
            8 => format!("json_to_recordset('[]') as {alias}(id int, n int, s text)"),
            _ => format!("{} {alias}", self.name()),
        };
        // A series has one column; the others are beside it.
        if !text.starts_with("generate_series") {
            self.scope.push(alias);
        }
        text
    }

    /// A WITH clause, and the name of its last query.
    fn with(&mut self, depth: usize) -> (String, Option<String>) {
        let mut parts = Vec::new();
        let mut last = None;
        for _ in 0..=self.random.below(2) {
            let name = if self.random.one_in(6) {
                self.pick(&["t1", "t2", "trap_log"])
            } else {
                self.fresh("w")
            };
            let outer = std::mem::take(&mut self.scope);
            let body = if !self.calm && self.random.one_in(3) {
                self.change(depth)
            } else {
                self.query(depth, 3)
            };
            self.scope = outer;
            let how = self.pick(&["", "", "materialized ", "not materialized "]);
            parts.push(format!("{name} as {how}({body})"));
            last = Some(name);
        }
        let recursive = self.pick(&["with ", "with ", "with recursive "]);
        (recursive + &parts.join(", ") + " ", last)
    }

    /// INSERT, UPDATE, DELETE or MERGE, that returns id, n and s.
    pub(super) fn change(&mut self, depth: usize) -> String {
        let outer = self.scope.len();
        let with = if self.random.one_in(6) {
            self.with(depth.saturating_sub(1)).0
        } else {
            String::new()
        };
        let target = self.pick(TARGETS);
        let name = target.rsplit(' ').next().unwrap_or(&target).to_owned();
        let name = if target.contains('"') { target.clone() } else { name };
        let text = match self.random.below(7) {
            0 => format!("insert into {target} (id, n, s) {}", self.query(depth, 3)),
            1 => format!(
                "insert into {target} (id, n, s) values (90, {}, {}) on conflict do nothing",
                self.number(depth),
                self.words(depth)
            ),
            2 => format!(
                "insert into t1 as x values (1, 1, 'x') on conflict (id) do update set n = {}",
                self.number(1)
            ),
            3 => {
                self.scope.push(name.clone());
                format!(
                    "update {target} set n = {} where {}",
                    self.number(depth),
                    self.truth(depth)
                )
            }
            4 => {
                let item = self.item(depth, None);
                format!("update {target} set s = 'x' from {item} where {}", self.truth(depth))
            }
            5 => {
                self.scope.push(name.clone());
                format!("delete from {target} where {}", self.truth(depth))
            }
            _ => {
                let source = self.query(depth.min(1), 3);
                let then = self.pick(&[
                    "when matched then update set n = 5",
                    "when not matched then insert (id, n, s) values (91, 1, 'm')",
                    "when matched then delete",
                    "when matched then do nothing",
                ]);
                let returning =
                    if self.random.one_in(2) { "" } else { " returning 1 as id, 2 as n, 'x' as s" };
                self.scope.truncate(outer);
                return format!(
                    "{with}merge into {target} using {source} q on {name}.id = q.id {then}{returning}"
                );
            }
        };
        self.scope.truncate(outer);
        format!("{with}{text} returning {name}.id, {name}.n, {name}.s")
    }

    /// A query with a WITH that may change rows, at its top, where the server takes it.
    pub(super) fn topped(&mut self, depth: usize) -> String {
        let (with, name) = self.with(depth);
        let from = match name {
            Some(name) if self.random.one_in(2) => name,
            _ => self.name(),
        };
        let body = self.pick(&["select id, n, s from ", "select count(*) from ", "table "]);
        format!("{with}{body}{from}")
    }
}
