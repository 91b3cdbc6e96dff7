//! DNS: every query of a session comes here. It is decided on and recorded; names of targets with
//! addresses are answered here, others go on to the resolver that the agent meant.

mod load;
mod message;
mod resolver;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UdpSocket;
use weir_model::entry::Event;
use weir_model::{Entry, Identity, Protocol, SessionId, Target, Verdict, limits};
use weir_policy::{Action, Ask};

use super::metered::Metered;
use super::services::{Services, Session, connect_operation, now_us};
use super::{Closing, Flow, Opening};
use crate::intercept::{Asker, FactsReader, FlowFacts};
use crate::record::Class;
pub use load::Load;
use message::Question;

/// Names of connections made long after the answer's time to live: clients keep addresses.
const REMEMBER_US: i64 = 3_600_000_000;
/// Time to live of Weir's own answers, seconds.
const TTL: u32 = 30;

/// A DNS socket's place.
pub struct Inlet {
    /// Cookie of its network namespace.
    pub netns: u64,
    /// Which of the namespace's DNS sockets it is.
    pub slot: u32,
    /// Says who asks.
    pub facts: FactsReader,
}

/// Who asks, of which resolver.
struct Client {
    session: SessionId,
    identity: Arc<Identity>,
    resolver: SocketAddr,
    pid: u32,
    comm: String,
}

impl Client {
    fn of(session: &Session, facts: FlowFacts) -> Self {
        Self {
            session: session.id,
            identity: session.identity.clone(),
            resolver: facts.original,
            pid: facts.pid,
            comm: facts.comm,
        }
    }
}

/// A query that was read, until it is done with.
struct Pending {
    facts: FactsReader,
    netns: u64,
    slot: u32,
    peer: SocketAddr,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.facts.answered(self.netns, self.slot, self.peer);
    }
}

/// Serves the datagrams of one DNS socket until they are another gateway's.
pub async fn serve_udp(socket: UdpSocket, inlet: Inlet, services: Arc<Services>) {
    let socket = Arc::new(socket);
    let mut datagram = vec![0u8; limits::DNS_QUERY_BYTES];
    let mut accepting = services.accepting.subscribe();
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut datagram) => received,
            _ = accepting.wait_for(|accepting| !accepting) => return,
        };
        let (count, peer) = match received {
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%error, "receiving a DNS query");
                continue;
            }
        };
        let asker = inlet.facts.dns(inlet.netns, inlet.slot, peer).ok().flatten();
        let (facts, netns, slot) = (inlet.facts.clone(), inlet.netns, inlet.slot);
        // Made only then: one that is dropped counts.
        let pending = asker.is_some().then(|| Pending { facts, netns, slot, peer });
        let found = match asker {
            Some(Asker::There(facts)) => Some(facts),
            Some(Asker::Gone { binding }) => {
                if let Some(tally) = services.tally(binding) {
                    tally.late_query();
                }
                continue;
            }
            None => None,
        };
        let tally = found.as_ref().and_then(|facts| services.tally(facts.binding));
        if let Some(tally) = &tally {
            tally.query();
        }
        if tally.is_some_and(|tally| tally.is_canary()) {
            continue;
        }
        let session = found.as_ref().and_then(|facts| services.session(facts.binding));
        let (Some(found), Some(session)) = (found, session) else {
            let text = "refused a DNS query that nobody owns".to_owned();
            let event = Event::info(now_us(), "dns.unattributed", text).warning();
            note(&services, event.with("peer", peer)).await;
            continue;
        };
        let asker = Client::of(&session, found);
        let query = datagram.get(..count).unwrap_or_default().to_vec();
        let (socket, services, served) = (socket.clone(), services.clone(), services.serving());
        tokio::task::spawn_local(async move {
            if let Some(answer) = answer(&services, &asker, &query, false).await
                && let Err(error) = socket.send_to(&answer, peer).await
            {
                tracing::debug!(%error, "answering a DNS query");
            }
            drop((pending, served));
        });
    }
}

/// Serves DNS over TCP: each message after its length (RFC 1035, 4.2.2), one after the other.
pub async fn serve_tcp(flow: &Flow, mut client: Metered) -> Closing {
    if let Err(error) = flow.open(Opening::default()).await {
        return Closing::because(format!("refused: {error}"));
    }
    let asker = Client {
        session: flow.session.id,
        identity: flow.session.identity.clone(),
        resolver: flow.original,
        pid: flow.caller.process.me.pid,
        comm: flow.caller.process.comm.clone(),
    };
    let mut reason = "client closed";
    let idle = Duration::from_millis(limits::DNS_IDLE_MS);
    loop {
        let query = match tokio::time::timeout(idle, read_message(&mut client)).await {
            Ok(Some(query)) => query,
            Ok(None) => break,
            Err(_) => {
                reason = "idle";
                break;
            }
        };
        let Some(reply) = answer(&flow.services, &asker, &query, true).await else { break };
        let Ok(length) = u16::try_from(reply.len()) else { break };
        let framed = [length.to_be_bytes().as_slice(), &reply].concat();
        let written = tokio::time::timeout(idle, client.write_all(&framed)).await;
        if !matches!(written, Ok(Ok(()))) {
            break;
        }
    }
    Closing::because(reason)
}

