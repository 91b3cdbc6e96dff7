//! DNS: every query of a session comes here. It is decided on and recorded; names of targets with
//! addresses are answered here, others go on to the resolver that the agent meant.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::{RData, Record, RecordType, rdata};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use weir_model::entry::Event;
use weir_model::{Entry, Identity, Protocol, SessionId, Target, Verdict};
use weir_policy::{Action, Ask};

use super::services::{Services, connect_operation, now_us};
use super::{Closing, Flow, Opening};
use crate::intercept::FactsReader;
use crate::record::Class;

/// How long a resolver may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Names of connections made long after the answer's time to live: clients keep addresses.
const REMEMBER_US: i64 = 3_600_000_000;
/// Time to live of Weir's own answers, seconds.
const TTL: u32 = 30;
const MESSAGE: usize = 65_535;

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
struct Asker {
    session: SessionId,
    identity: Arc<Identity>,
    resolver: SocketAddr,
}

/// Serves the datagrams of one network namespace for ever.
pub async fn serve_udp(socket: UdpSocket, inlet: Inlet, services: Arc<Services>) {
    let socket = Arc::new(socket);
    let mut datagram = vec![0u8; MESSAGE];
    loop {
        let (count, peer) = match socket.recv_from(&mut datagram).await {
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%error, "receiving a DNS query");
                continue;
            }
        };
        let found = inlet.facts.dns(inlet.netns, inlet.slot, peer).ok().flatten();
        let session = found.as_ref().and_then(|facts| services.session(facts.binding));
        let (Some(found), Some(session)) = (found, session) else {
            let text = "refused a DNS query that nobody owns".to_owned();
            let event = Event::info(now_us(), "dns.unattributed", text).warning();
            note(&services, event.with("peer", peer)).await;
            continue;
        };
        let asker = Asker {
            session: session.id,
            identity: session.identity.clone(),
            resolver: found.original,
        };
        let query = datagram.get(..count).unwrap_or_default().to_vec();
        let (socket, services) = (socket.clone(), services.clone());
        tokio::task::spawn_local(async move {
            if let Some(answer) = answer(&services, &asker, &query, false).await
                && let Err(error) = socket.send_to(&answer, peer).await
            {
                tracing::debug!(%error, "answering a DNS query");
            }
        });
    }
}

/// Serves DNS over TCP: each message after its length (RFC 1035, 4.2.2).
pub async fn serve_tcp(flow: &Flow, mut client: TcpStream) -> Closing {
    if let Err(error) = flow.open(Opening::default()).await {
        return Closing::because(format!("refused: {error}"));
    }
    let asker = Asker {
        session: flow.session.id,
        identity: flow.session.identity.clone(),
        resolver: flow.original,
    };
    let mut closing = Closing::because("client closed");
    while let Ok(length) = client.read_u16().await {
        let mut query = vec![0u8; usize::from(length)];
        if client.read_exact(&mut query).await.is_err() {
            break;
        }
        let Some(reply) = answer(&flow.services, &asker, &query, true).await else { break };
        let Ok(length) = u16::try_from(reply.len()) else { break };
        let framed = [length.to_be_bytes().as_slice(), &reply].concat();
        if client.write_all(&framed).await.is_err() {
            break;
        }
        closing.bytes_in += query.len() as u64 + 2;
        closing.bytes_out += framed.len() as u64;
    }
    closing
}

