//! Socket creation: only protocols whose every packet the other hooks see; and their release.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::bpf_sock;
use aya_ebpf::programs::SockContext;
use weir_abi::{Count, TCP, UNSENT, socket};

use crate::context::read;
use crate::deny::{self, Refused};
use crate::maps::meta;

#[inline(always)]
pub fn create(socket: *mut bpf_sock) -> i32 {
    deny::count(Count::SocketsSeen);
    let protocol = read!(socket.protocol);
    let allowed = socket::may_create(read!(socket.family), read!(socket.type_), protocol);
    let Err(reason) = allowed else {
        deny::count(Count::Sockets);
        return 1;
    };
    deny::count(Count::SocketsDenied);
    let context = SockContext::new(socket);
    let refused = Refused {
        protocol: protocol as u16,
        pid: context.tgid(),
        uid: context.uid(),
        ..Refused::UNKNOWN
    };
    deny::report(reason, &refused);
    deny::errno(reason);
    0
}

/// A connect that was redirected but found no port or route leaves a socket that never sent a SYN.
#[inline(always)]
pub fn release(socket: *mut bpf_sock) -> i32 {
    let meta = meta(socket);
    // SAFETY: read after the check for null.
    if !meta.is_null() && unsafe { (*meta).protocol == TCP && (*meta).sent == UNSENT } {
        deny::count(Count::NeverSent);
    }
    1
}
