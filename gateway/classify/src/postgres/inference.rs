//! What rows, their order and their number may tell of a column that the answer hides.
//!
//! A condition that compares a hidden column with what the client wrote tells one bit per row, and the
//! client has to write it: that is what `WHERE email = $1` is for. One that compares it with other
//! columns tells as much as there are rows to compare with: `substr(email, n, 1) = chr(c)` over two
//! series spells a column in one statement. The walk notes which columns are compared with each other;
//! which of them are hidden, the gate knows. (Inference control: Denning, Cryptography and Data
//! Security, chapter 6.)

use std::collections::{BTreeMap, BTreeSet};

use super::label::ANY;

/// Columns that one condition looks at together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Comparison {
    /// Their names; an alias stands with the columns behind it, `*` is any column.
    pub columns: BTreeSet<String>,
    /// Whether a value decides the order or the number of rows: one column is enough to be told.
    pub alone: bool,
}

/// More comparisons than this count as one of everything.
const COMPARISONS: usize = 512;

/// The relation that a column is surely of, where that can be told.
pub(super) type Owner = Option<usize>;

/// The columns that an expression looks at.
#[derive(Clone, Default)]
pub(super) struct Frame {
    columns: BTreeSet<(Owner, String)>,
}

impl Frame {
    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    pub(super) fn names(&self) -> BTreeSet<String> {
        self.columns.iter().map(|(_, name)| name.clone()).collect()
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.columns.extend(other.columns);
    }

    /// One column, or columns of one row of a table: the client's words meet one row at a time.
    fn is_of_one_row(&self) -> bool {
        let mut owners = self.columns.iter().map(|(owner, _)| *owner);
        let first = owners.next().flatten();
        self.columns.len() <= 1 || (first.is_some() && owners.all(|owner| owner == first))
    }
}

/// What has been noted so far.
#[derive(Default)]
pub(super) struct Inference {
    open: Vec<Frame>,
    found: BTreeSet<Comparison>,
    /// Columns that are compared with the client's words only.
    looked: BTreeSet<String>,
    /// Columns of queries further in that are computed, and what from.
    computed: BTreeMap<String, BTreeSet<String>>,
}

impl Inference {
    /// A column was read.
    pub(super) fn column(&mut self, owner: Owner, name: &str) {
        if let Some(frame) = self.open.last_mut() {
            frame.columns.insert((owner, name.to_owned()));
        }
    }

    /// From here on columns belong to a frame of their own.
    pub(super) fn open(&mut self) {
        self.open.push(Frame::default());
    }

    /// The frame that was opened last.
    pub(super) fn close(&mut self) -> Frame {
        self.open.pop().unwrap_or_default()
    }

    /// What was read counts for the frame around, too.
    pub(super) fn read_around(&mut self, frame: &Frame) {
        if let Some(around) = self.open.last_mut() {
            around.columns.extend(frame.columns.iter().cloned());
        }
    }

    /// A condition looks at these.
    pub(super) fn compared(&mut self, frame: Frame) {
        if frame.is_of_one_row() {
            self.looked.extend(frame.columns.into_iter().map(|(_, name)| name));
        } else {
            self.note(frame.names(), false);
        }
    }

    /// A column is compared with nothing but what the client wrote, or with itself.
    pub(super) fn looked(&mut self, name: &str) {
        self.looked.insert(name.to_owned());
    }

    /// Values of these are told to be the same or not.
    pub(super) fn same(&mut self, columns: BTreeSet<String>) {
        self.note(columns, false);
    }

    /// The value of these decides the order or the number of rows.
    pub(super) fn decisive(&mut self, frame: &Frame) {
        if !frame.is_empty() {
            self.note(frame.names(), true);
        }
    }

    /// A column of a query further in is computed from these.
    pub(super) fn computed(&mut self, name: &str, from: BTreeSet<String>) {
        self.computed.entry(name.to_owned()).or_default().extend(from);
    }

    fn note(&mut self, columns: BTreeSet<String>, alone: bool) {
        if self.found.len() >= COMPARISONS {
            self.found.clear();
            self.found
                .insert(Comparison { columns: BTreeSet::from([ANY.to_owned()]), alone: true });
        } else {
            self.found.insert(Comparison { columns, alone });
        }
    }

    /// The comparisons, with the columns behind each alias: bare ones in `renames`, computed ones here.
    pub(super) fn finish(
        mut self,
        renames: &BTreeMap<String, BTreeSet<String>>,
    ) -> BTreeSet<Comparison> {
        let computed = std::mem::take(&mut self.computed);
        let behind = |names: &BTreeSet<String>| {
            let mut all = names.clone();
            let mut open: Vec<String> = names.iter().cloned().collect();
            while let Some(name) = open.pop() {
                let own = renames.get(&name).into_iter().chain(computed.get(&name));
                for source in own.chain(computed.get(ANY)).flatten() {
                    if all.insert(source.clone()) {
                        open.push(source.clone());
                    }
                }
            }
            all
        };
        // What is computed of several columns and compared with one word is they, compared.
        for name in std::mem::take(&mut self.looked) {
            let own = computed.get(&name).into_iter().chain(computed.get(ANY));
            let sources = behind(&own.flatten().cloned().collect());
            if sources.len() > 1 {
                self.note(sources, false);
            }
        }
        let found = std::mem::take(&mut self.found);
        let whole = |c: Comparison| Comparison { columns: behind(&c.columns), alone: c.alone };
        found.into_iter().map(whole).collect()
    }
}
