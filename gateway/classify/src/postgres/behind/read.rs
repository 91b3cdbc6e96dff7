//! Finds what may do more than read: starts with what can't be followed, and goes on to whatever uses it.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::sources::{Key, Kind, Planned, Sources};
use super::{Behind, FIRST_NORMAL, Row, number};
use crate::postgres::body::{Body, is_safe_function};

/// Where each result of the query is.
const FUNCTIONS: usize = 0;
const AGGREGATES: usize = 1;
const OPERATORS: usize = 2;
const CASTS: usize = 3;
const TYPES: usize = 4;
const TYPE_PARTS: usize = 5;
const RELATIONS: usize = 6;
const COLUMNS: usize = 7;
const INHERITANCE: usize = 8;
const STORED: usize = 9;
const RESULTS: usize = 10;

struct Function<'a> {
    name: &'a str,
    dotted: bool,
    /// What it is made of, where that can be followed; what is not written in SQL has nothing to follow.
    body: Option<&'a Body>,
    planned: Planned,
}

struct Operator<'a> {
    number: u32,
    name: &'a str,
}

/// Everything of users' own, and what of it is found to do more than read.
struct Search<'a> {
    sources: &'a Sources,
    functions: HashMap<u32, Function<'a>>,
    operators: Vec<Operator<'a>>,
    type_names: HashMap<u32, &'a str>,
    relation_names: HashMap<u32, &'a str>,
    /// From whatever does more than read where another thing does, to that.
    edges: Vec<(u32, u32)>,
    /// The numbers of what does more than read. Numbers are unique in a catalogue only: two things that
    /// share one are both taken for it.
    found: HashSet<u32>,
}

/// What a function is made of that there is nothing in.
static NOTHING: Body = Body {
    functions: BTreeSet::new(),
    unlisted: BTreeSet::new(),
    operators: BTreeSet::new(),
    words: BTreeSet::new(),
};

/// What `sources` has to know of the results.
pub(super) fn keys(results: &[Vec<Row>]) -> impl Iterator<Item = Key> {
    let functions = result(results, FUNCTIONS).iter().filter_map(|row| {
        let [oid, version, ..] = row.as_slice() else { return None };
        Some((Kind::Function, number(oid)?, number(version)?))
    });
    functions.chain(result(results, STORED).iter().filter_map(stored).map(|(key, _)| key))
}

fn result(results: &[Vec<Row>], place: usize) -> &[Row] {
    results.get(place).map(Vec::as_slice).unwrap_or_default()
}

/// A stored expression and its owner.
fn stored(row: &Row) -> Option<(Key, u32)> {
    let [letter, oid, version, owner] = row.as_slice() else { return None };
    Some(((Kind::from_letter(letter)?, number(oid)?, number(version)?), number(owner)?))
}

/// Rows of numbers only.
fn pairs(results: &[Vec<Row>], place: usize) -> impl Iterator<Item = (u32, u32)> {
    result(results, place).iter().filter_map(|row| {
        let [one, other] = row.as_slice() else { return None };
        Some((number(one)?, number(other)?))
    })
}

pub(super) fn behind(results: &[Vec<Row>], sources: &Sources) -> Option<Behind> {
    if results.len() < RESULTS {
        return None;
    }
    let mut search = Search {
        sources,
        functions: HashMap::new(),
        operators: Vec::new(),
        type_names: HashMap::new(),
        relation_names: HashMap::new(),
        edges: Vec::new(),
        found: HashSet::new(),
    };
    result(results, FUNCTIONS).iter().for_each(|row| search.function(row));
    pairs(results, AGGREGATES).for_each(|(aggregate, function)| search.calls(aggregate, function));
    result(results, OPERATORS).iter().for_each(|row| search.operator(row));
    result(results, CASTS).iter().for_each(|row| search.cast(row));
    search.type_names = names(result(results, TYPES));
    search.edges.extend(pairs(results, TYPE_PARTS));
    search.relations(results);
    search.expressions(results);
    search.spread();
    Some(search.finish())
}

fn names(rows: &[Row]) -> HashMap<u32, &str> {
    let names = rows.iter().filter_map(|row| {
        let [oid, name] = row.as_slice() else { return None };
        Some((number(oid)?, name.as_str()))
    });
    names.collect()
}

