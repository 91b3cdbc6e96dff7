//! The target's direction: rows are masked, everything is on record before it is delivered.

mod aside;
mod rows;

use std::io::{self, ErrorKind};
use std::rc::Rc;

use weir_model::{Entry, limits};
use weir_wire::WireError;
use weir_wire::postgres::backend::{self, Backend};
use weir_wire::postgres::build;
use weir_wire::postgres::conversation::TargetStep;
use weir_wire::postgres::{Side as From, Transaction, command_tag, frame, refuse};

use super::catalogue;
use super::delivery::{Out, status};
use super::judged::may_copy_out;
use super::lane::{Exchange, Lane, of_whom};
use super::parting;
use super::quote;
use super::shape;
use crate::driver::buffer::Buffer;
use crate::driver::stream::Side;
use crate::flow::services::now_us;
use crate::record::RecordError;

enum End {
    Client(String),
    Target(String),
    Wire(WireError),
    Record(RecordError),
    Memory(io::Error),
    /// A row that can't be masked is not delivered.
    Mask(String),
}

impl std::convert::From<WireError> for End {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

/// Pumps answers until one side is gone; says why.
pub async fn pump(lane: &Lane, target: Side, buffer: Buffer, client: Side) -> String {
    let (out, cell) = (Out::default(), Vec::new());
    let mut answers = Answers { lane, target, client, buffer, out, cell };
    let end = loop {
        if let Err(end) = answers.turn().await {
            break end;
        }
    };
    let (code, why) = match end {
        End::Client(why) => return format!("client: {why}"),
        End::Target(why) => return format!("target: {why}"),
        End::Wire(error) => ("08P01", format!("protocol violation by the target: {error}")),
        End::Memory(error) => ("53200", error.to_string()),
        End::Record(error) => ("53100", super::unrecorded(&error).message),
        End::Mask(why) => ("42501", format!("an answer could not be masked: {why}")),
    };
    Box::pin(parting::complain(&answers.client, code, why.clone())).await;
    why
}

struct Answers<'a> {
    lane: &'a Lane,
    target: Side,
    client: Side,
    buffer: Buffer,
    out: Out,
    /// Room for a cell that is being hidden.
    cell: Vec<u8>,
}

