//! Listeners in the network namespace of a process: enter it on a thread of its own, bind, leave.
//!
//! A socket keeps the namespace in which it was made, so containers are reached without a bridge.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use socket2::{Domain, Protocol, Socket, Type};
use weir_abi::{Listener, RESOLVERS};
use weir_model::limits;

use super::{InterceptError, kernel};

const BACKLOG: i32 = 4_096;

/// The listeners of one network namespace, all non-blocking. While they are open, connections of
/// bound agents in it reach them; when they are closed, these are refused.
#[derive(Debug)]
pub struct Listeners {
    /// The namespace's cookie.
    pub netns: u64,
    /// On 127.0.0.1, one per worker, sharing a port.
    pub tcp: Vec<TcpListener>,
    /// On `::1`, likewise; empty where the namespace has no IPv6.
    pub tcp6: Vec<TcpListener>,
    /// DNS queries to IPv4 resolvers, one socket per slot: a client that asks several from one
    /// socket is answered by each. Queries over TCP arrive at the TCP listeners as any flow.
    pub dns: Vec<UdpSocket>,
    /// DNS queries to IPv6 resolvers, likewise.
    pub dns6: Vec<UdpSocket>,
}

impl Listeners {
    /// The same sockets once more, to hand them on; they are open as long as one of both is.
    pub fn share(&self) -> io::Result<Self> {
        let streams = |sockets: &[TcpListener]| -> io::Result<Vec<TcpListener>> {
            sockets.iter().map(TcpListener::try_clone).collect()
        };
        let datagrams = |sockets: &[UdpSocket]| -> io::Result<Vec<UdpSocket>> {
            sockets.iter().map(UdpSocket::try_clone).collect()
        };
        Ok(Self {
            netns: self.netns,
            tcp: streams(&self.tcp)?,
            tcp6: streams(&self.tcp6)?,
            dns: datagrams(&self.dns)?,
            dns6: datagrams(&self.dns6)?,
        })
    }

    /// The ports, as the programs need them.
    pub(super) fn ports(&self) -> io::Result<Listener> {
        let tcp = |sockets: &[TcpListener]| match sockets.first() {
            Some(socket) => socket.local_addr().map(|address| address.port()),
            None => Ok(0),
        };
        let dns = |sockets: &[UdpSocket]| -> io::Result<[u16; RESOLVERS]> {
            let mut ports = [0; RESOLVERS];
            for (port, socket) in ports.iter_mut().zip(sockets) {
                *port = socket.local_addr()?.port();
            }
            Ok(ports)
        };
        Ok(Listener {
            tcp4: tcp(&self.tcp)?,
            tcp6: tcp(&self.tcp6)?,
            dns4: dns(&self.dns)?,
            dns6: dns(&self.dns6)?,
        })
    }
}

/// A process's network namespace.
pub(super) enum Found {
    /// One without listeners so far, and its number in `/proc/PID/ns/net`.
    New(Listeners, u64),
    /// One that has them.
    Known(u64),
}

/// Opens listeners in the network namespace of a process, unless `is_known` knows its cookie.
/// `expected` is the cookie that it must have.
pub(super) fn open(
    pid: u32,
    workers: usize,
    expected: Option<u64>,
    is_known: impl Fn(u64) -> bool + Sync,
) -> Result<Found, InterceptError> {
    let path = PathBuf::from(format!("/proc/{pid}/ns/net"));
    let opening = |error| InterceptError::io("opening", &path, error);
    let namespace = File::open(&path).map_err(opening)?;
    let inode = namespace.metadata().map_err(opening)?.ino();
    let bound = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
            let dns = datagrams(IpAddr::from(Ipv4Addr::LOCALHOST))?;
            let first = dns.first().ok_or_else(|| io::Error::other("no DNS socket"))?;
            let netns = kernel::netns_cookie(first.as_fd())?;
            if expected.is_some_and(|expected| expected != netns) {
                return Err(io::Error::other("the process has gone to another one"));
            }
            if is_known(netns) {
                return Ok(Found::Known(netns));
            }
            Ok(Found::New(bind(workers, netns, dns)?, inode))
        });
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread died")))
    });
    bound.map_err(|error| InterceptError::io("listening in the namespace", &path, error))
}

/// The cookie of this thread's network namespace.
pub(super) fn own() -> Result<u64, InterceptError> {
    let cookie = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|socket| kernel::netns_cookie(socket.as_fd()));
    cookie.map_err(|source| InterceptError::Kernel { what: "finding the own namespace", source })
}

fn bind(workers: usize, netns: u64, dns: Vec<UdpSocket>) -> io::Result<Listeners> {
    let tcp = streams(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), workers)?;
    // Without IPv6 in the namespace, IPv6 clients are sent to the IPv4 listener.
    let dns6 = datagrams(IpAddr::from(Ipv6Addr::LOCALHOST)).unwrap_or_default();
    let tcp6 = if dns6.is_empty() {
        Vec::new()
    } else {
        streams(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)), workers)?
    };
    Ok(Listeners { netns, tcp, tcp6, dns, dns6 })
}

/// One DNS socket per slot.
fn datagrams(address: IpAddr) -> io::Result<Vec<UdpSocket>> {
    let mut sockets = Vec::with_capacity(RESOLVERS);
    for _ in 0..RESOLVERS {
        let socket = UdpSocket::bind((address, 0))?;
        socket.set_nonblocking(true)?;
        // What does not fit in is lost, and the ledger misses it.
        setsockopt(&socket, RcvBufForce, &limits::DNS_BACKLOG_BYTES)?;
        sockets.push(socket);
    }
    Ok(sockets)
}

/// One listener per worker; the first one chooses the port.
fn streams(mut address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for _ in 0..workers.max(1) {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        // Inherited by what is accepted, so that no urgent byte is skipped before anybody could say so.
        socket.set_out_of_band_inline(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}
