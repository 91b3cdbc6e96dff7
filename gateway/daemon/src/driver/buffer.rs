//! A read buffer: bytes are taken from its front and added at its end, and it grows only while
//! reads fill it.

use std::io;

use weir_model::limits;

use crate::flow::memory::Share;

/// Where a buffer begins: most requests fit.
const FIRST_BYTES: usize = 8 << 10;
const FULL: &str = "too many large messages at a time: send smaller ones, or on fewer connections";

/// Large messages have all the memory that they may have.
pub fn full() -> io::Error {
    io::Error::new(io::ErrorKind::OutOfMemory, FULL)
}

/// A read buffer.
#[derive(Default)]
pub struct Buffer {
    data: Vec<u8>,
    start: usize,
    end: usize,
    share: Option<Share>,
}

impl Buffer {
    /// Counts what it grows beyond the usual from now on.
    pub fn charge(&mut self, share: Share) {
        self.share = Some(share);
    }

    /// The bytes that nobody has taken yet.
    pub fn unread(&self) -> &[u8] {
        self.data.get(self.start..self.end).unwrap_or_default()
    }

    /// Takes bytes from the front.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if self.data.len() > limits::READ_BYTES {
                self.data.truncate(limits::READ_BYTES);
                self.data.shrink_to_fit();
                if let Some(share) = &mut self.share {
                    share.hold(0);
                }
            }
        }
    }

    /// Room at the end for a read, more where a message is known to want `wanted` bytes. It never more
    /// than doubles: who announces a large message gets memory for what has come.
    ///
    /// # Errors
    /// Large messages have all the memory that they may have.
    pub fn room(&mut self, wanted: usize) -> io::Result<&mut [u8]> {
        if self.start > 0 && self.data.len() - self.end < wanted.max(self.data.len() / 4) {
            self.data.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let is_full = self.end == self.data.len();
        let is_small = self.data.len() < limits::READ_BYTES;
        if is_full || (is_small && self.data.len() - self.end < wanted) {
            let least = (self.data.len() * 2).clamp(FIRST_BYTES, limits::READ_BYTES);
            let most = (self.data.len() * 2).max(limits::READ_BYTES);
            self.grow(least.max((self.end + wanted.max(1024)).min(most)))?;
        }
        Ok(self.data.get_mut(self.end..).unwrap_or_default())
    }

    fn grow(&mut self, size: usize) -> io::Result<()> {
        if let Some(share) = &mut self.share
            && !share.hold(size.saturating_sub(limits::READ_BYTES))
        {
            return Err(full());
        }
        self.data.resize(size, 0);
        Ok(())
    }

    /// Counts bytes that were read into the room.
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.data.len());
    }
}

#[cfg(test)]
mod tests;
