//! PostgreSQL: start-up and log-in, then two directions that share one conversation.

pub mod alike;
pub mod answer;
pub mod ask;
pub mod cancel;
pub mod catalogue;
pub mod challenge;
pub mod delivery;
pub mod guard;
pub mod hold;
pub mod judged;
pub mod lane;
mod lexing;
pub mod login;
pub mod notify;
pub mod parting;
pub mod quote;
pub mod replication;
pub mod request;
pub mod reveal;
pub mod scram;
pub mod shape;
pub mod stamp;
pub mod startup;
pub mod version;
pub mod way;

use std::pin::pin;
use std::rc::Rc;

use weir_model::{Entry, Refusal, Verdict};
use weir_wire::WireError;
use weir_wire::postgres::build::{self, ErrorFields, Severity};
use weir_wire::postgres::refuse;

use crate::config::TargetConfig;
use crate::driver;
use crate::driver::buffer::Buffer;
use crate::driver::stream::Stream;
use crate::flow::metered::Metered;
use crate::flow::{Closing, Flow, Opening, may_connect};
use crate::identity::Credential;
use cancel::CancelKey;
use challenge::Challenge;
use lane::Lane;
use login::LoginError;
use stamp::Stamp;
use startup::{Begun, Start};

/// Serves a PostgreSQL client.
pub async fn serve(flow: &Flow, config: &TargetConfig, client: Metered) -> Closing {
    match Box::pin(startup::begin(flow, Some(config), client)).await {
        Ok(Begun::Cancel { client, pid, key }) => {
            let cancelling = flow.services.cancels.cancel(flow.session.id, pid, &key);
            let sent = Box::pin(cancelling).await;
            drop(client);
            Closing::because(if sent { "cancel request" } else { "cancel request for nobody" })
        }
        Ok(Begun::Start(stream, buffer, start)) => {
            converse(flow, config, stream, buffer, start).await
        }
        Err(why) => {
            if let Err(error) = flow.open(Opening::default()).await {
                tracing::error!(flow = %flow.id, %error, "recording a flow");
            }
            Closing::because(format!("start-up: {why}"))
        }
    }
}

/// Refuses a client in its own protocol before anything was dialled.
pub async fn refuse_start(flow: &Flow, client: Metered, refusal: &Refusal) -> Closing {
    let closing = Closing::because(format!("refused: {}", refusal.message));
    let opening = match startup::begin(flow, None, client).await {
        Ok(Begun::Start(mut stream, _, start)) => {
            fatal(&mut stream, refusal, "").await;
            start.opening(stream_is_tls(&stream), None)
        }
        Ok(Begun::Cancel { .. }) | Err(_) => Opening::default(),
    };
    if let Err(error) = flow.open(opening).await {
        tracing::error!(flow = %flow.id, %error, "recording a flow");
    }
    closing
}

fn stream_is_tls(stream: &Stream) -> bool {
    !matches!(stream, Stream::Plain(_))
}

async fn fatal(stream: &mut Stream, refusal: &Refusal, policy_hash: &str) {
    let mut fields = refuse::refusal(refusal, policy_hash);
    fields.severity = Severity::Fatal;
    send_error(stream, &fields).await;
}

async fn send_error(stream: &mut Stream, fields: &ErrorFields) {
    let mut out = Vec::new();
    build::error_response(fields, &mut out);
    if let Err(error) = stream.write(&out).await {
        tracing::debug!(%error, "telling a client why");
    }
}

async fn converse(
    flow: &Flow,
    config: &TargetConfig,
    client: Stream,
    buffer: Buffer,
    start: Start,
) -> Closing {
    // What a log-in takes is given back before the conversation, which may last for days.
    let admitted = Box::pin(admit(flow, config, client, buffer, start)).await;
    let (mut knocking, credential, stream) = match admitted {
        Ok(admitted) => admitted,
        Err(closing) => return closing,
    };
    let reached = Box::pin(reach(flow, config, credential.as_ref(), &mut knocking)).await;
    drop(credential);
    let closing = match reached {
        Ok(upstream) => Box::pin(run(flow, config, knocking, upstream)).await,
        Err(closing) => closing,
    };
    if let Some(stream) = stream {
        stream.leave(flow).await;
    }
    closing
}

