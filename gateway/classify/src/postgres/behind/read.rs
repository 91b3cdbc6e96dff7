//! Finds what may do more than read: starts with what can't be followed, and goes on to whatever uses it.

use std::collections::{HashMap, HashSet};

use super::{Behind, Row};
use crate::postgres::body::{Body, body, is_safe_function};

/// Longer bodies are cut by the query, so they are not judged.
const BODY_CHARACTERS: usize = 65_536;

struct Function {
    name: String,
    dotted: bool,
    /// The server has one of that name, which a call may mean.
    overloads: bool,
    types: Vec<u32>,
    /// What it is made of, where that can be followed; what is not written in SQL has nothing to follow.
    body: Option<Body>,
}

struct Operator {
    number: u32,
    name: String,
    function: (u32, String),
}

/// Everything of users' own, and what of it is found to do more than read.
#[derive(Default)]
struct Search {
    functions: HashMap<u32, Function>,
    operators: Vec<Operator>,
    /// Casts: source, target, function.
    casts: Vec<(u32, u32, (u32, String))>,
    type_names: HashMap<u32, String>,
    /// From types to those that they are made of.
    type_parts: Vec<(u32, u32)>,
    relation_names: HashMap<u32, String>,
    relation_types: Vec<(u32, u32)>,
    /// What stored expressions name: whose, and which object of whatever kind.
    named: Vec<(Kind, u32, u32)>,
    /// The numbers of what does more than read. Numbers are unique in a catalogue only: two things that
    /// share one are both taken for it.
    found: HashSet<u32>,
    /// The names of functions that do, and of those that do not.
    bad_names: HashSet<String>,
    known_names: HashSet<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Function,
    Type,
    Relation,
}

/// Numbers below this belong to the system.
const FIRST_NORMAL: u32 = 16_384;