impl<'a> Search<'a> {
    fn function(&mut self, row: &'a Row) {
        let [
            oid,
            version,
            name,
            language,
            volatility,
            kind,
            dotted,
            types,
            settings,
            extension,
            defaults,
            has_tree,
        ] = row.as_slice()
        else {
            return;
        };
        let (Some(oid), Some(version)) = (number(oid), number(version)) else { return };
        let key = (Kind::Function, oid, version);
        let native = matches!(language.as_str(), "c" | "internal");
        let is_sql = matches!(language.as_str(), "sql" | "plpgsql");
        let quiet = volatility != "v" || is_safe_function(name);
        let found = if native || extension == "t" {
            // Those who may make such a thing need no way round Weir.
            quiet.then_some(&NOTHING)
        } else {
            // SELECT ... INTO makes a table, but in PL/pgSQL, where it sets variables.
            let makes = |body: &Body| language == "sql" && body.words.contains("into");
            let readable = is_sql && plain(settings);
            let body = readable.then(|| self.sources.body(&key)).flatten();
            body.filter(|body| !makes(body))
        };
        // An aggregate does what its functions do.
        let found = if kind == "a" { Some(&NOTHING) } else { found };
        if found.is_none() {
            self.found.insert(oid);
        }
        if has_tree == "t" {
            self.expression(key, oid);
        }
        self.edges.extend(types.split(' ').filter_map(number).map(|number| (oid, number)));
        let planned = Planned::new(language, volatility, defaults);
        let function = Function { name, dotted: dotted == "t", body: found, planned };
        self.functions.insert(oid, function);
    }

    /// What calls a function does more than read where that does.
    fn calls(&mut self, owner: u32, function: u32) {
        if function >= FIRST_NORMAL {
            self.edges.push((owner, function));
        } else if !self.sources.is_safe(function) {
            self.found.insert(owner);
        }
    }

    fn operator(&mut self, row: &'a Row) {
        let [oid, name, function] = row.as_slice() else { return };
        let (Some(number), Some(function)) = (number(oid), number(function)) else { return };
        self.operators.push(Operator { number, name });
        self.calls(number, function);
    }

    fn cast(&mut self, row: &Row) {
        let [source, target, function] = row.as_slice() else { return };
        let numbers = (number(source), number(target), number(function));
        let (Some(source), Some(target), Some(function)) = numbers else { return };
        // A cast is used only with both of its types, so that the one of a user's tells enough.
        let own = source.max(target) >= FIRST_NORMAL;
        for kind in [source, target] {
            if kind >= FIRST_NORMAL || !own {
                self.calls(kind, function);
            }
        }
    }

    /// Relations, the types of their rows, and those of their columns.
    fn relations(&mut self, results: &'a [Vec<Row>]) {
        let mut rows: HashMap<u32, (u32, bool)> = HashMap::new();
        for row in result(results, RELATIONS) {
            let [oid, of_rows, name, readable] = row.as_slice() else { continue };
            let (Some(oid), Some(of_rows)) = (number(oid), number(of_rows)) else { continue };
            rows.insert(oid, (of_rows, readable == "t"));
            if readable == "t" {
                self.relation_names.insert(oid, name);
            }
        }
        for (relation, column) in pairs(results, COLUMNS) {
            let Some((of_rows, readable)) = rows.get(&relation) else { continue };
            if *readable {
                self.edges.push((relation, column));
            }
            if column >= FIRST_NORMAL {
                self.edges.push((*of_rows, column));
            }
        }
    }

    /// What stored expressions name.
    fn expressions(&mut self, results: &[Vec<Row>]) {
        let mut parents: HashMap<u32, Vec<u32>> = HashMap::new();
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for (child, parent) in pairs(results, INHERITANCE) {
            parents.entry(child).or_default().push(parent);
            children.entry(parent).or_default().push(child);
        }
        for (key, owner) in result(results, STORED).iter().filter_map(stored) {
            if !key.0.is_planned() {
                self.expression(key, owner);
                continue;
            }
            // Partitions have their parents' key as a constraint, and planning a read of a relation plans what
            // inherits from it.
            let below = if key.0 == Kind::Partition { &children } else { &HashMap::new() };
            for owner in reached(&reached(&[owner], below), &parents) {
                self.expression(key, owner);
            }
        }
    }

    fn expression(&mut self, key: Key, owner: u32) {
        let Some(tree) = self.sources.tree(&key) else { return };
        if tree.writes {
            self.found.insert(owner);
        }
        self.edges.extend(tree.numbers.iter().map(|number| (owner, *number)));
        for call in &tree.calls {
            let planned = match self.functions.get(&call.function) {
                Some(function) => Some(function.planned),
                None => self.sources.planned(call.function),
            };
            if !key.0.is_planned() || planned.is_none_or(|planned| planned.runs(call.of_column)) {
                self.calls(owner, call.function);
            }
        }
    }

