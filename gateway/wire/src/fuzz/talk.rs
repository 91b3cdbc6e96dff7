//! A conversation whose two ends say anything at any time, as the input says.

use std::collections::BTreeSet;

use weir_model::limits;

use crate::WireError;
use crate::postgres::backend::Backend;
use crate::postgres::conversation::{ClientStep, Conversation, Portal, TargetStep};
use crate::postgres::{ErrorFields, Kind, Severity, Transaction, backend, build, frontend};

/// Names of statements and portals.
const NAMES: [&[u8]; 3] = [b"", b"a", b"b"];
/// The first byte of a step is the target's where this is set.
const TARGET: u8 = 0x80;
/// Of the second byte: the request is refused.
const REFUSED: u8 = 0x80;
/// Of the second byte: it may copy.
const COPIES: u8 = 0x40;
/// Of the second byte: it goes as messages of the extended protocol.
const GIVEN: u8 = 0x20;

/// What opened an exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opened {
    /// A message that ReadyForQuery answers.
    Simple,
    /// One that has one answer before that.
    Once,
    /// A Bind, whose portal may run many times.
    Bind,
}

#[derive(Clone, Copy)]
struct Exchange {
    number: u32,
    by: Opened,
    refused: bool,
}

#[derive(Default)]
struct Ends {
    talk: Conversation<u32, Exchange, ()>,
    asked: u32,
    /// Exchanges that nothing may answer any more.
    over: BTreeSet<u32>,
}

/// Reads the input as steps of two bytes: who says what, and about which name; until one of them says what
/// it may not. Nothing that was refused has an answer, nothing is answered after its end, and what is
/// kept is bounded.
pub fn talk(data: &[u8]) {
    let mut ends = Ends::default();
    if data.first().is_some_and(|first| first & 1 == 1) {
        ends.talk.replicate();
    }
    for [who, what] in data.get(1..).unwrap_or_default().as_chunks::<2>().0 {
        let goes_on = match who & TARGET {
            0 => ends.client(*who, *what),
            _ => ends.target(who & !TARGET),
        };
        if goes_on.is_err() {
            break;
        }
    }
    let open = ends.talk.open_exchanges();
    assert!(open.len() <= limits::PIPELINE);
    assert!(open.iter().all(|exchange| !ends.over.contains(&exchange.number)));
}

impl Ends {
    fn client(&mut self, who: u8, what: u8) -> Result<(), WireError> {
        if self.talk.must_wait() {
            return Ok(());
        }
        let name = NAMES[usize::from(what) % NAMES.len()];
        let message = request(who, name)?;
        let parsed = frontend::parse(&message)?;
        let (copies, refused) = (what & COPIES != 0, what & REFUSED != 0);
        match self.talk.client(&parsed, 0)? {
            ClientStep::Pass | ClientStep::Drop => Ok(()),
            ClientStep::CopyIn(exchange) => {
                self.is_answered(exchange);
                Ok(())
            }
            ClientStep::Query(_) | ClientStep::Function(_) if refused => {
                let exchange = self.open(Opened::Simple, true);
                self.talk.forward_refused(exchange, true)
            }
            ClientStep::Parse { .. } | ClientStep::Bind { .. } if refused => {
                let exchange = self.open(Opened::Once, true);
                self.talk.forward_refused(exchange, false)
            }
            ClientStep::Query(_) => {
                let exchange = self.open(Opened::Simple, false);
                match what & GIVEN != 0 && self.talk.is_quiet() {
                    true => self.talk.forward_query_with(exchange),
                    false => self.talk.forward_query(exchange, copies),
                }
            }
            ClientStep::Function(_) => {
                let exchange = self.open(Opened::Simple, false);
                self.talk.forward_function(exchange)
            }
            ClientStep::Parse { name, .. } => {
                let exchange = self.open(Opened::Once, false);
                self.talk.forward_parse(name, exchange.number, Vec::new(), exchange)
            }
            ClientStep::Bind { prepared, portal, .. } => {
                let exchange = self.open(Opened::Bind, false);
                self.talk.forward_bind(portal, Portal::new(prepared, exchange, Vec::new(), 0))
            }
            ClientStep::BindUnknown(_) | ClientStep::ExecuteUnknown(_) => {
                let exchange = self.open(Opened::Once, true);
                self.talk.forward_unknown(exchange)
            }
            ClientStep::Execute { portal, inject } => {
                self.talk.forward_execute(portal, inject, copies)
            }
            ClientStep::Terminate => Err(WireError::Unexpected { what: "anything after that" }),
        }
    }

