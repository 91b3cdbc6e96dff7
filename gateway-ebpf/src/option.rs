//! setsockopt: options that lead around the other hooks are refused.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::{bpf_sock, bpf_sockopt};
use aya_ebpf::programs::SockoptContext;
use weir_abi::{Reason, option};

use crate::context::{read, write};
use crate::deny::{self, Refused};

/// The call succeeds, and the kernel does nothing.
const UNHEARD: i32 = -1;
/// What the kernel copies for the program to look at; of a longer value it wants no copy back.
const COPIED: i32 = 4096;

/// The protocol of the socket, zero where it has none.
#[inline(always)]
fn protocol(context: *mut bpf_sockopt) -> u32 {
    let socket: *mut bpf_sock = read!(context.__bindgen_anon_1.sk);
    if socket.is_null() { 0 } else { read!(socket.protocol) }
}

#[inline(always)]
pub fn set(context: *mut bpf_sockopt) -> i32 {
    let (level, name) = (read!(context.level), read!(context.optname));
    let protocol = protocol(context);
    if option::is_ignored(level, name, protocol) {
        write!(context.optlen, UNHEARD);
        return 1;
    }
    if option::is_refused(level, name, protocol) {
        let caller = SockoptContext::new(context);
        let refused = Refused {
            protocol: level as u16,
            port: name as u16,
            pid: caller.tgid(),
            uid: caller.uid(),
            ..Refused::UNKNOWN
        };
        deny::report(Reason::SocketOption, &refused);
        return 0;
    }
    if read!(context.optlen) > COPIED {
        write!(context.optlen, 0);
    }
    1
}
