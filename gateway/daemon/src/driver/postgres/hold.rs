//! Stage 7: a statement waits in the wire for a human. The client is told so in its own protocol, its
//! hang-up or cancel withdraws the question, and a hold that runs out becomes a ticket.

use std::time::Duration;

use weir_model::entry::{HoldOpened, HoldSettled};
use weir_model::{Entry, ExchangeId, HoldId, HoldTerms, Refusal, Verdict, limits};
use weir_wire::postgres::Transaction;

use super::lane::{Judged, Lane};
use crate::approval::{Answer, Binding, Bound, Parameter, Question, Waiting, binding};
use crate::driver::stream::Side;
use crate::flow::services::{now_us, random};

/// What a hold left behind.
#[derive(Default)]
pub struct Held {
    /// The hold.
    pub hold: Option<HoldId>,
    /// Who approved or denied.
    pub approver: Option<String>,
    /// In which words.
    pub comment: Option<String>,
}

/// A hold that did not end in an approval.
pub struct Refused {
    /// Why, for the agent.
    pub refusal: Refusal,
    /// SQLSTATE.
    pub code: &'static str,
    /// The hold.
    pub held: Held,
}

/// How often the wait looks whether the client is still there.
const LOOK: Duration = Duration::from_millis(100);

/// Holds a statement until a human answers, the client gives up, or time runs out.
///
/// # Errors
/// The refusal that the client is to get.
pub async fn hold(
    lane: &Lane,
    exchange: ExchangeId,
    judged: &Judged,
    parameters: &[Option<Vec<u8>>],
    terms: &HoldTerms,
    client: &Side,
) -> Result<Held, Box<Refused>> {
    let bound = bound_to(lane, judged, parameters);
    let now = now_us();
    match lane.services.approvals.redeem(bound, now) {
        Ok(Some(approval)) => {
            settled(lane, &approval.hold, "consumed", Some(&approval.by), None).await;
            return approved(lane, judged, approval.hold, approval.by, approval.comment);
        }
        Ok(None) => {}
        Err(error) => return Err(refused(judged, None, &error.to_string(), "try again")),
    }
    let in_transaction = lane.talk.borrow().transaction() != Transaction::Idle;
    let limit_ms = if in_transaction { limits::HOLD_IN_TRANSACTION_MS } else { limits::HOLD_MS };
    let wait_us = i64::try_from(limit_ms).unwrap_or(i64::MAX).saturating_mul(1000);
    let question = Question {
        hold: HoldId::from_random(random() as u64),
        exchange,
        flow: lane.flow,
        session: lane.session.id,
        uid: lane.session.uid,
        identity: lane.caller.identity.clone(),
        target: lane.target.clone(),
        statement: judged.recorded.statement.clone(),
        parameters: super::ask::shown(lane, parameters.to_vec()),
        operation: judged.operation.clone(),
        terms: terms.clone(),
        policies: judged.decision.policies.clone(),
        binding: bound,
        opened_us: now,
        until_us: now.saturating_add(wait_us),
        in_transaction,
    };
    let expires_us = question.expires_us();
    let opened = lane.services.approvals.open(question.clone());
    let waiting =
        opened.map_err(|error| refused(judged, None, &error.to_string(), "wait for the others"))?;
    let hold = waiting.hold().clone();
    let opened = HoldOpened {
        hold: hold.clone(),
        exchange,
        flow: lane.flow,
        session: lane.session.id,
        at_us: now,
        until_us: expires_us,
        statement: question.statement,
        binding: question.binding.to_string(),
        approve_groups: terms.approve_groups.clone(),
        quorum: terms.quorum,
        policies: question.policies,
    };
    if let Err(error) = lane.gate.note(&Entry::HoldOpened(opened)).await {
        return Err(refused(judged, Some(hold), &error.to_string(), "wait and try again"));
    }
    let ended = wait(lane, waiting, client, limit_ms, terms).await;
    conclude(lane, judged, hold, ended, expires_us).await
}

/// What an approval is tied to. Parameters are in the form in which they are shown to the approver.
fn bound_to(lane: &Lane, judged: &Judged, parameters: &[Option<Vec<u8>>]) -> Binding {
    let parameters: Vec<Parameter<'_>> = parameters
        .iter()
        .map(|value| Parameter { kind: 0, format: 0, value: value.as_deref() })
        .collect();
    binding(&Bound {
        statement: &judged.bytes,
        parameters: &parameters,
        session: lane.session.id,
        target: &lane.target,
        database: &lane.database,
        user: lane.config.credential.as_deref().unwrap_or_default(),
        policy_hash: &judged.decision.policy_hash,
    })
}

