//! Messages written to the end of a buffer. What fails leaves the buffer as it was.

mod client;
mod error;
mod row;
mod target;

use crate::WireError;
use crate::postgres::frame::STREAM_BYTES;

pub use client::*;
pub use error::*;
pub use row::*;
pub use target::*;

/// A message that is being written: dropped before its end, it takes itself back.
pub(crate) struct Message<'b> {
    out: &'b mut Vec<u8>,
    start: usize,
    length_at: usize,
    what: &'static str,
    ended: bool,
}

impl<'b> Message<'b> {
    pub(crate) fn tagged(what: &'static str, tag: u8, out: &'b mut Vec<u8>) -> Self {
        let start = out.len();
        out.extend_from_slice(&[tag, 0, 0, 0, 0]);
        Self { out, start, length_at: start + 1, what, ended: false }
    }

    pub(crate) fn untagged(what: &'static str, out: &'b mut Vec<u8>) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        Self { out, start, length_at: start, what, ended: false }
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn i16(&mut self, value: i16) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(crate) fn cstr(&mut self, text: &[u8]) -> Result<(), WireError> {
        if text.contains(&0) {
            return Err(WireError::InteriorNul { what: self.what });
        }
        self.bytes(text);
        self.u8(0);
        Ok(())
    }

    pub(crate) fn cell(&mut self, value: Option<&[u8]>) -> Result<(), WireError> {
        let Some(value) = value else {
            self.i32(-1);
            return Ok(());
        };
        self.i32(self.length(value.len())?);
        self.bytes(value);
        Ok(())
    }

    /// A 16-bit count and that many items.
    pub(crate) fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let count_at = self.out.len();
        self.u16(0);
        let mut count: u16 = 0;
        for item in items {
            count = self.next(count)?;
            write(self, item)?;
        }
        self.patch(count_at, &count.to_be_bytes());
        Ok(())
    }

    pub(crate) fn next(&self, count: u16) -> Result<u16, WireError> {
        let max = usize::from(u16::MAX);
        count.checked_add(1).ok_or(WireError::TooMany { what: self.what, field: "items", max })
    }

    pub(crate) fn position(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn patch(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.out.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    pub(crate) fn end(mut self) -> Result<(), WireError> {
        let length = self.length(self.out.len() - self.length_at)?;
        self.patch(self.length_at, &length.to_be_bytes());
        self.ended = true;
        Ok(())
    }

    fn length(&self, len: usize) -> Result<i32, WireError> {
        let max = STREAM_BYTES;
        match i32::try_from(len) {
            Ok(length) if len <= max => Ok(length),
            _ => Err(WireError::Length { what: self.what, len, min: 0, max }),
        }
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.out.truncate(self.start);
        }
    }
}

/// A message that is only its type.
fn empty(tag: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[tag, 0, 0, 0, 4]);
}

/// Writes a piece of COPY data, either way.
pub fn copy_data(data: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut message = Message::tagged("CopyData", b'd', out);
    message.bytes(data);
    message.end()
}

/// Writes the end of COPY data, either way.
pub fn copy_done(out: &mut Vec<u8>) {
    empty(b'c', out);
}

#[cfg(test)]
mod tests;
