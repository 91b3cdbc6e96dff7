//! One connection, from accept to close. Read [`serve`] first: it is the whole story.

pub mod accept;
pub mod dial;
pub mod dns;
pub mod gate;
pub mod identify;
pub mod memory;
pub mod metered;
pub mod names;
pub mod services;
pub mod tally;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use weir_model::entry::{Event, FlowClosed, FlowOpened};
use weir_model::{Caller, Entry, FlowId, Target};
use weir_policy::Action;

use crate::config::TargetConfig;
use crate::driver;
use gate::Gate;
use memory::Share;
use metered::{Meter, Metered};
use services::{Live, Services, Session};
use tally::ConnectionKey;

/// An accepted connection that was attributed to a session.
pub struct Flow {
    /// Its identifier.
    pub id: FlowId,
    /// Everything that flows share.
    pub services: Arc<Services>,
    /// Policy and targets as they were when the flow began.
    pub live: Arc<Live>,
    /// The session it belongs to.
    pub session: Arc<Session>,
    /// Who is behind it.
    pub caller: Caller,
    /// Where the client meant to go.
    pub original: SocketAddr,
    /// Where that is, as policy and record see it.
    pub target: Arc<Target>,
    /// The target's configuration, where it has one.
    pub configured: Option<Arc<TargetConfig>>,
    /// The flow's way to the record.
    pub gate: Gate,
    /// Names the client's end for the ledger.
    pub key: ConnectionKey,
    /// What was read from the client and written to it.
    pub meter: Arc<Meter>,
    /// Whether its beginning is on record.
    pub opened: AtomicBool,
}

/// What a driver learnt before the first request, for the record.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// The server name of the client's TLS hello.
    pub server_name: Option<String>,
    /// Whether the client's side is encrypted.
    pub tls: bool,
    /// The database asked for.
    pub database: Option<String>,
    /// The user that the client named.
    pub client_user: Option<String>,
    /// The user as whom Weir logs in.
    pub upstream_user: Option<String>,
}

/// How a flow ended.
#[derive(Clone, Debug, Default)]
pub struct Closing {
    /// Why.
    pub reason: String,
}

impl Closing {
    /// A flow that ended for a reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl Flow {
    /// Puts the flow itself on record, before its first byte goes anywhere.
    ///
    /// # Errors
    /// The record can't be written.
    pub async fn open(&self, opening: Opening) -> Result<(), crate::record::RecordError> {
        let opened = FlowOpened {
            flow: self.id,
            session: Some(self.session.id),
            at_us: services::now_us(),
            process: self.caller.process.clone(),
            target: self.target.clone(),
            server_name: opening.server_name,
            tls: opening.tls,
            database: opening.database,
            client_user: opening.client_user,
            upstream_user: opening.upstream_user,
        };
        self.gate.note(&Entry::FlowOpened(opened)).await?;
        if !self.opened.swap(true, Ordering::Relaxed) {
            self.session.tally.record(true);
        }
        Ok(())
    }

    /// The same where nothing else is to follow.
    async fn open_anyway(&self) {
        if self.opened.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.open(Opening::default()).await {
            tracing::error!(flow = %self.id, %error, "recording a flow");
            self.session.tally.record(false);
        }
    }

    /// A share of the memory for large messages.
    pub fn share(&self) -> Share {
        Share::new(&self.session.memory, &self.services.memory)
    }

    /// An event about this flow.
    pub fn event(&self, kind: &str, message: String) -> Event {
        Event::info(services::now_us(), kind, message).of_session(self.session.id).of_flow(self.id)
    }
}

/// Serves one connection: find its target, ask whether it may connect, drive its protocol, record
/// its end. A session that ends takes its flows with it.
pub async fn serve(flow: Flow, client: Metered) {
    let services = flow.services.clone();
    let open = services.enter(flow.id);
    let session = flow.session.clone();
    session.flows.fetch_add(1, Ordering::Relaxed);
    let mut ended = flow.session.ended.subscribe();
    // By themselves, since what is awaited beside others is moved, and then takes its size twice.
    let served: Pin<Box<dyn Future<Output = Closing> + '_>> = match &flow.configured {
        Some(config) => Box::pin(driver::serve(&flow, config, client)),
        None => Box::pin(driver::serve_unknown(&flow, client)),
    };
    let closing = tokio::select! {
        closing = served => closing,
        reason = ended.wait_for(Option::is_some) => {
            let reason = reason.ok().and_then(|r| r.clone()).unwrap_or_default();
            Closing::because(format!("session ended: {reason}"))
        }
    };
    session.flows.fetch_sub(1, Ordering::Relaxed);
    flow.open_anyway().await;
    // Its end is on its way to the record: a gateway that takes over now has none to write for it.
    drop(open);
    let served = flow.meter.served();
    let closed = FlowClosed {
        flow: flow.id,
        at_us: services::now_us(),
        reason: closing.reason,
        bytes_in: served.read,
        bytes_out: served.written,
    };
    if let Err(error) = flow.gate.note(&Entry::FlowClosed(closed)).await {
        tracing::error!(flow = %flow.id, %error, "recording the end of a flow");
    }
    session.tally.leave(flow.key, &flow.meter);
}

/// Asks whether a flow may connect at all.
pub fn may_connect(flow: &Flow) -> weir_model::Decision {
    let operation = services::connect_operation(&flow.target);
    flow.live.policy.decide(&weir_policy::Ask {
        action: Action::TcpConnect,
        identity: &flow.caller.identity,
        target: &flow.target,
        operation: &operation,
        approvers: &[],
    })
}