/// Whether a client may connect, and what its target asks of both.
async fn admit(
    flow: &Flow,
    config: &TargetConfig,
    mut client: Stream,
    buffer: Buffer,
    start: Start,
) -> Result<(Knocking, Option<Credential>, Option<replication::Admitted>), Closing> {
    let loaded = login::credential(flow, config)
        .and_then(|credential| Ok((credential, Challenge::of(flow, config)?)));
    let (credential, challenge) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            let refusal = unavailable("weir.credential", error.to_string());
            fatal(&mut client, &refusal, "").await;
            return Err(Closing::because(refusal.message));
        }
    };
    let upstream_user = credential.as_ref().map(|credential| credential.user.clone());
    let opening = start.opening(stream_is_tls(&client), upstream_user);
    if let Err(error) = flow.open(opening).await {
        fatal(&mut client, &unrecorded(&error), "").await;
        return Err(Closing::because(format!("refused: {error}")));
    }
    let decision = may_connect(flow);
    if decision.verdict != Verdict::Allow {
        return Err(refuse_connection(flow, client, decision).await);
    }
    if let Some(refusal) = start.refusal() {
        fatal(&mut client, &refusal, flow.live.policy.hash()).await;
        return Err(Closing::because(format!("refused: {}", refusal.message)));
    }
    let admitted = match replication::admit(flow, &start).await {
        Ok(admitted) => admitted,
        Err((refusal, hash)) => {
            fatal(&mut client, &refusal, &hash).await;
            return Err(Closing::because(format!("refused: {}", refusal.message)));
        }
    };
    Ok((Knocking { client, buffer, start, challenge }, credential, admitted))
}

/// Logs in at the target.
async fn reach(
    flow: &Flow,
    config: &TargetConfig,
    credential: Option<&Credential>,
    knocking: &mut Knocking,
) -> Result<login::Upstream, Closing> {
    let start = &knocking.start;
    let stamp = start.stamp(flow);
    let parameters = start.upstream_parameters(config, credential, &stamp);
    let minor = version::asked(start.minor);
    let upstream = login::log_in(config, credential, flow.original, minor, &parameters).await;
    match upstream {
        Ok(upstream) => Ok(upstream),
        Err(LoginError::Target(message)) => {
            if let Err(error) = knocking.client.write(&message).await {
                tracing::debug!(%error, "telling a client why");
            }
            Err(Closing::because("the target refused the log-in"))
        }
        Err(error) => {
            let fields = ErrorFields {
                severity: Severity::Fatal,
                code: "08006",
                message: format!("target {}: {error}", config.name),
                detail: None,
                hint: Some("the target can't be reached; try again later".to_owned()),
            };
            send_error(&mut knocking.client, &fields).await;
            Err(Closing::because(format!("log-in: {error}")))
        }
    }
}

async fn refuse_connection(
    flow: &Flow,
    mut client: Stream,
    decision: weir_model::Decision,
) -> Closing {
    let refusal = match &decision.verdict {
        Verdict::Deny(refusal) => refusal.clone(),
        Verdict::Hold(terms) => Refusal {
            rule: decision.policies.join(", "),
            message: format!("connections can't be held: {}", terms.message),
            instead: terms.instead.clone(),
        },
        Verdict::Allow => unavailable("weir.connect", "not allowed".to_owned()),
    };
    let hash = decision.policy_hash.clone();
    let asked = driver::asked(flow, &flow.target, decision, false, Some(refusal.message.clone()));
    if let Err(error) = flow.gate.note(&Entry::Asked(asked)).await {
        tracing::error!(flow = %flow.id, %error, "recording a refused connection");
    }
    fatal(&mut client, &refusal, &hash).await;
    Closing::because(format!("refused: {}", refusal.message))
}

