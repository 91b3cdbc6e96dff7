//! What a proxy must know of a PostgreSQL conversation, both directions, after start-up.
//!
//! The caller parses a message, asks [`Conversation::client`] or [`Conversation::target`] what it
//! means here, and tells the conversation what it forwarded. Statements, exchanges and result
//! descriptions are the caller's own values (`S`, `X`, `D`); nothing here does I/O.
//!
//! Source: PostgreSQL documentation, "Frontend/Backend Protocol", and `PostgresMain` in
//! `src/backend/tcop/postgres.c` for what the server skips and ignores.

mod client;
mod names;
mod target;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use weir_model::limits;

use super::backend::Transaction;
use crate::WireError;
use names::Names;

pub use client::ClientStep;
pub use target::TargetStep;

/// A prepared statement.
pub struct Prepared<S, D> {
    /// The caller's value.
    pub statement: S,
    /// The types of its parameters, as far as the client said them.
    pub declared: Vec<u32>,
    description: RefCell<Option<(u64, D)>>,
    describing: Cell<Option<u64>>,
}

impl<S, D> Prepared<S, D> {
    /// A statement that was not described yet.
    pub fn new(statement: S, declared: Vec<u32>) -> Self {
        Self { statement, declared, description: RefCell::new(None), describing: Cell::new(None) }
    }
}

/// A portal: one execution of a prepared statement.
pub struct Portal<S, X, D> {
    /// What it runs.
    pub prepared: Rc<Prepared<S, D>>,
    /// The exchange that its Bind opened.
    pub exchange: X,
    /// Result format codes as in Bind: none (all text), one for all, or one per column.
    pub formats: Vec<i16>,
    description: RefCell<Option<D>>,
    described: Cell<bool>,
    epoch: u64,
}

impl<S, X, D: Clone> Portal<S, X, D> {
    /// A portal made at a catalogue epoch.
    pub fn new(prepared: Rc<Prepared<S, D>>, exchange: X, formats: Vec<i16>, epoch: u64) -> Self {
        let (description, described) = (RefCell::new(None), Cell::new(false));
        Self { prepared, exchange, formats, description, described, epoch }
    }

    /// What its rows look like: its own description, else its statement's of the same epoch.
    pub fn description(&self) -> Option<D> {
        if let Some(own) = self.description.borrow().as_ref() {
            return Some(own.clone());
        }
        let shared = self.prepared.description.borrow();
        shared.as_ref().filter(|(epoch, _)| *epoch == self.epoch).map(|(_, d)| d.clone())
    }

    fn is_described(&self) -> bool {
        let of_statement = |epoch: u64| epoch == self.epoch;
        self.described.get() || self.prepared.describing.get().is_some_and(of_statement)
    }
}

/// Whom a description belongs to.
pub enum Described<S, X, D> {
    /// A prepared statement, at an epoch.
    Statement(Rc<Prepared<S, D>>, u64),
    /// A portal.
    Portal(Rc<Portal<S, X, D>>),
}

impl<S, X, D> Described<S, X, D> {
    /// Keeps a description that the target sent.
    pub fn keep(&self, description: D) {
        match self {
            Self::Statement(prepared, epoch) => {
                *prepared.description.borrow_mut() = Some((*epoch, description));
            }
            Self::Portal(portal) => *portal.description.borrow_mut() = Some(description),
        }
    }
}

/// What the target will answer next, oldest first.
enum Expected<S, X, D> {
    Query {
        exchange: X,
        may_copy: bool,
        /// It went as messages of the extended protocol, to which the client gets no answers.
        given: bool,
    },
    Function {
        exchange: X,
    },
    Parse {
        exchange: X,
        name: Vec<u8>,
        proposal: u64,
        prepared: Rc<Prepared<S, D>>,
    },
    Bind {
        name: Vec<u8>,
        proposal: u64,
        portal: Rc<Portal<S, X, D>>,
    },
    Describe {
        of: Described<S, X, D>,
        injected: bool,
    },
    Execute {
        portal: Rc<Portal<S, X, D>>,
        may_copy: bool,
    },
    Close {
        statement: bool,
        name: Vec<u8>,
        proposal: u64,
    },
    /// The Describe of a name that is not known here, in the place of what would use it, and behind it a
    /// message that errors: the target says itself that there is no such name, else it is refused.
    Unknown {
        exchange: X,
    },
    /// A name that is not known here is described; nothing is learnt from the answer.
    DescribeUnknown,
    /// A message that was replaced by one that errors; a simple one ends with ReadyForQuery.
    Refused {
        exchange: X,
        simple: bool,
    },
    Sync,
}

