//! A ticket of the queue as approvers see it. It stands here because the queue and the control socket
//! don't know each other.

use weir_model::ResourceKind;

use crate::approval::{Choice, Ticket};
use crate::cli::output::{cut, utc};
use crate::control::HoldView;

const LIST_LETTERS: usize = 2_000;
const SECOND: i64 = 1_000_000;

/// A ticket for a list: a long statement is cut, and parameters are left out.
pub fn brief(ticket: &Ticket, now_us: i64) -> HoldView {
    let mut view = whole(ticket, now_us);
    view.statement = cut(&view.statement, LIST_LETTERS);
    view.parameters.clear();
    view
}

/// A ticket with all there is to decide on.
pub fn whole(ticket: &Ticket, now_us: i64) -> HoldView {
    let question = &ticket.question;
    let operation = &question.operation;
    let voters = |choice: Choice| {
        let votes = ticket.votes.iter().filter(move |vote| vote.choice == choice);
        votes.map(|vote| vote.by.clone()).collect()
    };
    let settled_us = ticket.settled_us.unwrap_or(now_us);
    HoldView {
        id: question.hold.clone(),
        state: ticket.state.name().to_owned(),
        statement: question.statement.to_string(),
        statement_bytes: question.statement.len(),
        parameters: question.parameters.clone(),
        subject: question.identity.subject.clone(),
        agent: question.identity.agent.clone(),
        target: question.target.name.clone(),
        environment: question.target.environment.clone(),
        effect: operation.effect.name().to_owned(),
        verbs: operation.verbs.clone(),
        flags: operation.flags.iter().map(|flag| flag.name().to_owned()).collect(),
        tables: operation
            .resources
            .iter()
            .filter(|resource| resource.kind == ResourceKind::Table)
            .map(|resource| resource.name.clone())
            .collect(),
        policies: question.policies.clone(),
        message: question.terms.message.clone(),
        approve_groups: question.terms.approve_groups.clone(),
        quorum: ticket.quorum(),
        approved_by: voters(Choice::Approve),
        denied_by: voters(Choice::Deny),
        comments: ticket.votes.iter().filter_map(|vote| vote.comment.clone()).collect(),
        opened: utc(question.opened_us),
        until: utc(question.expires_us()),
        waiting_seconds: seconds(settled_us.saturating_sub(question.opened_us)),
        remaining_seconds: seconds(question.expires_us().saturating_sub(now_us)),
        in_wire: ticket.waiting,
        in_transaction: question.in_transaction,
        session: question.session,
        exchange: question.exchange.to_string(),
        binding: question.binding.to_string(),
    }
}

fn seconds(micros: i64) -> u64 {
    u64::try_from(micros / SECOND).unwrap_or(0)
}
