//! What policy says of an operation.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How a value is hidden. Ordered from the mildest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transform {
    /// A keyed pseudonym of the value's own shape: same in, same out.
    Token,
    /// A coarser value of the same type: the month, the first digit, the domain.
    Generalise,
    /// All but the last four characters.
    Partial,
    /// The keyed hash of the value, in hex.
    Hash,
    /// Nothing of the value remains.
    Redact,
    /// Not even whether there is a value.
    Null,
}

impl Transform {
    /// The name used in policy.
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Generalise => "generalise",
            Self::Partial => "partial",
            Self::Hash => "hash",
            Self::Redact => "redact",
            Self::Null => "null",
        }
    }
}

/// Why an operation did not go on, in the words that the agent and the record get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The determining policy's id, or Weir's own rule, for instance `weir.unrecorded`.
    pub rule: String,
    /// What is wrong, one sentence.
    pub message: String,
    /// What to do instead; empty where there is nothing to say.
    pub instead: String,
}

/// What a hold asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldTerms {
    /// Groups of which an approver must be a member; empty means any approver.
    pub approve_groups: Vec<String>,
    /// How many approvers.
    pub quorum: u32,
    /// How long an approval may be waited for or used, seconds.
    pub expires_s: u32,
    /// Why it is held, one sentence.
    pub message: String,
    /// What to do instead; empty where there is nothing to say.
    pub instead: String,
}

/// What policy says of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It may go on.
    Allow,
    /// It may not.
    Deny(Refusal),
    /// It may go on if a human says so.
    Hold(HoldTerms),
}

impl Verdict {
    /// The name used on the wire and in the record.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny(_) => "deny",
            Self::Hold(_) => "hold",
        }
    }
}

/// A verdict, with what determined it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// Ids of the policies that determined it, sorted.
    pub policies: Vec<String>,
    /// Ids of shadow policies that would have changed it, sorted.
    pub shadow: Vec<String>,
    /// Hex SHA-256 of the policy set.
    pub policy_hash: Arc<str>,
}
