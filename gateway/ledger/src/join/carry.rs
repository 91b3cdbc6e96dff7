//! What is open between two runs of the joiner.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weir_model::{ExchangeId, FlowId, HoldId, SessionId};

use crate::answer;
use crate::rows::{ExchangeRow, FlowRow, HoldRow, SessionRow};
use crate::value::Text;

/// What is open, and up to which entry.
///
/// A new field needs a default, so that a newer gateway reads an older one's carry.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Carry {
    /// The last entry that was joined; 0 before the first.
    pub last_index: u64,
    /// The life of the gateway that wrote it.
    pub boot: u64,
    /// The host's name.
    pub host: Text,
    pub(super) sessions: BTreeMap<SessionId, OpenSession>,
    pub(super) flows: BTreeMap<FlowId, OpenFlow>,
    /// Boxed: a tree moves what it holds about, and these are large and come and go.
    pub(super) exchanges: BTreeMap<ExchangeId, Box<OpenExchange>>,
    pub(super) holds: BTreeMap<HoldId, HoldRow>,
}

impl Carry {
    /// Whether nothing is open.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
            && self.flows.is_empty()
            && self.exchanges.is_empty()
            && self.holds.is_empty()
    }
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OpenSession {
    pub(super) row: SessionRow,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OpenFlow {
    pub(super) session: Option<SessionId>,
    pub(super) row: FlowRow,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OpenExchange {
    pub(super) flow: FlowId,
    pub(super) session: Option<SessionId>,
    pub(super) cursor: answer::Cursor,
    pub(super) row: ExchangeRow,
}

impl OpenSession {
    /// The row of a session whose end never came.
    pub(super) fn unended(self) -> SessionRow {
        SessionRow { end_reason: Some("unknown".to_owned()), ..self.row }
    }
}

impl OpenFlow {
    /// The row of a connection whose end never came.
    pub(super) fn unended(self) -> FlowRow {
        FlowRow { close_reason: Some("unknown".to_owned()), ..self.row }
    }
}

/// The row of a hold whose answer never came; an approval that was not used has its row already.
pub(super) fn unsettled(hold: HoldRow) -> Option<HoldRow> {
    let open = hold.outcome.is_empty();
    open.then(|| HoldRow { outcome: "unknown".to_owned(), ..hold })
}

impl OpenExchange {
    /// The row of a request whose answer never came: what was forwarded may have run.
    pub(super) fn unanswered(self: Box<Self>) -> ExchangeRow {
        let status = if self.row.forwarded { "unknown" } else { "refused" };
        ExchangeRow { status: status.into(), ..self.row }
    }
}
