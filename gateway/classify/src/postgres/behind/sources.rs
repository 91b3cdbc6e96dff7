//! What was read of bodies and stored expressions, kept so that only what changed is read again.

use std::collections::{HashMap, HashSet};

use super::tree::{Tree, tree};
use super::{Behind, Row, number, read};
use crate::postgres::body::{Body, body, is_safe_function};

/// Longer bodies are cut by the query, so they are not judged.
const BODY_CHARACTERS: usize = 65_536;
/// How many texts are asked for at a time.
const AT_A_TIME: usize = 1_000;

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
                 pg_catalog.concat_ws(' ', s.proargdefaults, \
                 pg_catalog.jsonb_extract_path_text(pg_catalog.to_jsonb(s), 'prosqlbody')) end",
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

    /// The query for the texts of some: kind, number, version, text, tree.
    fn query(self, numbers: &[String]) -> String {
        let [catalogue, name, text, tree] = self.place();
        let letter = KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(letter, _)| letter);
        let numbers = numbers.join(",");
        format!(
            "select '{letter}', s.{name}, s.xmin, {text}, {tree} from pg_catalog.{catalogue} s \
             where s.{name} operator(pg_catalog.=) any ('{{{numbers}}}'::pg_catalog.oid[])"
        )
    }
}

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
#[derive(Debug, Default)]
pub struct Sources {
    /// Functions of the server's own: whether they are known to do no more than read, and what planning
    /// makes of them.
    own: HashMap<u32, (bool, Planned)>,
    own_names: HashSet<String>,
    bodies: HashMap<Key, Option<Body>>,
    trees: HashMap<Key, Tree>,
}

impl Sources {
    /// The queries, each for a simple query of its own, that give what is not known yet of what the results of
    /// [`crate::BEHIND_QUERY`] name; [`Self::learn`] reads what they give.
    pub fn wanted(&self, results: &[Vec<Row>]) -> Vec<String> {
        let unknown = |key: &Key| !self.trees.contains_key(key);
        let mut keys: Vec<Key> = read::keys(results).filter(unknown).collect();
        keys.sort_unstable();
        let query = |some: &[Key]| {
            let kinds = some.chunk_by(|one, other| one.0 == other.0).filter_map(|same| {
                let numbers: Vec<String> = same.iter().map(|key| key.1.to_string()).collect();
                same.first().map(|(kind, _, _)| kind.query(&numbers))
            });
            kinds.collect::<Vec<_>>().join(";\n")
        };
        let own = self.own.is_empty().then(|| OWN.to_owned());
        own.into_iter().chain(keys.chunks(AT_A_TIME).map(query)).collect()
    }

    /// Learns the results of a query of [`Self::wanted`].
    pub fn learn(&mut self, results: &[Vec<Row>]) {
        for row in results.iter().flatten() {
            let [kind, oid, third, fourth, fifth] = row.as_slice() else { continue };
            let Some(oid) = number(oid) else { continue };
            // No name of the server's functions is one letter.
            let Some(kind) = Kind::from_letter(kind) else {
                let (name, planned) = (kind, Planned::new(third, fourth, fifth));
                self.own.insert(oid, (is_safe_function(name), planned));
                self.own_names.insert(name.clone());
                continue;
            };
            let Some(version) = number(third) else { continue };
            let key = (kind, oid, version);
            self.trees.insert(key, tree(fifth));
            if kind == Kind::Function {
                let whole = fourth.chars().count() < BODY_CHARACTERS;
                self.bodies.insert(key, whole.then(|| body(fourth)).flatten());
            }
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
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn row(cells: &[&str]) -> Row {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    /// A function of some version and a view of some version, in a database with nothing else.
    fn results(function: &str, view: &str) -> Vec<Vec<Row>> {
        let function = ["20000", function, "lower", "sql", "v", "f", "f", "", "", "f", "f", "f"];
        let mut results = vec![Vec::new(); 10];
        results[0].push(row(&function));
        results[6].push(row(&["20001", "20002", "seen", "t"]));
        results[9].push(row(&["v", "20003", view, "20001"]));
        results
    }

    fn own() -> Vec<Vec<Row>> {
        vec![vec![row(&["lower", "870", "internal", "i", "f"])]]
    }

    #[test]
    fn only_what_changed_is_asked_for() {
        let mut sources = Sources::default();
        let first = results("700", "800");
        let asked = sources.wanted(&first);
        assert_eq!(asked.len(), 2);
        assert!(asked[1].contains("{20000}") && asked[1].contains("{20003}"), "{}", asked[1]);
        sources.learn(&own());
        assert!(sources.behind(&first).is_none(), "there are no texts yet");
        let body = "insert into t values (1) returning 1";
        sources.learn(&[vec![row(&["f", "20000", "700", body, ""])]]);
        sources.learn(&[vec![row(&["v", "20003", "800", "", ":commandType 1 :funcid 20000 "])]]);
        assert!(sources.wanted(&first).is_empty());
        let behind = sources.behind(&first).unwrap();
        assert!(behind.functions.contains("lower") && behind.relations.contains("seen"));

        // The function is another one now, the view is the same.
        let second = results("701", "800");
        let asked = sources.wanted(&second);
        assert!(asked.len() == 1 && asked[0].contains("{20000}"), "{asked:?}");
        assert!(!asked[0].contains("20003"), "{asked:?}");
        assert!(sources.behind(&second).is_none(), "its text is not known");
        sources.learn(&[vec![row(&["f", "20000", "701", "select 1", ""])]]);
        assert!(sources.behind(&second).unwrap().is_empty());

        // What was forgotten is asked for again.
        assert!(!sources.wanted(&first).is_empty());
    }

    #[test]
    fn what_is_not_answered_whole_tells_nothing() {
        let mut sources = Sources::default();
        let mut some = results("700", "800");
        sources.learn(&[vec![row(&["f", "20000", "700", "select 1", ""])]]);
        sources.learn(&[vec![row(&["v", "20003", "800", "", ""])]]);
        assert!(sources.behind(&some).is_none(), "the server's functions are not known");
        sources.learn(&own());
        assert!(sources.behind(&some).is_some());
        some.pop();
        assert!(sources.behind(&some).is_none());
    }

    #[test]
    fn many_texts_are_asked_for_in_turn() {
        let mut results = vec![Vec::new(); 10];
        results[9] = (1..=2_500).map(|n| row(&["c", &n.to_string(), "7", "20000"])).collect();
        let mut sources = Sources::default();
        sources.learn(&own());
        assert_eq!(sources.wanted(&results).len(), 3);
    }
}
