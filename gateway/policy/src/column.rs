//! May this column, or this finding in a value, be seen in clear?

use weir_model::{Class, ColumnRef, Identity, Target, Transform};

use crate::decide::{DEFAULT_DENY, POLICY_ERROR};
use crate::partition::{Answer, Question};
use crate::{PolicySet, Rule};

/// What policy says of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnVerdict {
    /// It may be seen as it is.
    Clear,
    /// It is to be hidden.
    Mask {
        /// How.
        transform: Transform,
        /// By which policy, or which of the gateway's own rules.
        policy: String,
    },
}

impl PolicySet {
    /// Decides on a column. A finding of a detector is asked as a column without names, whose
    /// classes are the finding's class and the detector's name.
    pub fn column(
        &self,
        identity: &Identity,
        target: &Target,
        column: &ColumnRef,
        classes: &[Class],
    ) -> ColumnVerdict {
        self.column_because(identity, target, column, classes).0
    }

    /// The same, with the policies that determined it.
    pub(crate) fn column_because(
        &self,
        identity: &Identity,
        target: &Target,
        column: &ColumnRef,
        classes: &[Class],
    ) -> (ColumnVerdict, Vec<String>) {
        let redact = |policy: &str| ColumnVerdict::Mask {
            transform: Transform::Redact,
            policy: policy.to_owned(),
        };
        let facts = self.names.column(identity, target, column, classes);
        let answer = facts.and_then(|facts| {
            let request = self.names.request(Question::ColumnClear, &facts)?;
            Ok(self.partitions.ask(Question::ColumnClear, &request, &facts.entities))
        });
        match answer {
            Ok(Answer::Permitted(ids)) => (ColumnVerdict::Clear, ids),
            Ok(Answer::Forbidden(ids)) => (self.strictest(&ids), ids),
            Ok(Answer::Unmentioned) => (redact(DEFAULT_DENY), Vec::new()),
            Ok(Answer::Failed(ids)) => (redact(POLICY_ERROR), ids),
            Err(_) => (redact(POLICY_ERROR), Vec::new()),
        }
    }

    /// Whether a token may be turned back where a statement compares a column with it or, `written`,
    /// stores it there; with the policies that say so.
    pub fn reveal(
        &self,
        identity: &Identity,
        target: &Target,
        column: &ColumnRef,
        classes: &[Class],
        written: bool,
    ) -> (bool, Vec<String>) {
        let facts = self.names.reveal(identity, target, column, classes, written);
        let answer = facts.and_then(|facts| {
            let request = self.names.request(Question::TokenReveal, &facts)?;
            Ok(self.partitions.ask(Question::TokenReveal, &request, &facts.entities))
        });
        match answer {
            Ok(Answer::Permitted(ids)) => (true, ids),
            Ok(Answer::Forbidden(ids) | Answer::Failed(ids)) => (false, ids),
            Ok(Answer::Unmentioned) => (false, vec![DEFAULT_DENY.to_owned()]),
            Err(_) => (false, vec![POLICY_ERROR.to_owned()]),
        }
    }

    /// The strictest mask of several; a forbid that names none hides everything.
    fn strictest(&self, ids: &[String]) -> ColumnVerdict {
        let mask = |rule: &Rule| rule.mask.unwrap_or(Transform::Redact);
        let rules = ids.iter().filter_map(|id| self.rules.get(id));
        let (transform, policy) = rules
            .map(|rule| (mask(rule), rule.id.as_str()))
            // Of equally strict ones the first by id.
            .min_by_key(|(transform, _)| std::cmp::Reverse(*transform))
            .unwrap_or((Transform::Redact, POLICY_ERROR));
        ColumnVerdict::Mask { transform, policy: policy.to_owned() }
    }
}
