//! Splits a set by question, so that a decision evaluates only the policies that can apply to it.

use cedar_policy::{
    ActionConstraint, AuthorizationError, Authorizer, Decision, Effect, Entities, EntityUid,
    Policy, PolicySet, Request,
};

/// What Cedar is asked; one action of the schema each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    SqlRun,
    SqlUnattended,
    TcpConnect,
    TcpUnattended,
    DnsResolve,
    ReplicationRun,
    ColumnClear,
    TokenReveal,
}

impl Question {
    pub(crate) const ALL: [Self; 8] = [
        Self::SqlRun,
        Self::SqlUnattended,
        Self::TcpConnect,
        Self::TcpUnattended,
        Self::DnsResolve,
        Self::ReplicationRun,
        Self::ColumnClear,
        Self::TokenReveal,
    ];

    /// The action's id in the schema.
    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::SqlRun => "sql.run",
            Self::SqlUnattended => "sql.run_unattended",
            Self::TcpConnect => "tcp.connect",
            Self::TcpUnattended => "tcp.connect_unattended",
            Self::DnsResolve => "dns.resolve",
            Self::ReplicationRun => "replication.run",
            Self::ColumnClear => "column.clear",
            Self::TokenReveal => "token.reveal",
        }
    }

    /// Whether a deny holds, rather than refuses or masks.
    pub(crate) fn holds(self) -> bool {
        match self {
            Self::SqlUnattended | Self::TcpUnattended => true,
            Self::SqlRun | Self::TcpConnect | Self::DnsResolve => false,
            Self::ReplicationRun => false,
            Self::ColumnClear | Self::TokenReveal => false,
        }
    }
}

/// The questions that a policy can bear on. The schema has no action groups.
pub(crate) fn questions(policy: &Policy) -> Vec<Question> {
    let named = |uid: &EntityUid, question: Question| uid.id().unescaped() == question.action();
    let bears = |question: &Question| match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => named(&uid, *question),
        ActionConstraint::In(uids) => uids.iter().any(|uid| named(uid, *question)),
    };
    Question::ALL.into_iter().filter(bears).collect()
}

/// How Cedar answered one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Yes, by these permits.
    Permitted(Vec<String>),
    /// No, by these forbids.
    Forbidden(Vec<String>),
    /// No: nothing permits it.
    Unmentioned,
    /// These policies could not be evaluated.
    Failed(Vec<String>),
}

/// The policies of one question.
#[derive(Default)]
struct Partition {
    enforced: PolicySet,
    /// Apart from each other, so that Cedar names all that are satisfied.
    shadow_forbids: PolicySet,
    shadow_permits: PolicySet,
}

/// The policies of every question.
#[derive(Default)]
pub(crate) struct Partitions {
    sql_run: Partition,
    sql_unattended: Partition,
    tcp_connect: Partition,
    tcp_unattended: Partition,
    dns_resolve: Partition,
    replication_run: Partition,
    column_clear: Partition,
    token_reveal: Partition,
    authorizer: Authorizer,
}

impl Partitions {
    /// Adds a policy to each question that it bears on.
    pub(crate) fn add(&mut self, policy: &Policy, shadow: bool) -> Result<(), String> {
        for question in questions(policy) {
            let partition = self.of_mut(question);
            let set = match (shadow, policy.effect()) {
                (false, _) => &mut partition.enforced,
                (true, Effect::Forbid) => &mut partition.shadow_forbids,
                (true, Effect::Permit) => &mut partition.shadow_permits,
            };
            set.add(policy.clone()).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Asks the enforced policies.
    pub(crate) fn ask(&self, question: Question, request: &Request, facts: &Entities) -> Answer {
        self.evaluate(&self.of(question).enforced, request, facts)
    }

    /// Asks the shadow policies: the satisfied permits, and the satisfied or broken forbids.
    pub(crate) fn ask_shadow(
        &self,
        question: Question,
        request: &Request,
        facts: &Entities,
    ) -> Shadow {
        let partition = self.of(question);
        let mut shadow = Shadow::default();
        for set in [&partition.shadow_forbids, &partition.shadow_permits] {
            if set.is_empty() {
                continue;
            }
            match self.evaluate(set, request, facts) {
                Answer::Permitted(ids) => shadow.permits.extend(ids),
                Answer::Forbidden(ids) => shadow.forbids.extend(ids),
                Answer::Unmentioned => {}
                Answer::Failed(ids) => shadow.failed.extend(ids),
            }
        }
        shadow
    }

    /// Whether a question has shadow policies at all.
    pub(crate) fn has_shadow(&self, question: Question) -> bool {
        let partition = self.of(question);
        !partition.shadow_forbids.is_empty() || !partition.shadow_permits.is_empty()
    }

    /// How many policies are evaluated for a question.
    #[cfg(test)]
    pub(crate) fn enforced(&self, question: Question) -> usize {
        self.of(question).enforced.num_of_policies()
    }

    fn evaluate(&self, set: &PolicySet, request: &Request, facts: &Entities) -> Answer {
        let response = self.authorizer.is_authorized(request, set, facts);
        let diagnostics = response.diagnostics();
        let failed = sorted(diagnostics.errors().map(|error| match error {
            AuthorizationError::PolicyEvaluationError(error) => error.policy_id().to_string(),
        }));
        if !failed.is_empty() {
            return Answer::Failed(failed);
        }
        let reasons = sorted(diagnostics.reason().map(ToString::to_string));
        match response.decision() {
            Decision::Allow => Answer::Permitted(reasons),
            Decision::Deny if reasons.is_empty() => Answer::Unmentioned,
            Decision::Deny => Answer::Forbidden(reasons),
        }
    }

    fn of(&self, question: Question) -> &Partition {
        match question {
            Question::SqlRun => &self.sql_run,
            Question::SqlUnattended => &self.sql_unattended,
            Question::TcpConnect => &self.tcp_connect,
            Question::TcpUnattended => &self.tcp_unattended,
            Question::DnsResolve => &self.dns_resolve,
            Question::ReplicationRun => &self.replication_run,
            Question::ColumnClear => &self.column_clear,
            Question::TokenReveal => &self.token_reveal,
        }
    }

    fn of_mut(&mut self, question: Question) -> &mut Partition {
        match question {
            Question::SqlRun => &mut self.sql_run,
            Question::SqlUnattended => &mut self.sql_unattended,
            Question::TcpConnect => &mut self.tcp_connect,
            Question::TcpUnattended => &mut self.tcp_unattended,
            Question::DnsResolve => &mut self.dns_resolve,
            Question::ReplicationRun => &mut self.replication_run,
            Question::ColumnClear => &mut self.column_clear,
            Question::TokenReveal => &mut self.token_reveal,
        }
    }
}

/// Which shadow policies are satisfied for one question.
#[derive(Default)]
pub(crate) struct Shadow {
    pub(crate) permits: Vec<String>,
    pub(crate) forbids: Vec<String>,
    pub(crate) failed: Vec<String>,
}

fn sorted(ids: impl Iterator<Item = String>) -> Vec<String> {
    let mut ids: Vec<String> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
