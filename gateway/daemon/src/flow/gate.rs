//! The gate: the only maker of a [`Permit`], which is the only thing a target accepts.
//!
//! A [`Burst`] gathers the bytes that go to the target together with the entries that justify them;
//! [`Gate::commit`] puts the entries on record and only then turns the burst into a permit. So
//! "forwarded but not recorded" and "decided on one text, sent another" do not compile:
//!
//! ```compile_fail
//! use weir::flow::gate::Permit;
//! let permit = Permit { bytes: Vec::new(), entries: Vec::new(), receipt: None }; // private fields
//! ```
//! ```compile_fail
//! fn forward(burst: weir::flow::gate::Burst) -> weir::flow::gate::Permit { burst.into() }
//! ```

use std::sync::Arc;

use weir_model::Entry;

use crate::record::{Class, Receipt, RecordError, Recorder};

/// Bytes for a target, with the entries that justify them; not yet on record.
#[derive(Default)]
pub struct Burst {
    bytes: Vec<u8>,
    entries: Vec<(Entry, Vec<u8>)>,
}

impl Burst {
    /// Adds a message of the protocol's closed list, or one that Weir itself made.
    pub fn pass(&mut self, message: &[u8]) {
        self.bytes.extend_from_slice(message);
    }

    /// Lets a codec append a message that Weir made.
    pub fn make(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
    }

    /// Adds a request that was decided on, with its entry.
    pub fn ask(&mut self, entry: Entry, message: &[u8]) {
        self.entries.push((entry, Vec::new()));
        self.bytes.extend_from_slice(message);
    }

    /// Adds an entry, with its body, that must be on record before what follows is forwarded.
    pub fn note(&mut self, entry: Entry, body: &[u8]) {
        self.entries.push((entry, body.to_vec()));
    }

    /// Whether there is nothing to forward and nothing to record.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.entries.is_empty()
    }

    /// Bytes gathered so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Proof that the bytes it owns were decided on and are on record.
pub struct Permit {
    bytes: Vec<u8>,
    /// Empty; goes back into the next burst.
    entries: Vec<(Entry, Vec<u8>)>,
    /// `None` only where every message is of the closed list that needs no asking.
    receipt: Option<Receipt>,
}

impl Permit {
    /// The bytes, for the target's writer alone.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The record's index of the newest entry that justifies the bytes.
    pub fn recorded_at(&self) -> Option<u64> {
        self.receipt.as_ref().map(Receipt::index)
    }

    /// Gives the buffer back for the next burst.
    pub(crate) fn recycle(self) -> Burst {
        let mut bytes = self.bytes;
        bytes.clear();
        bytes.shrink_to(weir_model::limits::READ_BYTES);
        Burst { bytes, entries: self.entries }
    }
}

/// Records on behalf of one flow.
#[derive(Clone)]
pub struct Gate {
    recorder: Arc<Recorder>,
    class: Class,
}

impl Gate {
    /// A gate that records with a durability class.
    pub fn new(recorder: Arc<Recorder>, class: Class) -> Self {
        Self { recorder, class }
    }

    /// Puts a burst's entries on record and permits its bytes.
    ///
    /// # Errors
    /// The record can't be written: nothing of the burst may go on.
    pub async fn commit(&self, mut burst: Burst) -> Result<Permit, RecordError> {
        let receipt = match burst.entries.as_slice() {
            [] => None,
            entries => {
                let items: Vec<(&Entry, &[u8])> =
                    entries.iter().map(|(entry, body)| (entry, body.as_slice())).collect();
                Some(self.recorder.append(self.class, &items).await?)
            }
        };
        burst.entries.clear();
        Ok(Permit { bytes: burst.bytes, entries: burst.entries, receipt })
    }

    /// Puts entries on record before an answer is delivered.
    ///
    /// # Errors
    /// The record can't be written: the answer may not be delivered.
    pub async fn record(&self, items: &[(&Entry, &[u8])]) -> Result<(), RecordError> {
        if items.is_empty() {
            return Ok(());
        }
        self.recorder.append(self.class, items).await.map(drop)
    }

    /// Records entries without a request or an answer behind them.
    ///
    /// # Errors
    /// The record can't be written.
    pub async fn note(&self, entry: &Entry) -> Result<(), RecordError> {
        self.record(&[(entry, &[])]).await
    }
}
