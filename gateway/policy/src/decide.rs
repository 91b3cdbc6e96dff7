//! May it run at all, and may it run without a human?

use weir_model::{Decision, HoldTerms, Identity, Operation, Refusal, Target, Verdict};

use crate::entities::Facts;
use crate::partition::{Answer, Question};
use crate::{PolicySet, Rule, Severity};

/// The rule of a refusal that no policy permits.
pub const DEFAULT_DENY: &str = "weir.default-deny";
/// The rule of a hold that no policy permits to run unattended.
pub const DEFAULT_HOLD: &str = "weir.default-hold";
/// The rule of a refusal because a policy could not be evaluated.
pub const POLICY_ERROR: &str = "weir.policy-error";

/// What a hold's terms are where its policies don't say.
const QUORUM: u32 = 1;
const EXPIRES_S: u32 = 900;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Run a SQL statement.
    SqlRun,
    /// Connect to a host.
    TcpConnect,
    /// Resolve a name.
    DnsResolve,
    /// Open a replication connection, or run a command on it.
    ReplicationRun,
}

/// An operation to decide on.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// What is to be done.
    pub action: Action,
    /// By whom.
    pub identity: &'a Identity,
    /// On what; for a name to resolve, the target that answers for it.
    pub target: &'a Target,
    /// What it means.
    pub operation: &'a Operation,
    /// Who has approved it, where it was held before; empty otherwise. That they are members of
    /// the groups asked is for the caller to see to.
    pub approvers: &'a [String],
}

impl Action {
    fn questions(self) -> (Question, Option<Question>) {
        match self {
            Self::SqlRun => (Question::SqlRun, Some(Question::SqlUnattended)),
            Self::TcpConnect => (Question::TcpConnect, Some(Question::TcpUnattended)),
            Self::DnsResolve => (Question::DnsResolve, None),
            Self::ReplicationRun => (Question::ReplicationRun, None),
        }
    }
}

impl PolicySet {
    /// Decides on an operation: a pure function of the set and the question.
    pub fn decide(&self, ask: &Ask<'_>) -> Decision {
        let outcome = self.outcome(ask);
        let (verdict, policies, shadow) = match outcome {
            Ok(Outcome { verdict, policies, shadow }) => (verdict, policies, shadow),
            Err(_) => (policy_error(&[]), Vec::new(), Vec::new()),
        };
        Decision { verdict, policies, shadow, policy_hash: self.hash().clone() }
    }

    /// An error is one of Cedar's about the question itself, and denies.
    fn outcome(&self, ask: &Ask<'_>) -> Result<Outcome, String> {
        let context = match ask.action {
            Action::SqlRun => self.names.sql(ask.operation, ask.approvers)?,
            Action::TcpConnect | Action::DnsResolve => self.names.network(ask.approvers)?,
            Action::ReplicationRun => self.names.replication(ask.operation)?,
        };
        let facts = self.names.operation(ask.identity, ask.target, context)?;
        let (run, unattended) = ask.action.questions();
        let first = self.answer(run, &facts)?;
        let second = match (&first, unattended) {
            (Answer::Permitted(_), Some(question)) => Some(self.answer(question, &facts)?),
            _ => None,
        };
        let (verdict, policies) = self.verdict(&first, second.as_ref(), ask);
        let shadow = self.shadow(run, unattended, &facts, (&first, second.as_ref()))?;
        Ok(Outcome { verdict, policies, shadow })
    }

    fn answer(&self, question: Question, facts: &Facts) -> Result<Answer, String> {
        let request = self.names.request(question, facts)?;
        Ok(self.partitions.ask(question, &request, &facts.entities))
    }

    fn verdict(
        &self,
        first: &Answer,
        second: Option<&Answer>,
        ask: &Ask<'_>,
    ) -> (Verdict, Vec<String>) {
        let permits = match first {
            Answer::Failed(ids) => return (policy_error(ids), ids.clone()),
            Answer::Forbidden(ids) => return (self.refusal(ids), ids.clone()),
            Answer::Unmentioned => return (default_deny(), Vec::new()),
            Answer::Permitted(ids) => ids,
        };
        match second {
            None => (Verdict::Allow, permits.clone()),
            Some(Answer::Permitted(ids)) => (Verdict::Allow, union(permits, ids)),
            Some(Answer::Failed(ids)) => (policy_error(ids), ids.clone()),
            Some(Answer::Forbidden(ids)) => self.held(ids, permits, ask),
            Some(Answer::Unmentioned) => self.held(&[], permits, ask),
        }
    }

    /// A hold, unless as many others as it asks for have approved it.
    fn held(&self, ids: &[String], permits: &[String], ask: &Ask<'_>) -> (Verdict, Vec<String>) {
        let terms = self.terms(ids);
        if others(ask) >= terms.quorum as usize {
            return (Verdict::Allow, union(permits, ids));
        }
        (Verdict::Hold(terms), ids.to_vec())
    }

