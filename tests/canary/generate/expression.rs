//! Expressions.

use super::templates::{self, CONDITIONS};
use super::{Column, Kind, Maker};
use crate::generate::tables::KEYS;

impl Maker {
    /// An expression of a kind: a column, or something that is made of columns.
    pub(super) fn expr(&mut self, kind: Kind, depth: usize) -> String {
        let bare = if depth == 0 { 100 } else { 45 };
        if self.chance(bare) {
            return match self.column(kind) {
                Some(column) => column,
                None if depth > 0 => {
                    let template = *self.one(templates::of(kind));
                    self.fill(template, depth - 1)
                }
                None => templates::constant(kind).to_owned(),
            };
        }
        let template = *self.one(templates::of(kind));
        self.fill(template, depth - 1)
    }

    /// A column of a kind, written in one of the ways there are.
    fn column(&mut self, kind: Kind) -> Option<String> {
        let inner = self.levels.len().checked_sub(1)?;
        let level = if inner > 0 && self.chance(15) { self.rng.usize(..inner) } else { inner };
        let found: Vec<(String, String)> = self.levels[level]
            .iter()
            .flat_map(|relation| {
                let of = relation.columns.iter().filter(|column| column.kind == kind);
                of.map(|column| (relation.alias.clone(), column.name.clone()))
            })
            .collect();
        if found.is_empty() {
            return None;
        }
        let alone = level == inner && self.levels[level].len() == 1;
        let (alias, name) = self.one(&found).clone();
        Some(match self.rng.u32(..12) {
            0 if !alias.is_empty() => format!("({alias}).{name}"),
            1 => format!("({alias}.{name})"),
            2 if !alias.is_empty() => format!("{alias}.\"{name}\""),
            3..=7 if alone => name,
            _ => format!("{alias}.{name}"),
        })
    }

    /// A column that nothing hides, to join, sort and search by.
    pub(super) fn key(&mut self) -> String {
        let keys = self.keys();
        if keys.is_empty() { "1".to_owned() } else { self.one(&keys).clone() }
    }

    pub(super) fn keys(&self) -> Vec<String> {
        let relations =
            self.levels.last().into_iter().flatten().filter(|relation| !relation.masked);
        let keys = |relation: &super::Relation| {
            let of = relation
                .columns
                .iter()
                .filter(|c| KEYS.contains(&c.name.as_str()) && c.kind == Kind::Int);
            of.map(|column| format!("{}.{}", relation.alias, column.name)).collect::<Vec<_>>()
        };
        relations.flat_map(keys).collect()
    }

    /// A condition.
    pub(super) fn condition(&mut self) -> String {
        if self.chance(55) {
            let key = self.key();
            let value = self.rng.u32(1..14);
            let operator = *self.one(&["=", "<", ">", "<=", "<>", ">="]);
            return format!("{key} {operator} {value}");
        }
        let template = *self.one(CONDITIONS);
        let one = self.fill(template, 1);
        if self.chance(20) {
            let join = *self.one(&["and", "or"]);
            let other = self.condition();
            return format!("({one} {join} {other})");
        }
        one
    }

    /// A template with its places filled.
    pub(super) fn fill(&mut self, template: &str, depth: usize) -> String {
        let mut out = String::new();
        let mut rest = template;
        while let Some(at) = rest.find('{') {
            out.push_str(&rest[..at]);
            let mut letters = rest[at + 1..].chars();
            let (letter, close) = (letters.next().unwrap_or(' '), letters.next());
            match (close, self.place(letter, depth)) {
                (Some('}'), Some(text)) => {
                    out.push_str(&text);
                    rest = &rest[at + 3..];
                }
                _ => {
                    out.push('{');
                    rest = &rest[at + 1..];
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn place(&mut self, letter: char, depth: usize) -> Option<String> {
        match letter {
            'p' => Some(self.condition()),
            'r' => Some(self.row()),
            'o' => Some(self.key()),
            'f' => Some(self.called()),
            _ if letter.is_ascii_uppercase() => {
                let kind = Kind::by_letter(letter.to_ascii_lowercase())?;
                Some(self.scalar(kind))
            }
            _ => Some(self.expr(Kind::by_letter(letter)?, depth)),
        }
    }

    /// A relation's whole row.
    fn row(&mut self) -> String {
        let found: Vec<String> = self
            .levels
            .iter()
            .rev()
            .take(1)
            .flatten()
            .map(|relation| relation.alias.clone())
            .collect();
        if found.is_empty() { "row(1)".to_owned() } else { self.one(&found).clone() }
    }

    /// `name(alias)`, which is `alias.name`.
    fn called(&mut self) -> String {
        let found: Vec<(String, Column)> = self
            .levels
            .last()
            .into_iter()
            .flatten()
            .flat_map(|r| r.columns.iter().map(|c| (r.alias.clone(), c.clone())))
            .filter(|(_, column)| column.kind == Kind::Text)
            .collect();
        if found.is_empty() {
            return "'none'".to_owned();
        }
        let (alias, column) = self.one(&found).clone();
        format!("{}({alias})", column.name)
    }

    /// A subquery of one row and one column.
    fn scalar(&mut self, kind: Kind) -> String {
        if self.budget == 0 {
            return format!("select {}", templates::constant(kind));
        }
        self.budget -= 1;
        let query = self.select_of(&[kind], 1);
        format!("{} limit 1", query.sql)
    }
}