impl Answers<'_> {
    /// Handles all whole messages that are there, records and delivers them, and reads more.
    async fn turn(&mut self) -> Result<(), End> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let handled = self.messages(&mut buffer).await;
        self.buffer = buffer;
        let wanted = match handled {
            Ok(wanted) => wanted,
            // What came before the fault is still an answer.
            Err(end) => return self.deliver().await.and(Err(end)),
        };
        self.deliver().await?;
        self.lane.progress.notify_one();
        tokio::select! {
            read = self.target.read(&mut self.buffer, wanted) => match read {
                Ok(0) => Err(End::Target("closed".to_owned())),
                Ok(_) => Ok(()),
                Err(error) if error.kind() == ErrorKind::OutOfMemory => Err(End::Memory(error)),
                Err(error) => Err(End::Target(error.to_string())),
            },
            () = self.lane.aside_waits.notified() => Ok(()),
        }
    }

    /// Handles whole messages; returns how many more bytes the next one wants.
    async fn messages(&mut self, buffer: &mut Buffer) -> Result<usize, End> {
        loop {
            let Some(found) = frame::peek(buffer.unread(), From::Target)? else { return Ok(1) };
            if found.len > limits::MESSAGE_BYTES {
                return Err(End::Mask("a row is larger than can be held".to_owned()));
            }
            let Some((message, behind)) = buffer.unread().split_at_checked(found.len) else {
                return Ok(found.len - buffer.unread().len());
            };
            if self.out.bytes.len() + found.len > limits::ANSWER_PART_BYTES {
                self.deliver().await?;
            }
            let more = self.message(message, behind).await?;
            buffer.consume(found.len + more);
        }
    }

    /// Handles a message, and what follows it `behind` if that is more of the same; returns how much of
    /// that it was.
    async fn message(&mut self, message: &[u8], behind: &[u8]) -> Result<usize, End> {
        let parsed = backend::parse(message)?;
        let step = self.lane.talk.borrow_mut().target(&parsed)?;
        match step {
            TargetStep::Aside => {
                if matches!(parsed, Backend::Notice(_) | Backend::Notification { .. }) {
                    catalogue::refresh(self.lane).await;
                }
                self.aside(&parsed, message);
            }
            TargetStep::Swallow => {}
            TargetStep::Shape { of, exchange, swallow } => {
                let Backend::RowDescription(description) = &parsed else { return Ok(0) };
                let judged = match (&exchange, &of) {
                    (Some(exchange), _) => exchange.judged.clone(),
                    (None, Some(of)) => of_whom(of),
                    // Nobody's rows will follow this.
                    (None, None) => {
                        self.out.bytes.extend_from_slice(message);
                        return Ok(0);
                    }
                };
                let silent = exchange.as_ref().is_some_and(|exchange| exchange.is_silent());
                let shape = shape::of(self.lane, message, description, &judged, silent).await;
                let shape = shape.map_err(End::Mask)?;
                if let Some(of) = &of {
                    of.keep(shape.clone());
                }
                let start = self.out.bytes.len();
                if !swallow {
                    self.out.bytes.extend_from_slice(message);
                }
                if let Some(exchange) = exchange {
                    *exchange.shape.borrow_mut() = Some(shape);
                    self.part(&exchange, start);
                }
            }
            TargetStep::Row(exchange) => return self.rows(&exchange, None, message, behind),
            TargetStep::PortalRow(portal) => {
                return self.rows(&portal.exchange, Some(&portal), message, behind);
            }
            TargetStep::Part(exchange) => match parsed {
                Backend::CopyData(_) => return self.copied(&exchange, message, behind),
                _ => self.other_part(&exchange, &parsed, message)?,
            },
            TargetStep::Suspended(exchange) => {
                exchange.suspended.set(true);
                self.copy(&exchange, message);
            }
            TargetStep::Ended(exchange) => {
                self.completed(&exchange, &parsed);
                self.copy(&exchange, message);
            }
            TargetStep::Done(exchange) => {
                self.completed(&exchange, &parsed);
                self.copy(&exchange, message);
                self.out.end(&exchange, self.lane.flow, status(&exchange));
            }
            TargetStep::Failed { exchange, refused, skipped } => {
                catalogue::refresh(self.lane).await;
                self.failed(exchange, refused, &skipped, &parsed, message);
            }
            TargetStep::Ready(exchange) => self.ready(exchange, message),
        }
        Ok(0)
    }

    fn part(&mut self, exchange: &Rc<Exchange>, start: usize) {
        if exchange.first_us.get().is_none() {
            exchange.first_us.set(Some(now_us()));
        }
        self.out.belongs(exchange, start);
    }

    fn copy(&mut self, exchange: &Rc<Exchange>, message: &[u8]) {
        let start = self.out.bytes.len();
        self.out.bytes.extend_from_slice(message);
        self.part(exchange, start);
    }

    /// What COPY begins and ends with, or the result of a function.
    fn other_part(
        &mut self,
        exchange: &Rc<Exchange>,
        parsed: &Backend<'_>,
        message: &[u8],
    ) -> Result<(), End> {
        match parsed {
            Backend::CopyOut { .. } | Backend::CopyBoth { .. }
                if !may_copy_out(&exchange.judged) =>
            {
                Err(WireError::Unexpected { what: "COPY data" }.into())
            }
            Backend::FunctionResult(Some(value)) if shape::found_in(self.lane, value) => {
                let why = "a function's result holds what has to be hidden";
                Err(End::Mask(why.to_owned()))
            }
            _ => {
                self.copy(exchange, message);
                Ok(())
            }
        }
    }

    fn completed(&self, exchange: &Exchange, parsed: &Backend<'_>) {
        *exchange.shape.borrow_mut() = None;
        if let Backend::CommandComplete(tag) = parsed {
            exchange.ended.set(exchange.ended.get() + 1);
            let (verb, rows) = command_tag(tag);
            if verb == b"COMMIT" && self.lane.schema_changes.get() {
                // Others see what it changed while more of the same message runs.
                self.lane.schema_changed(self.lane.planted.get());
            }
            let changes = !matches!(verb, b"SELECT" | b"FETCH" | b"MOVE");
            if let (Some(rows), true) = (rows, changes) {
                exchange.affected.set(Some(exchange.affected.get().unwrap_or(0) + rows));
            }
        }
    }

    fn failed(
        &mut self,
        exchange: Option<Rc<Exchange>>,
        refused: bool,
        skipped: &[Rc<Exchange>],
        parsed: &Backend<'_>,
        message: &[u8],
    ) {
        let Backend::Error(fields) = parsed else { return };
        let start = self.out.bytes.len();
        let code = fields.get(b'C').unwrap_or_default();
        let substituted = match self.lane.replication {
            None => refuse::is_substitutes,
            Some(_) => refuse::is_substitutes_for_walsender,
        };
        let refusal = exchange.as_ref().and_then(|exchange| exchange.refusal.as_ref());
        match refusal {
            Some((refusal, sqlstate)) if refused && substituted(code) => {
                let hash = self.lane.live().policy.hash().clone();
                let mut with = refuse::refusal(refusal, &hash);
                with.code = sqlstate;
                build::rewrite_error(fields, &with, &mut self.out.bytes);
            }
            // The target does not know the name either, and quotes nothing but what the client said.
            Some((_, sqlstate)) if !refused && code == sqlstate.as_bytes() => {
                self.out.bytes.extend_from_slice(message);
            }
            _ => {
                let judged = exchange.as_ref().map(|exchange| exchange.judged.as_ref());
                let clean = quote::clean_fields(self.lane, b'E', fields, judged);
                self.out.bytes.extend_from_slice(clean.as_deref().unwrap_or(message));
            }
        }
        if let Some(exchange) = exchange {
            let code = String::from_utf8_lossy(code).into_owned();
            let code = if refused { "42501".to_owned() } else { code };
            *exchange.error_code.borrow_mut() = Some(code);
            self.part(&exchange, start);
            let status = if refused { "refused" } else { "error" };
            self.out.end(&exchange, self.lane.flow, status);
        }
        for exchange in skipped {
            self.out.end(exchange, self.lane.flow, "aborted");
        }
    }

    fn ready(&mut self, exchange: Option<Rc<Exchange>>, message: &[u8]) {
        if let Some(exchange) = exchange {
            self.out.end(&exchange, self.lane.flow, status(&exchange));
        }
        // Only now do other sessions see what this one changed.
        let idle = self.lane.talk.borrow().transaction() == Transaction::Idle;
        let quiet = self.lane.talk.borrow().is_quiet();
        if idle && self.lane.schema_changes.get() {
            let plants = self.lane.planted.get();
            // What is on its way may be the next transaction that changes it.
            self.lane.schema_changes.set(!quiet);
            self.lane.planted.set(plants && !quiet);
            self.lane.schema_changed(plants);
        }
        if quiet {
            // Portals that nobody will run any more: in a transaction they may be read on.
            let gone = |exchange: &mut Rc<Exchange>| idle || Rc::strong_count(exchange) == 1;
            for exchange in self.lane.open.borrow_mut().extract_if(.., gone) {
                if exchange.forwarded_us.get().is_some() {
                    let status = if exchange.suspended.get() { "ok" } else { "aborted" };
                    self.out.end(&exchange, self.lane.flow, status);
                }
            }
        }
        self.out.bytes.extend_from_slice(message);
    }

    /// Puts what is about to be delivered on record, and only then delivers it.
    async fn deliver(&mut self) -> Result<(), End> {
        let mut aside = std::mem::take(&mut *self.lane.aside.borrow_mut());
        if self.out.bytes.is_empty() && self.out.ends.is_empty() && aside.is_empty() {
            return Ok(());
        }
        let mut out = std::mem::take(&mut self.out);
        let entries = out.entries(self.lane);
        let items: Vec<(&Entry, &[u8])> =
            entries.iter().map(|(entry, range)| (entry, out.part(range))).collect();
        self.lane.gate.record(&items).await.map_err(End::Record)?;
        aside.extend_from_slice(&out.bytes);
        let bytes = if aside.len() == out.bytes.len() { &out.bytes } else { &aside };
        let sent = self.client.write(bytes).await;
        out.bytes.clear();
        // A large row does not keep its memory.
        out.bytes.shrink_to(2 * limits::ANSWER_PART_BYTES);
        out.parts.clear();
        self.out = Out { bytes: out.bytes, parts: out.parts, ends: Vec::new() };
        sent.map_err(|error| End::Client(error.to_string()))
    }
}