/// Answers one query; `None` where it is not one.
async fn answer(services: &Services, asker: &Asker, query: &[u8], tcp: bool) -> Option<Vec<u8>> {
    let message = Message::from_vec(query).ok()?;
    if message.metadata.message_type != MessageType::Query || message.queries.len() != 1 {
        return refuse(&message, ResponseCode::FormErr);
    }
    let question = message.queries.first()?;
    let name = question.name().to_utf8().trim_end_matches('.').to_ascii_lowercase();
    let kind = question.query_type();
    let (verdict, policies) = decide(services, asker, &name);
    let allowed = verdict == Verdict::Allow;
    let event = Event::info(now_us(), "dns.query", format!("{name} {kind}"))
        .of_session(asker.session)
        .with("name", &name)
        .with("type", kind)
        .with("resolver", asker.resolver)
        .with("verdict", verdict.name())
        .with("policies", policies.join(","));
    if !note(services, if allowed { event } else { event.warning() }).await {
        return refuse(&message, ResponseCode::ServFail);
    }
    if !allowed {
        return refuse(&message, ResponseCode::Refused);
    }
    if let Some(addresses) = own(services, &name) {
        return own_answer(services, asker, &message, &name, kind, &addresses);
    }
    let reply = match forward(asker.resolver, query, tcp).await {
        Ok(reply) => reply,
        Err(error) => {
            tracing::debug!(%error, resolver = %asker.resolver, "forwarding a DNS query");
            return refuse(&message, ResponseCode::ServFail);
        }
    };
    learn(services, asker.session, &name, &Message::from_vec(&reply).ok()?);
    Some(reply)
}

fn decide(services: &Services, asker: &Asker, name: &str) -> (Verdict, Vec<String>) {
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

fn own_answer(
    services: &Services,
    asker: &Asker,
    query: &Message,
    name: &str,
    kind: RecordType,
    addresses: &[IpAddr],
) -> Option<Vec<u8>> {
    let mut reply = response(query, ResponseCode::NoError);
    let owner = query.queries.first()?.name().clone();
    for address in addresses {
        let data = match (address, kind) {
            (IpAddr::V4(v4), RecordType::A | RecordType::ANY) => RData::A(rdata::A(*v4)),
            (IpAddr::V6(v6), RecordType::AAAA | RecordType::ANY) => RData::AAAA(rdata::AAAA(*v6)),
            (IpAddr::V4(_) | IpAddr::V6(_), _) => continue,
        };
        reply.add_answer(Record::from_rdata(owner.clone(), TTL, data));
        let now = now_us();
        services.names.learn(asker.session, *address, name, now, now + REMEMBER_US);
    }
    reply.to_vec().ok()
}

fn learn(services: &Services, session: SessionId, name: &str, reply: &Message) {
    let now = now_us();
    for record in &reply.answers {
        let address = match &record.data {
            RData::A(a) => IpAddr::V4(a.0),
            RData::AAAA(aaaa) => IpAddr::V6(aaaa.0),
            _ => continue,
        };
        let until = now + REMEMBER_US.max(i64::from(record.ttl) * 1_000_000);
        services.names.learn(session, address, name, now, until);
    }
}

fn response(query: &Message, code: ResponseCode) -> Message {
    let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
    reply.metadata.recursion_desired = query.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.metadata.response_code = code;
    for question in &query.queries {
        reply.add_query(question.clone());
    }
    reply
}

fn refuse(query: &Message, code: ResponseCode) -> Option<Vec<u8>> {
    response(query, code).to_vec().ok()
}

async fn forward(resolver: SocketAddr, query: &[u8], tcp: bool) -> io::Result<Vec<u8>> {
    let exchange = async {
        if tcp {
            let mut stream = TcpStream::connect(resolver).await?;
            let length = u16::try_from(query.len()).map_err(io::Error::other)?;
            stream.write_all(&[length.to_be_bytes().as_slice(), query].concat()).await?;
            let length = stream.read_u16().await?;
            let mut reply = vec![0u8; usize::from(length)];
            stream.read_exact(&mut reply).await?;
            return Ok(reply);
        }
        let any: SocketAddr = if resolver.is_ipv4() {
            (std::net::Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(resolver).await?;
        socket.send(query).await?;
        let mut reply = vec![0u8; MESSAGE];
        loop {
            let count = socket.recv(&mut reply).await?;
            // Another query's late answer is not ours.
            if reply.get(..2) == query.get(..2) {
                reply.truncate(count);
                return Ok(reply);
            }
        }
    };
    tokio::time::timeout(PATIENCE, exchange).await.map_err(io::Error::from)?
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
