//! Replication: connections that take replication commands. Policy has to permit each, and nothing may
//! be masked from the caller, because what replication sends can't be.

use std::rc::Rc;
use std::sync::Arc;

use weir_classify::{Facts, mentions_replication};
use weir_mask::DETECTORS;
use weir_model::entry::Answered;
use weir_model::{
    Caller, ColumnRef, Decision, Effect, Entry, ExchangeId, Flag, Operation, Refusal, Target,
    Verdict,
};
use weir_policy::{Action, Ask, ColumnVerdict};

use super::judged::Judged;
use super::lane::Lane;
use super::startup::Start;
use crate::config::TargetConfig;
use crate::driver;
use crate::flow::Flow;
use crate::flow::services::{Live, now_us};

/// What a connection's parameter `replication` makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary connection.
    None,
    /// It takes replication commands alone.
    Physical,
    /// It takes SQL as well.
    Database,
}

impl Kind {
    /// What the server makes of a value (`ProcessStartupPacket`); `None` where versions may differ.
    pub fn of(value: &[u8]) -> Option<Self> {
        match value.to_ascii_lowercase().as_slice() {
            b"database" if value == b"database" => Some(Self::Database),
            b"true" | b"on" | b"yes" | b"1" => Some(Self::Physical),
            b"false" | b"off" | b"no" | b"0" => Some(Self::None),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Physical => "physical",
            Self::Database => "database",
        }
    }
}

/// A replication connection on record, whose end is not yet.
pub struct Admitted {
    exchange: ExchangeId,
    at_us: i64,
}

impl Admitted {
    /// Puts its end on record.
    pub async fn leave(self, flow: &Flow) {
        let answered = Answered {
            exchange: self.exchange,
            flow: flow.id,
            forwarded_us: Some(self.at_us),
            first_us: None,
            done_us: now_us(),
            status: "ok".into(),
            error_code: None,
            rows: 0,
            affected: None,
            masked: Default::default(),
        };
        if let Err(error) = flow.gate.note(&Entry::Answered(answered)).await {
            tracing::error!(flow = %flow.id, %error, "recording the end of a replication connection");
        }
    }
}

/// Asks whether a client may open a replication connection, if that is what it wants, and puts the
/// answer on record.
///
/// # Errors
/// It may not: why, and by which set of policies.
pub async fn admit(flow: &Flow, start: &Start) -> Result<Option<Admitted>, (Refusal, Arc<str>)> {
    let Some(kind) = start.replication() else { return Ok(None) };
    let operation = Operation {
        effect: Effect::Session,
        verbs: vec!["connect".to_owned()],
        resources: Vec::new(),
        flags: Default::default(),
    };
    let decision = decide(&flow.live, &flow.caller, &flow.target, &operation);
    let hash = decision.policy_hash.clone();
    let refusal = refused(&decision);
    let reason = refusal.as_ref().map(|refusal| refusal.message.clone());
    let statement = format!("replication connect {}", kind.name());
    let asked = driver::entry(flow, statement, operation, decision, refusal.is_none(), reason);
    let admitted = Admitted { exchange: asked.request.exchange, at_us: asked.request.asked_us };
    if let Err(error) = flow.gate.note(&Entry::Asked(asked)).await {
        return Err((super::unrecorded(&error), hash));
    }
    match refusal {
        Some(refusal) => Err((refusal, hash)),
        None => Ok(Some(admitted)),
    }
}

impl Lane {
    /// Judges a text on a replication connection, where it is no SQL.
    pub fn judge_replication(&self, text: &[u8]) -> Option<Rc<Judged>> {
        self.replication?;
        let live = self.live();
        let known = weir_classify::replication(text);
        let facts = match known.clone() {
            Some(facts) => facts,
            None if mentions_replication(text) => Facts::unknown("replication"),
            None => return None,
        };
        let operation = facts.operation.clone();
        let mut decision = decide(&live, &self.caller, &self.target, &operation);
        if known.is_none() {
            let message = "this replication command is not understood";
            deny(&mut decision, "weir.replication", message.to_owned());
        }
        let (facts, decision) = (Rc::new(facts), Arc::new(decision));
        Some(Rc::new(Judged::new(text.into(), facts, operation, decision)))
    }

