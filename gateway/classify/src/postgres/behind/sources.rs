//! What was read of bodies and stored expressions, kept so that only what changed is read again.

use std::collections::{HashMap, HashSet};

use super::tree::{Tree, tree};
use super::{Behind, Row, number, read};
use crate::postgres::body::{Body, body, is_safe_function};

/// Longer bodies are cut by the query, so they are not judged.
const BODY_CHARACTERS: usize = 65_536;
/// How many texts are asked for at a time: at first, and at most.
const FIRST: usize = 100;
const MOST: usize = 1_000;
/// How many bytes of them come of each kind, in the server's encoding. What is longer is not read: whatever it
/// belongs to counts as doing more than a read.
const LONGEST: usize = 8 << 20;

/// Functions of the server's own: name, number, language, volatility, whether they have defaults.
const OWN: &str = "select p.proname, p.oid, l.lanname, p.provolatile, p.pronargdefaults operator(pg_catalog.>) 0 \
    from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid operator(pg_catalog.=) p.prolang \
    where p.oid operator(pg_catalog.<) 16384::pg_catalog.oid";

/// What a text belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A function: its body, its defaults.
    Function,
    /// The query of a view.
    View,
    /// Row security.
    Policy,
    /// A domain's constraint.
    Domain,
    /// A table's constraint.
    Check,
    /// An index.
    Index,
    /// A partition key.
    Partition,
    /// Statistics.
    Statistics,
}

/// All of them, by the letters that the query has.
const KINDS: [(&str, Kind); 8] = [
    ("f", Kind::Function),
    ("v", Kind::View),
    ("p", Kind::Policy),
    ("d", Kind::Domain),
    ("c", Kind::Check),
    ("i", Kind::Index),
    ("k", Kind::Partition),
    ("s", Kind::Statistics),
];

impl Kind {
    /// By its letter.
    pub(super) fn from_letter(letter: &str) -> Option<Self> {
        KINDS.iter().find(|(name, _)| *name == letter).map(|(_, kind)| *kind)
    }

    /// Whether planning a read works out what is constant in it.
    pub(super) fn is_planned(self) -> bool {
        matches!(self, Self::Check | Self::Index | Self::Partition | Self::Statistics)
    }

    /// Which catalogue has it, under which number, and its text and its tree there. What older servers do not
    /// have is asked of the row as a whole.
    fn place(self) -> [&'static str; 4] {
        const NONE: &str = "null";
        match self {
            Self::Function => [
                "pg_proc",
                "oid",
                "case when (select l.lanname operator(pg_catalog.=) any (array['sql', 'plpgsql']::pg_catalog.name[]) \
                 from pg_catalog.pg_language l where l.oid operator(pg_catalog.=) s.prolang) \
                 then pg_catalog.left(s.prosrc, 65536) end",
                "case when s.pronargdefaults operator(pg_catalog.>) 0 or s.prosrc operator(pg_catalog.=) '' then \
                 pg_catalog.concat_ws(' ', s.proargdefaults, case when s.prosrc operator(pg_catalog.=) '' then \
                 pg_catalog.jsonb_extract_path_text(pg_catalog.to_jsonb(s), 'prosqlbody') end) end",
            ],
            Self::View => ["pg_rewrite", "oid", NONE, "s.ev_action"],
            Self::Policy => ["pg_policy", "oid", NONE, "s.polqual"],
            Self::Domain | Self::Check => ["pg_constraint", "oid", NONE, "s.conbin"],
            Self::Index => {
                let both = "pg_catalog.concat_ws(' ', s.indexprs, s.indpred)";
                ["pg_index", "indexrelid", NONE, both]
            }
            Self::Partition => ["pg_partitioned_table", "partrelid", NONE, "s.partexprs"],
            Self::Statistics => {
                let tree = "pg_catalog.jsonb_extract_path_text(pg_catalog.to_jsonb(s), 'stxexprs')";
                ["pg_statistic_ext", "oid", NONE, tree]
            }
        }
    }

    /// The query for the texts of some: kind, number, version, what became of it, text, tree. Of all that would be
    /// too much at a time the rest is for later; what is too long comes never.
    fn query(self, numbers: &[String]) -> String {
        let [catalogue, name, text, tree] = self.place();
        let letter = KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(letter, _)| letter);
        let numbers = numbers.join(",");
        format!(
            "select '{letter}', r.number, r.version, r.state, \
             case when r.state operator(pg_catalog.=) '{HERE}' then r.body end, \
             case when r.state operator(pg_catalog.=) '{HERE}' then r.tree end \
             from (select s.*, case when s.bytes operator(pg_catalog.>) {LONGEST} then '{TOO_LONG}' \
             when pg_catalog.sum(s.bytes) over (order by s.number) operator(pg_catalog.>) {LONGEST} \
             then '{LATER}' else '{HERE}' end as state from (select t.*, pg_catalog.octet_length(\
             pg_catalog.concat(t.body, t.tree)) as bytes from (select s.{name} as number, s.xmin as version, \
             {text} as body, {tree}::pg_catalog.text as tree from pg_catalog.{catalogue} s \
             where s.{name} operator(pg_catalog.=) any ('{{{numbers}}}'::pg_catalog.oid[]) offset 0) t offset 0) s) r"
        )
    }
}

/// What becomes of a text: it is there, or is not read.
const HERE: &str = "here";
const TOO_LONG: &str = "long";
const LATER: &str = "later";

/// A version of a row of the catalogue: what it is of, its number, the transaction that wrote it. A transaction
/// leaves one version of a row that others ever see.
pub(super) type Key = (Kind, u32, u32);

/// What decides whether planning runs a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    sql: bool,
    immutable: bool,
    defaults: bool,
}

