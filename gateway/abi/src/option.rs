//! Which socket options are refused: those that lead a packet elsewhere than its socket says, past
//! the other hooks, or that make the kernel itself send something.

// The levels.
const SOCKET: i32 = 1;
const IP: i32 = 0;
const TCP: i32 = 6;
const UDP: i32 = 17;
const IPV6: i32 = 41;

/// Whether an agent may not set this option. All others pass: packets are judged anyway.
///
/// `protocol` is the socket's. A TCP socket filters nothing: it would keep its handshakes from ending.
#[inline(always)]
#[must_use]
pub const fn is_refused(level: i32, name: i32, protocol: u32) -> bool {
    match level {
        // BINDTODEVICE, MARK, ATTACH_REUSEPORT_CBPF and _EBPF, BINDTOIFINDEX.
        SOCKET if matches!(name, 25 | 36 | 51 | 52 | 62) => true,
        // ATTACH_FILTER, ATTACH_BPF.
        SOCKET => protocol == crate::TCP as u32 && matches!(name, 26 | 50),
        // HDRINCL, OPTIONS, FREEBIND, IPSEC_POLICY, XFRM_POLICY, TRANSPARENT, UNICAST_IF.
        IP => matches!(name, 3 | 4 | 15 | 16 | 17 | 19 | 50) || joins(name),
        // 2292PKTOPTIONS, JOIN_GROUP, JOIN_ANYCAST, IPSEC_POLICY, XFRM_POLICY, HDRINCL, HOPOPTS,
        // RTHDRDSTOPTS, RTHDR, DSTOPTS, TRANSPARENT, UNICAST_IF, FREEBIND.
        IPV6 => {
            matches!(name, 6 | 20 | 27 | 34 | 35 | 36 | 54 | 55 | 57 | 59 | 75 | 76 | 78)
                || joins(name)
        }
        // MD5SIG and MD5SIG_EXT, with which a handshake never ends; the REPAIR family, which makes
        // connections without connecting; ULP; the AO family.
        TCP => matches!(name, 14 | 19 | 20 | 21 | 22 | 29 | 31 | 32 | 38 | 39 | 40 | 41 | 42),
        // ENCAP.
        UDP => name == 100,
        _ => false,
    }
}

/// Whether an option is set in appearance only: `REUSEPORT` on UDP, which resolvers' libraries insist on.
/// Of a group that an outsider began on a port, a program of theirs may choose who receives; so a
/// bound socket is in none.
#[inline(always)]
#[must_use]
pub const fn is_ignored(level: i32, name: i32, protocol: u32) -> bool {
    level == SOCKET && name == 15 && protocol == crate::UDP as u32
}

/// Joining a multicast group makes the kernel tell the network, in packets that no socket sends: the
/// group's address would carry data out. `ADD_MEMBERSHIP`, `ADD_SOURCE_MEMBERSHIP`, `MSFILTER`,
/// `MCAST_JOIN_GROUP`, `MCAST_JOIN_SOURCE_GROUP`, `MCAST_MSFILTER`.
#[inline(always)]
const fn joins(name: i32) -> bool {
    matches!(name, 35 | 39 | 41 | 42 | 46 | 48)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_lead_elsewhere_are_refused() {
        let refused = [
            (SOCKET, 25),
            (SOCKET, 36),
            (SOCKET, 62),
            (IP, 4),
            (IP, 19),
            (IP, 35),
            (IP, 42),
            (IPV6, 20),
            (IPV6, 54),
            (IPV6, 57),
            (IPV6, 59),
            (IPV6, 42),
            (TCP, 14),
            (TCP, 19),
            (TCP, 31),
            (UDP, 100),
        ];
        for (level, name) in refused {
            assert!(is_refused(level, name, 0), "{level} {name}");
        }
        let (tcp, udp) = (u32::from(crate::TCP), u32::from(crate::UDP));
        assert!(is_refused(SOCKET, 26, tcp) && !is_refused(SOCKET, 26, 0)); // ATTACH_FILTER
        assert!(is_ignored(SOCKET, 15, udp) && !is_ignored(SOCKET, 15, tcp)); // REUSEPORT
    }

    #[test]
    fn what_clients_set_every_day_passes() {
        let usual = [
            (SOCKET, 2),  // REUSEADDR
            (SOCKET, 15), // REUSEPORT
            (SOCKET, 9),  // KEEPALIVE
            (SOCKET, 20), // RCVTIMEO
            (SOCKET, 8),  // RCVBUF
            (IP, 1),      // TOS
            (IP, 10),     // MTU_DISCOVER
            (IP, 11),     // RECVERR
            (IP, 8),      // PKTINFO
            (IP, 24),     // BIND_ADDRESS_NO_PORT
            (IPV6, 26),   // V6ONLY
            (IPV6, 49),   // RECVPKTINFO
            (TCP, 1),     // NODELAY
            (TCP, 30),    // FASTOPEN_CONNECT
            (UDP, 103),   // SEGMENT
            (270, 1),     // netlink
        ];
        for (level, name) in usual {
            assert!((0..20).all(|protocol| !is_refused(level, name, protocol)), "{level} {name}");
        }
    }
}