    /// Whether a stream that began may go on, now that policy or targets may be others.
    pub fn may_stream(&self, judged: &Judged) -> bool {
        let generation = self.services.generation();
        if self.streamed.get() == Some(generation) {
            return true;
        }
        let decision = decide(&self.live(), &self.caller, &self.target, &judged.operation);
        let may = decision.verdict == Verdict::Allow;
        self.streamed.set(may.then_some(generation));
        may
    }
}

/// Whether a request is a replication command that streams what can't be masked.
pub fn streams(judged: &Judged) -> bool {
    judged.operation.verbs.iter().any(|verb| verb == "start_replication" || verb == "base_backup")
}

fn decide(live: &Live, caller: &Caller, target: &Target, operation: &Operation) -> Decision {
    let mut decision = live.policy.decide(&Ask {
        action: Action::ReplicationRun,
        identity: &caller.identity,
        target,
        operation,
        approvers: &[],
    });
    if refused(&decision).is_some() {
        return decision;
    }
    if operation.flags.contains(&Flag::ToProgram) {
        let message = "a backup onto the server's own disk is refused";
        deny(&mut decision, "weir.replication", message.to_owned());
    } else if let Some(why) = masked(live, caller, target) {
        let message = format!("replication is refused: {why}, and what it sends can't be masked");
        deny(&mut decision, "weir.replication-mask", message);
    }
    decision
}

fn deny(decision: &mut Decision, rule: &str, message: String) {
    let instead = "read the tables that are needed with SQL".to_owned();
    decision.policies = vec![rule.to_owned()];
    decision.verdict = Verdict::Deny(Refusal { rule: rule.to_owned(), message, instead });
}

fn refused(decision: &Decision) -> Option<Refusal> {
    match &decision.verdict {
        Verdict::Allow => None,
        Verdict::Deny(refusal) => Some(refusal.clone()),
        Verdict::Hold(terms) => Some(Refusal {
            rule: decision.policies.join(", "),
            message: format!("replication can't be held: {}", terms.message),
            instead: terms.instead.clone(),
        }),
    }
}

/// Why something of a target's server may have to be masked. Replication sends the whole server's data,
/// so columns of all targets on it count, whoever may see them.
fn masked(live: &Live, caller: &Caller, target: &Target) -> Option<String> {
    let named = |name: &str| live.targets.iter().find(|config| config.name == name);
    let own = named(&target.name);
    let together = |name: &String| {
        *name == target.name
            || own.zip(named(name)).is_some_and(|(own, other)| same_server(own, other))
    };
    if let Some(rule) = live.columns.iter().find(|rule| together(&rule.target)) {
        return Some(format!("target {} has sensitive columns", rule.target));
    }
    let nowhere = ColumnRef { table: String::new(), column: String::new() };
    let hidden = DETECTORS.iter().find(|detector| {
        let classes = [detector.class().to_owned(), detector.name().to_owned()];
        let verdict = live.policy.column(&caller.identity, target, &nowhere, &classes);
        verdict != ColumnVerdict::Clear
    })?;
    Some(format!("policy masks {} wherever it is found", hidden.name()))
}

/// Whether two targets may be databases of one server.
fn same_server(one: &TargetConfig, two: &TargetConfig) -> bool {
    let hosts =
        || one.hosts.iter().any(|host| two.hosts.iter().any(|h| h.eq_ignore_ascii_case(host)));
    let addresses = || one.addresses.iter().any(|address| two.addresses.contains(address));
    let upstream = one.upstream.is_some() && one.upstream == two.upstream;
    upstream || (one.port == two.port && (hosts() || addresses()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_mean_what_the_server_makes_of_them() {
        for (value, expected) in [
            ("database", Some(Kind::Database)),
            ("DATABASE", None),
            ("true", Some(Kind::Physical)),
            ("ON", Some(Kind::Physical)),
            ("1", Some(Kind::Physical)),
            ("false", Some(Kind::None)),
            ("0", Some(Kind::None)),
            ("tr", None),
            ("", None),
        ] {
            assert_eq!(Kind::of(value.as_bytes()), expected, "{value}");
        }
    }
}
