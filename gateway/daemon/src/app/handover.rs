//! What a gateway and its successor say to each other, and what both must agree on.
//!
//! `give` is the old one's side, `take` the new one's. The old one stops accepting and gives away its
//! listeners, its control connections and the record; connections wait meanwhile, and are not
//! refused. It goes on serving what it has, and appends to the record through the new one.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use weir_model::{FlowId, SessionId};

use crate::config::{Config, Mode};
use crate::control::{Claim, handover};
use crate::intercept::{Interceptor, Namespace};

/// How a gateway stands to its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is none.
    Serving,
    /// One has asked; everything goes on until nothing waits for a human.
    Preparing,
    /// It is being given what it needs; nothing new begins.
    Giving,
    /// It has taken over; what is open here goes on until it ends.
    Draining,
    /// All of that has ended.
    Drained,
}

impl Phase {
    /// Whether sessions, the kernel's reports and the record's life are this gateway's business.
    pub fn is_in_charge(self) -> bool {
        match self {
            Self::Serving | Self::Preparing => true,
            Self::Giving | Self::Draining | Self::Drained => false,
        }
    }
}

/// The successor is there and listens.
#[derive(Debug, Serialize, Deserialize)]
pub struct Go;

/// The successor serves.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ready;

/// Something that the successor gets, with descriptors.
#[derive(Debug, Serialize, Deserialize)]
pub enum Given {
    /// A control connection.
    Connection {
        /// The sessions that live as long as it does.
        sessions: Vec<SessionId>,
    },
    /// The listeners of a network namespace: TCP, TCP on IPv6, DNS, DNS on IPv6.
    Listeners {
        /// Its cookie.
        netns: u64,
        /// How many on 127.0.0.1.
        tcp: usize,
        /// How many on `::1`.
        tcp6: usize,
        /// How many for IPv4 resolvers; the rest are for IPv6 ones.
        dns: usize,
    },
    /// Everything else, at the end: the control socket, the locks of pins and record, the way to
    /// the record.
    Rest(Box<Rest>),
}

/// What comes last.
#[derive(Debug, Serialize, Deserialize)]
pub struct Rest {
    /// The cgroups whose sockets accept.
    pub accepting: Vec<PathBuf>,
    /// The network namespaces that have listeners.
    pub namespaces: Vec<Namespace>,
    /// The number of the record's life.
    pub life: u64,
    /// Connections that the old gateway goes on serving.
    pub flows: BTreeSet<FlowId>,
    /// Statements that sessions have asked so far.
    pub asked: Vec<(SessionId, u64)>,
    /// Names that DNS taught, by session and address, and until when.
    pub names: Vec<(SessionId, IpAddr, String, i64)>,
}

/// What a gateway with this configuration is.
///
/// # Errors
/// It can't be handed over at all.
pub fn claim(config: &Config) -> anyhow::Result<Claim> {
    anyhow::ensure!(
        config.gateway.mode == Mode::Ebpf,
        "in explicit mode a gateway is stopped and started again: nothing is handed over"
    );
    let absolute = |path: &Path| {
        std::path::absolute(path).with_context(|| format!("finding {}", path.display()))
    };
    Ok(Claim {
        form: handover::FORM,
        instance: config.gateway.instance.clone(),
        layout: Interceptor::layout(),
        record: absolute(&config.record.dir)?,
        state: absolute(&config.gateway.state_dir)?,
    })
}

/// Why a successor can't take over from a gateway.
pub fn difference(ours: &Claim, theirs: &Claim) -> Option<String> {
    let what = if ours.form != theirs.form {
        "the form of the hand-over"
    } else if ours.layout != theirs.layout {
        "the layout of the kernel's maps"
    } else if ours.instance != theirs.instance {
        "the instance"
    } else if ours.record != theirs.record {
        "the record's directory"
    } else if ours.state != theirs.state {
        "the state directory"
    } else {
        return None;
    };
    Some(format!(
        "{what} differs, so nothing can be handed over: stop this gateway and start the other; \
         bound agents are cut off in between"
    ))
}
