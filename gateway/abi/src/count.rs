//! What the programs count, per binding, and why they refuse.

/// Why something was refused.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The binding is not active.
    Revoked = 0,
    /// There is no listener in this network namespace.
    UnknownNetns,
    /// The listener is not ours or does not listen any more.
    ListenerGone,
    /// The destination is Weir's own listener.
    ProxyItself,
    /// The kernel gave no storage for the socket.
    NoStorage,
    /// The socket is tied to a network device.
    BoundDevice,
    /// A datagram that is not a DNS query.
    Datagram,
    /// A kind of socket that is not on the list.
    SocketKind,
    /// Multipath TCP.
    Multipath,
    /// A hook was called for a protocol that it should never see.
    Protocol,
    /// A packet with options, extension headers or fragments, or one that is cut off.
    PacketShape,
    /// A packet that does not go to a listener over loopback.
    PacketRoute,
    /// A packet of a socket that was never redirected.
    PacketUnattributed,
    /// The asker of a DNS query could not be published.
    AskerLost,
    /// A stream bound to an address and port where others than this host could reach it.
    BindOutside,
    /// A bind to the port of one of Weir's own listeners.
    BindProxy,
    /// A socket option that leads around the other hooks. The denial's protocol is its level, the
    /// port its number.
    SocketOption,
    /// A packet over loopback whose other end is not a socket of the same binding.
    PeerOutside,
    /// A packet from somebody else to a socket of the binding. The address is the sender's.
    Inbound,
}

/// All reasons, in order of their numbers.
pub const REASONS: [Reason; 19] = [
    Reason::Revoked,
    Reason::UnknownNetns,
    Reason::ListenerGone,
    Reason::ProxyItself,
    Reason::NoStorage,
    Reason::BoundDevice,
    Reason::Datagram,
    Reason::SocketKind,
    Reason::Multipath,
    Reason::Protocol,
    Reason::PacketShape,
    Reason::PacketRoute,
    Reason::PacketUnattributed,
    Reason::AskerLost,
    Reason::BindOutside,
    Reason::BindProxy,
    Reason::SocketOption,
    Reason::PeerOutside,
    Reason::Inbound,
];

impl Reason {
    /// The reason with this number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        REASONS.get(number as usize).copied()
    }

    /// The name used in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::UnknownNetns => "unknown_netns",
            Self::ListenerGone => "listener_gone",
            Self::ProxyItself => "proxy_itself",
            Self::NoStorage => "no_storage",
            Self::BoundDevice => "bound_device",
            Self::Datagram => "datagram",
            Self::SocketKind => "socket_kind",
            Self::Multipath => "multipath",
            Self::Protocol => "protocol",
            Self::PacketShape => "packet_shape",
            Self::PacketRoute => "packet_route",
            Self::PacketUnattributed => "packet_unattributed",
            Self::AskerLost => "asker_lost",
            Self::BindOutside => "bind_outside",
            Self::BindProxy => "bind_proxy",
            Self::SocketOption => "socket_option",
            Self::PeerOutside => "peer_outside",
            Self::Inbound => "inbound",
        }
    }
}

/// What is counted besides refusals.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// TCP connects seen: `seen = redirected + direct + denied`.
    TcpSeen = 0,
    /// TCP connects sent to the listener.
    TcpRedirected,
    /// Flows published at the first SYN: `redirected = published + failures + never sent`.
    Published,
    /// Flows that could not be published; the proxy refuses them.
    PublishFailed,
    /// Published sockets that closed.
    Closed,
    /// Flows that closed before the listener's side had taken their entry.
    Aborted,
    /// Bytes that the listener's side acknowledged, SYN and FIN included.
    BytesAcked,
    /// Bytes received by the clients.
    BytesReceived,
    /// UDP connects that are not DNS; they succeed, their packets do not.
    UdpConnected,
    /// UDP connects and datagrams sent to the DNS listener.
    DnsRedirected,
    /// DNS packets that left with their asker published.
    DnsPackets,
    /// TCP packets that left.
    TcpPackets,
    /// Sockets created.
    Sockets,
    /// Denials that did not fit into the ring.
    EventsLost,
    /// TCP connects to a listener of the same binding on loopback, which go direct.
    TcpDirect,
    /// Packets between sockets of the binding on loopback.
    DirectPackets,
    /// Their bytes, headers included.
    DirectBytes,
    /// Sockets closed by their last holder.
    Released,
}

/// All counts but refusals, in order of their numbers.
pub const COUNTS: [Count; 18] = [
    Count::TcpSeen,
    Count::TcpRedirected,
    Count::Published,
    Count::PublishFailed,
    Count::Closed,
    Count::Aborted,
    Count::BytesAcked,
    Count::BytesReceived,
    Count::UdpConnected,
    Count::DnsRedirected,
    Count::DnsPackets,
    Count::TcpPackets,
    Count::Sockets,
    Count::EventsLost,
    Count::TcpDirect,
    Count::DirectPackets,
    Count::DirectBytes,
    Count::Released,
];

impl Count {
    /// The name used in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TcpSeen => "tcp_seen",
            Self::TcpRedirected => "tcp_redirected",
            Self::Published => "published",
            Self::PublishFailed => "publish_failed",
            Self::Closed => "closed",
            Self::Aborted => "aborted",
            Self::BytesAcked => "bytes_acked",
            Self::BytesReceived => "bytes_received",
            Self::UdpConnected => "udp_connected",
            Self::DnsRedirected => "dns_redirected",
            Self::DnsPackets => "dns_packets",
            Self::TcpPackets => "tcp_packets",
            Self::Sockets => "sockets",
            Self::EventsLost => "events_lost",
            Self::TcpDirect => "tcp_direct",
            Self::DirectPackets => "direct_packets",
            Self::DirectBytes => "direct_bytes",
            Self::Released => "released",
        }
    }
}

/// The counters of one binding: first the counts, then the refusals by reason.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// By number of the [`Count`].
    pub counts: [u64; COUNTS.len()],
    /// By number of the [`Reason`].
    pub denied: [u64; REASONS.len()],
}

impl Counters {
    /// Nothing counted yet.
    pub const ZERO: Self = Self { counts: [0; COUNTS.len()], denied: [0; REASONS.len()] };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_stand_in_the_order_of_their_numbers() {
        for (index, reason) in REASONS.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            assert_eq!(Reason::from_number(index as u32), Some(reason));
        }
        for (index, count) in COUNTS.into_iter().enumerate() {
            assert_eq!(count as usize, index);
        }
        assert_eq!(Reason::from_number(REASONS.len() as u32), None);
    }
}
