//! Socket creation: only protocols whose every packet the other hooks see, and each socket is marked
//! with its binding; and their release.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::bpf_sock;
use aya_ebpf::helpers::generated::bpf_get_netns_cookie;
use aya_ebpf::programs::SockContext;
use weir_abi::{Count, Owner, Reason, socket};

use crate::context::read;
use crate::deny::{self, Refused};
use crate::maps::{binding, meta, own};
use crate::redirect::leave_unsent;
use crate::resolver;

#[inline(always)]
pub fn create(socket: *mut bpf_sock) -> i32 {
    deny::count(Count::SocketsSeen);
    let protocol = read!(socket.protocol);
    let allowed = socket::may_create(read!(socket.family), read!(socket.type_), protocol);
    let Err(reason) = allowed.and_then(|()| mark(socket)) else {
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

/// The last holder has closed it.
#[inline(always)]
pub fn release(socket: *mut bpf_sock) -> i32 {
    deny::count(Count::Released);
    let meta = meta(socket);
    if !meta.is_null() {
        leave_unsent(meta);
    }
    resolver::forget(socket);
    1
}

#[inline(always)]
fn mark(socket: *mut bpf_sock) -> Result<(), Reason> {
    // SAFETY: the context is the hook's own.
    let netns = unsafe { bpf_get_netns_cookie(socket.cast()) };
    let owner = Owner { binding: binding(), netns };
    if own(socket, &owner) { Ok(()) } else { Err(Reason::NoStorage) }
}
