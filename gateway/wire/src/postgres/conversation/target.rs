//! The target's side: to what a message is the answer.

use std::rc::Rc;

use super::{Conversation, Described, Expected, Portal};
use crate::WireError;
use crate::postgres::backend::{Backend, Transaction};

/// What a target's message is.
pub enum TargetStep<S, X, D> {
    /// Not part of an answer: deliver it.
    Aside,
    /// The answer to a message that Weir added: deliver nothing.
    Swallow,
    /// A result's shape: keep it for whom it describes; where `exchange` is set its rows follow,
    /// and `swallow` says that the client did not ask.
    Shape {
        /// Whom to give it to, if anybody.
        of: Option<Described<S, X, D>>,
        /// The simple query whose rows follow.
        exchange: Option<X>,
        /// Deliver nothing.
        swallow: bool,
    },
    /// A row of a simple query.
    Row(X),
    /// A row of a portal.
    PortalRow(Rc<Portal<S, X, D>>),
    /// Another part of an exchange's answer.
    Part(X),
    /// The portal stopped at the client's row limit.
    Suspended(X),
    /// A statement of a simple query ended, others may follow.
    Ended(X),
    /// An exchange is answered.
    Done(X),
    /// An exchange failed.
    Failed {
        /// Which, if any: an error may come on its own.
        exchange: Option<X>,
        /// It was replaced by a message that errors: deliver the refusal instead.
        refused: bool,
        /// Exchanges behind it that the target will never run.
        skipped: Vec<X>,
    },
    /// The target is ready; the simple query that this ends, if it was one.
    Ready(Option<X>),
}

type Step<S, X, D> = Result<TargetStep<S, X, D>, WireError>;

impl<S, X: Clone, D: Clone> Conversation<S, X, D> {
    /// Says to what a target's message is the answer.
    ///
    /// # Errors
    /// A message that answers nothing that was asked: the target lies, or Weir lost track; either
    /// way the flow ends.
    pub fn target(&mut self, message: &Backend<'_>) -> Step<S, X, D> {
        match message {
            Backend::ParameterStatus { .. } | Backend::Notice(_) | Backend::Notification { .. } => {
                Ok(TargetStep::Aside)
            }
            Backend::RowDescription(_) => self.shape(),
            Backend::NoData => self.no_data(),
            Backend::DataRow(_) => self.row(),
            Backend::CommandComplete(_) | Backend::EmptyQuery => self.ended(),
            Backend::PortalSuspended => self.suspended(),
            Backend::ParseComplete => self.parsed(),
            Backend::BindComplete => self.bound(),
            Backend::CloseComplete => self.closed(),
            Backend::ParameterDescription(_) => match self.expected.front() {
                Some(Expected::Describe { .. } | Expected::DescribeUnknown) => {
                    Ok(TargetStep::Aside)
                }
                Some(Expected::Unknown { .. }) => Ok(TargetStep::Swallow),
                _ => Err(WireError::Unexpected { what: "a parameter description" }),
            },
            Backend::CopyIn { .. } => self.copy_in(),
            Backend::CopyOut { .. } | Backend::CopyData(_) | Backend::CopyDone => {
                self.copy_out(message)
            }
            Backend::FunctionResult(_) => match self.expected.front() {
                Some(Expected::Function { exchange }) => Ok(TargetStep::Part(exchange.clone())),
                _ => Err(WireError::Unexpected { what: "a function's result" }),
            },
            Backend::Error(_) => Ok(self.failed()),
            Backend::ReadyForQuery(transaction) => self.ready(*transaction),
            Backend::CopyBoth { .. } => self.copy_both(),
            Backend::Authentication(_)
            | Backend::BackendKeyData { .. }
            | Backend::NegotiateProtocolVersion { .. } => {
                Err(WireError::Unexpected { what: "a start-up message" })
            }
        }
    }

    /// The exchange whose result is being sent.
    fn running(&self) -> Result<X, WireError> {
        match self.expected.front() {
            Some(Expected::Query { exchange, .. }) => Ok(exchange.clone()),
            Some(Expected::Execute { portal, .. }) => Ok(portal.exchange.clone()),
            _ => Err(WireError::Unexpected { what: "a result that nobody asked for" }),
        }
    }

