//! The stream of calls that LSM programs refused, bounded by its ring; what does not fit is counted.

use aya::maps::{MapData, RingBuf};
use weir_abi::lsm::{Hook, LsmRefusal};

/// A call that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The hook's name.
    pub hook: &'static str,
    /// The cgroup id of the caller's leaf.
    pub leaf: u64,
    /// The process.
    pub pid: u32,
    /// The user.
    pub uid: u32,
    /// The other process, the command of bpf(2), the family of the socket; else zero.
    pub detail: u32,
}

/// Refusals as they happen.
pub struct Refusals(RingBuf<MapData>);

impl std::fmt::Debug for Refusals {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Refusals").finish_non_exhaustive()
    }
}

impl Refusals {
    pub(super) fn new(ring: RingBuf<MapData>) -> Self {
        Self(ring)
    }

    /// The next refusal, if there is one already.
    #[allow(clippy::should_implement_trait)] // "none" means "not yet", not "the end"
    pub fn next(&mut self) -> Option<Refusal> {
        while let Some(item) = self.0.next() {
            if let Some(refusal) = parse(&item) {
                return Some(refusal);
            }
        }
        None
    }
}

fn parse(event: &[u8]) -> Option<Refusal> {
    let event: &[u8; size_of::<LsmRefusal>()] = event.first_chunk()?;
    let number =
        |at: usize| u32::from_ne_bytes([event[at], event[at + 1], event[at + 2], event[at + 3]]);
    Some(Refusal {
        leaf: u64::from(number(0)) | u64::from(number(4)) << 32,
        pid: number(16),
        uid: number(20),
        hook: Hook::from_number(number(24))?.name(),
        detail: number(28),
    })
}
