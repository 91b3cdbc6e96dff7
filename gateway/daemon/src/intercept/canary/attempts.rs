//! The canary's own side: what it tries, one attempt at a time, as an unprivileged process.

#![allow(unsafe_code)]

use std::fmt;
use std::io::{self, BufRead as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use nix::sys::prctl::set_no_new_privs;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, Socket, Type};

/// `nobody` and `nogroup`: an agent that is not root.
const NOBODY: u32 = 65_534;
/// How long a connect may take. Over loopback it takes microseconds, or never succeeds.
const PATIENCE: Duration = Duration::from_millis(150);
/// Record route, with room for one address: harmless where it works.
const RECORD_ROUTE: [u8; 8] = [7, 7, 4, 0, 0, 0, 0, 1];
/// A routing header of type 2 by way of `fd00::9`.
const ROUTING_HEADER: [u8; 24] =
    [0, 2, 2, 1, 0, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];

/// The ports that must not be reached.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Victims {
    /// On 127.0.0.1.
    pub tcp4: u16,
    /// On 127.0.0.1.
    pub udp4: u16,
    /// On `::1`, where there is IPv6.
    pub tcp6: Option<u16>,
    /// On `::1`, where there is IPv6.
    pub udp6: Option<u16>,
}

/// What the child says of an attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The kernel refused.
    Refused {
        /// With what.
        error: String,
    },
    /// The call succeeded; whether anything arrived is for the parent to see.
    Sent,
    /// Something exists that should not.
    Open {
        /// What.
        what: String,
    },
    /// It waits to be called.
    Listening {
        /// Where.
        port: u16,
    },
    /// This host has no such thing.
    NotTried {
        /// Why.
        why: String,
    },
}

impl fmt::Display for Said {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { error } => write!(formatter, "although it was refused: {error}"),
            Self::Sent => formatter.write_str("and the call succeeded"),
            Self::Open { what } | Self::NotTried { why: what } => formatter.write_str(what),
            Self::Listening { port } => write!(formatter, "listening on port {port}"),
        }
    }
}

