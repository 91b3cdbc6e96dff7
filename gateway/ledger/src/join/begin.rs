//! What the first entry of something says, as the beginning of its row.

use sha2::{Digest as _, Sha256};
use weir_model::entry::{Asked, FlowOpened, SessionOpened};
use weir_model::{ResourceKind, Verdict};

use super::{json, signed};
use crate::rows::{Actor, ExchangeRow, FlowRow, SessionRow};
use crate::time::Time;
use crate::value::hex;

pub(super) fn session(index: i64, entry: &SessionOpened) -> SessionRow {
    let row = SessionRow {
        entry_index: index,
        session: entry.session.to_string(),
        host: entry.host.clone(),
        started_at: Time(entry.at_us),
        cgroup: entry.cgroup.clone(),
        command: entry.command.clone(),
        uid: i64::from(entry.uid),
        token_id_hash: entry.identity.token_id_hash.clone(),
        expires_at: Time(entry.identity.expires_us),
        counters: "{}".to_owned(),
        jail: entry.jail.clone(),
        relaxed: entry.relaxed.clone(),
        ..SessionRow::default()
    };
    row.by(Actor {
        subject: entry.identity.subject.clone(),
        issuer: entry.identity.issuer.clone(),
        email: entry.identity.email.clone(),
        groups: entry.identity.groups.clone(),
        agent: entry.identity.agent.clone(),
        on_behalf_of: entry.identity.on_behalf_of.clone(),
    })
}

/// A connection, without who is behind it.
pub(super) fn flow(index: i64, entry: &FlowOpened, host: &str) -> FlowRow {
    let (me, target) = (&entry.process.me, &entry.target);
    FlowRow {
        entry_index: index,
        flow: entry.flow.to_string(),
        session: entry.session.map(|session| session.to_string()),
        host: host.to_owned(),
        opened_at: Time(entry.at_us),
        pid: i64::from(me.pid),
        exe: me.exe.clone(),
        argv: me.argv.clone(),
        uid: i64::from(entry.process.uid),
        comm: entry.process.comm.clone(),
        parents: json(&entry.process.parents),
        target: target.name.clone(),
        environment: target.environment.clone(),
        protocol: target.protocol.name().to_owned(),
        target_host: target.host.clone(),
        target_address: target.address.clone(),
        target_port: i64::from(target.port),
        target_known: target.known,
        server_name: entry.server_name.clone(),
        tls: entry.tls,
        database: entry.database.clone(),
        client_user: entry.client_user.clone(),
        upstream_user: entry.upstream_user.clone(),
        ..FlowRow::default()
    }
}

/// Adds what was asked to a row that has what its flow knows.
pub(super) fn exchange(row: &mut ExchangeRow, index: i64, entry: &Asked, entry_bytes: &[u8]) {
    let (operation, decision) = (&entry.operation, &entry.decision);
    row.entry_index = index;
    row.exchange = entry.exchange.to_string();
    row.seq = signed(entry.seq);
    row.asked_at = Time(entry.asked_us);
    row.decided_at = Time(entry.decided_us);
    row.held_us = entry.hold.is_some().then_some(entry.decided_us - entry.asked_us);
    row.statement = entry.statement.to_string();
    row.fingerprint = entry.fingerprint;
    row.parameters = entry.parameters.clone();
    row.verbs = operation.verbs.clone();
    let tables = operation.resources.iter().filter(|of| of.kind == ResourceKind::Table);
    row.tables = tables.map(|table| table.name.clone()).collect();
    row.resources = json(&operation.resources);
    row.effect = operation.effect.name().to_owned();
    row.flags = operation.flags.iter().map(|flag| flag.name().to_owned()).collect();
    row.verdict = decision.verdict.name().to_owned();
    row.policies = decision.policies.clone();
    row.shadow = decision.shadow.clone();
    row.policy_hash = decision.policy_hash.to_string();
    row.hold = entry.hold.as_ref().map(ToString::to_string);
    row.approver = entry.approver.clone();
    row.reason = entry.reason.clone().or_else(|| match &decision.verdict {
        Verdict::Allow => None,
        Verdict::Deny(refusal) => Some(refusal.message.clone()),
        Verdict::Hold(terms) => Some(terms.message.clone()),
    });
    row.forwarded = entry.forwarded;
    row.masked = "{}".to_owned();
    row.entry_hash = hex(&Sha256::digest(entry_bytes));
}
