//! What rows, their order and their number may tell of a column that the answer hides.
//!
//! A condition that compares a hidden column with what the client wrote tells one bit per row, and the
//! client has to write it: that is what `WHERE email = $1` is for. One that compares it with other
//! columns tells as much as there are rows to compare with: `substr(email, n, 1) = chr(c)` over two
//! series spells a column in one statement. The walk notes which columns are compared with each other;
//! which of them are hidden, the gate knows. (Inference control: Denning, Cryptography and Data
//! Security, chapter 6.)

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

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

    pub(super) fn inputs(&self) -> Inputs {
        Rc::new(self.names())
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

/// Names that something is computed from.
pub(super) type Inputs = Rc<BTreeSet<String>>;

/// Names looked at in one text; past this everything counts as compared with everything. A flat text
/// may compute thousands of columns from thousands of others.
const WORK: usize = 1 << 20;

/// What has been noted so far.
#[derive(Default)]
pub(super) struct Inference {
    open: Vec<Frame>,
    found: BTreeSet<Comparison>,
    /// Columns that are compared with the client's words only.
    looked: BTreeSet<String>,
    /// Columns that rows are ordered by.
    sorted: BTreeSet<String>,
    /// Columns of queries further in that are computed, and what from.
    computed: BTreeMap<String, Vec<Inputs>>,
    /// Columns that may be any of those.
    unplaced: BTreeSet<String>,
    work: usize,
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
        let frame = self.open.pop().unwrap_or_default();
        self.work += frame.columns.len();
        frame
    }

    /// What was read counts for the frame around, too.
    pub(super) fn read_around(&mut self, frame: &Frame) {
        self.work += frame.columns.len();
        if self.work <= WORK
            && let Some(around) = self.open.last_mut()
        {
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

    /// Rows are in the order of these, each for itself.
    pub(super) fn sorted(&mut self, frame: Frame) {
        self.sorted.extend(frame.columns.iter().map(|(_, name)| name.clone()));
        self.compared(frame);
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
    pub(super) fn computed(&mut self, name: &str, from: &Inputs) {
        if !from.is_empty() {
            self.computed.entry(name.to_owned()).or_default().push(from.clone());
        }
    }

    /// A column may be any that is computed further in.
    pub(super) fn unplaced(&mut self, name: &str) {
        self.unplaced.insert(name.to_owned());
    }

    fn note(&mut self, columns: BTreeSet<String>, alone: bool) {
        self.work += columns.len();
        if self.work <= WORK && self.found.len() < COMPARISONS {
            self.found.insert(Comparison { columns, alone });
        } else {
            // Everything is compared already.
            self.work = WORK + 1;
        }
    }

    /// The comparisons, with the columns behind each alias: bare ones in `renames`, computed ones here.
    pub(super) fn finish(
        mut self,
        renames: &BTreeMap<String, BTreeSet<String>>,
    ) -> BTreeSet<Comparison> {
        if self.looked.contains(ANY) {
            self.looked.extend(self.computed.keys().chain(&self.unplaced).cloned());
        }
        let all: Vec<Inputs> = self.computed.values().flatten().cloned().collect();
        for name in std::mem::take(&mut self.unplaced) {
            self.computed.entry(name).or_default().extend(all.iter().cloned());
        }
        let computed = std::mem::take(&mut self.computed);
        let mut behind = Behind { renames, computed: &computed, work: self.work };
        // What is computed of several columns and compared with one word is they, compared.
        let mut found = std::mem::take(&mut self.found);
        for name in &self.looked {
            let columns = behind.computed(name);
            if columns.len() > 1 {
                found.insert(Comparison { columns, alone: false });
            }
        }
        for name in &self.sorted {
            let columns = behind.computed(name);
            if columns.iter().any(|column| column != name) {
                found.insert(Comparison { columns, alone: true });
            }
        }
        let whole = |c: Comparison| {
            let columns = behind.of(c.columns.iter().cloned().collect());
            Comparison { columns, alone: c.alone }
        };
        let found = found.into_iter().map(whole).collect();
        if behind.work <= WORK {
            return found;
        }
        BTreeSet::from([Comparison { columns: BTreeSet::from([ANY.to_owned()]), alone: true }])
    }
}

/// Follows names back to what is behind them.
struct Behind<'a> {
    renames: &'a BTreeMap<String, BTreeSet<String>>,
    computed: &'a BTreeMap<String, Vec<Inputs>>,
    work: usize,
}

impl Behind<'_> {
    /// What a column is computed from, if it is.
    fn computed(&mut self, name: &str) -> BTreeSet<String> {
        let own = self.inputs(name).flat_map(|inputs| inputs.iter().cloned()).collect();
        self.of(own)
    }

    fn inputs(&self, name: &str) -> impl Iterator<Item = &Inputs> + use<'_> {
        let of = |name: &str| self.computed.get(name).into_iter().flatten();
        of(name).chain(of(ANY))
    }

    /// Some names and everything behind them.
    fn of(&mut self, mut open: Vec<String>) -> BTreeSet<String> {
        let mut all: BTreeSet<String> = open.iter().cloned().collect();
        while let Some(name) = open.pop() {
            let bare = self.renames.get(&name).into_iter().flatten();
            let mut work = self.work;
            for source in bare.chain(self.inputs(&name).flat_map(|inputs| inputs.iter())) {
                work += 1;
                if work > WORK {
                    break;
                }
                if !all.contains(source) {
                    all.insert(source.clone());
                    open.push(source.clone());
                }
            }
            self.work = work;
            if work > WORK {
                break;
            }
        }
        all
    }
}