    fn target(&mut self, what: u8) -> Result<(), WireError> {
        let message = answer(what)?;
        let parsed = backend::parse(&message)?;
        let step = self.talk.target(&parsed)?;
        if matches!(parsed, Backend::DataRow(_) | Backend::CopyData(_)) {
            // The gateway does not ask of each in a run of them.
            let again = self.talk.target(&parsed)?;
            assert!(is_of(&step).is_some() && is_of(&step) == is_of(&again));
        }
        match step {
            TargetStep::Aside | TargetStep::Swallow | TargetStep::Ready(None) => {}
            TargetStep::Shape { of, exchange, .. } => {
                of.iter().for_each(|of| of.keep(()));
                exchange.into_iter().for_each(|exchange| self.is_answered(exchange));
            }
            TargetStep::Row(exchange)
            | TargetStep::Part(exchange)
            | TargetStep::Suspended(exchange)
            | TargetStep::Ended(exchange) => self.is_answered(exchange),
            TargetStep::PortalRow(portal) => self.is_answered(portal.exchange),
            TargetStep::Done(exchange) => {
                self.is_answered(exchange);
                self.ends(exchange);
            }
            TargetStep::Failed { exchange, refused, skipped } => {
                assert!(!refused || exchange.is_some_and(|exchange| exchange.refused));
                exchange.into_iter().chain(skipped).for_each(|exchange| self.ends(exchange));
            }
            TargetStep::Ready(Some(exchange)) => {
                assert!(exchange.by == Opened::Simple && self.over.insert(exchange.number));
            }
        }
        Ok(())
    }

    fn open(&mut self, by: Opened, refused: bool) -> Exchange {
        self.asked += 1;
        Exchange { number: self.asked, by, refused }
    }

    fn is_answered(&self, exchange: Exchange) {
        assert!(!exchange.refused, "something that was refused has an answer");
        assert!(!self.over.contains(&exchange.number), "something is answered after its end");
    }

    /// What ends with its one answer does so once.
    fn ends(&mut self, exchange: Exchange) {
        if exchange.by == Opened::Once {
            assert!(self.over.insert(exchange.number), "something ended twice");
        }
    }
}

/// The exchange whose answer a row or a piece of COPY data is part of.
fn is_of(step: &TargetStep<u32, Exchange, ()>) -> Option<u32> {
    match step {
        TargetStep::Row(exchange) | TargetStep::Part(exchange) => Some(exchange.number),
        TargetStep::PortalRow(portal) => Some(portal.exchange.number),
        _ => None,
    }
}

fn request(who: u8, name: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut message = Vec::new();
    let out = &mut message;
    match who % 15 {
        0 => build::query(b"select 1", out)?,
        1 => build::parse(name, b"select 1", [], out)?,
        2 => build::bind(name, name, [], [], [], out)?,
        3 => build::bind(b"", name, [1], [Some(b"1".as_slice())], [1], out)?,
        4 => build::describe(Kind::Statement, name, out)?,
        5 => build::describe(Kind::Portal, name, out)?,
        6 => build::execute(name, 0, out)?,
        7 => build::execute(name, 2, out)?,
        8 => build::close(Kind::Statement, name, out)?,
        9 => build::close(Kind::Portal, name, out)?,
        10 => build::sync(out),
        11 => build::copy_data(b"1\n", out)?,
        12 => build::copy_done(out),
        13 => raw(b'F', &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0], out),
        _ => build::copy_fail(b"no", out)?,
    }
    Ok(message)
}

fn answer(what: u8) -> Result<Vec<u8>, WireError> {
    let mut message = Vec::new();
    let out = &mut message;
    match what % 20 {
        0 => build::ready_for_query(Transaction::Idle, out),
        1 => build::ready_for_query(Transaction::Open, out),
        2 => build::row_description([], out)?,
        3 => build::data_row([], out)?,
        4 => build::command_complete(b"SELECT 1", out)?,
        5 => raw(b'1', &[], out),
        6 => raw(b'2', &[], out),
        7 => raw(b'3', &[], out),
        8 => raw(b'n', &[], out),
        9 => raw(b't', &[0, 0], out),
        10 => raw(b's', &[], out),
        11 => raw(b'I', &[], out),
        12 => raw(b'G', &[0, 0, 0], out),
        13 => raw(b'H', &[0, 0, 0], out),
        14 => raw(b'W', &[0, 0, 0], out),
        15 => build::copy_data(b"1\n", out)?,
        16 => build::copy_done(out),
        17 => raw(b'V', &[0, 0, 0, 1, b'1'], out),
        18 => build::notification(7, b"jobs", b"1", out)?,
        _ => build::error_response(&failure(), out),
    }
    Ok(message)
}

fn failure() -> ErrorFields {
    let message = "no".to_owned();
    ErrorFields { severity: Severity::Error, code: "42601", message, detail: None, hint: None }
}

fn raw(tag: u8, body: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    out.extend_from_slice(body);
}