async fn read_message(client: &mut Metered) -> Option<Vec<u8>> {
    let length = usize::from(client.read_u16().await.ok()?);
    if length > limits::DNS_QUERY_BYTES {
        return None;
    }
    let mut message = vec![0u8; length];
    client.read_exact(&mut message).await.ok()?;
    Some(message)
}

/// Answers one query; `None` where nothing is to be said.
async fn answer(services: &Services, asker: &Client, query: &[u8], tcp: bool) -> Option<Vec<u8>> {
    let question = match Question::read(query) {
        Ok(question) => question,
        Err(refusal) => return refusal,
    };
    let Some(_asking) = services.dns.begin(asker.session) else {
        tracing::debug!(session = %asker.session, "too many DNS queries at a time");
        return question.refusal(ResponseCode::ServFail);
    };
    let (verdict, policies) = decide(services, asker, &question.name);
    let allowed = verdict == Verdict::Allow;
    let event = asked(asker, &question, tcp)
        .with("verdict", verdict.name())
        .with("policies", policies.join(","));
    if !note(services, if allowed { event } else { event.warning() }).await {
        return question.refusal(ResponseCode::ServFail);
    }
    if !allowed {
        return question.refusal(ResponseCode::Refused);
    }
    let learn = |address, ttl: i64| {
        let now = now_us();
        services.names.learn(asker.session, address, &question.name, now, now + ttl);
    };
    if let Some(addresses) = own(services, &question.name) {
        addresses.iter().for_each(|address| learn(*address, REMEMBER_US));
        return question.addresses(&addresses, TTL, tcp);
    }
    match resolver::ask(asker.resolver, &question, tcp).await {
        Ok(reply) => {
            for (address, ttl) in question.taught(&reply) {
                learn(address, REMEMBER_US.max(i64::from(ttl) * 1_000_000));
            }
            question.deliver(reply, tcp)
        }
        // A resolver that is dead stays so: the client has its own patience, and the next one to
        // ask. Some give up at a SERVFAIL.
        Err(error) => {
            tracing::debug!(%error, resolver = %asker.resolver, "forwarding a DNS query");
            None
        }
    }
}

fn asked(asker: &Client, question: &Question, tcp: bool) -> Event {
    let text = format!("{} {}", question.name, question.kind);
    Event::info(now_us(), "dns.query", text)
        .of_session(asker.session)
        .with("name", &question.name)
        .with("type", question.kind)
        .with("resolver", asker.resolver)
        .with("transport", if tcp { "tcp" } else { "udp" })
        .with("pid", asker.pid)
        .with("comm", &asker.comm)
}

fn decide(services: &Services, asker: &Client, name: &str) -> (Verdict, Vec<String>) {
    let live = services.live();
    let known = live
        .targets
        .iter()
        .find(|target| target.hosts.iter().any(|host| host.eq_ignore_ascii_case(name)));
    let target = Target {
        name: known.map_or_else(|| name.to_owned(), |target| target.name.clone()),
        protocol: Protocol::Dns,
        host: name.to_owned(),
        address: asker.resolver.ip().to_string(),
        port: asker.resolver.port(),
        environment: known.map(|target| target.environment.clone()).unwrap_or_default(),
        known: known.is_some(),
    };
    let mut operation = connect_operation(&target);
    operation.verbs = vec!["resolve".to_owned()];
    let decision = live.policy.decide(&Ask {
        action: Action::DnsResolve,
        identity: &asker.identity,
        target: &target,
        operation: &operation,
        approvers: &[],
    });
    (decision.verdict, decision.policies)
}

/// The addresses of a configured target, if it lists any.
fn own(services: &Services, name: &str) -> Option<Vec<IpAddr>> {
    let live = services.live();
    let target = live.targets.iter().find(|target| {
        !target.addresses.is_empty() && target.hosts.iter().any(|h| h.eq_ignore_ascii_case(name))
    })?;
    Some(target.addresses.clone())
}

async fn note(services: &Services, event: Event) -> bool {
    let entry = Entry::Event(event);
    match services.recorder.append(Class::Process, &[(&entry, &[])]).await {
        Ok(_) => true,
        Err(error) => {
            tracing::error!(%error, "recording a DNS query");
            false
        }
    }
}
