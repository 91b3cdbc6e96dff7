//! The close of a redirected socket, and whether it agrees with what the proxy read and wrote.
//!
//! TCP counts the SYN and the FIN as a byte each. A FIN that arrived means that everything before it
//! did, so an orderly end is compared exactly; a reset may overtake bytes and acknowledgements, so
//! there only one side of the comparison is sound.

/// TCP's states, as `STATE_CB` tells them.
mod state {
    pub(super) const FIN_WAIT2: u8 = 5;
    pub(super) const TIME_WAIT: u8 = 6;
    pub(super) const CLOSE_WAIT: u8 = 8;
    pub(super) const LAST_ACK: u8 = 9;
    pub(super) const CLOSING: u8 = 11;
}

/// [`Closed::taken`]: the listener's side took its entry before.
pub const TAKEN: u8 = 1;
/// [`Closed::taken`]: nobody took its entry, so it never got beyond its SYN.
pub const ABORTED: u8 = 2;
/// [`Closed::taken`]: it had no entry, so the proxy refuses it.
pub const UNPUBLISHED: u8 = 3;

/// The close of a client's socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The binding.
    pub binding: u64,
    /// The socket's cookie.
    pub cookie: u64,
    /// When it was connected, which tells the connections of one socket apart.
    pub connected_ns: u64,
    /// Bytes that the proxy's side acknowledged.
    pub acked: u64,
    /// Bytes received from the proxy.
    pub received: u64,
    /// Bytes sent and not acknowledged.
    pub in_flight: u32,
    /// The state that it closed from.
    pub state: u8,
    /// Whether the proxy can have accepted it: `TAKEN`, `ABORTED` or `UNPUBLISHED`.
    pub taken: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

/// What the proxy did with a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
    /// Whether it read up to the client's FIN.
    pub to_the_end: bool,
}

/// How kernel and proxy disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The proxy read other bytes than the client sent.
    Read {
        /// At least so many were sent.
        least: u64,
        /// And at most so many.
        most: u64,
    },
    /// The client received other bytes than the proxy wrote; it received so many.
    Written {
        /// Data bytes received.
        received: u64,
    },
}

impl Closed {
    /// Compares both sides.
    ///
    /// # Errors
    /// They disagree.
    pub fn check(&self, served: &Served) -> Result<(), Mismatch> {
        let (least, most) = self.sent(served.to_the_end);
        if served.read < least || served.read > most {
            return Err(Mismatch::Read { least, most });
        }
        let fin = match self.state {
            // The proxy's FIN arrived, and with it all that was written.
            state::CLOSE_WAIT | state::LAST_ACK | state::CLOSING => {
                let received = self.received.saturating_sub(1);
                let same = received == served.written;
                return if same { Ok(()) } else { Err(Mismatch::Written { received }) };
            }
            state::FIN_WAIT2 | state::TIME_WAIT => 1,
            _ => 0,
        };
        let received = self.received.saturating_sub(fin);
        if received <= served.written { Ok(()) } else { Err(Mismatch::Written { received }) }
    }

    /// The least and the most that a proxy can have read.
    fn sent(&self, to_the_end: bool) -> (u64, u64) {
        let acked = self.acked.saturating_sub(1);
        let in_flight = u64::from(self.in_flight);
        if !to_the_end {
            return (0, acked.saturating_add(in_flight));
        }
        let fin_acked = match self.state {
            state::FIN_WAIT2 | state::TIME_WAIT => true,
            state::LAST_ACK | state::CLOSING => self.in_flight == 0,
            _ => false,
        };
        let least = acked.saturating_sub(u64::from(fin_acked));
        (least, least.saturating_add(in_flight))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESTABLISHED: u8 = 1;
    const FIN_WAIT1: u8 = 4;

    fn check(state: u8, numbers: (u64, u64, u32), served: (u64, u64, bool), agrees: bool) {
        let (acked, received, in_flight) = numbers;
        let closed = Closed {
            binding: 1,
            cookie: 1,
            connected_ns: 1,
            acked,
            received,
            in_flight,
            state,
            taken: 1,
            reserved: [0; 2],
        };
        let (read, written, to_the_end) = served;
        let found = closed.check(&Served { read, written, to_the_end });
        assert_eq!(found.is_ok(), agrees, "{closed:?} {served:?} {found:?}");
    }

    #[test]
    fn an_orderly_end_is_exact_in_both_directions() {
        // The kernel's own self-test: 1000 sent are 1002 acknowledged, 500 received are 501.
        for state in [state::LAST_ACK, state::CLOSING] {
            check(state, (1002, 501, 0), (1000, 500, true), true);
            check(state, (1002, 501, 0), (999, 500, true), false);
            check(state, (1002, 501, 0), (1001, 500, true), false);
            check(state, (1002, 501, 0), (1000, 499, true), false);
            check(state, (1002, 501, 0), (1000, 501, true), false);
        }
        check(state::FIN_WAIT2, (1002, 501, 0), (1000, 500, true), true);
        check(state::FIN_WAIT2, (1002, 501, 0), (999, 500, true), false);
        check(state::FIN_WAIT2, (1002, 501, 0), (1000, 499, true), false);
    }

    #[test]
    fn a_reset_is_compared_on_the_side_that_is_sound() {
        // The proxy closed first, with bytes of the client unread.
        check(ESTABLISHED, (1001, 0, 0), (0, 0, false), true);
        check(ESTABLISHED, (1001, 0, 0), (1000, 0, false), true);
        check(ESTABLISHED, (1001, 0, 0), (1001, 0, false), false);
        // The acknowledgement was overtaken.
        check(FIN_WAIT1, (901, 0, 101), (1000, 0, true), true);
        check(FIN_WAIT1, (901, 0, 101), (899, 0, true), false);
        // The client never saw all that was written, but nothing else either.
        check(ESTABLISHED, (1, 10, 0), (0, 500, false), true);
        check(ESTABLISHED, (1, 501, 0), (0, 500, false), false);
    }

    #[test]
    fn a_handshake_that_never_was_has_no_bytes() {
        check(2, (0, 0, 1), (0, 0, false), true);
    }
}