macro_rules! attempts {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A way around.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Attempt { $($(#[$doc])* $variant,)* }

        /// All of them, in the order in which they are tried.
        pub const ATTEMPTS: &[Attempt] = &[$(Attempt::$variant,)*];

        impl Attempt {
            /// The name used in the record.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

attempts! {
    /// A plain connect.
    Tcp4 = "direct TCP over IPv4",
    /// A plain connect.
    Tcp6 = "direct TCP over IPv6",
    /// An IPv6 socket that connects to an IPv4 address.
    TcpMapped = "direct TCP to a mapped address",
    /// A source address of one's own.
    TcpBound = "TCP from a chosen source address",
    /// Data in the SYN, without connect.
    FastOpen = "TCP fast open by sendto",
    /// A datagram.
    Udp4 = "UDP over IPv4",
    /// A datagram.
    Udp6 = "UDP over IPv6",
    /// A datagram from an IPv6 socket to an IPv4 address.
    UdpMapped = "UDP to a mapped address",
    /// Connect and send, as QUIC does.
    UdpConnected = "connected UDP",
    /// An IP option on a TCP connection.
    Options = "TCP with IP options",
    /// A routing header on a TCP connection.
    RoutingHeader = "TCP with a routing header",
    /// Multipath TCP.
    Multipath = "multipath TCP socket",
    /// A protocol without a hook at connect.
    UdpLite = "UDP-Lite socket",
    /// A protocol without a hook at connect.
    Sctp = "SCTP socket",
    /// A protocol without a hook at connect.
    Dccp = "DCCP socket",
    /// A raw socket.
    Raw = "raw socket",
    /// Ping.
    Ping = "ping socket",
    /// A packet socket.
    PacketSocket = "packet socket",
    /// To the hypervisor or another virtual machine.
    Vsock = "vsock socket",
    /// A server inside, called from outside.
    Listen = "server called from outside",
    /// Out of the cgroup.
    Leave = "move out of the cgroup",
    /// A container runtime that would start something unbound.
    Docker = "Docker's socket",
    /// From a cgroup below the bound one.
    NestedCgroup = "direct TCP from a nested cgroup",
}

impl Attempt {
    /// Whether cgroup programs alone close it.
    pub fn is_closed_by_programs(self) -> bool {
        !matches!(self, Self::Vsock | Self::Docker)
    }

    fn by_name(name: &str) -> Option<Self> {
        ATTEMPTS.iter().copied().find(|attempt| attempt.name() == name)
    }

    fn make(self, victims: &Victims) -> io::Result<Said> {
        let loopback4 = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let loopback6 = |port| SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        let mapped = |port| SocketAddr::from((Ipv4Addr::LOCALHOST.to_ipv6_mapped(), port));
        let no_ipv6 = || Said::NotTried { why: "there is no IPv6".to_owned() };
        match self {
            Self::Tcp4 | Self::NestedCgroup => connect(Domain::IPV4, loopback4(victims.tcp4)),
            Self::Tcp6 => match victims.tcp6 {
                Some(port) => connect(Domain::IPV6, loopback6(port)),
                None => Ok(no_ipv6()),
            },
            Self::TcpMapped => connect(Domain::IPV6, mapped(victims.tcp4)),
            Self::TcpBound => {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
                socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, 9), 0)).into())?;
                socket.connect_timeout(&loopback4(victims.tcp4).into(), PATIENCE)?;
                Ok(Said::Sent)
            }
            Self::FastOpen => {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
                let to = loopback4(victims.tcp4).into();
                socket.send_to_with_flags(b"canary", &to, libc::MSG_FASTOPEN)?;
                Ok(Said::Sent)
            }
            Self::Udp4 => send(Domain::IPV4, loopback4(victims.udp4)),
            Self::Udp6 => match victims.udp6 {
                Some(port) => send(Domain::IPV6, loopback6(port)),
                None => Ok(no_ipv6()),
            },
            Self::UdpMapped => send(Domain::IPV6, mapped(victims.udp4)),
            Self::UdpConnected => {
                let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
                socket.connect(&loopback4(victims.udp4).into())?;
                socket.send(b"canary")?;
                Ok(Said::Sent)
            }
            Self::Options => {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
                option(&socket, libc::IPPROTO_IP, libc::IP_OPTIONS, &RECORD_ROUTE)?;
                socket.connect_timeout(&loopback4(victims.tcp4).into(), PATIENCE)?;
                Ok(Said::Sent)
            }
            Self::RoutingHeader => {
                let Some(port) = victims.tcp6 else { return Ok(no_ipv6()) };
                let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
                option(&socket, libc::IPPROTO_IPV6, libc::IPV6_RTHDR, &ROUTING_HEADER)?;
                socket.connect_timeout(&loopback6(port).into(), PATIENCE)?;
                Ok(Said::Sent)
            }
            Self::Multipath => exists(Domain::IPV4, Type::STREAM, libc::IPPROTO_MPTCP),
            Self::UdpLite => exists(Domain::IPV4, Type::DGRAM, libc::IPPROTO_UDPLITE),
            Self::Sctp => exists(Domain::IPV4, Type::STREAM, libc::IPPROTO_SCTP),
            Self::Dccp => exists(Domain::IPV4, Type::from(libc::SOCK_DCCP), libc::IPPROTO_DCCP),
            Self::Raw => exists(Domain::IPV4, Type::from(libc::SOCK_RAW), libc::IPPROTO_RAW),
            Self::Ping => exists(Domain::IPV4, Type::DGRAM, libc::IPPROTO_ICMP),
            Self::PacketSocket => {
                exists(Domain::from(libc::AF_PACKET), Type::from(libc::SOCK_RAW), 0)
            }
            Self::Vsock => exists(Domain::from(libc::AF_VSOCK), Type::STREAM, 0),
            Self::Listen => listen(),
            Self::Leave => leave(),
            Self::Docker => docker(),
        }
    }
}

/// Runs the child: gives up its privileges once it is bound, then tries what it is told to.
///
/// # Errors
/// The parent is gone, or privileges can't be given up.
pub fn run() -> io::Result<()> {
    let mut lines = io::stdin().lock().lines();
    let mut next = || lines.next().transpose();
    let Some(plan) = next()? else { return Ok(()) };
    let victims: Victims = serde_json::from_str(&plan)?;
    if Uid::effective().is_root() {
        let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        setgroups(&[])?;
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)?;
    }
    set_no_new_privs()?;
    let mut output = io::stdout();
    while let Some(name) = next()? {
        let said = match Attempt::by_name(&name) {
            Some(attempt) => attempt
                .make(&victims)
                .unwrap_or_else(|error| Said::Refused { error: error.to_string() }),
            None => Said::NotTried { why: "it is not known".to_owned() },
        };
        writeln!(output, "{}", serde_json::to_string(&said)?)?;
        output.flush()?;
    }
    Ok(())
}

fn connect(domain: Domain, to: SocketAddr) -> io::Result<Said> {
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    Ok(Said::Sent)
}

fn send(domain: Domain, to: SocketAddr) -> io::Result<Said> {
    let socket = Socket::new(domain, Type::DGRAM, None)?;
    socket.send_to(b"canary", &to.into())?;
    Ok(Said::Sent)
}

/// A kind of socket that no program would see the traffic of must not exist.
fn exists(domain: Domain, kind: Type, protocol: i32) -> io::Result<Said> {
    let protocol = (protocol != 0).then(|| Protocol::from(protocol));
    Socket::new(domain, kind, protocol)?;
    Ok(Said::Open { what: "such a socket can be made".to_owned() })
}

/// A server that answers whoever calls, for as long as the canary lives.
fn listen() -> io::Result<Said> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A caller that is gone is as good as one that was never answered.
            let _ = stream.write_all(b"canary");
        }
    });
    Ok(Said::Listening { port })
}

fn leave() -> io::Result<Said> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "));
    let Some(mount) = mount.and_then(|line| line.split(' ').nth(4)) else {
        return Ok(Said::NotTried { why: "no cgroup v2 is mounted".to_owned() });
    };
    std::fs::write(format!("{mount}/cgroup.procs"), std::process::id().to_string())?;
    Ok(Said::Open { what: "an unprivileged process can leave".to_owned() })
}

fn docker() -> io::Result<Said> {
    std::os::unix::net::UnixStream::connect("/var/run/docker.sock")?;
    Ok(Said::Open { what: "an unprivileged process can have Docker start others".to_owned() })
}

fn option(socket: &Socket, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let length = libc::socklen_t::try_from(value.len()).map_err(io::Error::other)?;
    // SAFETY: value and length describe a live slice.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value.as_ptr().cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_is_known_by_its_name() {
        for attempt in ATTEMPTS {
            assert_eq!(Attempt::by_name(attempt.name()), Some(*attempt));
        }
    }
}
