//! Which driver runs which protocol.

pub mod buffer;
pub mod postgres;
pub mod relay;
pub mod stream;

use std::time::{Duration, Instant};

use weir_model::entry::{Asked, Judged, Kept, Request};
use weir_model::{Entry, ExchangeId, Operation, Protocol, Refusal, Target, Verdict, limits};
use weir_wire::detect::{Detected, detect};

use crate::config::TargetConfig;
use crate::flow::metered::Metered;
use crate::flow::services::{connect_operation, now_ms, now_us, random};
use crate::flow::{Closing, Flow, Opening, dns, may_connect};

/// Serves a flow to a configured target. Each driver has memory of its own: a flow takes that of the one
/// that it needs.
pub async fn serve(flow: &Flow, config: &TargetConfig, client: Metered) -> Closing {
    match config.protocol {
        Protocol::Postgres => postgres::serve(flow, config, client).await,
        Protocol::Tls | Protocol::Tcp => match Box::pin(first_bytes(&client)).await {
            Detected::Postgres => {
                let why = format!("target {} is not configured as postgres", config.name);
                Box::pin(postgres::refuse_start(flow, client, &unreadable(why))).await
            }
            Detected::NeedMore
            | Detected::Tls
            | Detected::Http
            | Detected::Ssh
            | Detected::Unknown => Box::pin(connect(flow, Some(config), client)).await,
        },
        Protocol::Dns => Box::pin(dns::serve_tcp(flow, client)).await,
    }
}

/// Serves a flow to a place that no `[[target]]` names.
pub async fn serve_unknown(flow: &Flow, client: Metered) -> Closing {
    if flow.original.port() == 53 {
        return Box::pin(dns::serve_tcp(flow, client)).await;
    }
    // A database protocol never passes unread, whatever policy says of unknown hosts.
    if Box::pin(first_bytes(&client)).await == Detected::Postgres {
        let why = format!("no [[target]] answers for {}", flow.original);
        return Box::pin(postgres::refuse_start(flow, client, &unreadable(why))).await;
    }
    Box::pin(connect(flow, None, client)).await
}

fn unreadable(message: String) -> Refusal {
    Refusal {
        rule: "weir.no-target".to_owned(),
        message,
        instead: "ask the operator of Weir to add this database as a [[target]]".to_owned(),
    }
}

/// Looks at a client's first bytes without taking them; a client that says nothing is `NeedMore`.
async fn first_bytes(client: &Metered) -> Detected {
    let mut head = [0u8; 64];
    let deadline = Instant::now() + Duration::from_millis(limits::DETECT_MS);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(Ok(count)) = tokio::time::timeout(left, client.tcp().peek(&mut head)).await else {
            return Detected::NeedMore;
        };
        match detect(head.get(..count).unwrap_or_default()) {
            Detected::NeedMore if count > 0 && !left.is_zero() => {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            found => return found,
        }
    }
}

/// TLS and opaque streams: ask `tcp.connect`, record, relay.
async fn connect(flow: &Flow, config: Option<&TargetConfig>, client: Metered) -> Closing {
    let hello = relay::hello(client.tcp()).await;
    let server_name = hello.and_then(|hello| hello.server_name);
    let opening = Opening { server_name: server_name.clone(), tls: false, ..Opening::default() };
    if let Err(error) = flow.open(opening).await {
        return Closing::because(format!("refused: {error}"));
    }
    let mut decision = may_connect(flow);
    if let Some(refusal) = wrong_name(config, server_name.as_deref())
        && decision.verdict == Verdict::Allow
    {
        decision.policies = vec![refusal.rule.clone()];
        decision.verdict = Verdict::Deny(refusal);
    }
    // A connection can't wait for a human without its client giving up, so a hold is a refusal.
    let forwarded = decision.verdict == Verdict::Allow;
    let reason = match &decision.verdict {
        Verdict::Allow => None,
        Verdict::Deny(refusal) => Some(refusal.message.clone()),
        Verdict::Hold(terms) => Some(terms.message.clone()),
    };
    let asked = asked(flow, &flow.target, decision, forwarded, reason.clone());
    let exchange = asked.request.exchange;
    if let Err(error) = flow.gate.note(&Entry::Asked(asked)).await {
        return Closing::because(format!("refused: {error}"));
    }
    if !forwarded {
        relay::reset(client.tcp());
        return Closing::because(format!("refused: {}", reason.unwrap_or_default()));
    }
    relay::relay(flow, config, client, exchange).await
}

/// A TLS target that lists its hosts is not reached under another name.
fn wrong_name(config: Option<&TargetConfig>, name: Option<&str>) -> Option<Refusal> {
    let (config, name) = (config?, name?);
    let listed =
        config.hosts.is_empty() || config.hosts.iter().any(|host| host.eq_ignore_ascii_case(name));
    (!listed).then(|| Refusal {
        rule: "weir.server-name".to_owned(),
        message: format!("the TLS server name {name} is not one of target {}", config.name),
        instead: format!("connect to {} under its own name", config.name),
    })
}

/// The entry of a connection that was asked about.
pub fn asked(
    flow: &Flow,
    target: &Target,
    decision: weir_model::Decision,
    forwarded: bool,
    reason: Option<String>,
) -> Asked {
    let statement = format!("connect {}:{}", target.host, target.port);
    entry(flow, statement, connect_operation(target), decision, forwarded, reason)
}

/// The entry of something that was asked about before a client said anything of its own.
pub fn entry(
    flow: &Flow,
    statement: String,
    operation: Operation,
    decision: weir_model::Decision,
    forwarded: bool,
    reason: Option<String>,
) -> Asked {
    let now = now_us();
    let judged = Judged {
        statement: statement.into(),
        fingerprint: None,
        operation: std::sync::Arc::new(operation),
        decision: std::sync::Arc::new(decision),
        kept: Kept::default(),
    };
    let request = Request {
        exchange: ExchangeId::from_parts(now_ms(), random()),
        flow: flow.id,
        seq: 0,
        asked_us: now,
        decided_us: now,
        prepares: false,
        parameters: Vec::new(),
        hold: None,
        approver: None,
        forwarded,
        reason,
    };
    Asked { judged: std::sync::Arc::new(judged), request }
}