/// How a wait ended.
enum Ended {
    Answered(Answer),
    Late,
    Left(&'static str),
}

async fn wait(
    lane: &Lane,
    waiting: Waiting,
    client: &Side,
    limit_ms: u64,
    terms: &HoldTerms,
) -> Ended {
    let mut waiting = waiting;
    let deadline = tokio::time::Instant::now() + Duration::from_millis(limit_ms);
    let mut notices = tokio::time::interval(Duration::from_millis(limits::HOLD_NOTICE_MS));
    let mut look = tokio::time::interval(LOOK);
    let hold = waiting.hold().clone();
    loop {
        tokio::select! {
            answer = &mut waiting => return Ended::Answered(answer),
            () = tokio::time::sleep_until(deadline) => {
                return waiting.promise().map_or(Ended::Late, Ended::Answered);
            }
            () = lane.interrupt.notified() => return Ended::Left("cancelled by the client"),
            _ = notices.tick() => {
                let groups = terms.approve_groups.join(" or ");
                let who = if groups.is_empty() { String::new() } else { format!(" of {groups}") };
                lane.notice(
                    format!("weir: waiting for approval {hold}{who}: {}", terms.message),
                    Some("keep the connection open; nothing has run".to_owned()),
                );
            }
            _ = look.tick() => {
                if client.peer_is_gone() {
                    return Ended::Left("the client hung up");
                }
            }
        }
    }
}

async fn conclude(
    lane: &Lane,
    judged: &Judged,
    hold: HoldId,
    ended: Ended,
    expires_us: i64,
) -> Result<Held, Box<Refused>> {
    match ended {
        Ended::Answered(Answer::Approved { by, comment }) => {
            settled(lane, &hold, "approved", Some(&by), comment.as_ref()).await;
            approved(lane, judged, hold, by, comment)
        }
        Ended::Answered(Answer::Denied { by, comment }) => {
            settled(lane, &hold, "denied", Some(&by), comment.as_ref()).await;
            let words = comment.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
            let message = format!("{by} refused it{words}");
            let mut refusal = refused(judged, Some(hold), &message, &terms_instead(judged));
            refusal.held.approver = Some(by);
            refusal.held.comment = comment;
            Err(refusal)
        }
        Ended::Answered(Answer::Taken { by }) => {
            let message = format!("{by} approved it once, and it has run once");
            Err(refused(judged, Some(hold), &message, "run it again to ask again"))
        }
        Ended::Answered(Answer::Withdrawn) => left(lane, judged, hold, "withdrawn").await,
        Ended::Left(why) => left(lane, judged, hold, why).await,
        Ended::Late | Ended::Answered(Answer::Expired) => {
            let left = (expires_us - now_us()).max(0) / 1_000_000;
            let message = format!("approval {hold} is still pending; nothing has run");
            let instead = format!(
                "ask for the approval, then run the identical statement again within {left} s; \
                 do not work around it"
            );
            Err(refused(judged, Some(hold), &message, &instead))
        }
    }
}

async fn left(lane: &Lane, judged: &Judged, hold: HoldId, why: &str) -> Result<Held, Box<Refused>> {
    settled(lane, &hold, "withdrawn", None, None).await;
    let mut refusal = refused(judged, Some(hold), why, "");
    refusal.code = "57014";
    Err(refusal)
}

fn terms_instead(judged: &Judged) -> String {
    match &judged.decision.verdict {
        Verdict::Hold(terms) => terms.instead.clone(),
        Verdict::Allow | Verdict::Deny(_) => String::new(),
    }
}

/// The first question is asked again: what is approved must still be allowed, under the same policy.
fn approved(
    lane: &Lane,
    judged: &Judged,
    hold: HoldId,
    by: String,
    comment: Option<String>,
) -> Result<Held, Box<Refused>> {
    let held = Held { hold: Some(hold.clone()), approver: Some(by), comment };
    if *lane.services.live().policy.hash() == judged.decision.policy_hash {
        return Ok(held);
    }
    let message = "the policy changed while it waited";
    let mut refusal = refused(judged, Some(hold), message, "run it again");
    refusal.held = held;
    Err(refusal)
}

fn refused(judged: &Judged, hold: Option<HoldId>, message: &str, instead: &str) -> Box<Refused> {
    let why = match &judged.decision.verdict {
        Verdict::Hold(terms) => format!(" ({})", terms.message),
        Verdict::Allow | Verdict::Deny(_) => String::new(),
    };
    Box::new(Refused {
        refusal: Refusal {
            rule: judged.decision.policies.join(", "),
            message: format!("held for approval, {message}{why}"),
            instead: instead.to_owned(),
        },
        code: "42501",
        held: Held { hold, approver: None, comment: None },
    })
}

async fn settled(
    lane: &Lane,
    hold: &HoldId,
    outcome: &str,
    by: Option<&String>,
    comment: Option<&String>,
) {
    let entry = Entry::HoldSettled(HoldSettled {
        hold: hold.clone(),
        at_us: now_us(),
        outcome: outcome.to_owned(),
        approver: by.cloned(),
        comment: comment.cloned(),
    });
    if let Err(error) = lane.gate.note(&entry).await {
        tracing::error!(flow = %lane.flow, %error, "recording the end of a hold");
    }
}
