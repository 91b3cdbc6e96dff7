//! Lines of JSON of a bounded length, sent and received.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use zeroize::Zeroizing;

const CHUNK: usize = 8 << 10;

/// Why a line is no message.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The line is too long.
    #[error("a message on the control socket is longer than {0} bytes")]
    Long(usize),
    /// The other side went away in the middle of a line.
    #[error("the connection ended in the middle of a message")]
    Half,
    /// Nothing came in time.
    #[error("a message did not arrive in time")]
    Late,
    /// It is not what this version says.
    #[error("a message was not understood: {0}; is this the gateway's own version of weir?")]
    Json(#[from] serde_json::Error),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A message as a line. It may hold a token, so that it is wiped when dropped.
pub(super) fn encode<T: Serialize>(
    message: &T,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    let mut line = Zeroizing::new(serde_json::to_vec(message)?);
    line.push(b'\n');
    if line.len() > limit { Err(FrameError::Long(limit)) } else { Ok(line) }
}

/// The message of a line.
pub(super) fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, FrameError> {
    Ok(serde_json::from_slice(line)?)
}

/// Cuts a stream into lines.
pub(super) struct Lines<R> {
    from: R,
    limit: usize,
    buffer: Zeroizing<Vec<u8>>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(from: R, limit: usize) -> Self {
        Self { from, limit, buffer: Zeroizing::new(Vec::new()) }
    }

    /// Where it reads from; what was read and not taken is lost.
    pub(super) fn into_inner(self) -> R {
        self.from
    }

    /// Waits until something of the next line is here; false at the end of the stream.
    pub(super) async fn begin(&mut self) -> Result<bool, FrameError> {
        Ok(!self.buffer.is_empty() || self.more().await?)
    }

    /// The next line without its end; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, FrameError> {
        let mut seen = 0;
        loop {
            let end = self.buffer[seen..].iter().position(|byte| *byte == b'\n');
            if let Some(end) = end.map(|end| seen + end) {
                let rest = Zeroizing::new(self.buffer.split_off(end + 1));
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.truncate(end);
                return Ok(Some(line));
            }
            seen = self.buffer.len();
            if seen >= self.limit {
                return Err(FrameError::Long(self.limit));
            }
            if !self.more().await? {
                return if seen == 0 { Ok(None) } else { Err(FrameError::Half) };
            }
        }
    }

    async fn more(&mut self) -> Result<bool, FrameError> {
        let mut chunk = Zeroizing::new([0; CHUNK]);
        let room = CHUNK.min(self.limit.saturating_sub(self.buffer.len()));
        let count = self.from.read(&mut chunk[..room]).await?;
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(count > 0)
    }
}
