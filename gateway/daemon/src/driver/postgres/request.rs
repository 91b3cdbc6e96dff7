//! The client's direction: every message is passed by the closed list, asked about, or refused.

mod given;
mod unknown;

use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::sync::Arc;

use weir_model::entry::{AnswerPart, PartKind};
use weir_model::{Entry, Refusal, limits};
use weir_wire::WireError;
use weir_wire::postgres::build;
use weir_wire::postgres::conversation::{ClientStep, Portal};
use weir_wire::postgres::frontend::{self, Frontend, FunctionCall, Kind};
use weir_wire::postgres::lists::Cells;
use weir_wire::postgres::{Frame, Side as From, frame, refuse};

use super::ask::{Asking, Phase};
use super::judged::may_copy_in;
use super::lane::{Exchange, Judged, Lane};
use super::parting;
use crate::driver::buffer::{self, Buffer};
use crate::driver::stream::Side;
use crate::flow::gate::{Burst, Permit};
use crate::flow::services::now_us;
use crate::record::RecordError;
use unknown::Unknown;

/// Why the direction ended.
enum End {
    Client(String),
    Target(String),
    Wire(WireError),
    Record(RecordError),
    Memory(io::Error),
    Goodbye,
}

impl std::convert::From<WireError> for End {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

/// Pumps requests until one side is gone; says why.
pub async fn pump(lane: &Lane, client: Side, buffer: Buffer, target: Side) -> String {
    let mut requests = Requests { lane, client, target, buffer, burst: Burst::default() };
    let end = loop {
        if let Err(end) = requests.turn().await {
            break end;
        }
    };
    let (code, told, why) = match end {
        End::Goodbye => return "client closed".to_owned(),
        End::Client(why) => return format!("client: {why}"),
        End::Target(why) => return format!("target: {why}"),
        End::Wire(error) => (
            "08P01",
            format!("protocol violation: {error}"),
            format!("protocol violation by the client: {error}"),
        ),
        End::Memory(error) => ("53200", error.to_string(), error.to_string()),
        End::Record(error) => {
            let message = super::unrecorded(&error).message;
            ("53100", message.clone(), message)
        }
    };
    Box::pin(parting::complain(&requests.client, code, told)).await;
    why
}

struct Requests<'a> {
    lane: &'a Lane,
    client: Side,
    target: Side,
    buffer: Buffer,
    burst: Burst,
}

