//! Which counts add up to which: the kernel's half of the completeness ledger.

use crate::count::{Count, Counters};

/// A whole and its parts. The whole is always counted before any of its parts.
#[derive(Clone, Copy, Debug)]
pub struct Equation {
    /// The name used in the record.
    pub name: &'static str,
    /// What is counted first.
    pub whole: &'static [Count],
    /// What becomes of it.
    pub parts: &'static [Count],
}

/// All of them.
pub const EQUATIONS: [Equation; 7] = [
    Equation {
        name: "connects",
        whole: &[Count::TcpSeen],
        parts: &[Count::TcpRedirected, Count::TcpDirect, Count::TcpDenied],
    },
    Equation {
        name: "flows",
        whole: &[Count::TcpRedirected],
        parts: &[Count::Published, Count::PublishFailed, Count::NeverSent],
    },
    Equation {
        name: "handshakes",
        whole: &[Count::Published],
        parts: &[Count::Handshakes, Count::HandoverFailed, Count::Aborted],
    },
    Equation {
        name: "closes",
        whole: &[Count::Published, Count::PublishFailed],
        parts: &[Count::Closed],
    },
    Equation {
        name: "packets",
        whole: &[Count::PacketsSeen],
        parts: &[Count::TcpPackets, Count::DnsPackets, Count::DirectPackets, Count::PacketsDropped],
    },
    Equation {
        name: "sockets",
        whole: &[Count::SocketsSeen],
        parts: &[Count::Sockets, Count::SocketsDenied],
    },
    Equation {
        name: "refusals",
        whole: &[Count::Denied],
        parts: &[Count::Events, Count::EventsLost],
    },
];

/// How an equation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// Both sides are equal.
    Even,
    /// So much of the whole has not become a part yet.
    Open(u64),
    /// The parts are more than the whole: something was seen that never began.
    Over {
        /// The whole.
        whole: u64,
        /// The sum of the parts.
        parts: u64,
    },
}

impl Equation {
    /// Compares the parts as they were with the whole as it is.
    ///
    /// A reading is not atomic: while it is made, programs go on counting. As the whole is counted
    /// first, parts of an earlier reading are never more than the whole of a later one.
    #[must_use]
    pub fn check(&self, earlier: &Counters, later: &Counters) -> Balance {
        let (whole, parts) = (later.sum(self.whole), earlier.sum(self.parts));
        match whole.checked_sub(parts) {
            Some(0) => Balance::Even,
            Some(open) => Balance::Open(open),
            None => Balance::Over { whole, parts },
        }
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

    #[test]
    fn what_became_of_a_whole_is_never_more_than_the_whole() {
        let handshakes = EQUATIONS[2];
        let later = counters(&[(Count::Published, 10)]);
        let check = |taken, aborted, expected| {
            let earlier = counters(&[(Count::Handshakes, taken), (Count::Aborted, aborted)]);
            assert_eq!(handshakes.check(&earlier, &later), expected);
        };
        check(8, 2, Balance::Even);
        check(7, 1, Balance::Open(2));
        check(8, 3, Balance::Over { whole: 10, parts: 11 });
    }

    #[test]
    fn names_are_told_apart() {
        for (at, one) in EQUATIONS.iter().enumerate() {
            assert!(EQUATIONS[..at].iter().all(|other| other.name != one.name), "{}", one.name);
        }
    }
}
