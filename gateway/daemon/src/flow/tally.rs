//! The gateway's half of the completeness ledger, per binding: what it accepted, recorded, read and
//! wrote. Each connection's close, as the kernel counted it, is compared with what was served.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use weir_model::limits;

use super::metered::Meter;
use crate::intercept::close::{self, Mismatch, Served};
use crate::intercept::{Closed, FlowFacts};

/// Disagreements that are told word by word.
const TOLD: usize = 8;

/// Names a connection: a socket may be connected several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionKey {
    cookie: u64,
    connected_ns: u64,
}

impl ConnectionKey {
    /// The connection that some facts speak of.
    pub fn of(facts: &FlowFacts) -> Self {
        Self { cookie: facts.cookie, connected_ns: facts.at_ns }
    }
}

/// Counts of one binding. All only grow.
#[derive(Debug, Default)]
pub struct Tally {
    /// Connections of before, nanoseconds of the monotonic clock, are another gateway's to answer for.
    since_ns: u64,
    /// Whether this is no agent but the canary, whose connections go nowhere.
    canary: bool,
    accepted: AtomicU64,
    refused: AtomicU64,
    recorded: AtomicU64,
    unrecorded: AtomicU64,
    queries: AtomicU64,
    late_queries: AtomicU64,
    events: AtomicU64,
    events_unrecorded: AtomicU64,
    closes: Mutex<Closes>,
}

#[derive(Debug, Default)]
struct Closes {
    by_kernel: HashMap<ConnectionKey, Closed>,
    by_gateway: HashMap<ConnectionKey, Served>,
    figures: CloseFigures,
}

/// What became of the comparison of closes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseFigures {
    /// Connections whose two ends agree.
    pub agreed: u64,
    /// Connections whose two ends don't.
    pub disagreed: u64,
    /// Connections that could not be compared, for want of room.
    pub skipped: u64,
    /// Connections of an earlier gateway.
    pub earlier: u64,
    /// Closed by the client, and not done with by the gateway; of the connections that it can have
    /// accepted.
    pub wait_for_gateway: u64,
    /// Done with by the gateway, and not closed by the client.
    pub wait_for_kernel: u64,
    /// Bytes read from clients.
    pub read: u64,
    /// Bytes written to clients.
    pub written: u64,
    /// The first disagreements.
    pub told: Vec<String>,
}

/// A reading of all counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Connections accepted.
    pub accepted: u64,
    /// Of these, refused before they became flows.
    pub refused: u64,
    /// Of these, put on record as flows.
    pub recorded: u64,
    /// Of these, refused because they could not be put on record.
    pub unrecorded: u64,
    /// DNS queries received.
    pub queries: u64,
    /// Read when their socket was closed, and not answered; some may be of others who have its port now.
    pub late_queries: u64,
    /// Refusals by the kernel that were put on record.
    pub events: u64,
    /// Refusals by the kernel that could not be put on record.
    pub events_unrecorded: u64,
    /// The comparison of closes.
    pub closes: CloseFigures,
}

impl Tally {
    /// A tally of a binding that is this gateway's alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// A tally of a binding that an earlier gateway began.
    pub fn since(now_ns: u64) -> Self {
        Self { since_ns: now_ns, ..Self::default() }
    }

    /// A tally of the canary's.
    pub fn of_canary() -> Self {
        Self { canary: true, ..Self::default() }
    }

    /// Whether it is the canary's.
    pub fn is_canary(&self) -> bool {
        self.canary
    }

    /// A connection was accepted.
    pub fn accept(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// An accepted connection was refused, and is closed.
    pub fn refuse(&self, key: ConnectionKey) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.end(key, Served::default());
    }

