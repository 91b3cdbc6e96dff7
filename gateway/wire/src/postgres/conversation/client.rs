//! The client's side: what a message means here, and what the target will answer to it.

use std::rc::Rc;

use weir_model::limits;

use super::{Conversation, Described, Expected, Portal, Prepared, too_many};
use crate::WireError;
use crate::postgres::frontend::{Frontend, FunctionCall, Kind};
use crate::postgres::lists::{Cells, Formats};

/// What to do with a client's message. The messages that pass without being asked about are the
/// closed list of [`ClientStep::Pass`].
pub enum ClientStep<'a, S, X, D> {
    /// Forward it as it is.
    Pass,
    /// Forward nothing: the target would discard it.
    Drop,
    /// COPY data for an exchange that was asked about: record it and forward it.
    CopyIn(X),
    /// A simple query.
    Query(&'a [u8]),
    /// A statement to prepare.
    Parse {
        /// Its name, empty for the unnamed one.
        name: &'a [u8],
        /// Its text.
        text: &'a [u8],
    },
    /// An execution of a prepared statement, with its parameters.
    Bind {
        /// The statement.
        prepared: Rc<Prepared<S, D>>,
        /// The portal's name.
        portal: &'a [u8],
        /// The formats of the parameters.
        formats: Formats<'a>,
        /// The parameters.
        parameters: Cells<'a>,
        /// The formats wanted for the result.
        result_formats: Formats<'a>,
    },
    /// A Bind of a statement that is not known here, which the target may know from SQL.
    BindUnknown(&'a [u8]),
    /// Run a portal; `inject` asks to describe it first, because nobody did.
    Execute {
        /// The portal.
        portal: Rc<Portal<S, X, D>>,
        /// Whether a Describe goes before it, whose answer is swallowed.
        inject: bool,
    },
    /// An Execute of a portal that is not known here, which the target may know from SQL.
    ExecuteUnknown(&'a [u8]),
    /// A function called by its number.
    Function(FunctionCall<'a>),
    /// The client says goodbye.
    Terminate,
}

impl<S, X: Clone, D: Clone> Conversation<S, X, D> {
    /// Says what a client's message means. `epoch` changes whenever a description may be stale.
    ///
    /// # Errors
    /// A message that is not allowed in this state.
    pub fn client<'a>(
        &mut self,
        message: &Frontend<'a>,
        epoch: u64,
    ) -> Result<ClientStep<'a, S, X, D>, WireError> {
        if let Some(exchange) = self.copying_in.clone() {
            return self.while_copying(message, exchange);
        }
        if self.skipping {
            return self.while_skipping(message);
        }
        Ok(match message {
            Frontend::Query(text) => ClientStep::Query(text),
            Frontend::Parse { name, text, .. } => {
                if self.prepared.is_full() {
                    return Err(too_many("prepared statements", limits::PREPARED));
                }
                ClientStep::Parse { name, text }
            }
            Frontend::Bind { portal, statement, formats, parameters, result_formats } => {
                match self.prepared.get(statement) {
                    Some(prepared) if !self.portals.is_full() => ClientStep::Bind {
                        prepared,
                        portal,
                        formats: *formats,
                        parameters: *parameters,
                        result_formats: *result_formats,
                    },
                    Some(_) => return Err(too_many("portals", limits::PREPARED)),
                    None => ClientStep::BindUnknown(statement),
                }
            }
            Frontend::Describe { kind, name } => self.describe(*kind, name, epoch)?,
            Frontend::Execute { portal: name, .. } => match self.portals.get(name) {
                Some(portal) => ClientStep::Execute { inject: !portal.is_described(), portal },
                None => ClientStep::ExecuteUnknown(name),
            },
            Frontend::Close { kind, name } => {
                self.close(*kind, name)?;
                ClientStep::Pass
            }
            Frontend::Sync => {
                self.expect(Expected::Sync)?;
                ClientStep::Pass
            }
            Frontend::Flush => ClientStep::Pass,
            Frontend::FunctionCall(call) => ClientStep::Function(*call),
            // The server ignores these outside of COPY.
            Frontend::CopyData(_) | Frontend::CopyDone | Frontend::CopyFail(_) => ClientStep::Drop,
            Frontend::Password(_) => {
                return Err(WireError::Unexpected { what: "a password message" });
            }
            Frontend::Terminate => ClientStep::Terminate,
        })
    }

    fn while_copying<'a>(
        &mut self,
        message: &Frontend<'a>,
        exchange: X,
    ) -> Result<ClientStep<'a, S, X, D>, WireError> {
        match message {
            Frontend::CopyData(_) => Ok(ClientStep::CopyIn(exchange)),
            Frontend::CopyDone | Frontend::CopyFail(_) => {
                self.copying_in = None;
                Ok(ClientStep::Pass)
            }
            // Ignored by the server while it copies in, so they get no answer.
            Frontend::Flush | Frontend::Sync => Ok(ClientStep::Drop),
            Frontend::Terminate => Ok(ClientStep::Terminate),
            Frontend::Query(_)
            | Frontend::Parse { .. }
            | Frontend::Bind { .. }
            | Frontend::Describe { .. }
            | Frontend::Execute { .. }
            | Frontend::Close { .. }
            | Frontend::FunctionCall(_)
            | Frontend::Password(_) => Err(WireError::Unexpected { what: "a request during COPY" }),
        }
    }

    fn while_skipping<'a>(
        &mut self,
        message: &Frontend<'a>,
    ) -> Result<ClientStep<'a, S, X, D>, WireError> {
        match message {
            Frontend::Sync => {
                self.skipping = false;
                self.expect(Expected::Sync)?;
                Ok(ClientStep::Pass)
            }
            Frontend::Terminate => Ok(ClientStep::Terminate),
            Frontend::Query(_)
            | Frontend::Parse { .. }
            | Frontend::Bind { .. }
            | Frontend::Describe { .. }
            | Frontend::Execute { .. }
            | Frontend::Close { .. }
            | Frontend::Flush
            | Frontend::FunctionCall(_)
            | Frontend::CopyData(_)
            | Frontend::CopyDone
            | Frontend::CopyFail(_)
            | Frontend::Password(_) => Ok(ClientStep::Drop),
        }
    }

    fn describe<'a>(
        &mut self,
        kind: Kind,
        name: &[u8],
        epoch: u64,
    ) -> Result<ClientStep<'a, S, X, D>, WireError> {
        let of = match kind {
            Kind::Statement => self.prepared.get(name).map(|prepared| {
                prepared.describing.set(Some(epoch));
                Described::Statement(prepared, epoch)
            }),
            Kind::Portal => self.portals.get(name).map(|portal| {
                portal.described.set(true);
                Described::Portal(portal)
            }),
        };
        // A name that is unknown here may be known to the target from SQL (a cursor): its
        // description is delivered, and nothing is learnt from it.
        self.expect(match of {
            Some(of) => Expected::Describe { of, injected: false },
            None => Expected::DescribeUnknown,
        })?;
        Ok(ClientStep::Pass)
    }

    fn close(&mut self, kind: Kind, name: &[u8]) -> Result<(), WireError> {
        let statement = kind == Kind::Statement;
        let proposal = if statement {
            self.prepared.propose(name, None)
        } else {
            self.portals.propose(name, None)
        };
        self.expect(Expected::Close { statement, name: name.to_vec(), proposal })
    }

    /// A simple query goes to the target.
    ///
    /// # Errors
    /// Too many requests in flight; so for the other `forward_` functions.
    pub fn forward_query(&mut self, exchange: X, may_copy: bool) -> Result<(), WireError> {
        self.expect(Expected::Query { exchange, may_copy, given: false })
    }

    /// A simple query goes to the target with parameters (`build::query_with`). Only while the
    /// conversation is quiet: its Sync would end what the target skips for the client.
    pub fn forward_query_with(&mut self, exchange: X) -> Result<(), WireError> {
        if !self.is_quiet() {
            return Err(WireError::Unexpected { what: "a query with parameters in a pipeline" });
        }
        self.expect(Expected::Query { exchange, may_copy: false, given: true })
    }

    /// A function call goes to the target.
    pub fn forward_function(&mut self, exchange: X) -> Result<(), WireError> {
        self.expect(Expected::Function { exchange })
    }

    /// A statement to prepare goes to the target.
    pub fn forward_parse(
        &mut self,
        name: &[u8],
        statement: S,
        declared: Vec<u32>,
        exchange: X,
    ) -> Result<(), WireError> {
        let prepared = Rc::new(Prepared::new(statement, declared));
        let proposal = self.prepared.propose(name, Some(prepared.clone()));
        self.expect(Expected::Parse { exchange, name: name.to_vec(), proposal, prepared })
    }

    /// A Bind goes to the target.
    pub fn forward_bind(&mut self, name: &[u8], portal: Portal<S, X, D>) -> Result<(), WireError> {
        let portal = Rc::new(portal);
        let proposal = self.portals.propose(name, Some(portal.clone()));
        self.expect(Expected::Bind { name: name.to_vec(), proposal, portal })
    }

    /// An Execute goes to the target, after an injected Describe where one was asked for. Where it
    /// may copy, a Flush must follow it, so that the target says at once whether it does.
    pub fn forward_execute(
        &mut self,
        portal: Rc<Portal<S, X, D>>,
        inject: bool,
        may_copy: bool,
    ) -> Result<(), WireError> {
        if inject {
            portal.described.set(true);
            self.expect(Expected::Describe {
                of: Described::Portal(portal.clone()),
                injected: true,
            })?;
        }
        self.expect(Expected::Execute { portal, may_copy })
    }

    /// A message that certainly errors goes to the target in place of a refused one; `simple` is
    /// one that the target answers with ReadyForQuery by itself.
    pub fn forward_refused(&mut self, exchange: X, simple: bool) -> Result<(), WireError> {
        self.expect(Expected::Refused { exchange, simple })
    }

    /// The Describe of an unknown name goes to the target, with a message behind it that errors.
    ///
    /// # Errors
    /// As for the other `forward_` functions.
    pub fn forward_unknown(&mut self, exchange: X) -> Result<(), WireError> {
        self.expect(Expected::Unknown { exchange })
    }

    /// SQL's own PREPARE, DEALLOCATE (`None`: ALL) or DISCARD touched names: what the target keeps
    /// under them is not known here any more, so they mean nothing.
    pub fn undefine(&mut self, name: Option<&[u8]>) {
        self.prepared.undefine(name);
    }

    /// SQL's own DECLARE, CLOSE or DISCARD touched portals: none of them is known here any more.
    pub fn undefine_portals(&mut self) {
        self.portals.undefine(None);
    }
}