    /// Whether a simple query is being answered that went as messages of the extended protocol.
    fn is_given(&self) -> bool {
        matches!(self.expected.front(), Some(Expected::Query { given: true, .. }))
    }

    fn shape(&mut self) -> Step<S, X, D> {
        if let Some(Expected::Query { exchange, .. }) = self.expected.front() {
            let exchange = Some(exchange.clone());
            return Ok(TargetStep::Shape { of: None, exchange, swallow: false });
        }
        match self.expected.pop_front() {
            Some(Expected::Describe { of, injected }) => {
                Ok(TargetStep::Shape { of: Some(of), exchange: None, swallow: injected })
            }
            Some(Expected::DescribeUnknown) => {
                Ok(TargetStep::Shape { of: None, exchange: None, swallow: false })
            }
            Some(Expected::Unknown { exchange }) => Ok(self.known_after_all(exchange)),
            _ => Err(WireError::Unexpected { what: "a row description" }),
        }
    }

    fn no_data(&mut self) -> Step<S, X, D> {
        if self.is_given() {
            return Ok(TargetStep::Swallow);
        }
        match self.expected.pop_front() {
            Some(Expected::Describe { injected: true, .. }) => Ok(TargetStep::Swallow),
            Some(Expected::Describe { .. } | Expected::DescribeUnknown) => Ok(TargetStep::Aside),
            Some(Expected::Unknown { exchange }) => Ok(self.known_after_all(exchange)),
            _ => Err(WireError::Unexpected { what: "a no-data message" }),
        }
    }

    /// The target described the name, so it has it from SQL: the message behind errors.
    fn known_after_all(&mut self, exchange: X) -> TargetStep<S, X, D> {
        self.expected.push_front(Expected::Refused { exchange, simple: false });
        TargetStep::Swallow
    }

    fn row(&mut self) -> Step<S, X, D> {
        match self.expected.front() {
            Some(Expected::Query { exchange, .. }) => Ok(TargetStep::Row(exchange.clone())),
            Some(Expected::Execute { portal, .. }) => Ok(TargetStep::PortalRow(portal.clone())),
            _ => Err(WireError::Unexpected { what: "a row" }),
        }
    }

    fn ended(&mut self) -> Step<S, X, D> {
        self.copying_in = None;
        self.copying_out = false;
        match self.expected.front_mut() {
            Some(Expected::Query { exchange, .. }) => Ok(TargetStep::Ended(exchange.clone())),
            Some(Expected::Execute { .. }) => {
                let exchange = self.running()?;
                self.expected.pop_front();
                Ok(TargetStep::Done(exchange))
            }
            _ => Err(WireError::Unexpected { what: "a command's completion" }),
        }
    }

    fn suspended(&mut self) -> Step<S, X, D> {
        match self.expected.pop_front() {
            Some(Expected::Execute { portal, .. }) => {
                Ok(TargetStep::Suspended(portal.exchange.clone()))
            }
            _ => Err(WireError::Unexpected { what: "a suspended portal" }),
        }
    }

    fn parsed(&mut self) -> Step<S, X, D> {
        if self.is_given() {
            return Ok(TargetStep::Swallow);
        }
        match self.expected.pop_front() {
            Some(Expected::Parse { exchange, name, proposal, prepared }) => {
                self.prepared.confirm(&name, proposal, Some(prepared));
                Ok(TargetStep::Done(exchange))
            }
            _ => Err(WireError::Unexpected { what: "a parse's completion" }),
        }
    }

    fn bound(&mut self) -> Step<S, X, D> {
        if self.is_given() {
            return Ok(TargetStep::Swallow);
        }
        match self.expected.pop_front() {
            Some(Expected::Bind { name, proposal, portal }) => {
                self.portals.confirm(&name, proposal, Some(portal));
                Ok(TargetStep::Aside)
            }
            _ => Err(WireError::Unexpected { what: "a bind's completion" }),
        }
    }

