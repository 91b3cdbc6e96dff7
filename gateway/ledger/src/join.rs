//! From entries to rows: an exchange is made from its request, the parts of its answer and its end.
//!
//! Entries are fed in the order of their index. What is not complete yet is the *carry*, which is
//! kept between two runs, so that the same entries make the same rows however they are cut up.
//! When a later life of the gateway begins, what an earlier one left open is closed as `unknown`.

mod begin;
mod carry;
mod part;
mod words;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;
use weir_model::entry::{
    Answered, Entry, Event, FlowClosed, FlowOpened, HoldOpened, HoldSettled, Request,
    SessionClosed, SessionOpened,
};
use weir_model::{FlowId, SessionId};

use crate::answer;
use crate::coverage;
use crate::frame::{Frame, FrameError, Logged};
use crate::rows::{Actor, EventRow, ExchangeRow, HoldRow, Rows, SessionRow};
use crate::time::Time;

use begin::Statement;
pub use carry::Carry;
use carry::{OpenExchange, OpenFlow, OpenSession};
use words::Words;

/// An approval that nobody used is forgotten so long after it ran out.
const APPROVAL_KEPT_US: i64 = 24 * 3600 * 1_000_000;

/// Why an entry could not be joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The index is not the one that follows.
    #[error("joining entry {found} after entry {last}")]
    Order {
        /// The last index fed.
        last: u64,
        /// The one that came.
        found: u64,
    },
    /// The entry could not be read.
    #[error("reading entry {index}: {source}")]
    Entry {
        /// Its index.
        index: u64,
        /// What went wrong.
        source: FrameError,
    },
}

/// Makes rows from entries.
pub struct Joiner {
    carry: Carry,
    /// The statements of this segment, by the index of the entry that has them in full.
    statements: HashMap<u64, Arc<Statement>>,
    words: Words,
    rows: Rows,
    weight: usize,
}

impl Joiner {
    /// Goes on from where `carry` ends.
    pub fn new(carry: Carry) -> Self {
        let (statements, words) = (HashMap::new(), Words::default());
        Self { carry, statements, words, rows: Rows::default(), weight: 0 }
    }

    /// Begins a segment written by the life `boot` of the gateway on `host`.
    pub fn segment(&mut self, boot: u64, host: &str) {
        if self.carry.boot != boot {
            self.abandon();
            self.carry.boot = boot;
        }
        self.carry.host = host.into();
        self.statements.clear();
    }

    /// Feeds one entry. Indices rise; a gap, which only loss of power can leave, is allowed.
    pub fn feed(&mut self, frame: &Frame<'_>) -> Result<(), JoinError> {
        if frame.index <= self.carry.last_index {
            return Err(JoinError::Order { last: self.carry.last_index, found: frame.index });
        }
        let unreadable = |source| JoinError::Entry { index: frame.index, source };
        let entry = match frame.logged().map_err(unreadable)? {
            Logged::Entry(entry) => entry,
            Logged::Repetition(first, request) => {
                let known = self.statements.get(&first).cloned();
                let of = known.ok_or_else(|| unreadable(FrameError::Repeats(first)))?;
                self.carry.last_index = frame.index;
                self.weight += frame.entry_bytes.len();
                let bytes = frame.entry_bytes.get(8..).unwrap_or_default();
                self.asked(signed(frame.index), &of, &request, bytes);
                return Ok(());
            }
        };
        self.carry.last_index = frame.index;
        self.weight += frame.entry_bytes.len() + frame.body.len();
        let index = signed(frame.index);
        match entry {
            Entry::SessionOpened(entry) => self.session_opened(index, &entry),
            Entry::SessionClosed(entry) => self.session_closed(index, &entry),
            Entry::FlowOpened(entry) => self.flow_opened(index, &entry),
            Entry::FlowClosed(entry) => self.flow_closed(index, &entry),
            Entry::Asked(entry) => {
                let of = Arc::new(Statement::of(&entry.judged).map_err(unreadable)?);
                self.asked(index, &of, &entry.request, of.request(frame.entry_bytes));
                self.statements.insert(frame.index, of);
            }
            Entry::AnswerPart(entry) => self.answer_part(index, &entry, frame.body),
            Entry::Answered(entry) => self.answered(index, &entry),
            Entry::HoldOpened(entry) => self.hold_opened(index, &entry),
            Entry::HoldSettled(entry) => self.hold_settled(index, &entry),
            Entry::Event(entry) => self.event(index, &entry),
            Entry::Coverage(entry) => {
                let row = coverage::row(&entry, index, &self.carry.host);
                self.rows.coverage.push(row.by(self.actor(entry.session)));
            }
        }
        Ok(())
    }

    /// The rows that became complete since the last call.
    pub fn take(&mut self) -> Rows {
        self.weight = 0;
        std::mem::take(&mut self.rows)
    }

