//! Counts and reports. Neither can fail in a way that lets anything pass.

use core::arch::asm;

use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_set_retval};
use weir_abi::{Address, Count, Denial, Reason};

use crate::maps::{COUNTERS, DENIALS, binding};

const EPROTONOSUPPORT: i32 = 93;
const EADDRINUSE: i32 = 98;
const ECONNREFUSED: i32 = 111;

/// What is known of a refused call or packet.
pub struct Refused {
    pub netns: u64,
    pub address: Address,
    pub port: u16,
    pub protocol: u16,
    pub pid: u32,
    pub uid: u32,
}

impl Refused {
    pub const UNKNOWN: Self =
        Self { netns: 0, address: [0; 4], port: 0, protocol: 0, pid: 0, uid: 0 };
}

/// Adds one.
#[inline(always)]
pub fn count(what: Count) {
    count_by(what, 1);
}

/// Adds to a counter.
#[inline(always)]
pub fn count_by(what: Count, by: u64) {
    count_for(binding(), what, by);
}

/// The same for another binding, where the program belongs to none.
#[inline(always)]
pub fn count_for(binding: u64, what: Count, by: u64) {
    if let Some(counters) = COUNTERS.get_ptr_mut(binding) {
        // SAFETY: the pointer is a live value of the map and the index is within the array.
        add(unsafe { (&raw mut (*counters).counts).cast::<u64>().add(what as usize) }, by);
    }
}

/// Counts a refusal and tells userspace about it, if there is room.
#[inline(always)]
pub fn report(reason: Reason, refused: &Refused) {
    count(Count::Denied);
    if let Some(counters) = COUNTERS.get_ptr_mut(binding()) {
        // SAFETY: as above.
        add(unsafe { (&raw mut (*counters).denied).cast::<u64>().add(reason as usize) }, 1);
    }
    let Some(mut entry) = DENIALS.reserve(0) else {
        return count(Count::EventsLost);
    };
    entry.write(Denial {
        binding: binding(),
        netns: refused.netns,
        // SAFETY: the helper takes no argument.
        at_ns: unsafe { bpf_ktime_get_ns() },
        address: refused.address,
        pid: refused.pid,
        uid: refused.uid,
        reason: reason as u32,
        port: refused.port,
        protocol: refused.protocol,
    });
    count(Count::Events);
    entry.submit(0);
}

/// Chooses the errno of a refused call; without a choice it is `EPERM`.
#[inline(always)]
pub fn errno(reason: Reason) {
    let errno = match reason {
        Reason::UnknownNetns | Reason::ListenerGone | Reason::ProxyItself => ECONNREFUSED,
        Reason::Multipath => EPROTONOSUPPORT,
        Reason::BindProxy => EADDRINUSE,
        _ => return,
    };
    // SAFETY: the helper takes a number; where it fails, the call fails with EPERM.
    unsafe { bpf_set_retval(-errno) };
}

/// Each CPU has counters of its own, but a program may be interrupted by another one; other counters are shared.
#[inline(always)]
pub fn add(counter: *mut u64, by: u64) {
    // SAFETY: callers pass a pointer into a live map value.
    unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) counter, in(reg) by) }
}
