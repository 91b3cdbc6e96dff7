//! A statement with all that was found of it.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use weir_classify::Facts;
use weir_model::{Decision, Effect, Flag, Operation, entry, limits};

use super::replication;
use crate::flow::memory::Share;

/// A statement, classified and decided on.
pub struct Judged {
    /// Its exact bytes.
    pub bytes: Arc<[u8]>,
    /// What the classifier found.
    pub facts: Rc<Facts>,
    /// What it means, prepared statements resolved.
    pub operation: Arc<Operation>,
    /// What policy says.
    pub decision: Arc<Decision>,
    /// All of this for the record.
    pub recorded: Arc<entry::Judged>,
    /// Where it says the values of columns; looked for only where a token may be turned back.
    pub places: OnceCell<weir_classify::Places>,
    /// The shape of its result, as it was last.
    pub shape: Rc<RefCell<Option<super::shape::Known>>>,
    /// The memory that a long text takes as long as a statement or request of it is kept.
    held: OnceCell<Share>,
}

impl Judged {
    /// Puts together what was found of a statement.
    pub fn new(
        bytes: Arc<[u8]>,
        facts: Rc<Facts>,
        operation: Arc<Operation>,
        decision: Arc<Decision>,
    ) -> Self {
        let recorded = Arc::new(entry::Judged {
            statement: String::from_utf8_lossy(&bytes).into(),
            fingerprint: facts.fingerprint,
            operation: operation.clone(),
            decision: decision.clone(),
            kept: entry::Kept::default(),
        });
        let (places, shape, held) = (OnceCell::new(), Rc::default(), OnceCell::new());
        Self { bytes, facts, operation, decision, recorded, places, shape, held }
    }

    /// Counts a long text among the large messages; false where those have all the memory there is.
    pub fn charge(&self, mut share: Share) -> bool {
        let bytes = self.bytes.len();
        // It is kept as it came, and as the record has it.
        bytes <= limits::READ_BYTES
            || self.held.get().is_some()
            || (share.hold(2 * bytes) && self.held.set(share).is_ok())
    }

    /// The same of another text that means the same; its result has the same shape.
    pub fn of_text(&self, bytes: Arc<[u8]>) -> Self {
        let (facts, operation) = (self.facts.clone(), self.operation.clone());
        let judged = Self::new(bytes, facts, operation, self.decision.clone());
        Self { shape: self.shape.clone(), ..judged }
    }
}

/// Whether a statement may make the target ask for COPY data: one that was not understood may.
pub fn may_copy_in(judged: &Judged) -> bool {
    let flags = &judged.operation.flags;
    let both = !flags.contains(&Flag::CopyOut) || flags.contains(&Flag::Multi);
    may_copy_out(judged) && (both || judged.operation.effect == Effect::Unknown)
}

/// Whether a statement may make the target send COPY data.
pub fn may_copy_out(judged: &Judged) -> bool {
    let operation = &judged.operation;
    let copies = operation.verbs.iter().any(|verb| verb == "copy");
    operation.effect == Effect::Unknown || copies || replication::streams(judged)
}