    /// Bytes fed since the last `take`.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// What is open.
    pub fn carry(&self) -> &Carry {
        &self.carry
    }

    /// What is open, as rows with the status `open`, for who reads before it is sealed.
    pub fn open_rows(&self) -> Rows {
        let mut rows = Rows::default();
        rows.sessions.extend(self.carry.sessions.values().map(|open| open.row.clone()));
        rows.flows.extend(self.carry.flows.values().map(|open| open.row.clone()));
        for open in self.carry.exchanges.values() {
            rows.exchanges.push(ExchangeRow { status: "open".into(), ..open.row.clone() });
        }
        for hold in self.carry.holds.values().filter(|hold| hold.outcome.is_empty()) {
            rows.holds.push(HoldRow { outcome: "open".to_owned(), ..hold.clone() });
        }
        rows
    }

    fn session_opened(&mut self, index: i64, entry: &SessionOpened) {
        let row = begin::session(index, entry);
        if let Some(old) = self.carry.sessions.insert(entry.session, OpenSession { row }) {
            self.rows.sessions.push(old.unended());
        }
    }

    fn session_closed(&mut self, index: i64, entry: &SessionClosed) {
        let Some(OpenSession { mut row }) = self.carry.sessions.remove(&entry.session) else {
            return self.orphan(index, entry.at_us, "session", &entry.session.to_string());
        };
        row.ended_at = Some(Time(entry.at_us));
        row.end_reason = Some(entry.reason.clone());
        row.exit_status = entry.status.map(i64::from);
        row.counters = json(&entry.counters);
        self.rows.sessions.push(row);
    }

    fn flow_opened(&mut self, index: i64, entry: &FlowOpened) {
        let row = begin::flow(index, entry, self.carry.host.clone());
        let row = row.by(self.actor(entry.session));
        self.count(entry.session, |session| session.flows += 1);
        let open = OpenFlow { session: entry.session, row };
        if let Some(old) = self.carry.flows.insert(entry.flow, open) {
            self.rows.flows.push(old.unended());
        }
    }

    fn flow_closed(&mut self, index: i64, entry: &FlowClosed) {
        let of_flow = |open: &OpenExchange| open.flow == entry.flow;
        for (_, open) in self.carry.exchanges.extract_if(.., |_, open| of_flow(open)) {
            self.rows.exchanges.push(open.unanswered());
        }
        let Some(OpenFlow { mut row, .. }) = self.carry.flows.remove(&entry.flow) else {
            return self.orphan(index, entry.at_us, "flow", &entry.flow.to_string());
        };
        row.closed_at = Some(Time(entry.at_us));
        row.close_reason = Some(entry.reason.clone());
        row.bytes_in = Some(signed(entry.bytes_in));
        row.bytes_out = Some(signed(entry.bytes_out));
        self.rows.flows.push(row);
    }

    fn asked(&mut self, index: i64, of: &Statement, request: &Request, bytes: &[u8]) {
        let (session, mut row) = self.of_flow(request.flow);
        begin::exchange(&mut row, index, of, request, bytes);
        row.masked = self.words.text("{}");
        self.count(session, |session| {
            session.exchanges += 1;
            session.denied += i64::from(of.is_denied);
            session.held += i64::from(of.is_held);
        });
        let cursor = answer::Cursor::default();
        let open = Box::new(OpenExchange { flow: request.flow, session, cursor, row });
        // An id that comes twice must not hide what came first.
        if let Some(old) = self.carry.exchanges.insert(request.exchange, open) {
            self.rows.exchanges.push(old.unanswered());
        }
    }

    fn answered(&mut self, index: i64, entry: &Answered) {
        let Some(open) = self.carry.exchanges.remove(&entry.exchange) else {
            return self.orphan(index, entry.done_us, "exchange", &entry.exchange.to_string());
        };
        let mut row = open.row;
        row.forwarded_at = entry.forwarded_us.map(Time);
        row.first_answer_at = entry.first_us.map(Time);
        row.done_at = Some(Time(entry.done_us));
        row.status = self.words.text(&entry.status);
        row.error_code = entry.error_code.clone();
        row.rows = Some(signed(entry.rows));
        row.affected = entry.affected.map(signed);
        if !entry.masked.is_empty() {
            row.masked = json(&entry.masked).into();
        }
        self.rows.exchanges.push(row);
        let masked = signed(entry.masked.values().fold(0, |sum, cells| cells.saturating_add(sum)));
        self.count(open.session, |session| session.masked += masked);
    }

