//! The stream of refusals: bounded by its ring; what does not fit is counted as `events_lost`.

#![allow(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use aya::maps::{MapData, RingBuf};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use weir_abi::Reason;

use super::facts::socket_address;

/// Size of an event.
pub(super) const BYTES: usize = 56;

/// Something that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub reason: Reason,
    /// The binding.
    pub binding: u64,
    /// Cookie of the network namespace; zero where it is not known.
    pub netns: u64,
    /// The process; zero where it is not known.
    pub pid: u32,
    /// The user; zero where it is not known.
    pub uid: u32,
    /// Where to; port zero and `::` where there is no destination.
    pub destination: SocketAddr,
    /// The protocol's number.
    pub protocol: u16,
}

/// Refusals as they happen. Readable (as a file descriptor) when there are some.
pub struct Denials(RingBuf<MapData>);

impl std::fmt::Debug for Denials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Denials").finish_non_exhaustive()
    }
}

impl Denials {
    pub(super) fn new(ring: RingBuf<MapData>) -> Self {
        Self(ring)
    }

    /// Watched by the current runtime: it is readable when there is one. The kernel tells of the
    /// first only until all are read.
    pub fn watched(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: the descriptor is the ring's, which lives as long as `self` and is never replaced.
        let watched = unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) };
        watched.map_err(|error| io::Error::other(error.to_string()))
    }

    /// The next refusal, if there is one already.
    #[allow(clippy::should_implement_trait)] // "none" means "not yet", not "the end"
    pub fn next(&mut self) -> Option<Denial> {
        while let Some(item) = self.0.next() {
            if let Some(denial) = parse(&item) {
                return Some(denial);
            }
        }
        None
    }
}

impl AsRawFd for Denials {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Denials {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn parse(event: &[u8]) -> Option<Denial> {
    let event: &[u8; BYTES] = event.first_chunk()?;
    let number =
        |at: usize| u32::from_ne_bytes([event[at], event[at + 1], event[at + 2], event[at + 3]]);
    let wide = |at: usize| u64::from(number(at)) | u64::from(number(at + 4)) << 32;
    let ports = number(52);
    Some(Denial {
        binding: wide(0),
        netns: wide(8),
        destination: socket_address(
            &[number(24), number(28), number(32), number(36)],
            (ports & 0xffff) as u16,
        ),
        pid: number(40),
        uid: number(44),
        reason: Reason::from_number(number(48))?,
        protocol: (ports >> 16) as u16,
    })
}
