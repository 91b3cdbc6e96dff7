//! What the first entry of something says, as the beginning of its row.

use sha2::{Digest as _, Sha256};
use weir_model::entry::{FlowOpened, Judged, Request, SessionOpened};
use weir_model::{ResourceKind, SessionId, Verdict};

use super::{json, signed};
use crate::frame::FrameError;
use crate::rows::{Actor, ExchangeRow, FlowRow, SessionRow};
use crate::time::Time;
use crate::value::{Text, Texts, hex};

pub(super) fn session(index: i64, entry: &SessionOpened) -> SessionRow {
    let row = SessionRow {
        entry_index: index,
        session: entry.session.to_string(),
        host: entry.host.as_str().into(),
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
        subject: entry.identity.subject.as_str().into(),
        issuer: entry.identity.issuer.as_str().into(),
        email: entry.identity.email.as_deref().map(Text::from),
        groups: entry.identity.groups.clone().into(),
        agent: entry.identity.agent.as_str().into(),
        on_behalf_of: entry.identity.on_behalf_of.as_deref().map(Text::from),
    })
}

/// A connection, without who is behind it.
pub(super) fn flow(index: i64, entry: &FlowOpened, host: Text) -> FlowRow {
    let (me, target) = (&entry.process.me, &entry.target);
    FlowRow {
        entry_index: index,
        flow: entry.flow.text(),
        session: entry.session.map(SessionId::text),
        host,
        opened_at: Time(entry.at_us),
        pid: i64::from(me.pid),
        exe: me.exe.as_str().into(),
        argv: me.argv.clone(),
        uid: i64::from(entry.process.uid),
        comm: entry.process.comm.clone(),
        parents: json(&entry.process.parents),
        target: target.name.as_str().into(),
        environment: target.environment.as_str().into(),
        protocol: target.protocol.name().into(),
        target_host: target.host.clone(),
        target_address: target.address.clone(),
        target_port: i64::from(target.port),
        target_known: target.known,
        server_name: entry.server_name.clone(),
        tls: entry.tls,
        database: entry.database.as_deref().map(Text::from),
        client_user: entry.client_user.clone(),
        upstream_user: entry.upstream_user.as_deref().map(Text::from),
        ..FlowRow::default()
    }
}

/// What all requests of one statement have in common, as columns.
pub(super) struct Statement {
    statement: Text,
    fingerprint: Option<i64>,
    verbs: Texts,
    /// The verbs of a request that only prepares it.
    prepares: Texts,
    tables: Texts,
    resources: Text,
    effect: Text,
    flags: Texts,
    verdict: Text,
    policies: Texts,
    shadow: Texts,
    policy_hash: Text,
    reason: Option<Text>,
    pub(super) is_denied: bool,
    pub(super) is_held: bool,
    /// Bytes of the judgement as logged, and their hash.
    len: usize,
    hash: [u8; 32],
}

impl Statement {
    pub(super) fn of(judged: &Judged) -> Result<Self, FrameError> {
        let (operation, decision) = (&judged.operation, &judged.decision);
        let tables = operation.resources.iter().filter(|of| of.kind == ResourceKind::Table);
        let prepare = std::iter::once("prepare".to_owned());
        let bytes = postcard::to_stdvec(judged)?;
        Ok(Self {
            statement: judged.statement.clone(),
            fingerprint: judged.fingerprint,
            verbs: operation.verbs.clone().into(),
            prepares: prepare.chain(operation.verbs.iter().cloned()).collect(),
            tables: tables.map(|table| table.name.clone()).collect(),
            resources: json(&operation.resources).into(),
            effect: operation.effect.name().into(),
            flags: operation.flags.iter().map(|flag| flag.name().to_owned()).collect(),
            verdict: decision.verdict.name().into(),
            policies: decision.policies.clone().into(),
            shadow: decision.shadow.clone().into(),
            policy_hash: decision.policy_hash.clone(),
            reason: match &decision.verdict {
                Verdict::Allow => None,
                Verdict::Deny(refusal) => Some(refusal.message.as_str().into()),
                Verdict::Hold(terms) => Some(terms.message.as_str().into()),
            },
            is_denied: matches!(decision.verdict, Verdict::Deny(_)),
            is_held: matches!(decision.verdict, Verdict::Hold(_)),
            len: bytes.len(),
            hash: Sha256::digest(&bytes).into(),
        })
    }

    /// The bytes of the request in those of the entry that has both.
    pub(super) fn request<'a>(&self, entry_bytes: &'a [u8]) -> &'a [u8] {
        // Before the judgement stands which entry it is, in one byte.
        entry_bytes.get(1 + self.len..).unwrap_or_default()
    }
}

/// Adds what was asked to a row that has what its flow knows; `bytes` are the request's as logged.
pub(super) fn exchange(
    row: &mut ExchangeRow,
    index: i64,
    of: &Statement,
    request: &Request,
    bytes: &[u8],
) {
    row.entry_index = index;
    row.exchange = request.exchange.text();
    row.seq = signed(request.seq);
    row.asked_at = Time(request.asked_us);
    row.decided_at = Time(request.decided_us);
    row.held_us = request.hold.is_some().then_some(request.decided_us - request.asked_us);
    row.statement = of.statement.clone();
    row.fingerprint = of.fingerprint;
    row.parameters.clone_from(&request.parameters);
    row.verbs = if request.prepares { of.prepares.clone() } else { of.verbs.clone() };
    row.tables = of.tables.clone();
    row.resources = of.resources.clone();
    row.effect = of.effect.clone();
    row.flags = of.flags.clone();
    row.verdict = of.verdict.clone();
    row.policies = of.policies.clone();
    row.shadow = of.shadow.clone();
    row.policy_hash = of.policy_hash.clone();
    row.hold = request.hold.as_ref().map(ToString::to_string);
    row.approver.clone_from(&request.approver);
    row.reason = request.reason.as_deref().map(Text::from).or_else(|| of.reason.clone());
    row.forwarded = request.forwarded;
    row.entry_hash = hex(&Sha256::new().chain_update(of.hash).chain_update(bytes).finalize());
}