/// A client whose target is ready for it.
struct Knocking {
    client: Stream,
    buffer: Buffer,
    start: Start,
    challenge: Challenge,
}

async fn run(
    flow: &Flow,
    config: &TargetConfig,
    knocking: Knocking,
    mut upstream: login::Upstream,
) -> Closing {
    let target = upstream.cancel_target();
    let key = CancelKey::new(target.as_ref(), upstream.minor);
    let inside = Box::pin(let_in(flow, knocking, &upstream, &key)).await;
    let (client, mut buffer, start) = match inside {
        Ok(inside) => inside,
        Err(why) => return Closing::because(why),
    };
    buffer.charge(flow.share());
    upstream.buffer.charge(flow.share());
    let cancel = flow.services.cancels.register(flow.session.id, key, target);
    let lane = Rc::new(Lane::new(flow, config, &start, &upstream.settings, cancel.interrupt()));
    catalogue::refresh(&lane).await;
    let (client_read, client_write) = client.share();
    let (target_read, target_write) = upstream.stream.share();
    let (reason, has_ended) = {
        // In their places, since what is handed to `select` takes its size twice.
        let requests =
            pin!(request::pump(&lane, client_read.clone(), buffer, target_write.clone()));
        let answers = pin!(answer::pump(&lane, target_read, upstream.buffer, client_write.clone()));
        tokio::select! {
            reason = requests => (reason, false),
            reason = answers => (reason, false),
            reason = lane.ended() => (reason, true),
        }
    };
    if has_ended {
        let refusal = unavailable("weir.session-ended", reason.clone());
        let mut fields = refuse::refusal(&refusal, "");
        fields.severity = Severity::Fatal;
        fields.code = "57P01";
        Box::pin(parting::tell(&client_write, &fields)).await;
    }
    drop(cancel);
    Box::pin(lane.close(&target_write, &client_write)).await;
    Closing::because(reason)
}

/// Has a client prove what its target asks for, and greets it.
async fn let_in(
    flow: &Flow,
    knocking: Knocking,
    upstream: &login::Upstream,
    key: &CancelKey,
) -> Result<(Stream, Buffer, Start), String> {
    let Knocking { mut client, mut buffer, start, challenge } = knocking;
    let mut out = Vec::new();
    let told = version::tell(start.minor, upstream.minor, &start.parameters, &mut out);
    told.map_err(|error| format!("greeting: {error}"))?;
    let certificate = start.certificate.as_deref();
    let asked = challenge::ask(&challenge, &mut client, &mut buffer, certificate, &mut out).await;
    buffer.wipe();
    if let Err(refused) = asked {
        send_error(&mut client, &refused.fields(&start.user())).await;
        return Err(format!("client log-in: {refused}"));
    }
    let greeted = greet(&start.stamp(flow), upstream, key, &mut out);
    greeted.map_err(|error| format!("greeting: {error}"))?;
    client.write(&out).await.map_err(|error| format!("client: {error}"))?;
    Ok((client, buffer, start))
}

/// What a client hears when it is in.
fn greet(
    stamp: &Stamp,
    upstream: &login::Upstream,
    key: &CancelKey,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    build::authentication_ok(out);
    for (name, value) in &upstream.settings {
        build::parameter_status(name, stamp.told(name, value), out)?;
    }
    out.extend_from_slice(&upstream.notices);
    build::backend_key_data(key.pid, &key.key, out)?;
    build::ready_for_query(upstream.transaction, out);
    Ok(())
}

fn unavailable(rule: &str, message: String) -> Refusal {
    Refusal { rule: rule.to_owned(), message, instead: String::new() }
}

/// The refusal of everything while the record can't be written.
pub fn unrecorded(error: &crate::record::RecordError) -> Refusal {
    Refusal {
        rule: "weir.unrecorded".to_owned(),
        message: format!("refused because it can't be put on record: {error}"),
        instead: "wait; the operator of Weir has to mend the record first".to_owned(),
    }
}
