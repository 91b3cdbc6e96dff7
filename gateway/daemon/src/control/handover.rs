//! The way between a gateway and its successor: messages with descriptors, over a connection to the
//! control socket that both sides have agreed on.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use weir_model::{SessionId, limits};

/// The form of the hand-over; gateways of different forms can't replace one another.
pub const FORM: u32 = 2;
/// Length and number of descriptors.
const HEAD: usize = 8;

/// What a gateway tells the one that it has replaced, as lines of JSON, as long as that serves flows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// A session has ended: cut its flows.
    Cut {
        /// Which.
        session: SessionId,
        /// Why.
        reason: String,
    },
    /// Cancel what a connection is doing.
    Cancel {
        /// Who asks.
        session: SessionId,
        /// The connection's number.
        pid: u32,
        /// The proof that it is meant.
        key: Vec<u8>,
    },
    /// Configuration and policy have changed: read them again, or cut all flows.
    Reload,
    /// Cut all flows and end.
    Stop {
        /// Why.
        reason: String,
    },
}

/// One end of the way. Blocking, with a bound on each wait.
#[derive(Debug)]
pub struct Channel(UnixStream);

impl Channel {
    /// Speaks over a connected socket.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        let patience = Some(Duration::from_millis(limits::HANDOVER_MS));
        stream.set_read_timeout(patience)?;
        stream.set_write_timeout(patience)?;
        Ok(Self(stream))
    }

    /// Waits longer than usual for the next message.
    pub fn wait(&self, patience: Duration) -> io::Result<()> {
        self.0.set_read_timeout(Some(patience))
    }

    /// The socket, for what is said afterwards.
    pub fn into_stream(self) -> UnixStream {
        self.0
    }

    /// Waits until the other side is gone; false where it still is there after a while.
    pub fn is_closed(&self, patience: Duration) -> bool {
        let mut byte = [0; 1];
        self.wait(patience).is_ok() && matches!((&self.0).read(&mut byte), Ok(0))
    }

    /// Sends a message and descriptors.
    pub fn send<T: Serialize>(&self, message: &T, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        let body = serde_json::to_vec(message)?;
        if body.len() > limits::HANDED_BYTES || files.len() > limits::HANDED_FILES {
            return Err(io::Error::other("a message of the hand-over is too large"));
        }
        let count = u32::try_from(files.len()).map_err(io::Error::other)?;
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        let head = [length.to_le_bytes(), count.to_le_bytes()].concat();
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(limits::HANDED_FILES))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() && !rights.push(SendAncillaryMessage::ScmRights(files)) {
            return Err(io::Error::other("the descriptors of a message do not fit"));
        }
        let parts = [IoSlice::new(&head)];
        let sent = sendmsg(&self.0, &parts, &mut rights, SendFlags::NOSIGNAL)?;
        (&self.0).write_all(head.get(sent..).unwrap_or_default())?;
        (&self.0).write_all(&body)
    }

    /// Receives a message and its descriptors.
    pub fn receive<T: DeserializeOwned>(&self) -> io::Result<(T, Vec<OwnedFd>)> {
        let mut head = [0; HEAD];
        let (read, files) = self.head(&mut head)?;
        (&self.0).read_exact(head.get_mut(read..).unwrap_or_default())?;
        let [a, b, c, d, e, f, g, h] = head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > limits::HANDED_BYTES {
            return Err(io::Error::other("a message of the hand-over is too large"));
        }
        if u32::from_le_bytes([e, f, g, h]) as usize != files.len() {
            return Err(io::Error::other("descriptors of the hand-over are missing"));
        }
        let mut body = vec![0; length];
        (&self.0).read_exact(&mut body)?;
        Ok((serde_json::from_slice(&body)?, files))
    }

    /// The descriptors come with the first byte.
    fn head(&self, head: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(limits::HANDED_FILES))];
        let mut rights = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(head)];
        let message = recvmsg(&self.0, &mut parts, &mut rights, RecvFlags::CMSG_CLOEXEC)?;
        let mut files = Vec::new();
        for control in rights.drain() {
            if let RecvAncillaryMessage::ScmRights(found) = control {
                files.extend(found);
            }
        }
        match message.bytes {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok((read, files)),
        }
    }
}