    fn hold_opened(&mut self, index: i64, entry: &HoldOpened) {
        let (_, flow) = self.of_flow(entry.flow);
        let row = HoldRow {
            entry_index: index,
            hold: entry.hold.to_string(),
            exchange: entry.exchange.to_string(),
            flow: entry.flow.to_string(),
            session: entry.session.to_string(),
            host: self.carry.host.clone(),
            opened_at: Time(entry.at_us),
            until: Time(entry.until_us),
            statement: entry.statement.to_string(),
            binding: entry.binding.clone(),
            approve_groups: entry.approve_groups.clone(),
            quorum: i64::from(entry.quorum),
            policies: entry.policies.clone(),
            target: flow.target,
            environment: flow.environment,
            ..HoldRow::default()
        };
        let row = row.by(self.actor(Some(entry.session)));
        let old = self.carry.holds.insert(entry.hold.clone(), row);
        self.rows.holds.extend(old.and_then(carry::unsettled));
        let outdated = |hold: &HoldRow| {
            !hold.outcome.is_empty() && hold.until.0.saturating_add(APPROVAL_KEPT_US) < entry.at_us
        };
        self.carry.holds.retain(|_, hold| !outdated(hold));
    }

    fn hold_settled(&mut self, index: i64, entry: &HoldSettled) {
        let Some(row) = self.carry.holds.get_mut(&entry.hold) else {
            return self.orphan(index, entry.at_us, "hold", &entry.hold.to_string());
        };
        row.settled_at = Some(Time(entry.at_us));
        row.outcome = entry.outcome.clone();
        row.approver = entry.approver.clone().or(row.approver.take());
        row.comment = entry.comment.clone().or(row.comment.take());
        self.rows.holds.push(row.clone());
        // An approval may still be used.
        if entry.outcome != "approved" {
            self.carry.holds.remove(&entry.hold);
        }
    }

    fn event(&mut self, index: i64, entry: &Event) {
        let flow = entry.flow.and_then(|flow| self.carry.flows.get(&flow));
        let session = entry.session.or(flow.and_then(|open| open.session));
        let row = EventRow {
            entry_index: index,
            at: Time(entry.at_us),
            host: self.carry.host.clone(),
            session: session.map(|session| session.to_string()),
            flow: entry.flow.map(|flow| flow.to_string()),
            kind: entry.kind.clone(),
            severity: entry.severity.clone(),
            message: entry.message.clone(),
            attributes: json(&entry.attributes),
            ..EventRow::default()
        };
        self.rows.events.push(row.by(self.actor(session)));
    }

    /// An entry of something that never began is told, not dropped.
    fn orphan(&mut self, index: i64, at_us: i64, what: &str, id: &str) {
        let message = format!("an entry speaks of {what} {id}, which the record does not know");
        let attributes = BTreeMap::from([(what, id)]);
        self.rows.events.push(EventRow {
            entry_index: index,
            at: Time(at_us),
            host: self.carry.host.clone(),
            kind: "record.orphan".to_owned(),
            severity: "warning".to_owned(),
            message,
            attributes: json(&attributes),
            ..EventRow::default()
        });
    }

    /// Closes what an earlier life of the gateway left open.
    fn abandon(&mut self) {
        let carry = &mut self.carry;
        let exchanges = std::mem::take(&mut carry.exchanges).into_values();
        self.rows.exchanges.extend(exchanges.map(OpenExchange::unanswered));
        let flows = std::mem::take(&mut carry.flows).into_values();
        self.rows.flows.extend(flows.map(OpenFlow::unended));
        let sessions = std::mem::take(&mut carry.sessions).into_values();
        self.rows.sessions.extend(sessions.map(OpenSession::unended));
        let holds = std::mem::take(&mut carry.holds).into_values();
        self.rows.holds.extend(holds.filter_map(carry::unsettled));
    }

    fn actor(&self, session: Option<SessionId>) -> Actor {
        let open = session.and_then(|session| self.carry.sessions.get(&session));
        open.map(|open| open.row.actor()).unwrap_or_default()
    }

    fn count(&mut self, session: Option<SessionId>, add: impl FnOnce(&mut SessionRow)) {
        if let Some(open) = session.and_then(|session| self.carry.sessions.get_mut(&session)) {
            add(&mut open.row);
        }
    }

    /// An exchange's row with all that its flow knows.
    fn of_flow(&self, id: FlowId) -> (Option<SessionId>, ExchangeRow) {
        let mut row = ExchangeRow { host: self.carry.host.clone(), ..ExchangeRow::default() };
        let Some(OpenFlow { session, row: flow }) = self.carry.flows.get(&id) else {
            row.flow = id.text();
            return (None, row);
        };
        row.flow = flow.flow.clone();
        row.session = flow.session.clone();
        row.target = flow.target.clone();
        row.environment = flow.environment.clone();
        row.protocol = flow.protocol.clone();
        row.database = flow.database.clone();
        row.upstream_user = flow.upstream_user.clone();
        row.pid = flow.pid;
        row.exe = flow.exe.clone();
        (*session, row.by(flow.actor()))
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
