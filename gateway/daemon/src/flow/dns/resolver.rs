//! Asks the resolver that the agent meant, on a socket of the query's own.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use weir_model::limits;

use super::message::Question;
use crate::flow::services::random;

const MESSAGE: usize = 65_535;

/// The resolver's answer. It has to come from where the query went, with the query's random id and
/// its question; whatever else comes is passed over until the time is up.
///
/// # Errors
/// There is none in time, or no way there.
pub(super) async fn ask(
    resolver: SocketAddr,
    question: &Question,
    tcp: bool,
) -> io::Result<Vec<u8>> {
    let [a, b, ..] = random().to_ne_bytes();
    let id = u16::from_ne_bytes([a, b]);
    let query = question.upstream(id).ok_or_else(|| io::Error::other("no query can be made"))?;
    let exchange = async {
        if tcp {
            stream(resolver, &query).await
        } else {
            datagram(resolver, &query, question, id).await
        }
    };
    let patience = Duration::from_millis(limits::DNS_MS);
    let reply = tokio::time::timeout(patience, exchange).await.map_err(io::Error::from)??;
    if question.is_answered_by(&reply, id) {
        return Ok(reply);
    }
    Err(io::Error::other("the answer belongs to another question"))
}

async fn stream(resolver: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(resolver).await?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[length.to_be_bytes().as_slice(), query].concat()).await?;
    let length = stream.read_u16().await?;
    let mut reply = vec![0u8; usize::from(length)];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}

async fn datagram(
    resolver: SocketAddr,
    query: &[u8],
    question: &Question,
    id: u16,
) -> io::Result<Vec<u8>> {
    let any: SocketAddr = if resolver.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any).await?;
    // The kernel drops what comes from anywhere else.
    socket.connect(resolver).await?;
    socket.send(query).await?;
    let mut reply = vec![0u8; MESSAGE];
    loop {
        let count = socket.recv(&mut reply).await?;
        let received = reply.get(..count).unwrap_or_default();
        if question.is_answered_by(received, id) {
            return Ok(received.to_vec());
        }
    }
}
