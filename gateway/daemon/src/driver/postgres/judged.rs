//! A statement with all that was found of it.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use weir_classify::Facts;
use weir_model::{Decision, Operation, entry};

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
        let (places, shape) = (OnceCell::new(), Rc::default());
        Self { bytes, facts, operation, decision, recorded, places, shape }
    }

    /// The same of another text that means the same; its result has the same shape.
    pub fn of_text(&self, bytes: Arc<[u8]>) -> Self {
        let (facts, operation) = (self.facts.clone(), self.operation.clone());
        let judged = Self::new(bytes, facts, operation, self.decision.clone());
        Self { shape: self.shape.clone(), ..judged }
    }
}
