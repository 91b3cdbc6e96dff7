//! What the eBPF programs and the daemon agree on: map keys and values, and the pure decisions.
//!
//! Addresses are four words in network byte order, IPv4 as `::ffff:a.b.c.d`; ports are in host
//! byte order. Nothing here touches the kernel, so all of it is tested on the host.

#![no_std]

pub mod address;
pub mod count;
pub mod lsm;
pub mod packet;
pub mod socket;

#[cfg(feature = "user")]
mod user;

pub use address::Address;
pub use count::{Count, Reason};
pub use packet::Packet;

/// Part of the pin directory: maps and links of another version are never reused.
pub const VERSION: u32 = 1;

/// TCP's protocol number.
pub const TCP: u8 = 6;
/// UDP's protocol number.
pub const UDP: u8 = 17;
/// The port that DNS queries go to.
pub const DNS_PORT: u16 = 53;

/// A binding that may open connections; a binding that is not in the map at all may not either.
pub const ACTIVE: u32 = 1;
/// A binding that may not open connections any more.
pub const REVOKED: u32 = 2;

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

/// A query may be attributed to its asker for so long after its packet left the socket.
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
    /// Zero.
    pub reserved: [u8; 3],
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
    /// Zero.
    pub reserved: u32,
}

/// The ports of Weir's listeners in one network namespace; zero where there is none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// TCP on 127.0.0.1.
    pub tcp4: u16,
    /// TCP on `::1`.
    pub tcp6: u16,
    /// UDP on 127.0.0.1.
    pub dns4: u16,
    /// UDP on `::1`.
    pub dns6: u16,
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
