//! What is to be done with the columns of one result.

use std::collections::BTreeMap;

use weir_model::Transform;

use crate::postgres::Kind;

/// How many cells or findings were hidden, by policy id or detector name.
pub type Counts = BTreeMap<String, u64>;

/// What is to be done with a column's cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Deliver them as they are.
    Clear,
    /// Look for findings and hide those.
    Content,
    /// Hide them whole.
    Apply {
        /// How.
        transform: Transform,
        /// The policy that says so, for the counts.
        policy: String,
    },
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The type's OID, as the row description says.
    pub type_oid: u32,
    /// 0 text, 1 binary.
    pub format: i16,
    /// What is to be done.
    pub action: Action,
}

impl Column {
    /// Whether nothing can have to be hidden in any cell.
    pub fn is_clear(&self) -> bool {
        match self.action {
            Action::Clear => true,
            Action::Content => !Kind::of(self.type_oid).holds_text(),
            Action::Apply { .. } => false,
        }
    }

    /// Whether detectors have to look at the cells.
    pub fn needs_scan(&self) -> bool {
        matches!(self.action, Action::Content) && !self.is_clear()
    }
}

/// The columns of one result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order of the row description.
    pub columns: Vec<Column>,
}

impl Plan {
    /// Whether every row can be delivered unread.
    pub fn all_clear(&self) -> bool {
        self.columns.iter().all(Column::is_clear)
    }

    /// Whether detectors have to look at the rows.
    pub fn needs_scan(&self) -> bool {
        self.columns.iter().any(Column::needs_scan)
    }

    /// Whether some column is hidden whole, so that a clean row must be rewritten too.
    pub fn has_apply(&self) -> bool {
        self.columns.iter().any(|column| matches!(column.action, Action::Apply { .. }))
    }
}

/// What is to be done with findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentRules {
    /// By the detector's index in `DETECTORS`: `None` leaves its findings clear. A detector that
    /// stands beyond the end is redacted.
    pub by_detector: Vec<Option<Transform>>,
}

impl ContentRules {
    /// The same for every detector.
    pub fn all(transform: Option<Transform>) -> Self {
        Self { by_detector: vec![transform; crate::DETECTORS.len()] }
    }

    /// What to do with findings of the detector at `index`.
    pub fn of(&self, index: usize) -> Option<Transform> {
        self.by_detector.get(index).copied().unwrap_or(Some(Transform::Redact))
    }

    /// Whether no finding is hidden.
    pub fn is_empty(&self) -> bool {
        (0..crate::DETECTORS.len()).all(|index| self.of(index).is_none())
    }
}
