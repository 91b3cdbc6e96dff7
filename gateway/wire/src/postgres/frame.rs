//! Where a message ends, before it is all there.

use std::fmt;

use weir_model::limits;

use crate::WireError;

/// Who sent the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client: frontend messages.
    Client,
    /// The target: backend messages.
    Target,
}

/// The extent of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The type byte.
    pub tag: u8,
    /// The whole message: type, length, body.
    pub len: usize,
}

/// Type and length.
pub const HEADER: usize = 5;
/// The most that the server allocates (`MaxAllocSize`): rows and COPY data reach it, and stream.
pub const STREAM_BYTES: usize = (1 << 30) - 1;
/// `PQ_SMALL_MESSAGE_LIMIT` in libpq.h: messages of a name or two.
const SMALL: usize = 10_000;
/// `PG_MAX_AUTH_TOKEN_LENGTH` in auth.c.
const TOKEN: usize = 65_535;
/// A length field and nothing else.
const EMPTY: usize = 4;
/// A 16-bit count of 32-bit values, the longest of the lists.
const LIST: usize = 4 + 1 + 2 + 4 * 65_535;

/// Looks at a message's type and length; `None` is that more bytes are needed.
#[inline]
pub fn peek(buf: &[u8], side: Side) -> Result<Option<Frame>, WireError> {
    let Some((&tag, rest)) = buf.split_first() else {
        return Ok(None);
    };
    let max = match side {
        Side::Client => client_bound(tag),
        Side::Target => target_bound(tag),
    };
    let Some(max) = max else {
        return Err(WireError::UnknownTag { tag, side });
    };
    let Some((length, _)) = rest.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if length < 4 || length > max {
        return Err(WireError::Length { what: "a message", len: length, min: 4, max });
    }
    Ok(Some(Frame { tag, len: length + 1 }))
}

/// The whole length of a packet that has no type byte (the first ones of a client); `None` is that
/// more bytes are needed.
pub fn untagged(buf: &[u8]) -> Result<Option<usize>, WireError> {
    let Some((length, _)) = buf.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let len = u32::from_be_bytes(*length) as usize;
    if !(8..=limits::STARTUP_BYTES).contains(&len) {
        let max = limits::STARTUP_BYTES;
        return Err(WireError::Length { what: "a start-up packet", len, min: 8, max });
    }
    Ok(Some(len))
}

/// The most that the length field may say, as `SocketBackend` in postgres.c has it.
fn client_bound(tag: u8) -> Option<usize> {
    match tag {
        b'Q' | b'P' | b'B' | b'F' => Some(limits::MESSAGE_BYTES),
        b'd' => Some(STREAM_BYTES),
        b'C' | b'D' | b'E' | b'f' => Some(SMALL),
        b'p' => Some(TOKEN),
        b'S' | b'H' | b'X' | b'c' => Some(EMPTY),
        _ => None,
    }
}

fn target_bound(tag: u8) -> Option<usize> {
    match tag {
        b'D' | b'd' => Some(STREAM_BYTES),
        b'T' | b'E' | b'N' | b'A' | b'S' | b'V' => Some(limits::MESSAGE_BYTES),
        b'C' | b'v' => Some(SMALL),
        b'R' => Some(TOKEN),
        b'K' => Some(4 + 4 + 256),
        b'Z' => Some(4 + 1),
        b't' | b'G' | b'H' | b'W' => Some(LIST),
        b'1' | b'2' | b'3' | b'I' | b'c' | b'n' | b's' => Some(EMPTY),
        _ => None,
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Target => "target",
        })
    }
}

#[cfg(test)]
mod tests;
