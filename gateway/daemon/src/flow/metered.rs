//! A client's connection that counts what is read from it and written to it: the gateway's half of
//! what the ledger compares with the kernel's count at the other end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use nix::sys::socket::{MsgFlags, recv};
use std::os::fd::AsRawFd as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::intercept::close::Served;

/// What is thrown away when a connection is left, at the most.
const LEFT_BYTES: usize = 64 << 10;

/// What was read and written.
#[derive(Debug, Default)]
pub struct Meter {
    read: AtomicU64,
    written: AtomicU64,
    to_the_end: AtomicBool,
}

impl Meter {
    /// Counts bytes that were read past [`Metered`]; none are the end of the stream.
    pub fn count_read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        if bytes == 0 {
            self.to_the_end.store(true, Ordering::Relaxed);
        }
    }

    /// Counts bytes that were written past [`Metered`].
    pub fn count_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The sums.
    pub fn served(&self) -> Served {
        Served {
            read: self.read.load(Ordering::Relaxed),
            written: self.written.load(Ordering::Relaxed),
            to_the_end: self.to_the_end.load(Ordering::Relaxed),
        }
    }
}

/// A connection with its meter.
#[derive(Debug)]
pub struct Metered {
    tcp: TcpStream,
    meter: Arc<Meter>,
}

impl Metered {
    /// Counts into a meter from now on.
    pub fn new(tcp: TcpStream, meter: Arc<Meter>) -> Self {
        Self { tcp, meter }
    }

    /// The connection itself, to look at; what is read or written there has to be counted.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// The meter.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }
}

impl From<TcpStream> for Metered {
    /// For the side that nobody compares: a target's.
    fn from(tcp: TcpStream) -> Self {
        Self::new(tcp, Arc::default())
    }
}

impl Drop for Metered {
    /// What the client sent behind the last message that was read is thrown away, but counted; most
    /// often it is nothing but its FIN, without which the comparison is not exact.
    fn drop(&mut self) {
        let mut left = [0u8; 4096];
        for _ in 0..LEFT_BYTES / left.len() {
            match recv(self.tcp.as_raw_fd(), &mut left, MsgFlags::MSG_DONTWAIT) {
                Ok(count) => self.meter.count_read(count),
                Err(_) => return,
            }
            if self.meter.to_the_end.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (into.filled().len(), into.remaining());
        let polled = Pin::new(&mut self.tcp).poll_read(cx, into);
        if room > 0 && matches!(polled, Poll::Ready(Ok(()))) {
            self.meter.count_read(into.filled().len() - before);
        }
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = polled {
            self.meter.count_written(count);
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.tcp).poll_write_vectored(cx, slices);
        if let Poll::Ready(Ok(count)) = polled {
            self.meter.count_written(count);
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_is_read_written_and_left_unread_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let meter = Arc::new(Meter::default());
        let mut metered = Metered::new(listener.accept().await.unwrap().0, meter.clone());
        client.write_all(b"hello, world").await.unwrap();
        metered.read_exact(&mut [0; 5]).await.unwrap();
        metered.write_all(b"yes").await.unwrap();
        assert_eq!(meter.served(), Served { read: 5, written: 3, to_the_end: false });
        client.shutdown().await.unwrap();
        metered.tcp().readable().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        drop(metered);
        assert_eq!(meter.served(), Served { read: 12, written: 3, to_the_end: true });
    }
}
