//! What is about to be delivered to the client, and how it goes on record first.

use std::ops::Range;
use std::rc::Rc;

use weir_model::entry::{AnswerPart, PartKind};
use weir_model::{Entry, limits};

use super::lane::{Exchange, Lane};
use crate::flow::services::now_us;

/// What is about to be delivered, and which of it belongs to whose answer.
#[derive(Default)]
pub struct Out {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whose answer which bytes are.
    pub parts: Vec<(Rc<Exchange>, Range<usize>)>,
    /// Answers that end, and after how many parts.
    pub ends: Vec<(usize, Entry)>,
}

impl Out {
    /// Counts bytes from `start` on as part of an answer.
    pub fn belongs(&mut self, exchange: &Rc<Exchange>, start: usize) {
        let end = self.bytes.len();
        match self.parts.last_mut() {
            Some((last, range))
                if Rc::ptr_eq(last, exchange)
                    && range.end == start
                    && end - range.start <= limits::ANSWER_PART_BYTES =>
            {
                range.end = end;
            }
            _ => self.parts.push((exchange.clone(), start..end)),
        }
    }

    /// An answer ends here, unless its end is on record already.
    pub fn end(&mut self, exchange: &Exchange, flow: weir_model::FlowId, status: &'static str) {
        if !exchange.answered.get() {
            let entry = Entry::Answered(exchange.answered(flow, status));
            self.ends.push((self.parts.len(), entry));
        }
    }

    /// What goes on record before any of it is delivered, in order, with the bytes it speaks of.
    pub fn entries(&mut self, lane: &Lane) -> Vec<(Entry, Range<usize>)> {
        let mut entries = Vec::with_capacity(self.parts.len() + self.ends.len());
        let mut ends = self.ends.drain(..).peekable();
        for (place, (exchange, range)) in self.parts.iter().enumerate() {
            while let Some((_, entry)) = ends.next_if(|(after, _)| *after <= place) {
                entries.push((entry, 0..0));
            }
            entries.push((part_entry(lane, exchange), range.clone()));
        }
        entries.extend(ends.map(|(_, entry)| (entry, 0..0)));
        entries
    }

    /// The bytes of a part.
    pub fn part(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }
}

fn part_entry(lane: &Lane, exchange: &Exchange) -> Entry {
    let part = exchange.parts.get();
    exchange.parts.set(part + 1);
    let formats = exchange.shape.borrow().as_ref().map(|shape| shape.formats.clone());
    Entry::AnswerPart(AnswerPart {
        exchange: exchange.id,
        flow: lane.flow,
        part,
        at_us: now_us(),
        kind: PartKind::PostgresMessages,
        formats: formats.unwrap_or_default(),
    })
}

/// How an answer that was not refused ended.
pub(super) fn status(exchange: &Exchange) -> &'static str {
    match (exchange.error_code.borrow().is_some(), exchange.prepare) {
        (true, _) => "error",
        (false, true) => "prepared",
        (false, false) => "ok",
    }
}
