//! One side of a connection, plain or TLS, split into a reader and a writer for the two directions
//! of a flow, which are futures of the same task.

use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use weir_model::limits;

use super::buffer::Buffer;
use crate::flow::metered::Metered;

/// A connection to a client or to a target.
pub enum Stream {
    /// Not encrypted.
    Plain(Metered),
    /// Weir is the TLS server.
    FromClient(Box<tokio_rustls::server::TlsStream<Metered>>),
    /// Weir is the TLS client.
    ToTarget(Box<tokio_rustls::client::TlsStream<Metered>>),
}

impl Stream {
    /// The TCP connection below.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp.tcp(),
            Self::FromClient(tls) => tls.get_ref().0.tcp(),
            Self::ToTarget(tls) => tls.get_ref().0.tcp(),
        }
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::FromClient(tls) => Pin::new(tls).poll_read(cx, buffer),
            Self::ToTarget(tls) => Pin::new(tls).poll_read(cx, buffer),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::FromClient(tls) => Pin::new(tls).poll_write(cx, bytes),
            Self::ToTarget(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::FromClient(tls) => Pin::new(tls).poll_flush(cx),
            Self::ToTarget(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::FromClient(tls) => Pin::new(tls).poll_shutdown(cx),
            Self::ToTarget(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }

    /// Reads what is there, where a message wants `wanted` bytes more; 0 is the end of the stream.
    ///
    /// # Errors
    /// The connection broke, or there is no memory for so large a message: `OutOfMemory`.
    pub async fn read(&mut self, into: &mut Buffer, wanted: usize) -> io::Result<usize> {
        poll_fn(|cx| into.poll_fill(wanted, |room| self.poll_read(cx, room))).await
    }

    /// Writes all of it and flushes.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            bytes = advance(bytes, count)?;
        }
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Two handles of one stream, for the two directions.
    pub fn share(self) -> (Side, Side) {
        let shared = Rc::new(RefCell::new(self));
        (Side(shared.clone()), Side(shared))
    }
}

/// A handle of a shared stream. The borrow never lasts across an await, so the two directions of a
/// flow, polled by one task, do not meet in it.
#[derive(Clone)]
pub struct Side(Rc<RefCell<Stream>>);

impl Side {
    /// As [`Stream::read`].
    ///
    /// # Errors
    /// The connection broke.
    pub async fn read(&self, into: &mut Buffer, wanted: usize) -> io::Result<usize> {
        poll_fn(|cx| into.poll_fill(wanted, |room| self.0.borrow_mut().poll_read(cx, room))).await
    }

    /// As [`Stream::write`].
    ///
    /// # Errors
    /// The connection broke.
    pub async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = poll_fn(|cx| self.0.borrow_mut().poll_write(cx, bytes)).await?;
            bytes = advance(bytes, count)?;
        }
        poll_fn(|cx| self.0.borrow_mut().poll_flush(cx)).await
    }

    /// Says goodbye in the stream's own way.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn shutdown(&self) -> io::Result<()> {
        poll_fn(|cx| self.0.borrow_mut().poll_shutdown(cx)).await
    }

    /// Waits until the peer has hung up.
    pub async fn gone(&self) {
        while !self.peer_is_gone() {
            tokio::time::sleep(Duration::from_millis(limits::LOOK_MS)).await;
        }
    }

    /// Whether the peer has hung up, even behind bytes that nobody has read yet.
    pub fn peer_is_gone(&self) -> bool {
        let stream = self.0.borrow();
        let mut probe = std::pin::pin!(stream.tcp().ready(tokio::io::Interest::READABLE));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        match probe.as_mut().poll(&mut cx) {
            Poll::Ready(Ok(ready)) => ready.is_read_closed(),
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        }
    }
}

fn advance(bytes: &[u8], count: usize) -> io::Result<&[u8]> {
    match bytes.get(count..) {
        Some(rest) if count > 0 => Ok(rest),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}
