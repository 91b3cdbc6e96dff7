//! setsockopt: options that lead around the other hooks are refused.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::bpf_sockopt;
use aya_ebpf::programs::SockoptContext;
use weir_abi::{Reason, option};

use crate::context::{read, write};
use crate::deny::{self, Refused};

/// What the kernel copies for the program to look at; of a longer value it wants no copy back.
const COPIED: i32 = 4096;

#[inline(always)]
pub fn set(context: *mut bpf_sockopt) -> i32 {
    let (level, name) = (read!(context.level), read!(context.optname));
    if option::is_refused(level, name) {
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
