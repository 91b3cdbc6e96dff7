//! Which resolver a datagram socket asks, and whose answer it gets.
//!
//! A C library asks all its resolvers from one socket and tells their answers apart by the source
//! address, so each of them is given a DNS listener of its own.

use aya_ebpf::bindings::bpf_sock;
use weir_abi::{Address, AskerKey, CLOSED, Listener, RESOLVERS, Reason, Resolvers, address};

use crate::maps::{DNSQ, meta, owner, resolvers, resolvers_or_new};

/// The slot that stands for a resolver on this socket, and its listener's port. Who asks more than
/// there are slots loses the one that was taken first.
#[inline(always)]
pub fn slot(
    socket: *mut bpf_sock,
    listener: &Listener,
    server: &Address,
) -> Result<u16, Reason> {
    let resolvers = resolvers_or_new(socket);
    if resolvers.is_null() {
        return Err(Reason::NoStorage);
    }
    let ports = if address::is_mapped(server) { &listener.dns4 } else { &listener.dns6 };
    let mut index = 0;
    while index < RESOLVERS {
        // SAFETY: the storage is not null, and the index is within its arrays.
        let (known, port) =
            unsafe { (&raw const (*resolvers).address[index], (*resolvers).port[index]) };
        // SAFETY: as above.
        if port != 0 && port == ports[index] && unsafe { same(known, server) } {
            return Ok(port);
        }
        index += 1;
    }
    // SAFETY: as above.
    let next = unsafe { (*resolvers).next };
    // SAFETY: as above.
    unsafe { (*resolvers).next = next.wrapping_add(1) };
    let mut index = 0;
    while index < RESOLVERS {
        if next as usize % RESOLVERS == index {
            // SAFETY: as above.
            unsafe {
                (*resolvers).address[index] = *server;
                (*resolvers).port[index] = ports[index];
            }
            return if ports[index] == 0 { Err(Reason::ListenerGone) } else { Ok(ports[index]) };
        }
        index += 1;
    }
    Err(Reason::ListenerGone)
}

/// The resolver for which a DNS listener stands on this socket. The two families may use one port.
#[inline(always)]
pub fn behind(resolvers: *const Resolvers, listener: &Address, port: u16) -> Option<Address> {
    let v4 = address::is_mapped(listener);
    let mut index = 0;
    while index < RESOLVERS {
        // SAFETY: callers pass live storage, and the index is within its arrays.
        let (server, known) = unsafe { ((*resolvers).address[index], (*resolvers).port[index]) };
        if known == port && port != 0 && address::is_mapped(&server) == v4 {
            return Some(server);
        }
        index += 1;
    }
    None
}

/// Marks who asked from a socket as gone: its port may be somebody else's soon.
#[inline(always)]
pub fn forget(socket: *mut bpf_sock) {
    let (resolvers, owner) = (resolvers(socket), owner(socket));
    if resolvers.is_null() || owner.is_null() {
        return;
    }
    let meta = meta(socket);
    if meta.is_null() {
        return;
    }
    // SAFETY: they are not null.
    let (netns, address, port, cookie) =
        unsafe { ((*owner).netns, (*resolvers).source, (*resolvers).source_port, (*meta).cookie) };
    let mut slot = 0;
    while slot < RESOLVERS as u32 {
        if let Some(asker) = DNSQ.get_ptr_mut(AskerKey { netns, address, port, slot }) {
            // SAFETY: a live value of the map.
            unsafe {
                if (*asker).cookie == cookie {
                    (*asker).sent = CLOSED;
                }
            }
        }
        slot += 1;
    }
}

/// Word by word: the compiler would call `bcmp` for arrays.
#[inline(always)]
unsafe fn same(one: *const Address, other: &Address) -> bool {
    // SAFETY: promised by the caller.
    unsafe {
        (*one)[0] == other[0]
            && (*one)[1] == other[1]
            && (*one)[2] == other[2]
            && (*one)[3] == other[3]
    }
}
