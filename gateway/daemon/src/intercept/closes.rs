//! The stream of closes: what each redirected socket had sent and received in the end. Bounded by
//! its ring; what does not fit is counted as `closes_lost`.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use aya::maps::{MapData, RingBuf};
use weir_abi::Closed;

/// Size of an event.
pub(super) const BYTES: usize = 48;

/// Closes as they happen. Readable (as a file descriptor) when there are some.
pub struct Closes(RingBuf<MapData>);

impl std::fmt::Debug for Closes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Closes").finish_non_exhaustive()
    }
}

impl Closes {
    pub(super) fn new(ring: RingBuf<MapData>) -> Self {
        Self(ring)
    }

    /// The next close, if there is one already.
    #[allow(clippy::should_implement_trait)] // "none" means "not yet", not "the end"
    pub fn next(&mut self) -> Option<Closed> {
        while let Some(item) = self.0.next() {
            if let Some(closed) = parse(&item) {
                return Some(closed);
            }
        }
        None
    }
}

impl AsRawFd for Closes {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Closes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn parse(event: &[u8]) -> Option<Closed> {
    let wide = |at: usize| Some(u64::from_ne_bytes(event.get(at..at + 8)?.try_into().ok()?));
    Some(Closed {
        binding: wide(0)?,
        cookie: wide(8)?,
        connected_ns: wide(16)?,
        acked: wide(24)?,
        received: wide(32)?,
        in_flight: u32::from_ne_bytes(event.get(40..44)?.try_into().ok()?),
        state: *event.get(44)?,
        taken: *event.get(45)?,
        reserved: [0; 2],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_the_programs_write_it() {
        let mut event = Vec::new();
        for word in [1_u64, 2, 3, 4, 5] {
            event.extend(word.to_ne_bytes());
        }
        event.extend(6_u32.to_ne_bytes());
        event.extend([7, 1, 0, 0]);
        assert_eq!(event.len(), BYTES);
        let expected = Closed {
            binding: 1,
            cookie: 2,
            connected_ns: 3,
            acked: 4,
            received: 5,
            in_flight: 6,
            state: 7,
            taken: 1,
            reserved: [0; 2],
        };
        assert_eq!(parse(&event), Some(expected));
        assert_eq!(parse(&event[..BYTES - 8]), None);
    }
}
