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
        match balance(self.since(Count::DnsPackets), self.figures.queries) {
            Balance::Open(count) if self.ended => {
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
mod tests {
    use super::*;

    fn counters(counts: &[(Count, u64)]) -> Counters {
        let mut counters = Counters::ZERO;
        for (count, value) in counts {
            counters.counts[*count as usize] = *value;
        }
        counters
    }

    fn agreed(count: u64) -> CloseFigures {
        CloseFigures { agreed: count, ..CloseFigures::default() }
    }

    /// Ten connections, each of them served.
    fn ten() -> Counters {
        counters(&[
            (Count::TcpSeen, 10),
            (Count::TcpRedirected, 10),
            (Count::Published, 10),
            (Count::Handshakes, 10),
            (Count::Closed, 10),
        ])
    }

    fn check(figures: &Figures, kernel: &Counters, ended: bool, name: &str, expected: &str) {
        let reading = Reading {
            baseline: &Counters::ZERO,
            earlier: kernel,
            later: kernel,
            figures,
            origin: Origin::Ours,
            ended,
        };
        let found = reading.assess();
        assert!(found[name].starts_with(expected), "{name}: {found:#?}");
    }

    #[test]
    fn of_a_session_that_was_handed_over_only_a_contradiction_is_a_violation() {
        let check = |figures: &Figures, name: &str, expected: &str| {
            let reading = Reading {
                baseline: &Counters::ZERO,
                earlier: &ten(),
                later: &ten(),
                figures,
                origin: Origin::Shared,
                ended: true,
            };
            let found = reading.assess();
            assert!(found[name].starts_with(expected), "{name}: {found:#?}");
        };
        let closes = CloseFigures { wait_for_kernel: 2, wait_for_gateway: 1, ..agreed(3) };
        let some = Figures { accepted: 5, recorded: 5, closes, ..Figures::default() };
        for name in ["accepted", "bytes", "dns", "refusals_recorded"] {
            check(&some, name, "unknown");
        }
        check(&some, "recorded", "holds");
        check(&some, "handshakes", "holds");
        check(&Figures { recorded: 4, ..some.clone() }, "recorded", "violated");
        let closes = CloseFigures { disagreed: 1, ..agreed(3) };
        check(&Figures { closes, ..some }, "bytes", "violated: 1");
    }

    #[test]
    fn what_is_on_its_way_is_open_and_what_never_arrives_is_missing() {
        let served = Figures { accepted: 10, recorded: 9, refused: 1, ..Figures::default() };
        for ended in [false, true] {
            for name in ["connects", "flows", "handshakes", "closes", "accepted", "recorded"] {
                check(&served, &ten(), ended, name, "holds");
            }
        }
        let behind = Figures { accepted: 8, recorded: 7, ..Figures::default() };
        check(&behind, &ten(), false, "accepted", "open: 2");
        check(&behind, &ten(), true, "accepted", "violated: 2 are missing");
        check(&behind, &ten(), true, "recorded", "violated: 1 are missing");
    }

    #[test]
    fn more_than_there_can_be_is_a_violation_at_any_time() {
        let more = Figures { accepted: 11, recorded: 11, ..Figures::default() };
        check(&more, &ten(), false, "accepted", "violated: 11 came of 10");
        let mut kernel = ten();
        kernel.counts[Count::Aborted as usize] = 1;
        check(&Figures::default(), &kernel, false, "handshakes", "violated: 11 came of 10");
    }

    #[test]
    fn what_could_not_be_compared_is_unknown_and_not_well() {
        let mut kernel = ten();
        kernel.counts[Count::ClosesLost as usize] = 3;
        let figures = Figures { closes: agreed(7), ..Figures::default() };
        check(&figures, &kernel, true, "bytes", "unknown: 3");
        let mut kernel = ten();
        kernel.counts[Count::Events as usize] = 5;
        kernel.counts[Count::EventsLost as usize] = 2;
        kernel.counts[Count::Denied as usize] = 7;
        let figures = Figures { events: 5, closes: agreed(10), ..Figures::default() };
        check(&figures, &kernel, true, "refusals", "holds");
        check(&figures, &kernel, true, "refusals_recorded", "unknown: 2");
        check(&Figures::default(), &ten(), true, "bytes", "violated: 10 connections were never");
        check(&Figures::default(), &ten(), false, "bytes", "holds");
        let closes = CloseFigures { wait_for_kernel: 1, ..agreed(9) };
        let figures = Figures { closes, ..Figures::default() };
        check(&figures, &ten(), true, "bytes", "violated: 1 clients' ends never closed");
        check(&figures, &ten(), false, "bytes", "open: 1");
    }
}
