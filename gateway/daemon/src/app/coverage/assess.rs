//! Compares what the kernel counted with what the gateway accepted and recorded.
//!
//! While a session lives, connections are on their way between two counters, so only what can't be is
//! a violation: more at the end of the way than at its beginning. Once the session has ended and
//! nothing is on its way any more, both have to be equal.

use std::collections::BTreeMap;

use weir_abi::Count;

use crate::flow::tally::{CloseFigures, Figures};
use crate::intercept::Counters;
use crate::intercept::balance::{Balance, EQUATIONS};

const HOLDS: &str = "holds";

/// What other gateways had to do with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nothing.
    Ours,
    /// One began it and is gone.
    Ended,
    /// One handed it over, and goes on with the connections that it has. What the kernel counts is
    /// of both, and each knows only its own.
    Shared,
}

const SHARED: &str = "unknown: two gateways served it, and the kernel counts for both";

/// What is compared. The gateway's figures and `earlier` were read before `later`.
pub(in crate::app) struct Reading<'a> {
    /// The kernel's counters when this gateway took up the binding.
    pub(in crate::app) baseline: &'a Counters,
    /// The kernel's counters as they were.
    pub(in crate::app) earlier: &'a Counters,
    /// The kernel's counters as they are.
    pub(in crate::app) later: &'a Counters,
    /// The gateway's own.
    pub(in crate::app) figures: &'a Figures,
    /// Who else had a hand in the session.
    pub(in crate::app) origin: Origin,
    /// Whether the session has ended, its processes are gone, and what is on its way had its time.
    pub(in crate::app) ended: bool,
}

impl Reading<'_> {
    /// Each invariant by name, and how it stands: `holds`, `open: ...`, `violated: ...` or
    /// `unknown: ...`.
    pub(in crate::app) fn assess(&self) -> BTreeMap<String, String> {
        let mut found: BTreeMap<String, String> = EQUATIONS
            .iter()
            .map(|equation| {
                let balance = equation.check(self.earlier, self.later);
                (equation.name.to_owned(), self.state(balance))
            })
            .collect();
        let figures = self.figures;
        let done = figures.refused + figures.recorded + figures.unrecorded;
        found.insert("accepted".to_owned(), self.accepted());
        found.insert("recorded".to_owned(), self.state(balance(figures.accepted, done)));
        found.insert("refusals_recorded".to_owned(), self.refusals());
        found.insert("dns".to_owned(), self.queries());
        found.insert("bytes".to_owned(), self.bytes());
        found
    }

    /// Whether nothing is on its way any more.
    pub(in crate::app) fn is_settled(&self) -> bool {
        if self.origin == Origin::Shared {
            return self.assess().values().all(|state| !state.starts_with("open"));
        }
        let at_one_end = self.figures.closes.wait_for_gateway + self.figures.closes.wait_for_kernel;
        at_one_end == 0
            && self.uncompared() == 0
            && self.assess().values().all(|state| !state.starts_with("open"))
    }

    /// Connections that were taken, of which neither end has been told as closed.
    fn uncompared(&self) -> u64 {
        let CloseFigures { agreed, disagreed, skipped, .. } = self.figures.closes;
        let CloseFigures { wait_for_gateway, wait_for_kernel, .. } = self.figures.closes;
        let told = agreed + disagreed + skipped + wait_for_gateway + wait_for_kernel;
        self.since(Count::Handshakes).saturating_sub(told)
    }

    fn accepted(&self) -> String {
        match self.origin {
            Origin::Shared => SHARED.to_owned(),
            Origin::Ours | Origin::Ended => self.compare(Count::Handshakes, self.figures.accepted),
        }
    }

    fn compare(&self, whole: Count, part: u64) -> String {
        self.state(balance(self.since(whole), part))
    }

    /// What was counted since this gateway took up the binding.
    fn since(&self, count: Count) -> u64 {
        self.later.get(count).saturating_sub(self.baseline.get(count))
    }

    fn state(&self, balance: Balance) -> String {
        match balance {
            Balance::Even => HOLDS.to_owned(),
            Balance::Open(count) if self.ended => format!("violated: {count} are missing"),
            Balance::Open(count) => format!("open: {count} on their way"),
            Balance::Over { whole, parts } => {
                format!("violated: {parts} came of {whole}")
            }
        }
    }

    /// Refusals that an earlier gateway left in the ring are read by this one.
    fn refusals(&self) -> String {
        if self.origin != Origin::Ours {
            return "unknown: an earlier gateway recorded a part of them".to_owned();
        }
        let lost = self.later.get(Count::EventsLost);
        let Figures { events, events_unrecorded, .. } = *self.figures;
        let state = self.compare(Count::Events, events + events_unrecorded);
        if state == HOLDS && events_unrecorded > 0 {
            return format!("unknown: {events_unrecorded} refusals could not be put on record");
        }
        if state == HOLDS && lost > 0 {
            return format!("unknown: {lost} refusals were counted but not told one by one");
        }
        state
    }

    /// A query that was never read got no answer, and went nowhere.
    fn queries(&self) -> String {
        if self.origin == Origin::Shared {
            return SHARED.to_owned();
        }
        let Figures { queries, late_queries, .. } = *self.figures;
        match balance(self.since(Count::DnsPackets), queries) {
            Balance::Open(count) if count <= late_queries => HOLDS.to_owned(),
            Balance::Open(count) if self.ended => {
                let count = count - late_queries;
                format!("unknown: {count} queries were dropped before they were read")
            }
            balance => self.state(balance),
        }
    }

    fn bytes(&self) -> String {
        let CloseFigures { disagreed, skipped, earlier, told, .. } = &self.figures.closes;
        let CloseFigures { wait_for_gateway, wait_for_kernel, .. } = self.figures.closes;
        let lost = self.later.get(Count::ClosesLost);
        if *disagreed > 0 {
            return format!("violated: {disagreed} connections: {}", told.join("; "));
        }
        if self.origin == Origin::Shared {
            return SHARED.to_owned();
        }
        if self.ended && wait_for_gateway > self.later.get(Count::HandoverFailed) {
            return format!("violated: {wait_for_gateway} connections were never served");
        }
        if self.ended && self.uncompared() > lost {
            return format!("violated: {} connections were never compared", self.uncompared());
        }
        if self.ended && wait_for_kernel > 0 && lost == 0 {
            return format!("violated: {wait_for_kernel} clients' ends never closed");
        }
        if lost + skipped > 0 {
            return format!("unknown: {} connections were not compared", lost + skipped);
        }
        if *earlier > 0 {
            return format!("unknown: an earlier gateway served {earlier} connections");
        }
        let waiting = wait_for_gateway + wait_for_kernel;
        if waiting > 0 && !self.ended {
            return format!("open: {waiting} connections are closed at one end");
        }
        HOLDS.to_owned()
    }
}

fn balance(whole: u64, parts: u64) -> Balance {
    match whole.checked_sub(parts) {
        Some(0) => Balance::Even,
        Some(open) => Balance::Open(open),
        None => Balance::Over { whole, parts },
    }
}

#[cfg(test)]
mod tests;
