//! Which sockets an agent may create: an allow-list, as most protocols have no hook at connect.

use crate::{Reason, TCP, UDP};

/// `AF_INET`.
pub const INET: u32 = 2;
/// `AF_INET6`.
pub const INET6: u32 = 10;
/// `SOCK_STREAM`.
pub const STREAM: u32 = 1;
/// `SOCK_DGRAM`.
pub const DGRAM: u32 = 2;
/// `IPPROTO_MPTCP`.
const MPTCP: u32 = 262;

/// Plain TCP and UDP pass. Multipath TCP has a reason of its own, so that clients fall back to TCP.
#[inline(always)]
pub const fn may_create(family: u32, kind: u32, protocol: u32) -> Result<(), Reason> {
    if family != INET && family != INET6 {
        return Err(Reason::SocketKind);
    }
    if kind == STREAM && (protocol == 0 || protocol == TCP as u32) {
        return Ok(());
    }
    if kind == DGRAM && (protocol == 0 || protocol == UDP as u32) {
        return Ok(());
    }
    if kind == STREAM && protocol == MPTCP {
        return Err(Reason::Multipath);
    }
    Err(Reason::SocketKind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_tcp_and_udp_pass_and_nothing_else_does() {
        let cases = [
            ((INET, STREAM, 6), Ok(())),
            ((INET, STREAM, 0), Ok(())),
            ((INET6, DGRAM, 17), Ok(())),
            ((INET6, DGRAM, 0), Ok(())),
            ((INET, STREAM, 262), Err(Reason::Multipath)),
            ((INET6, STREAM, 262), Err(Reason::Multipath)),
            ((INET, DGRAM, 262), Err(Reason::SocketKind)), // no such socket
            ((INET, STREAM, 132), Err(Reason::SocketKind)), // SCTP
            ((INET, 5, 132), Err(Reason::SocketKind)),
            ((INET, DGRAM, 136), Err(Reason::SocketKind)), // UDP-Lite
            ((INET, DGRAM, 1), Err(Reason::SocketKind)),   // ping
            ((INET, 3, 255), Err(Reason::SocketKind)),     // raw
            ((INET6, 3, 58), Err(Reason::SocketKind)),
            ((INET, STREAM, 256), Err(Reason::SocketKind)), // SMC
            ((INET, 6, 33), Err(Reason::SocketKind)),       // DCCP
            ((17, 3, 768), Err(Reason::SocketKind)),        // packet
            ((40, STREAM, 0), Err(Reason::SocketKind)),     // vsock
            ((INET, DGRAM, 6), Err(Reason::SocketKind)),
            ((INET, STREAM, 17), Err(Reason::SocketKind)),
        ];
        for ((family, kind, protocol), expected) in cases {
            let found = may_create(family, kind, protocol);
            assert_eq!(found, expected, "{family} {kind} {protocol}");
        }
    }
}
