//! From lists.

use super::tables::{FUNCTIONS, TABLES, VIEWS};
use super::{Column, Kind, Maker, Relation};

/// Columns out of `name:letter` pairs.
pub(super) fn columns(text: &str) -> Vec<Column> {
    if let Some(named) = text.strip_prefix("NAMED ") {
        let column = |part: &str| {
            let (name, of) = part.trim().split_once(' ')?;
            let kind = match of {
                "int8" => Kind::Int,
                "jsonb" => Kind::Json,
                "date" => Kind::Date,
                _ => Kind::Text,
            };
            Some(Column { name: name.to_owned(), kind })
        };
        return named.split(',').filter_map(column).collect();
    }
    let column = |part: &str| {
        let (name, letter) = part.split_once(':')?;
        Some(Column { name: name.to_owned(), kind: Kind::by_letter(letter.chars().next()?)? })
    };
    text.split(' ').filter_map(column).collect()
}

impl Maker {
    /// A from list; what is in it is in scope at the innermost level.
    pub(super) fn from(&mut self, depth: usize) -> String {
        let mut sql = self.item(depth);
        let joins = *self.one(&[0, 0, 0, 1, 1, 2]);
        for _ in 0..joins {
            sql = self.join(&sql, depth);
        }
        if self.chance(18) {
            sql = format!("{sql}, {}", self.function());
        }
        sql
    }

    fn join(&mut self, left: &str, depth: usize) -> String {
        let before = self.keys();
        let at = self.levels.last().map_or(0, Vec::len);
        let right = self.item(depth);
        let added: Vec<Relation> =
            self.levels.last().map_or(Vec::new(), |level| level[at..].to_vec());
        let after: Vec<String> =
            self.keys().into_iter().filter(|key| !before.contains(key)).collect();
        let kind = *self.one(&[
            "join",
            "left join",
            "right join",
            "full join",
            "inner join",
            "join",
            "left join",
            "cross join",
            "using",
        ]);
        let kind = if self.chance(4) { "natural join" } else { kind };
        if kind == "cross join" || before.is_empty() || after.is_empty() {
            return format!("{left} cross join {right}");
        }
        let has_id =
            |relation: &Relation| relation.columns.iter().any(|column| column.name == "id");
        let all_have = added.iter().all(has_id);
        if kind == "natural join" {
            return format!("{left} natural join {right}");
        }
        if kind == "using"
            && all_have
            && before.iter().filter(|key| key.ends_with(".id")).count() == 1
        {
            let alias =
                if self.chance(30) { format!(" as {}", self.name("x")) } else { String::new() };
            return format!("{left} join {right} using (id){alias}");
        }
        let kind = if kind == "using" { "join" } else { kind };
        let (one, other) = (self.one(&before).clone(), self.one(&after).clone());
        format!("{left} {kind} {right} on {one} = {other}")
    }

    /// One item.
    fn item(&mut self, depth: usize) -> String {
        match self.rng.u32(..10) {
            0 | 1 if depth > 0 && self.budget > 0 => self.derived(depth, false),
            2 if depth > 0 && self.budget > 0 => self.derived(depth, true),
            3 | 4 if !self.ctes.is_empty() => {
                let ctes = self.ctes.clone();
                let cte = self.one(&ctes).clone();
                self.named(&cte.alias, cte.columns)
            }
            5 if self.chance(30) => self.listed(),
            _ => {
                let mut found = *self.one(TABLES);
                // Beside such a view every condition on a column of its names counts as one on it.
                while VIEWS.contains(&found.0) && self.chance(75) {
                    found = *self.one(TABLES);
                }
                self.named(found.0, columns(found.1))
            }
        }
    }

    /// A table under an alias of its own, its own name, or with its columns renamed.
    fn named(&mut self, table: &str, mut columns: Vec<Column>) -> String {
        let bare = table.rsplit(['.', ' ']).next().unwrap_or(table).to_owned();
        let masked = VIEWS.contains(&table) && !self.chance(15);
        let taken = self.levels.iter().flatten().any(|relation| relation.alias == bare);
        if !taken && self.chance(30) {
            self.add(&bare, columns, masked);
            return table.to_owned();
        }
        let alias = self.name("t");
        let renamed = self.chance(12) && !table.starts_with("whole");
        let sample = if self.chance(4) { " tablesample bernoulli (90) repeatable (1)" } else { "" };
        let list = if renamed { self.rename(&mut columns) } else { String::new() };
        self.add(&alias, columns, masked);
        let keyword = if self.chance(50) { "as " } else { "" };
        let sample = if table.starts_with("people") { sample } else { "" };
        format!("{table} {keyword}{alias}{list}{sample}")
    }

    /// New names for the first columns.
    fn rename(&mut self, columns: &mut [Column]) -> String {
        let count = self.rng.usize(1..=columns.len().clamp(1, 4)).min(columns.len());
        let mut names = Vec::new();
        for column in &mut columns[..count] {
            column.name = self.name("c");
            names.push(column.name.clone());
        }
        format!("({})", names.join(", "))
    }

    fn derived(&mut self, depth: usize, lateral: bool) -> String {
        self.budget -= 1;
        let kept = if lateral { None } else { Some(std::mem::take(&mut self.levels)) };
        let query = self.query(depth - 1);
        if let Some(kept) = kept {
            self.levels = kept;
        }
        let alias = self.name("s");
        let mut columns = query.columns;
        let list = if self.chance(35) && !columns.is_empty() {
            self.rename(&mut columns)
        } else {
            String::new()
        };
        self.add(&alias, columns, false);
        let keyword = if lateral { "lateral " } else { "" };
        format!("{keyword}({}) as {alias}{list}", query.sql)
    }

    /// A VALUES list, which may hold subqueries.
    fn listed(&mut self) -> String {
        let (alias, text, number) = (self.name("v"), self.name("c"), self.name("c"));
        let kept = std::mem::take(&mut self.levels);
        let inner = if self.budget > 0 { self.fill("({T})", 0) } else { "'x'".to_owned() };
        self.levels = kept;
        self.add(
            &alias,
            vec![
                Column { name: number.clone(), kind: Kind::Int },
                Column { name: text.clone(), kind: Kind::Text },
            ],
            false,
        );
        format!("(values (1, {inner}), (2, 'two')) as {alias}({number}, {text})")
    }

    /// A function in the from list, of what stands before it.
    fn function(&mut self) -> String {
        let (call, of) = *self.one(FUNCTIONS);
        let sql = self.fill(call, 0);
        let mut columns = columns(of);
        let alias = self.name("f");
        let list = match of.strip_prefix("NAMED ") {
            Some(named) => format!("({named})"),
            None if columns.len() == 1 && self.chance(40) => {
                columns[0].name = if self.chance(50) { alias.clone() } else { self.name("c") };
                if columns[0].name == alias {
                    String::new()
                } else {
                    format!("({})", columns[0].name)
                }
            }
            None if columns[0].name == "id"
                || columns[0].name == "mail"
                || columns[0].name == "key" =>
            {
                String::new()
            }
            None => {
                let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                format!("({})", names.join(", "))
            }
        };
        let lateral = if self.chance(30) { "lateral " } else { "" };
        self.add(&alias, columns, false);
        format!("{lateral}{sql} as {alias}{list}")
    }

    fn add(&mut self, alias: &str, columns: Vec<Column>, masked: bool) {
        let relation = Relation { alias: alias.to_owned(), columns, masked };
        if let Some(level) = self.levels.last_mut() {
            level.push(relation);
        }
    }
}
