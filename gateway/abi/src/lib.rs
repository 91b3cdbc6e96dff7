//! What the eBPF programs and the daemon agree on: map keys and values, and the pure decisions.
//!
//! Addresses are four words in network byte order, IPv4 as `::ffff:a.b.c.d`; ports are in host
//! byte order. Nothing here touches the kernel, so all of it is tested on the host.

#![no_std]

pub mod address;
pub mod balance;
pub mod close;
pub mod count;
pub mod layout;
pub mod lsm;
pub mod option;
pub mod packet;
pub mod socket;

#[cfg(feature = "user")]
mod user;

pub use address::Address;
pub use close::Closed;
pub use count::{Count, Reason};
pub use packet::Packet;

/// Part of the pin directory, with the fingerprint of the layout: maps and links of another version
/// are never reused. To be raised where the same bytes come to mean something else.
pub const VERSION: u32 = 2;

/// TCP's protocol number.
pub const TCP: u8 = 6;
/// UDP's protocol number.
pub const UDP: u8 = 17;
/// The port that DNS queries go to.
pub const DNS_PORT: u16 = 53;
/// Resolvers that one socket may ask and be answered by as themselves. The C libraries know three.
pub const RESOLVERS: usize = 4;

/// A binding that may open connections; a binding that is not in the map at all may not either.
pub const ACTIVE: u32 = 1;
/// A binding that may not open connections any more.
pub const REVOKED: u32 = 2;

/// [`FlowMeta::sent`]: no SYN yet.
pub const UNSENT: u8 = 0;
/// [`FlowMeta::sent`]: the listener's side can take it.
pub const PUBLISHED: u8 = 1;
/// [`FlowMeta::sent`]: there was no room to publish it.
pub const UNPUBLISHED: u8 = 2;

/// [`FlowMeta::sent`]: the connection has closed, and was told.
pub const ENDED: u8 = 4;
/// [`FlowMeta::sent`] of who asked by DNS: the socket is closed. What it sent may not be read yet; from its
/// port somebody else may send from now on.
pub const CLOSED: u8 = 3;

/// Bindings at a time.
pub const BINDINGS: usize = 4_096;
/// Network namespaces with a listener.
pub const NAMESPACES: usize = 4_096;
/// Handshakes in flight.
pub const FLOWS: usize = 65_536;
/// DNS askers remembered.
pub const ASKERS: usize = 65_536;
/// Bytes of the ring of denials.
pub const DENIAL_BYTES: usize = 256 << 10;
/// Bytes of the ring of closes.
pub const CLOSE_BYTES: usize = 2 << 20;

/// A query may be attributed to its asker for so long after its packet left the socket. Who asks from the same port
/// meanwhile, for another binding, is refused, unless the socket is closed and all that was asked from there is answered.
pub const ASKER_NS: u64 = 5_000_000_000;

/// Who opened a flow, and where it was going. Lives in the storage of the socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowMeta {
    /// The binding of the program that saw the socket.
    pub binding: u64,
    /// The client socket's cookie.
    pub cookie: u64,
    /// Cookie of the client's network namespace.
    pub netns: u64,
    /// The cgroup of the process that called, which may be nested in the bound one.
    pub cgroup: u64,
    /// When, in nanoseconds of the monotonic clock.
    pub at_ns: u64,
    /// Process id in the initial namespace.
    pub pid: u32,
    /// Thread id in the initial namespace.
    pub tid: u32,
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// The address that the caller asked for.
    pub address: Address,
    /// The port that the caller asked for.
    pub port: u16,
    /// The port of Weir's listener that the socket was sent to instead.
    pub proxy_port: u16,
    /// `TCP` for a stream, `UDP` for DNS datagrams.
    pub protocol: u8,
    /// What became of the last connect: `UNSENT`, `PUBLISHED`, `UNPUBLISHED` or `ENDED`; in `DNSQ` also `CLOSED`.
    pub sent: u8,
    /// Zero.
    pub reserved: [u8; 2],
    /// The thread's name: evidence only, the agent can choose it.
    pub comm: [u8; 16],
}

/// Names a handshake: set by the client's side, looked up by the listener's.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowKey {
    /// Cookie of the network namespace.
    pub netns: u64,
    /// The client's address.
    pub client: Address,
    /// The listener's address.
    pub server: Address,
    /// The client's port.
    pub client_port: u16,
    /// The listener's port.
    pub server_port: u16,
    /// Zero.
    pub reserved: u32,
}

/// Names the sender of a DNS datagram.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskerKey {
    /// Cookie of the network namespace.
    pub netns: u64,
    /// Source address.
    pub address: Address,
    /// Source port.
    pub port: u32,
    /// Which of the DNS listeners it was sent to.
    pub slot: u32,
}

/// The ports of Weir's listeners in one network namespace; zero where there is none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// TCP on 127.0.0.1.
    pub tcp4: u16,
    /// TCP on `::1`.
    pub tcp6: u16,
    /// UDP on 127.0.0.1: one for each resolver that a socket asks.
    pub dns4: [u16; RESOLVERS],
    /// UDP on `::1`, likewise.
    pub dns6: [u16; RESOLVERS],
}

/// To whom a socket belongs. On every socket of a bound cgroup from its creation on, and on what
/// its listeners accept.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The binding.
    pub binding: u64,
    /// Cookie of the socket's network namespace.
    pub netns: u64,
}

/// Which resolvers a datagram socket asks: a slot says to which DNS listener its queries go, so an
/// answer's source says whose it is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolvers {
    /// The resolvers; zero where a slot is free.
    pub address: [Address; RESOLVERS],
    /// The ports of the DNS listeners that stand for them.
    pub port: [u16; RESOLVERS],
    /// From which address it last asked.
    pub source: Address,
    /// From which port.
    pub source_port: u32,
    /// The slot that is taken next.
    pub next: u32,
}

/// Something that was refused.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The binding.
    pub binding: u64,
    /// Cookie of the network namespace, zero where the hook does not know it.
    pub netns: u64,
    /// When, in nanoseconds of the monotonic clock.
    pub at_ns: u64,
    /// Where to; zero where there is no destination.
    pub address: Address,
    /// Process id; zero where the hook does not run in the caller's context.
    pub pid: u32,
    /// User id, like `pid`.
    pub uid: u32,
    /// A [`Reason`].
    pub reason: u32,
    /// Destination port.
    pub port: u16,
    /// Protocol number.
    pub protocol: u16,
}