    fn closed(&mut self) -> Step<S, X, D> {
        if self.is_given() {
            return Ok(TargetStep::Swallow);
        }
        match self.expected.pop_front() {
            Some(Expected::Close { statement: true, name, proposal }) => {
                self.prepared.confirm(&name, proposal, None);
            }
            Some(Expected::Close { name, proposal, .. }) => {
                self.portals.confirm(&name, proposal, None);
            }
            _ => return Err(WireError::Unexpected { what: "a close's completion" }),
        }
        Ok(TargetStep::Aside)
    }

    /// COPY data comes between its announcement and its end, or it is something else.
    fn copy_out(&mut self, message: &Backend<'_>) -> Step<S, X, D> {
        let begins = matches!(message, Backend::CopyOut { .. });
        if begins == self.copying_out {
            return Err(WireError::Unexpected { what: "COPY data" });
        }
        self.copying_out = begins || matches!(message, Backend::CopyData(_));
        self.running().map(TargetStep::Part)
    }

    /// COPY data goes both ways until each side has ended its own.
    fn copy_both(&mut self) -> Step<S, X, D> {
        if !self.replicates || self.copying_out {
            return Err(WireError::Unexpected { what: "a replication stream" });
        }
        self.copying_out = true;
        self.copy_in()
    }

    fn copy_in(&mut self) -> Step<S, X, D> {
        let announced = self.expected.front().is_some_and(Expected::may_copy);
        if !announced || self.copying_in.is_some() {
            return Err(WireError::Unexpected { what: "a request for COPY data" });
        }
        let exchange = self.running()?;
        self.copying_in = Some(exchange.clone());
        // A portal copies once; a simple query of several statements may copy again.
        if let Some(Expected::Execute { may_copy, .. }) = self.expected.front_mut() {
            *may_copy = false;
        }
        Ok(TargetStep::Part(exchange))
    }

    fn failed(&mut self) -> TargetStep<S, X, D> {
        self.copying_in = None;
        self.copying_out = false;
        let nothing = TargetStep::Failed { exchange: None, refused: false, skipped: Vec::new() };
        match self.expected.front() {
            None | Some(Expected::Sync) => nothing,
            // These end with ReadyForQuery, which takes them off.
            Some(Expected::Query { exchange, .. } | Expected::Function { exchange }) => {
                let exchange = Some(exchange.clone());
                TargetStep::Failed { exchange, refused: false, skipped: Vec::new() }
            }
            Some(Expected::Refused { exchange, simple: true }) => {
                let exchange = Some(exchange.clone());
                TargetStep::Failed { exchange, refused: true, skipped: Vec::new() }
            }
            Some(_) => self.failed_extended(),
        }
    }

    /// After an error in the extended protocol the target discards everything up to Sync.
    fn failed_extended(&mut self) -> TargetStep<S, X, D> {
        let Some(first) = self.expected.pop_front() else {
            return TargetStep::Failed { exchange: None, refused: false, skipped: Vec::new() };
        };
        let mut skipped = Vec::new();
        loop {
            match self.expected.front() {
                None => {
                    self.skipping = true;
                    break;
                }
                Some(Expected::Sync) => break,
                Some(discarded) => {
                    skipped.extend(discarded.exchange());
                    self.expected.pop_front();
                }
            }
        }
        self.prepared.roll_back();
        self.portals.roll_back();
        let refused = matches!(first, Expected::Refused { .. });
        TargetStep::Failed { exchange: first.exchange(), refused, skipped }
    }

    fn ready(&mut self, transaction: Transaction) -> Step<S, X, D> {
        self.transaction = transaction;
        self.copying_in = None;
        self.copying_out = false;
        let ended = match self.expected.pop_front() {
            Some(Expected::Sync) => None,
            Some(
                Expected::Query { exchange, .. }
                | Expected::Function { exchange }
                | Expected::Refused { exchange, simple: true },
            ) => Some(exchange),
            _ => return Err(WireError::Unexpected { what: "a ready message" }),
        };
        if transaction == Transaction::Idle {
            // Portals end with their transaction; nothing is proposed before a Sync is answered
            // unless the client is ahead, and then its proposals stay.
            self.portals.forget();
        }
        Ok(TargetStep::Ready(ended))
    }
}