    /// Finds whatever does more than read because of what was found before.
    fn spread(&mut self) {
        let mut users: HashMap<u32, Vec<u32>> = HashMap::new();
        for (user, used) in &self.edges {
            users.entry(*used).or_default().push(*user);
        }
        let mut new: Vec<u32> = self.found.iter().copied().collect();
        while !new.is_empty() {
            while let Some(used) = new.pop() {
                let users = users.get(&used).into_iter().flatten();
                new.extend(users.filter(|user| self.found.insert(**user)));
            }
            new = self.by_body();
            self.found.extend(&new);
        }
    }

    /// Functions whose bodies do more than read, as far as that was not found before.
    fn by_body(&self) -> Vec<u32> {
        let found = |oid: &u32| self.found.contains(oid);
        let functions = self.functions.iter().filter(|(oid, _)| found(oid)).map(|(_, f)| f);
        let names = self.type_names.iter().chain(&self.relation_names);
        let operators = self.operators.iter().filter(|operator| found(&operator.number));
        let bad = Bad {
            known: self.functions.values().map(|function| function.name).collect(),
            functions: functions.clone().map(|function| function.name).collect(),
            dotted: functions.filter(|function| function.dotted).map(|f| f.name).collect(),
            words: names.filter(|(oid, _)| found(oid)).map(|(_, name)| *name).collect(),
            operators: operators.map(|operator| operator.name).collect(),
        };
        let rest = self.functions.iter().filter(|(oid, _)| !found(oid));
        rest.filter(|(_, function)| function.body.is_some_and(|body| bad.is_in(body, self.sources)))
            .map(|(oid, _)| *oid)
            .collect()
    }

    fn finish(self) -> Behind {
        let found = |oid: &u32| self.found.contains(oid);
        let names = |names: &HashMap<u32, &str>| -> HashSet<String> {
            let names = names.iter().filter(|(oid, _)| found(oid));
            names.map(|(_, name)| (*name).to_owned()).collect()
        };
        let types = names(&self.type_names);
        let numbers = self.found.iter().filter(|oid| self.type_names.contains_key(oid));
        let numbers = numbers.copied().collect();
        let bad = self.functions.iter().filter(|(oid, _)| found(oid)).map(|(_, f)| f);
        let dotted = bad.clone().filter(|f| f.dotted).map(|f| f.name.to_owned()).collect();
        // `name(x)` is a cast where no function is called so.
        let functions = bad.map(|f| f.name.to_owned()).chain(types.iter().cloned()).collect();
        let operators = self.operators.iter().filter(|o| found(&o.number));
        let operators = operators.map(|operator| operator.name.to_owned()).collect();
        let relations = names(&self.relation_names);
        Behind { functions, dotted, operators, types, numbers, relations }
    }
}

/// The names of what was found.
struct Bad<'a> {
    functions: HashSet<&'a str>,
    /// Those of the functions that a row's dot may call.
    dotted: HashSet<&'a str>,
    /// Types and relations.
    words: HashSet<&'a str>,
    operators: HashSet<&'a str>,
    /// Not of what was found, but of all users' functions.
    known: HashSet<&'a str>,
}

impl Bad<'_> {
    /// Whether a body may name any of it, or a function that nobody knows.
    fn is_in(&self, body: &Body, sources: &Sources) -> bool {
        // What the server has of that name, a call may mean.
        let unknown = |name: &String| !self.known.contains(name.as_str()) || sources.has_own(name);
        let bad = |word: &String| {
            self.words.contains(word.as_str()) || self.dotted.contains(word.as_str())
        };
        body.unlisted.iter().any(unknown)
            || body.functions.iter().any(|name| self.functions.contains(name.as_str()))
            || body.words.iter().any(bad)
            || body.operators.iter().any(|name| self.operators.contains(name.as_str()))
    }
}

/// All that can be reached from some, themselves included.
fn reached(from: &[u32], edges: &HashMap<u32, Vec<u32>>) -> Vec<u32> {
    let mut reached = from.to_vec();
    let mut seen: HashSet<u32> = from.iter().copied().collect();
    let mut at = 0;
    while let Some(next) = reached.get(at) {
        at += 1;
        let new = edges.get(next).into_iter().flatten().filter(|other| seen.insert(**other));
        let new: Vec<u32> = new.copied().collect();
        reached.extend(new);
    }
    reached
}

/// Whether a function's settings change nothing of how its text is read or what it may do.
fn plain(settings: &str) -> bool {
    settings.is_empty() || settings.lines().all(|one| one.starts_with("search_path="))
}