    /// A flow is on record, or could not be put there.
    pub fn record(&self, recorded: bool) {
        let counter = if recorded { &self.recorded } else { &self.unrecorded };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A DNS query came.
    pub fn query(&self) {
        self.queries.fetch_add(1, Ordering::Relaxed);
    }

    /// A DNS query was read after its socket was closed, or is of somebody who has its port now.
    pub fn late_query(&self) {
        self.late_queries.fetch_add(1, Ordering::Relaxed);
    }

    /// The kernel told of a refusal, which is on record, or could not be put there.
    pub fn event(&self, recorded: bool) {
        let counter = if recorded { &self.events } else { &self.events_unrecorded };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A flow is done with: its socket is closed.
    pub fn leave(&self, key: ConnectionKey, meter: &Meter) {
        self.end(key, meter.served());
    }

    fn end(&self, key: ConnectionKey, served: Served) {
        let mut closes = self.closes();
        closes.figures.read += served.read;
        closes.figures.written += served.written;
        match closes.by_kernel.remove(&key) {
            Some(closed) => closes.compare(&closed, &served),
            None if closes.is_full() => closes.figures.skipped += 1,
            None => {
                closes.by_gateway.insert(key, served);
            }
        }
    }

    /// The client's end is closed.
    pub fn close(&self, closed: &Closed) {
        let key = ConnectionKey { cookie: closed.cookie, connected_ns: closed.connected_ns };
        let mut closes = self.closes();
        match closed.taken {
            close::TAKEN => {}
            // Nobody of ours took it: it can't have been answered, nor sent more than a SYN.
            close::ABORTED if closed.acked > 1 || closed.received > 0 => {
                closes.figures.disagreed += 1;
                return closes.tell(stranger(closed));
            }
            _ => return,
        }
        if closed.connected_ns < self.since_ns {
            closes.figures.earlier += 1;
            return;
        }
        match closes.by_gateway.remove(&key) {
            Some(served) => closes.compare(closed, &served),
            None if closes.is_full() => closes.figures.skipped += 1,
            None => {
                closes.by_kernel.insert(key, *closed);
            }
        }
    }

    /// All counts. Those that come later in a connection's life are read first, so that no reading
    /// shows an effect without its cause.
    pub fn figures(&self) -> Figures {
        let closes = {
            let closes = self.closes();
            CloseFigures {
                wait_for_gateway: closes.by_kernel.len() as u64,
                wait_for_kernel: closes.by_gateway.len() as u64,
                ..closes.figures.clone()
            }
        };
        Figures {
            closes,
            recorded: self.recorded.load(Ordering::Relaxed),
            unrecorded: self.unrecorded.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            queries: self.queries.load(Ordering::Relaxed),
            late_queries: self.late_queries.load(Ordering::Relaxed),
            events: self.events.load(Ordering::Relaxed),
            events_unrecorded: self.events_unrecorded.load(Ordering::Relaxed),
        }
    }

    fn closes(&self) -> MutexGuard<'_, Closes> {
        self.closes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Closes {
    fn is_full(&self) -> bool {
        self.by_kernel.len() + self.by_gateway.len() >= limits::UNMATCHED_CLOSES
    }

    fn compare(&mut self, closed: &Closed, served: &Served) {
        let Err(mismatch) = closed.check(served) else {
            self.figures.agreed += 1;
            return;
        };
        self.figures.disagreed += 1;
        self.tell(tell(closed, served, mismatch));
    }

    fn tell(&mut self, text: String) {
        if self.figures.told.len() < TOLD {
            self.figures.told.push(text);
        }
    }
}

fn stranger(closed: &Closed) -> String {
    let Closed { cookie, acked, received, .. } = closed;
    format!(
        "socket {cookie}: nobody of ours took it, yet {acked} bytes were acknowledged, {received} came"
    )
}

fn tell(closed: &Closed, served: &Served, mismatch: Mismatch) -> String {
    let what = match mismatch {
        Mismatch::Read { least, most } if least == most => {
            format!("{least} bytes were sent, {} were read", served.read)
        }
        Mismatch::Read { least, most } => {
            format!("{least} to {most} bytes were sent, {} were read", served.read)
        }
        Mismatch::Written { received } => {
            format!("{} bytes were written, {received} were received", served.written)
        }
    };
    format!("socket {} (closed from state {}): {what}", closed.cookie, closed.state)
}

impl Figures {
    /// The counts by the names that the record has for them.
    pub fn named(&self) -> std::collections::BTreeMap<String, u64> {
        let closes = &self.closes;
        let pairs = [
            ("accepted", self.accepted),
            ("refused", self.refused),
            ("recorded", self.recorded),
            ("unrecorded", self.unrecorded),
            ("dns_queries", self.queries),
            ("dns_queries_late", self.late_queries),
            ("refusals_recorded", self.events),
            ("refusals_unrecorded", self.events_unrecorded),
            ("closes_agreed", closes.agreed),
            ("closes_disagreed", closes.disagreed),
            ("closes_skipped", closes.skipped),
            ("closes_of_earlier_gateway", closes.earlier),
            ("closes_wait_for_gateway", closes.wait_for_gateway),
            ("closes_wait_for_kernel", closes.wait_for_kernel),
            ("bytes_read", closes.read),
            ("bytes_written", closes.written),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST_ACK: u8 = 9;

    fn closed(cookie: u64, connected_ns: u64, sent: u64) -> Closed {
        Closed {
            binding: 1,
            cookie,
            connected_ns,
            acked: sent + 2,
            received: 1,
            in_flight: 0,
            state: LAST_ACK,
            taken: 1,
            reserved: [0; 2],
        }
    }

    fn served(read: u64) -> Served {
        Served { read, written: 0, to_the_end: true }
    }

    #[test]
    fn both_ends_are_compared_whichever_comes_first() {
        let tally = Tally::new();
        let key = |connected_ns| ConnectionKey { cookie: 7, connected_ns };
        tally.close(&closed(7, 1, 10));
        assert_eq!(tally.figures().closes.wait_for_gateway, 1);
        tally.end(key(1), served(10));
        tally.end(key(2), served(20));
        assert_eq!(tally.figures().closes.wait_for_kernel, 1);
        tally.close(&closed(7, 2, 20));
        tally.end(key(3), served(4));
        tally.close(&closed(7, 3, 5));
        let found = tally.figures().closes;
        assert_eq!((found.agreed, found.disagreed), (2, 1));
        assert_eq!((found.wait_for_gateway, found.wait_for_kernel, found.read), (0, 0, 34));
        assert!(found.told[0].contains("5 bytes were sent, 4 were read"), "{:?}", found.told);
    }

    #[test]
    fn connections_that_nobody_can_have_accepted_are_not_waited_for() {
        let tally = Tally::since(100);
        tally.close(&closed(1, 99, 0));
        tally.close(&Closed { taken: close::ABORTED, acked: 1, received: 0, ..closed(2, 200, 0) });
        let found = tally.figures().closes;
        assert_eq!((found.earlier, found.wait_for_gateway, found.disagreed), (1, 0, 0));
    }

    #[test]
    fn bytes_of_a_connection_that_nobody_of_ours_took_are_a_violation() {
        let tally = Tally::new();
        let aborted = |cookie, acked, received| Closed {
            taken: close::ABORTED,
            acked,
            received,
            ..closed(cookie, 200, 0)
        };
        tally.close(&aborted(1, 77, 0));
        tally.close(&aborted(2, 1, 9));
        let found = tally.figures().closes;
        assert_eq!(found.disagreed, 2);
        assert!(found.told[0].contains("nobody of ours took it, yet 77"), "{:?}", found.told);
    }

    #[test]
    fn what_waits_for_its_other_end_is_bounded() {
        let tally = Tally::new();
        for cookie in 0..limits::UNMATCHED_CLOSES as u64 + 3 {
            tally.close(&closed(cookie, 1, 0));
        }
        let found = tally.figures().closes;
        assert_eq!(found.skipped, 3);
        assert_eq!(found.wait_for_gateway, limits::UNMATCHED_CLOSES as u64);
    }
}