    /// The terms of all holds together: every group, the highest quorum, the shortest expiry.
    fn terms(&self, ids: &[String]) -> HoldTerms {
        let rules: Vec<&Rule> = ids.iter().filter_map(|id| self.rules.get(id)).collect();
        let mut groups: Vec<String> =
            rules.iter().flat_map(|rule| rule.approve_groups.iter().cloned()).collect();
        groups.sort_unstable();
        groups.dedup();
        let quorum = rules.iter().filter_map(|rule| rule.quorum).max().unwrap_or(QUORUM);
        let expires_s = rules.iter().filter_map(|rule| rule.expires_s).min().unwrap_or(EXPIRES_S);
        let mut message = sentences(rules.iter().map(|rule| rule.message.as_str()));
        if message.is_empty() {
            message = match ids {
                [] => format!("No policy lets this run without a human ({DEFAULT_HOLD})."),
                ids => format!("This has to be approved by a human ({}).", ids.join(", ")),
            };
        }
        let instead = sentences(rules.iter().map(|rule| rule.instead.as_str()));
        HoldTerms { approve_groups: groups, quorum, expires_s, message, instead }
    }

    /// The refusal by the gravest of several policies.
    fn refusal(&self, ids: &[String]) -> Verdict {
        let rules = ids.iter().filter_map(|id| self.rules.get(id));
        // Of equally grave ones the first by id, whatever order Cedar names them in.
        let gravest = rules.min_by_key(|rule| std::cmp::Reverse(rule.severity));
        let Some(rule) = gravest else { return policy_error(ids) };
        let message = match rule.message.as_str() {
            "" => format!("The policy {} forbids this.", rule.id),
            message => message.to_owned(),
        };
        Verdict::Deny(Refusal { rule: rule.id.clone(), message, instead: rule.instead.clone() })
    }

    /// The gravest severity of some policies.
    pub fn severity(&self, ids: &[String]) -> Severity {
        let rules = ids.iter().filter_map(|id| self.rules.get(id));
        rules.map(|rule| rule.severity).max().unwrap_or_default()
    }

    /// Which shadow policies would have changed the verdict, each one alone.
    fn shadow(
        &self,
        run: Question,
        unattended: Option<Question>,
        facts: &Facts,
        answers: (&Answer, Option<&Answer>),
    ) -> Result<Vec<String>, String> {
        let mut changed = Vec::new();
        let questions = [Some((run, answers.0)), unattended.zip(answers.1)];
        for (question, answer) in questions.into_iter().flatten() {
            if !self.partitions.has_shadow(question) {
                continue;
            }
            let request = self.names.request(question, facts)?;
            let shadow = self.partitions.ask_shadow(question, &request, &facts.entities);
            match answer {
                Answer::Permitted(_) => changed.extend(union(&shadow.forbids, &shadow.failed)),
                Answer::Unmentioned => {
                    changed.extend(shadow.permits);
                    // A further hold can change the terms; a further refusal changes nothing.
                    if question.holds() {
                        changed.extend(union(&shadow.forbids, &shadow.failed));
                    }
                }
                Answer::Forbidden(ids) if question.holds() => {
                    changed.extend(shadow.failed);
                    let tightens = |id: &String| self.tightens(ids, id);
                    changed.extend(shadow.forbids.into_iter().filter(tightens));
                }
                Answer::Forbidden(_) | Answer::Failed(_) => {}
            }
        }
        changed.sort_unstable();
        changed.dedup();
        Ok(changed)
    }

    /// Whether one more hold would ask for more.
    fn tightens(&self, ids: &[String], further: &String) -> bool {
        let without = self.terms(ids);
        let with = self.terms(&union(ids, std::slice::from_ref(further)));
        (without.approve_groups, without.quorum, without.expires_s)
            != (with.approve_groups, with.quorum, with.expires_s)
    }
}

struct Outcome {
    verdict: Verdict,
    policies: Vec<String>,
    shadow: Vec<String>,
}

/// How many have approved who are not the one for whom the agent works: nobody approves their own.
fn others(ask: &Ask<'_>) -> usize {
    let identity = ask.identity;
    let own = [Some(&identity.subject), identity.email.as_ref(), identity.on_behalf_of.as_ref()];
    let is_own = |name: &str| own.iter().flatten().any(|own| own.eq_ignore_ascii_case(name));
    let mut names: Vec<String> = ask
        .approvers
        .iter()
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && !is_own(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.len()
}

fn default_deny() -> Verdict {
    Verdict::Deny(Refusal {
        rule: DEFAULT_DENY.to_owned(),
        message: "No policy permits this, and what is not permitted is refused.".to_owned(),
        instead: "Do something that is permitted, or ask whoever keeps the policy for a permit."
            .to_owned(),
    })
}

fn policy_error(ids: &[String]) -> Verdict {
    let which = match ids {
        [] => "The question could not be put to the policies".to_owned(),
        ids => format!("These policies could not be evaluated: {}", ids.join(", ")),
    };
    Verdict::Deny(Refusal {
        rule: POLICY_ERROR.to_owned(),
        message: format!("{which}; what can't be decided is refused."),
        instead: "Trying again will not help. Tell whoever keeps the policy; they can run `weir \
                  policy check` and `weir policy explain`."
            .to_owned(),
    })
}

fn union(left: &[String], right: &[String]) -> Vec<String> {
    let mut both: Vec<String> = left.iter().chain(right).cloned().collect();
    both.sort_unstable();
    both.dedup();
    both
}

/// The distinct texts that are not empty, in their order.
fn sentences<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut distinct: Vec<&str> = Vec::new();
    for text in texts {
        if !text.is_empty() && !distinct.contains(&text) {
            distinct.push(text);
        }
    }
    distinct.join(" ")
}