impl Planned {
    pub(super) fn new(language: &str, volatility: &str, defaults: &str) -> Self {
        Self { sql: language == "sql", immutable: volatility == "i", defaults: defaults == "t" }
    }

    /// Whether planning may run a call in a stored expression: not one that is not immutable, nor one of a
    /// column, unless its function has defaults, which are no part of the tree, or is in SQL, whose body may
    /// take the call's place (`eval_const_expressions` in `optimizer/util/clauses.c`).
    pub(super) fn runs(self, of_column: bool) -> bool {
        self.sql || (self.immutable && (!of_column || self.defaults))
    }
}

/// What bodies and stored expressions of one database say.
#[derive(Debug)]
pub struct Sources {
    /// Functions of the server's own: whether they are known to do no more than read, and what planning
    /// makes of them.
    own: HashMap<u32, (bool, Planned)>,
    own_names: HashSet<String>,
    bodies: HashMap<Key, Option<Body>>,
    trees: HashMap<Key, Tree>,
    /// How many texts are asked for next.
    at_a_time: usize,
}

impl Default for Sources {
    fn default() -> Self {
        let (own, own_names) = (HashMap::new(), HashSet::new());
        let (bodies, trees) = (HashMap::new(), HashMap::new());
        Self { own, own_names, bodies, trees, at_a_time: FIRST }
    }
}

impl Sources {
    /// The next query, for a simple query of its own, that gives some of what is not known yet of what the results
    /// of [`crate::BEHIND_QUERY`] name; [`Self::learn`] reads what it gives. Nothing where all is known.
    pub fn wanted(&self, results: &[Vec<Row>]) -> Option<String> {
        if self.own.is_empty() {
            return Some(OWN.to_owned());
        }
        let unknown = |key: &Key| !self.trees.contains_key(key);
        let mut keys: Vec<Key> = read::keys(results).filter(unknown).take(self.at_a_time).collect();
        keys.sort_unstable();
        let kinds = keys.chunk_by(|one, other| one.0 == other.0).filter_map(|same| {
            let numbers: Vec<String> = same.iter().map(|key| key.1.to_string()).collect();
            same.first().map(|(kind, _, _)| kind.query(&numbers))
        });
        let query = kinds.collect::<Vec<_>>().join(";\n");
        (!keys.is_empty()).then_some(query)
    }

    /// Learns what the query of [`Self::wanted`] gave for some results of [`crate::BEHIND_QUERY`]; whether that was
    /// anything.
    pub fn learn(&mut self, results: &[Vec<Row>], given: &[Vec<Row>]) -> bool {
        let before = self.own.len() + self.trees.len();
        let mut later = false;
        let objects = read::objects(results);
        for row in given.iter().flatten() {
            match row.as_slice() {
                [name, oid, language, volatility, defaults] => {
                    let Some(oid) = number(oid) else { continue };
                    let planned = Planned::new(language, volatility, defaults);
                    self.own.insert(oid, (is_safe_function(name), planned));
                    self.own_names.insert(name.clone());
                }
                [kind, oid, version, state, text, stored] => {
                    let kind = Kind::from_letter(kind);
                    let numbers = (kind, number(oid), number(version));
                    let (Some(kind), Some(oid), Some(version)) = numbers else { continue };
                    let key = (kind, oid, version);
                    if state == HERE {
                        self.text(key, text, stored, &objects);
                    } else if state == TOO_LONG {
                        self.trees.insert(key, Tree::unread());
                    } else {
                        later = true;
                    }
                }
                _ => {}
            }
        }
        let learnt = self.own.len() + self.trees.len() - before;
        // All that is asked for is measured, whether it comes or not.
        self.at_a_time = if later { learnt.max(1) } else { (self.at_a_time * 2).min(MOST) };
        learnt > 0
    }

    fn text(&mut self, key: Key, text: &str, stored: &str, objects: &HashSet<u32>) {
        let mut tree = tree(stored);
        // What it names was there when it was written; an operator of an extension's that became a user's has its
        // function in the tree too.
        tree.numbers.retain(|number| objects.contains(number));
        self.trees.insert(key, tree);
        if key.0 == Kind::Function {
            let whole = text.chars().count() < BODY_CHARACTERS;
            self.bodies.insert(key, whole.then(|| body(text)).flatten());
        }
    }

    /// What may do more than read, as the results of [`crate::BEHIND_QUERY`] say; nothing where some are missing,
    /// or texts that they name. What they do not name any more is forgotten.
    pub fn behind(&mut self, results: &[Vec<Row>]) -> Option<Behind> {
        let keys: HashSet<Key> = read::keys(results).collect();
        self.bodies.retain(|key, _| keys.contains(key));
        self.trees.retain(|key, _| keys.contains(key));
        let known = !self.own.is_empty() && keys.iter().all(|key| self.trees.contains_key(key));
        known.then(|| read::behind(results, self)).flatten()
    }

    /// What a function does, where its body can be followed.
    pub(super) fn body(&self, key: &Key) -> Option<&Body> {
        self.bodies.get(key).and_then(Option::as_ref)
    }

    /// What a stored expression names.
    pub(super) fn tree(&self, key: &Key) -> Option<&Tree> {
        self.trees.get(key)
    }

    /// Whether a function of the server's is known to do no more than read.
    pub(super) fn is_safe(&self, function: u32) -> bool {
        self.own.get(&function).is_some_and(|(safe, _)| *safe)
    }

    /// What planning makes of a function of the server's.
    pub(super) fn planned(&self, function: u32) -> Option<Planned> {
        self.own.get(&function).map(|(_, planned)| *planned)
    }

    /// Whether the server has a function of this name.
    pub(super) fn has_own(&self, name: &str) -> bool {
        self.own_names.contains(name)
    }
}

#[cfg(test)]
mod tests;