impl Requests<'_> {
    /// Handles all whole messages that are there, forwards them, and reads more.
    async fn turn(&mut self) -> Result<(), End> {
        let wanted = loop {
            let found = frame::peek(self.buffer.unread(), From::Client)?;
            let Some(Frame { len, .. }) = found else { break 1 };
            if len > limits::MESSAGE_BYTES {
                let what = "a request that is too long";
                return Err(WireError::Unexpected { what }.into());
            }
            let have = self.buffer.unread().len();
            if have < len {
                break len - have;
            }
            self.wait_for_target().await?;
            // The buffer steps aside, so that its bytes can be read while the rest is changed.
            let mut buffer = std::mem::take(&mut self.buffer);
            let message = buffer.unread().get(..len).unwrap_or_default();
            let handled = self.message(message).await;
            buffer.consume(len);
            self.buffer = buffer;
            handled?;
            if self.burst.len() > limits::READ_BYTES {
                self.forward().await?;
            }
        };
        self.forward().await?;
        match self.client.read(&mut self.buffer, wanted).await {
            Ok(0) => Err(End::Goodbye),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::OutOfMemory => Err(End::Memory(error)),
            Err(error) => Err(End::Client(error.to_string())),
        }
    }

    /// While the target may be about to take messages as COPY data, nothing overtakes; and who has
    /// asked much waits until some of it is answered.
    async fn wait_for_target(&mut self) -> Result<(), End> {
        while self.lane.talk.borrow_mut().must_wait() {
            self.forward().await?;
            tokio::select! {
                () = self.lane.progress.notified() => {}
                () = self.client.gone() => return Err(End::Goodbye),
            }
        }
        Ok(())
    }

    async fn message(&mut self, message: &[u8]) -> Result<(), End> {
        let parsed = frontend::parse(message)?;
        let age = self.lane.age();
        let step = self.lane.talk.borrow_mut().client(&parsed, age)?;
        match step {
            ClientStep::Pass => {
                if let Frontend::Close { kind: Kind::Statement, name } = &parsed {
                    self.lane.blur_name(name);
                }
                self.burst.pass(message);
            }
            ClientStep::Drop => {}
            ClientStep::CopyIn(exchange) => self.copy_in(&exchange, message),
            ClientStep::Query(text) => self.query(text, message).await?,
            ClientStep::Parse { name, text } => self.parse(&parsed, name, text, message).await?,
            ClientStep::Bind { prepared, portal, formats, parameters, result_formats } => {
                let values = parameters.iter().enumerate();
                let shown = values.map(|(place, value)| shown(value?, formats.of(place)));
                let shown = shown.collect();
                // Decided again at each execution: the policy may be another by now.
                let judged = self.lane.judge(&prepared.statement.bytes);
                let judged = self.lane.guard(judged, &prepared.declared).await;
                let asking = self.ask(judged, shown, Phase::Run).await?;
                if self.goes_on(&asking, false, refuse::substitute_execute)? {
                    let given = self.with_values(&asking, &prepared.declared, &parsed).await?;
                    let exchange = asking.exchange.clone();
                    self.lane.note_notifications(&exchange.judged, parameters);
                    let formats = result_formats.iter().collect();
                    let lot = Portal::new(prepared, exchange, formats, self.lane.age());
                    self.lane.talk.borrow_mut().forward_bind(portal, lot)?;
                    self.go(asking, given.as_deref().unwrap_or(message));
                }
            }
            ClientStep::BindUnknown(name) => self.unknown_name(Unknown::Statement, name)?,
            ClientStep::ExecuteUnknown(name) => self.unknown_name(Unknown::Portal, name)?,
            ClientStep::Execute { portal, inject } => {
                self.execute(&parsed, portal, inject, message)?
            }
            ClientStep::Function(call) => self.function(&call, message).await?,
            ClientStep::Terminate => {
                self.forward().await?;
                return Err(End::Goodbye);
            }
        }
        Ok(())
    }

    async fn query(&mut self, text: &[u8], message: &[u8]) -> Result<(), End> {
        let judged = self.lane.guard(self.lane.judge(text), &[]).await;
        let asking = self.ask(judged, Vec::new(), Phase::Run).await?;
        if self.goes_on(&asking, true, refuse::substitute_query)? {
            let copies = may_copy_in(&asking.exchange.judged);
            let exchange = asking.exchange.clone();
            self.lane.note_notifications(&exchange.judged, Cells::default());
            if !copies && let Some(given) = self.with_parameters(&asking).await? {
                self.lane.talk.borrow_mut().forward_query_with(exchange)?;
                self.go(asking, &given);
                return Ok(());
            }
            self.lane.talk.borrow_mut().forward_query(exchange, copies)?;
            self.go(asking, message);
        }
        Ok(())
    }

    async fn parse(
        &mut self,
        parsed: &Frontend<'_>,
        name: &[u8],
        text: &[u8],
        message: &[u8],
    ) -> Result<(), End> {
        let types: Vec<u32> = match parsed {
            Frontend::Parse { types, .. } => types.iter().collect(),
            _ => Vec::new(),
        };
        let judged = self.lane.guard(self.lane.judge(text), &types).await;
        let asking = self.ask(judged.clone(), Vec::new(), Phase::Prepare).await?;
        if self.goes_on(&asking, false, |out| refuse::substitute_parse(name, types.clone(), out))? {
            let exchange = asking.exchange.clone();
            self.lane.talk.borrow_mut().forward_parse(name, judged, types, exchange)?;
            self.lane.blur_name(name);
            self.go(asking, message);
        }
        Ok(())
    }

    fn execute(
        &mut self,
        parsed: &Frontend<'_>,
        portal: Rc<super::lane::Lot>,
        inject: bool,
        message: &[u8],
    ) -> Result<(), End> {
        let copies = may_copy_in(&portal.exchange.judged);
        let name = match parsed {
            Frontend::Execute { portal, .. } => *portal,
            _ => &[],
        };
        if inject {
            let mut describe = Vec::new();
            build::describe(Kind::Portal, name, &mut describe)?;
            self.burst.pass(&describe);
        }
        self.lane.talk.borrow_mut().forward_execute(portal, inject, copies)?;
        self.burst.pass(message);
        if copies {
            self.burst.make(build::flush);
        }
        Ok(())
    }

    /// An approval of a call is bound to the number and the arguments, like one of a statement.
    async fn function(&mut self, call: &FunctionCall<'_>, message: &[u8]) -> Result<(), End> {
        let judged = self.lane.judge_function(call.oid);
        let values = call.arguments.iter().enumerate();
        let arguments =
            values.map(|(place, value)| shown(value?, call.formats.of(place))).collect();
        let asking = self.ask(judged, arguments, Phase::Run).await?;
        let substitute = |out: &mut Vec<u8>| {
            refuse::substitute_function_call(out);
            Ok(())
        };
        if self.goes_on(&asking, true, substitute)? {
            let exchange = asking.exchange.clone();
            self.lane.talk.borrow_mut().forward_function(exchange)?;
            self.go(asking, message);
        }
        Ok(())
    }

    /// A name that Weir does not know may be known to the target from SQL; what stands behind it was
    /// never asked about under that name. So the target is only asked to describe it: if it does not know
    /// the name, it says so in its own words, and if it does, the message behind is refused.
    fn unknown_name(&mut self, what: Unknown, name: &[u8]) -> Result<(), End> {
        let kind = what.kind();
        let refusal = Refusal {
            rule: "weir.unknown-name".to_owned(),
            message: format!("{kind} does not exist here"),
            instead: format!("make the {kind} by the protocol, not by SQL"),
        };
        let asking = self.lane.refuse_own(what.message(), refusal, what.code());
        let mut message = Vec::new();
        build::describe(what.described(), name, &mut message)?;
        refuse::substitute_execute(&mut message)?;
        self.burst.note(asking.entry, &[]);
        self.burst.pass(&message);
        self.lane.talk.borrow_mut().forward_unknown(asking.exchange)?;
        Ok(())
    }

    /// Asks; what was asked before goes on its way first if this one has to wait.
    async fn ask(
        &mut self,
        judged: Rc<Judged>,
        parameters: Vec<Option<Vec<u8>>>,
        phase: Phase,
    ) -> Result<Asking, End> {
        if !judged.charge(self.lane.share()) {
            return Err(End::Memory(buffer::full()));
        }
        let waits = matches!(judged.decision.verdict, weir_model::Verdict::Hold(_));
        if waits && phase == Phase::Run {
            self.forward().await?;
        }
        Ok(self.lane.ask(judged, parameters, phase, &self.client).await)
    }

    /// Whether a request goes on; if not, its substitute does, and its refusal is on record.
    fn goes_on(
        &mut self,
        asking: &Asking,
        simple: bool,
        substitute: impl FnOnce(&mut Vec<u8>) -> Result<(), WireError>,
    ) -> Result<bool, End> {
        if asking.exchange.refusal.is_none() {
            // Before its own portal or name is noted, which it does not touch.
            if asking.exchange.prepare {
                self.lane.note_computed(&asking.exchange.judged);
            } else {
                self.lane.note_effects(&asking.exchange.judged);
            }
            return Ok(true);
        }
        self.burst.note(asking.entry.clone(), &[]);
        let mut message = Vec::new();
        substitute(&mut message)?;
        self.burst.pass(&message);
        self.lane.talk.borrow_mut().forward_refused(asking.exchange.clone(), simple)?;
        Ok(false)
    }

    fn go(&mut self, asking: Asking, message: &[u8]) {
        asking.exchange.forwarded_us.set(Some(now_us()));
        self.burst.ask(asking.entry, message);
    }

    fn copy_in(&mut self, exchange: &Exchange, message: &[u8]) {
        let part = exchange.parts.get();
        exchange.parts.set(part + 1);
        let entry = Entry::AnswerPart(AnswerPart {
            exchange: exchange.id,
            flow: self.lane.flow,
            part,
            at_us: now_us(),
            kind: PartKind::CopyIn,
            formats: Arc::default(),
        });
        self.burst.note(entry, message.get(5..).unwrap_or_default());
        self.burst.pass(message);
    }

    /// Puts the burst on record, and only then sends it.
    async fn forward(&mut self) -> Result<(), End> {
        if self.burst.is_empty() {
            return Ok(());
        }
        let burst = std::mem::take(&mut self.burst);
        let permit: Permit = self.lane.gate.commit(burst).await.map_err(End::Record)?;
        let sent = tokio::select! {
            biased;
            sent = self.target.write(permit.bytes()) => sent,
            // A target that takes nothing would keep what nobody waits for any more.
            () = self.client.gone() => return Err(End::Goodbye),
        };
        self.burst = permit.recycle();
        sent.map_err(|error| End::Target(error.to_string()))
    }
}

/// A parameter as the record and a hold's binding see it; a binary one as hex.
fn shown(value: &[u8], format: Option<i16>) -> Option<Vec<u8>> {
    if format.unwrap_or(0) == 0 {
        return Some(value.to_vec());
    }
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0') as u8;
    let digits = value.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    Some(b"\\x".iter().copied().chain(digits).collect())
}
