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

/// Something that does more than read where another thing does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    /// An object of a user's, or a type. Numbers are unique in a catalogue only: two things that share one are
    /// both taken for it.
    Object(u32),
    /// What planning a read of a relation runs.
    Planning(u32),
    /// The partition keys that bound what a relation has.
    Keys(u32),
    /// A stored expression, by its place.
    Stored(usize),
}

/// Everything of users' own, and what of it is found to do more than read.
struct Search<'a> {
    sources: &'a Sources,
    functions: HashMap<u32, Function<'a>>,
    operators: Vec<Operator<'a>>,
    type_names: HashMap<u32, &'a str>,
    relation_names: HashMap<u32, &'a str>,
    /// From whatever does more than read where another thing does, to that.
    edges: Vec<(Node, Node)>,
    found: HashSet<Node>,
    /// How many stored expressions were looked at.
    stored: usize,
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

/// The numbers of all that may do more than read.
pub(super) fn objects(results: &[Vec<Row>]) -> HashSet<u32> {
    let rows = [FUNCTIONS, OPERATORS, TYPES, RELATIONS].map(|place| result(results, place));
    rows.into_iter().flatten().filter_map(|row| number(row.first()?)).collect()
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
        stored: 0,
    };
    result(results, FUNCTIONS).iter().for_each(|row| search.function(row));
    for (aggregate, function) in pairs(results, AGGREGATES) {
        search.calls(Node::Object(aggregate), function);
    }
    result(results, OPERATORS).iter().for_each(|row| search.operator(row));
    result(results, CASTS).iter().for_each(|row| search.cast(row));
    search.type_names = names(result(results, TYPES));
    pairs(results, TYPE_PARTS).for_each(|(whole, part)| search.uses(whole, part));
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
            self.found.insert(Node::Object(oid));
        }
        if has_tree == "t" {
            self.expression(key, Node::Object(oid));
        }
        types.split(' ').filter_map(number).for_each(|number| self.uses(oid, number));
        let planned = Planned::new(language, volatility, defaults);
        let function = Function { name, dotted: dotted == "t", body: found, planned };
        self.functions.insert(oid, function);
    }

    fn uses(&mut self, object: u32, used: u32) {
        self.edges.push((Node::Object(object), Node::Object(used)));
    }

    /// What calls a function does more than read where that does.
    fn calls(&mut self, owner: Node, function: u32) {
        if function >= FIRST_NORMAL {
            self.edges.push((owner, Node::Object(function)));
        } else if !self.sources.is_safe(function) {
            self.found.insert(owner);
        }
    }

    fn operator(&mut self, row: &'a Row) {
        let [oid, name, function] = row.as_slice() else { return };
        let (Some(number), Some(function)) = (number(oid), number(function)) else { return };
        self.operators.push(Operator { number, name });
        self.calls(Node::Object(number), function);
    }

    fn cast(&mut self, row: &Row) {
        let [source, target, function] = row.as_slice() else { return };
        let numbers = (number(source), number(target), number(function));
        let (Some(source), Some(target), Some(function)) = numbers else { return };
        // A cast is used only with both of its types, so that the one of a user's tells enough.
        let own = source.max(target) >= FIRST_NORMAL;
        for kind in [source, target] {
            if kind >= FIRST_NORMAL || !own {
                self.calls(Node::Object(kind), function);
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
                self.uses(relation, column);
            }
            if column >= FIRST_NORMAL {
                self.uses(*of_rows, column);
            }
        }
    }

    /// What stored expressions name. Planning a read of a relation plans what inherits from it, and partitions
    /// have their parents' keys as a constraint.
    fn expressions(&mut self, results: &[Vec<Row>]) {
        for (child, parent) in pairs(results, INHERITANCE) {
            self.plans(child);
            self.plans(parent);
            self.edges.push((Node::Planning(parent), Node::Planning(child)));
            self.edges.push((Node::Keys(child), Node::Keys(parent)));
        }
        for (key, owner) in result(results, STORED).iter().filter_map(stored) {
            let by = match key.0 {
                Kind::Partition => Node::Keys(owner),
                Kind::Check | Kind::Index | Kind::Statistics => Node::Planning(owner),
                Kind::View | Kind::Policy | Kind::Domain | Kind::Function => Node::Object(owner),
            };
            if key.0.is_planned() {
                self.plans(owner);
            }
            self.expression(key, by);
        }
    }

    /// Reading a relation plans it.
    fn plans(&mut self, relation: u32) {
        self.edges.push((Node::Object(relation), Node::Planning(relation)));
        self.edges.push((Node::Planning(relation), Node::Keys(relation)));
    }

    fn expression(&mut self, key: Key, by: Node) {
        let Some(tree) = self.sources.tree(&key) else { return };
        let node = Node::Stored(self.stored);
        self.stored += 1;
        self.edges.push((by, node));
        if tree.writes {
            self.found.insert(node);
        }
        self.edges.extend(tree.numbers.iter().map(|number| (node, Node::Object(*number))));
        for call in &tree.calls {
            let planned = match self.functions.get(&call.function) {
                Some(function) => Some(function.planned),
                None => self.sources.planned(call.function),
            };
            if !key.0.is_planned() || planned.is_none_or(|planned| planned.runs(call.of_column)) {
                self.calls(node, call.function);
            }
        }
    }

    /// Finds whatever does more than read because of what was found before.
    fn spread(&mut self) {
        let mut users: HashMap<Node, Vec<Node>> = HashMap::new();
        for (user, used) in &self.edges {
            users.entry(*used).or_default().push(*user);
        }
        let mut new: Vec<Node> = self.found.iter().copied().collect();
        loop {
            while let Some(used) = new.pop() {
                let users = users.get(&used).into_iter().flatten();
                new.extend(users.filter(|user| self.found.insert(**user)));
            }
            new = self.by_body();
            if new.is_empty() {
                return;
            }
            self.found.extend(&new);
        }
    }

    /// Functions whose bodies do more than read, as far as that was not found before.
    fn by_body(&self) -> Vec<Node> {
        let found = |oid: &u32| self.found.contains(&Node::Object(*oid));
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
            .map(|(oid, _)| Node::Object(*oid))
            .collect()
    }

    fn finish(self) -> Behind {
        let found = |oid: &u32| self.found.contains(&Node::Object(*oid));
        let names = |names: &HashMap<u32, &str>| -> HashSet<String> {
            let names = names.iter().filter(|(oid, _)| found(oid));
            names.map(|(_, name)| (*name).to_owned()).collect()
        };
        let types = names(&self.type_names);
        let numbers = self.type_names.keys().filter(|oid| found(oid)).copied().collect();
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

/// Whether a function's settings change nothing of how its text is read or what it may do.
fn plain(settings: &str) -> bool {
    settings.is_empty() || settings.lines().all(|one| one.starts_with("search_path="))
}
