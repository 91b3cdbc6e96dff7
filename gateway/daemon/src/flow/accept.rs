//! Stage 1: accept a connection, read from the kernel whose it is, and refuse what nobody owns.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use weir_model::entry::Event;
use weir_model::{Caller, Entry, FlowId, Protocol, Target};

use super::gate::Gate;
use super::metered::{Meter, Metered};
use super::services::{Live, Services, Session, now_ms, now_us, random};
use super::tally::{ConnectionKey, Tally};
use super::{Flow, identify};
use crate::config::TargetConfig;
use crate::intercept::{Explicit, FactsReader, FlowFacts, InterceptError};
use crate::record::Class;

/// Who says whose a connection is.
#[derive(Clone)]
pub enum Facts {
    /// The kernel, for a redirected connection.
    Kernel(FactsReader),
    /// `/proc`, for one that was made to an explicit listener.
    Explicit(Arc<Mutex<Explicit>>),
}

impl Facts {
    fn flow(&self, stream: &TcpStream) -> Result<Option<FlowFacts>, InterceptError> {
        match self {
            Self::Kernel(facts) => facts.flow(stream.as_fd()),
            Self::Explicit(explicit) => {
                let what = "looking at a connection";
                let failed = |source| InterceptError::Kernel { what, source };
                let shared = stream.as_fd().try_clone_to_owned().map_err(failed)?;
                let explicit = explicit.lock().unwrap_or_else(PoisonError::into_inner);
                explicit.flow(&std::net::TcpStream::from(shared))
            }
        }
    }
}

/// Accepts until connections are another gateway's; each flow is a task of this thread.
pub async fn accept(listener: TcpListener, facts: Facts, services: Arc<Services>) {
    let mut accepting = services.accepting.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = accepting.wait_for(|accepting| !accepting) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: those in use come back as flows end.
                tracing::warn!(%error, "accepting a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (facts, services, served) = (facts.clone(), services.clone(), services.serving());
        tokio::task::spawn_local(async move {
            admit(stream, peer, &facts, services).await;
            drop(served);
        });
    }
}

async fn admit(stream: TcpStream, peer: SocketAddr, facts: &Facts, services: Arc<Services>) {
    let found = facts.flow(&stream);
    let (facts, session) = match found {
        Ok(Some(facts)) => match (services.tally(facts.binding), services.session(facts.binding)) {
            (tally, Some(session)) => {
                tally.inspect(|tally| tally.accept());
                (facts, session)
            }
            (Some(tally), None) => {
                tally.accept();
                return refuse_late(stream, peer, &facts, &tally, &services).await;
            }
            (None, None) => return refuse(stream, peer, "its session is gone", &services).await,
        },
        Ok(None) => return refuse(stream, peer, "the kernel knows no caller", &services).await,
        Err(error) => {
            let why = format!("reading the caller: {error}");
            return refuse(stream, peer, &why, &services).await;
        }
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY");
    }
    // An urgent byte would be skipped by reads, and so be neither parsed nor counted.
    if let Err(error) = socket2::SockRef::from(&stream).set_out_of_band_inline(true) {
        tracing::debug!(%error, "setting SO_OOBINLINE");
    }
    let flow = flow_of(&facts, session, services);
    let stream = Metered::new(stream, flow.meter.clone());
    super::serve(flow, stream).await;
}

/// Refuses a connection of a binding that has no session any more, or never had one: the canary.
async fn refuse_late(
    stream: TcpStream,
    peer: SocketAddr,
    facts: &FlowFacts,
    tally: &Tally,
    services: &Services,
) {
    let key = ConnectionKey::of(facts);
    if tally.is_canary() {
        reset(&stream);
        drop(stream);
    } else {
        refuse(stream, peer, "its session has ended", services).await;
    }
    tally.refuse(key);
}

fn reset(stream: &TcpStream) {
    if let Err(error) = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)) {
        tracing::debug!(%error, "setting SO_LINGER");
    }
}

/// Refuses a connection that can't be attributed: a reset, and a line in the record.
async fn refuse(stream: TcpStream, peer: SocketAddr, why: &str, services: &Services) {
    reset(&stream);
    drop(stream);
    let event = Event::info(now_us(), "flow.unattributed", format!("refused a connection: {why}"))
        .warning()
        .with("peer", peer);
    if let Err(error) =
        services.recorder.append(Class::Process, &[(&Entry::Event(event), &[])]).await
    {
        tracing::error!(%error, "recording an unattributed connection");
    }
}

fn flow_of(facts: &FlowFacts, session: Arc<Session>, services: Arc<Services>) -> Flow {
    let live = services.live();
    let original = SocketAddr::new(facts.original.ip().to_canonical(), facts.original.port());
    let host = services.names.of(session.id, original.ip(), now_us());
    let configured = find_target(&live, original, host.as_deref());
    let target = describe(original, host, configured.as_deref());
    let process = identify::process(facts.pid, facts.uid, facts.comm.clone(), session.leader);
    let class = configured.as_ref().and_then(|c| c.record).unwrap_or(live.class);
    Flow {
        id: FlowId::from_parts(now_ms(), random()),
        caller: Caller {
            session: session.id,
            identity: session.identity.clone(),
            process: Arc::new(process),
        },
        gate: Gate::new(services.recorder.clone(), class),
        target: Arc::new(target),
        services,
        live,
        session,
        original,
        configured,
        key: ConnectionKey::of(facts),
        meter: Arc::new(Meter::default()),
        opened: AtomicBool::new(false),
    }
}

/// The configured target that answers for a destination.
pub fn find_target(live: &Live, to: SocketAddr, host: Option<&str>) -> Option<Arc<TargetConfig>> {
    live.targets.iter().find(|target| target.answers_for(to, host)).cloned()
}

fn describe(to: SocketAddr, host: Option<String>, config: Option<&TargetConfig>) -> Target {
    let address = to.ip().to_string();
    let host = host
        .or_else(|| config.and_then(|config| config.hosts.first().cloned()))
        .unwrap_or_else(|| address.clone());
    match config {
        Some(config) => Target {
            name: config.name.clone(),
            protocol: config.protocol,
            host,
            address,
            port: to.port(),
            environment: config.environment.clone(),
            known: true,
        },
        None => Target {
            name: to.to_string(),
            protocol: if to.port() == 53 { Protocol::Dns } else { Protocol::Tcp },
            host,
            address,
            port: to.port(),
            environment: String::new(),
            known: false,
        },
    }
}
