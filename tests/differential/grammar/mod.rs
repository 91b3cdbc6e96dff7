//! Statements at random, weighted towards ways around the classifier. What is made need not be valid:
//! the server says so, and it costs nothing but its time.

mod disguise;
mod expression;
mod query;
mod statement;

use crate::random::Random;

/// A built-in function of the server's, with the types of its arguments.
pub struct BuiltIn {
    /// Its name.
    pub name: String,
    /// The types of its arguments, by name.
    pub arguments: Vec<String>,
}

/// Makes statements.
pub struct Grammar<'a> {
    random: Random,
    functions: &'a [BuiltIn],
    /// Whether traps of `hidden.sql` are used, which only the catalogue can know.
    hidden: bool,
    /// Whether nothing is meant to write: what does then is what nobody thought of.
    calm: bool,
    /// What a relation in scope is called; every one has the columns id, n and s.
    scope: Vec<String>,
    serial: usize,
}

/// Every relation of the schema, as it may be written.
const RELATIONS: &[&str] = &[
    "t1",
    "t2",
    "public.t1",
    "other.t1",
    "parts",
    "parts_low",
    "parent",
    "only parent",
    "child",
    "generated",
    "serials",
    "watched",
    "\"Odd Name\"",
    "v_plain",
    "v_joined",
    "v_instead",
    "v_ruled",
    "also",
    "mv",
    "T1",
    "U&\"\\0074\\0031\"",
    "trap_log",
    "t",
    "u",
    "secret",
    "parent *",
];

/// Relations that can be written.
const TARGETS: &[&str] = &[
    "t1",
    "t2",
    "public.t1",
    "other.t1",
    "parts",
    "parts_low",
    "parent",
    "child",
    "generated",
    "serials",
    "watched",
    "\"Odd Name\"",
    "v_plain",
    "v_instead",
    "v_ruled",
    "also",
    "trap_log",
    "t1 as x",
    "only parent",
];

const HIDDEN: &[&str] = &["v_evil", "v_evil_twice", "v_evil_where"];

impl<'a> Grammar<'a> {
    /// A grammar that a seed decides.
    pub fn new(seed: u64, functions: &'a [BuiltIn], hidden: bool) -> Self {
        let mut random = Random::new(seed);
        let calm = random.one_in(2);
        Self { random, functions, hidden, calm, scope: Vec::new(), serial: 0 }
    }

    /// A text: mostly one statement.
    pub fn text(&mut self) -> String {
        self.scope.clear();
        let mut text = self.statement(3);
        if self.random.one_in(8) {
            for _ in 0..=self.random.below(2) {
                let more = self.statement(2);
                text = format!("{text}; {more}");
            }
        }
        if self.random.one_in(3) { self.disguise(&text) } else { text }
    }

    fn pick(&mut self, list: &[&str]) -> String {
        (*self.random.of(list)).to_owned()
    }

    /// A name that nothing else in the text has.
    fn fresh(&mut self, prefix: &str) -> String {
        self.serial += 1;
        format!("{prefix}{}", self.serial)
    }

    fn name(&mut self) -> String {
        if self.hidden && self.random.one_in(6) {
            return self.pick(HIDDEN);
        }
        self.pick(RELATIONS)
    }
}
