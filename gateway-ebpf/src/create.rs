//! Socket creation: only protocols whose every packet the other hooks see.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::bpf_sock;
use aya_ebpf::programs::SockContext;
use weir_abi::{Count, socket};

use crate::context::read;
use crate::deny::{self, Refused};

#[inline(always)]
pub fn create(socket: *mut bpf_sock) -> i32 {
    let protocol = read!(socket.protocol);
    let allowed = socket::may_create(read!(socket.family), read!(socket.type_), protocol);
    let Err(reason) = allowed else {
        deny::count(Count::Sockets);
        return 1;
    };
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