impl<S, X: Clone, D> Expected<S, X, D> {
    fn exchange(&self) -> Option<X> {
        match self {
            Self::Query { exchange, .. }
            | Self::Function { exchange }
            | Self::Parse { exchange, .. }
            | Self::Unknown { exchange }
            | Self::Refused { exchange, .. } => Some(exchange.clone()),
            Self::Bind { portal, .. } | Self::Execute { portal, .. } => {
                Some(portal.exchange.clone())
            }
            Self::Describe { .. } | Self::DescribeUnknown | Self::Close { .. } | Self::Sync => None,
        }
    }

    fn may_copy(&self) -> bool {
        match self {
            Self::Query { may_copy, .. } | Self::Execute { may_copy, .. } => *may_copy,
            Self::Function { .. }
            | Self::Parse { .. }
            | Self::Bind { .. }
            | Self::Describe { .. }
            | Self::DescribeUnknown
            | Self::Unknown { .. }
            | Self::Close { .. }
            | Self::Refused { .. }
            | Self::Sync => false,
        }
    }
}

/// The state of one conversation.
pub struct Conversation<S, X, D> {
    prepared: Names<Prepared<S, D>>,
    portals: Names<Portal<S, X, D>>,
    expected: VecDeque<Expected<S, X, D>>,
    /// The target discards everything until a Sync that the client has not sent yet.
    skipping: bool,
    copying_in: Option<X>,
    /// The target announced COPY data and has not ended it.
    copying_out: bool,
    /// Replication commands are taken, whose COPY data goes both ways.
    replicates: bool,
    /// Something expected may copy in.
    may_copy: bool,
    transaction: Transaction,
}

impl<S, X: Clone, D: Clone> Default for Conversation<S, X, D> {
    fn default() -> Self {
        Self {
            prepared: Names::default(),
            portals: Names::default(),
            expected: VecDeque::new(),
            skipping: false,
            copying_in: None,
            copying_out: false,
            replicates: false,
            may_copy: false,
            transaction: Transaction::Idle,
        }
    }
}

impl<S, X: Clone, D: Clone> Conversation<S, X, D> {
    /// The target is a walsender.
    pub fn replicate(&mut self) {
        self.replicates = true;
    }

    /// The transaction's state as the target last reported it.
    pub fn transaction(&self) -> Transaction {
        self.transaction
    }

    /// Whether the client must wait: as much is in flight as may be, or the target may be about to
    /// take its messages as COPY data, and what it then ignores or refuses must not be mistaken for
    /// something it will answer.
    ///
    /// The target holds back no more than 8 KiB of answers (`PQ_SEND_BUFFER_SIZE` in pqcomm.c), which
    /// is a small part of what may be in flight, so it never waits in turn.
    pub fn must_wait(&mut self) -> bool {
        if self.expected.len() + AT_ONCE > limits::PIPELINE {
            return true;
        }
        // Most conversations never copy: only those that did look through what is expected.
        self.may_copy = self.may_copy && self.expected.iter().rev().any(Expected::may_copy);
        self.may_copy && self.copying_in.is_none()
    }

    /// Whether everything that was asked is answered.
    pub fn is_quiet(&self) -> bool {
        self.expected.is_empty()
    }

    /// The exchanges that are still open, oldest first.
    pub fn open_exchanges(&self) -> Vec<X> {
        self.expected.iter().filter_map(Expected::exchange).collect()
    }

    fn expect(&mut self, expected: Expected<S, X, D>) -> Result<(), WireError> {
        if self.expected.len() >= limits::PIPELINE {
            return Err(too_many("requests in flight", limits::PIPELINE));
        }
        self.may_copy |= expected.may_copy();
        self.expected.push_back(expected);
        Ok(())
    }
}

/// The most that one message of the client's adds to what is in flight.
const AT_ONCE: usize = 2;

fn too_many(field: &'static str, max: usize) -> WireError {
    WireError::TooMany { what: "a conversation", field, max }
}

#[cfg(test)]
mod tests;