pub(super) fn behind(results: &[Vec<Row>]) -> Behind {
    let mut search = Search::default();
    let result = |place: usize| results.get(place).map(Vec::as_slice).unwrap_or_default();
    result(0).iter().for_each(|row| search.function(row));
    result(1).iter().for_each(|row| search.aggregate(row));
    result(2).iter().for_each(|row| search.operator(row));
    result(3).iter().for_each(|row| search.cast(row));
    result(4).iter().for_each(|row| search.a_type(row));
    result(5).iter().for_each(|row| search.relation(row));
    result(6).iter().for_each(|row| search.expression(row));
    while search.spread() {}
    search.finish()
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

impl Search {
    fn function(&mut self, row: &Row) {
        let [
            oid,
            name,
            language,
            volatility,
            kind,
            dotted,
            types,
            settings,
            extension,
            overloads,
            text,
        ] = row.as_slice()
        else {
            return;
        };
        let Some(oid) = number(oid) else { return };
        let native = matches!(language.as_str(), "c" | "internal");
        let is_sql = matches!(language.as_str(), "sql" | "plpgsql");
        let quiet = volatility != "v" || is_safe_function(name);
        let found = if native || extension == "t" {
            // Those who may make such a thing need no way round Weir.
            quiet.then(Body::default)
        } else {
            let whole = is_sql && text.chars().count() < BODY_CHARACTERS && plain(settings);
            // SELECT ... INTO makes a table, but in PL/pgSQL, where it sets variables.
            let makes = |body: &Body| language == "sql" && body.words.contains("into");
            whole.then(|| body(text)).flatten().filter(|body| !makes(body))
        };
        // An aggregate does what its functions do.
        let found = if kind == "a" { Some(Body::default()) } else { found };
        if found.is_none() {
            self.found.insert(oid);
        }
        let types = types.split(' ').filter_map(number).collect();
        let (name, dotted, overloads) = (name.clone(), dotted == "t", overloads == "t");
        let function = Function { name, dotted, overloads, types, body: found };
        self.functions.insert(oid, function);
    }

    fn aggregate(&mut self, row: &Row) {
        let [aggregate, function, name] = row.as_slice() else { return };
        let (Some(aggregate), Some(function)) = (number(aggregate), number(function)) else {
            return;
        };
        if function >= FIRST_NORMAL {
            self.named.push((Kind::Function, aggregate, function));
        } else if !is_safe_function(name) {
            self.found.insert(aggregate);
        }
    }

    fn operator(&mut self, row: &Row) {
        let [oid, name, function, of] = row.as_slice() else { return };
        let (Some(number), Some(function)) = (number(oid), number(function)) else { return };
        let function = (function, of.clone());
        self.operators.push(Operator { number, name: name.clone(), function });
    }

    fn cast(&mut self, row: &Row) {
        let [source, target, function, name] = row.as_slice() else { return };
        let numbers = (number(source), number(target), number(function));
        let (Some(source), Some(target), Some(function)) = numbers else { return };
        self.casts.push((source, target, (function, name.clone())));
    }

    fn a_type(&mut self, row: &Row) {
        let [oid, name, part] = row.as_slice() else { return };
        let Some(oid) = number(oid) else { return };
        self.type_names.insert(oid, name.clone());
        self.type_parts.extend(number(part).map(|part| (oid, part)));
    }

    fn relation(&mut self, row: &Row) {
        let [oid, name, column] = row.as_slice() else { return };
        let Some(oid) = number(oid) else { return };
        self.relation_names.insert(oid, name.clone());
        self.relation_types.extend(number(column).map(|column| (oid, column)));
    }

    fn expression(&mut self, row: &Row) {
        let [kind, owner, named, server] = row.as_slice() else { return };
        let (Some(owner), Some(named)) = (number(owner), number(named)) else { return };
        let kind = match kind.as_str() {
            "function" => Kind::Function,
            "type" => Kind::Type,
            _ => Kind::Relation,
        };
        if named >= FIRST_NORMAL {
            self.named.push((kind, owner, named));
        } else if !is_safe_function(server) {
            self.found.insert(owner);
        }
    }

    /// Goes one step further; whether anything was found.
    fn spread(&mut self) -> bool {
        let before = self.found.len();
        let functions = self.functions.values().filter(|function| !function.overloads);
        self.known_names = functions.map(|function| function.name.clone()).collect();
        let bad = self.functions.iter().filter(|(oid, _)| self.found.contains(oid));
        self.bad_names = bad.map(|(_, function)| function.name.clone()).collect();
        let words = self.words();
        let mut found: Vec<u32> = Vec::new();
        for (oid, function) in &self.functions {
            let by_type = function.types.iter().any(|number| self.found.contains(number));
            let by_body = function.body.as_ref().is_some_and(|body| self.does_more(body, &words));
            found.extend((by_type || by_body).then_some(*oid));
        }
        for operator in &self.operators {
            found.extend(self.runs(&operator.function).then_some(operator.number));
        }
        for (source, target, function) in &self.casts {
            // A cast is used only with both of its types, so that the one of a user's tells enough.
            let own = [*source, *target].into_iter().filter(|number| *number >= FIRST_NORMAL);
            let own: Vec<u32> = own.collect();
            let types = if own.is_empty() { vec![*source, *target] } else { own };
            found.extend(self.runs(function).then_some(types).into_iter().flatten());
        }
        for edges in [&self.type_parts, &self.relation_types] {
            found.extend(edges.iter().filter(|(_, part)| self.found.contains(part)).map(|e| e.0));
        }
        let named = self.named.iter().filter(|(_, _, named)| self.found.contains(named));
        found.extend(named.map(|(_, owner, _)| *owner));
        self.found.extend(found);
        self.found.len() > before
    }

    /// The names that no word of a body may be: types and relations.
    fn words(&self) -> HashSet<&str> {
        let names = self.type_names.iter().chain(&self.relation_names);
        names.filter(|(oid, _)| self.found.contains(oid)).map(|(_, name)| name.as_str()).collect()
    }

    fn does_more(&self, body: &Body, words: &HashSet<&str>) -> bool {
        let unknown = |name: &String| !self.known_names.contains(name);
        let operators = self.operators.iter().filter(|o| self.found.contains(&o.number));
        body.unlisted.iter().any(unknown)
            || body.functions.iter().any(|name| self.bad_names.contains(name))
            || body.words.iter().any(|word| words.contains(word.as_str()) || self.is_dotted(word))
            || operators.into_iter().any(|operator| body.operators.contains(&operator.name))
    }

    /// Whether a word may be a call by a row's dot of what does more than read.
    fn is_dotted(&self, word: &str) -> bool {
        self.bad_names.contains(word)
            && self.functions.iter().any(|(oid, function)| {
                function.dotted && function.name == word && self.found.contains(oid)
            })
    }

    fn runs(&self, (number, name): &(u32, String)) -> bool {
        match *number >= FIRST_NORMAL {
            true => self.found.contains(number),
            false => !is_safe_function(name),
        }
    }

    fn finish(self) -> Behind {
        let found = |oid: &u32| self.found.contains(oid);
        let names = |names: &HashMap<u32, String>| -> HashSet<String> {
            let names = names.iter().filter(|(oid, _)| found(oid));
            names.map(|(_, name)| name.clone()).collect()
        };
        let types = names(&self.type_names);
        let numbers = self.found.iter().filter(|oid| self.type_names.contains_key(oid));
        let numbers = numbers.copied().collect();
        let bad = self.functions.iter().filter(|(oid, _)| found(oid)).map(|(_, f)| f);
        let dotted = bad.clone().filter(|f| f.dotted).map(|f| f.name.clone()).collect();
        // `name(x)` is a cast where no function is called so.
        let functions = bad.map(|f| f.name.clone()).chain(types.iter().cloned()).collect();
        let operators = self.operators.iter().filter(|o| found(&o.number));
        let operators = operators.map(|operator| operator.name.clone()).collect();
        let relations = names(&self.relation_names);
        Behind { functions, dotted, operators, types, numbers, relations }
    }
}

/// Whether a function's settings change nothing of how its text is read or what it may do.
fn plain(settings: &str) -> bool {
    settings.is_empty() || settings.lines().all(|one| one.starts_with("search_path="))
}
