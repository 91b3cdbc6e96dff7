//! A question to a human, and how it stands.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weir_model::{ExchangeId, FlowId, HoldId, HoldTerms, Identity, Operation, SessionId, Target};

use super::Binding;

const MICROSECONDS: i64 = 1_000_000;

/// What is asked.
#[derive(Clone, Serialize, Deserialize)]
pub struct Question {
    /// The hold's name.
    pub hold: HoldId,
    /// The exchange that waits.
    pub exchange: ExchangeId,
    /// Its flow.
    pub flow: FlowId,
    /// Its session.
    pub session: SessionId,
    /// The Unix user as whom the agent runs.
    pub uid: u32,
    /// Who asks.
    pub identity: Arc<Identity>,
    /// Where it goes.
    pub target: Arc<Target>,
    /// The statement, whole.
    pub statement: Arc<str>,
    /// Its parameters as the record shows them.
    pub parameters: Vec<Option<String>>,
    /// What it means.
    pub operation: Arc<Operation>,
    /// What policy asks for.
    pub terms: HoldTerms,
    /// The determining policies.
    pub policies: Vec<String>,
    /// What an approval is tied to.
    pub binding: Binding,
    /// When it was asked.
    pub opened_us: i64,
    /// When the client stops waiting for an answer; the ticket lives until `expires_us`.
    pub until_us: i64,
    /// Whether the client has a transaction open, which holds locks meanwhile.
    pub in_transaction: bool,
}

impl Question {
    /// When an answer is of no use any more.
    pub fn expires_us(&self) -> i64 {
        let life = i64::from(self.terms.expires_s).saturating_mul(MICROSECONDS);
        self.opened_us.saturating_add(life).max(self.until_us)
    }

    /// What it weighs in memory and in the file.
    pub(super) fn bytes(&self) -> usize {
        let parameters = self.parameters.iter().flatten().map(String::len).sum::<usize>();
        self.statement.len().saturating_add(parameters)
    }
}

// A derived one would print parameters, which are values of rows.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("hold", &self.hold)
            .field("session", &self.session)
            .field("binding", &self.binding)
            .finish_non_exhaustive()
    }
}

/// How a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nobody has settled it.
    Pending,
    /// It may run once, and has not yet.
    Approved,
    /// It may not run.
    Denied,
    /// Its time ran out.
    Expired,
    /// Nobody waits for the answer any more.
    Withdrawn,
    /// It was approved, and the approval is used up.
    Consumed,
}

impl State {
    /// The name used in the record and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Consumed => "consumed",
        }
    }

    /// Whether it still decides about a statement that comes, so that it must outlive a restart.
    pub fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::Approved | Self::Denied => true,
            Self::Expired | Self::Withdrawn | Self::Consumed => false,
        }
    }
}

/// What an approver chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// It may run.
    Approve,
    /// It may not.
    Deny,
}

/// One approver's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who, for instance `unix:alice`.
    pub by: String,
    /// Their Unix user.
    pub uid: u32,
    /// What they chose.
    pub choice: Choice,
    /// Their words.
    pub comment: Option<String>,
    /// When.
    pub at_us: i64,
}

/// A question and how it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ticket {
    /// What is asked.
    pub question: Question,
    /// How it stands.
    pub state: State,
    /// Answers so far.
    pub votes: Vec<Vote>,
    /// Whether a client was told to come back, so that it outlives the connection that asked.
    pub promised: bool,
    /// When it was settled.
    pub settled_us: Option<i64>,
    /// Statements that wait in the wire for the answer right now.
    #[serde(skip)]
    pub waiting: usize,
}

impl Ticket {
    pub(super) fn new(question: Question) -> Self {
        Self {
            question,
            state: State::Pending,
            votes: Vec::new(),
            promised: false,
            settled_us: None,
            waiting: 0,
        }
    }

    /// How many approvers are needed.
    pub fn quorum(&self) -> usize {
        self.question.terms.quorum.max(1) as usize
    }

    /// How many have approved.
    pub fn approvals(&self) -> usize {
        self.votes.iter().filter(|vote| vote.choice == Choice::Approve).count()
    }

    /// Whether an answer is of no use any more.
    pub fn is_over(&self, now_us: i64) -> bool {
        self.question.expires_us() <= now_us
    }

    /// Who settled it, and their words.
    pub fn settled_by(&self) -> (String, Option<String>) {
        let choice = match self.state {
            State::Denied => Choice::Deny,
            State::Pending
            | State::Approved
            | State::Expired
            | State::Withdrawn
            | State::Consumed => Choice::Approve,
        };
        let votes = self.votes.iter().filter(|vote| vote.choice == choice);
        let by: Vec<&str> = votes.clone().map(|vote| vote.by.as_str()).collect();
        let words: Vec<&str> = votes.filter_map(|vote| vote.comment.as_deref()).collect();
        (by.join(", "), (!words.is_empty()).then(|| words.join("; ")))
    }
}
