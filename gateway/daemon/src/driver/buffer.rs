//! A read buffer: bytes are taken from its front and added at its end, and it grows only while
//! reads fill it.

use weir_model::limits;

/// Where a buffer begins: most requests fit.
const FIRST_BYTES: usize = 8 << 10;

/// A read buffer.
#[derive(Default)]
pub struct Buffer {
    data: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
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
            }
        }
    }

    /// Room at the end for a read; at least `wanted` bytes where a message is known to need them.
    pub fn room(&mut self, wanted: usize) -> &mut [u8] {
        if self.start > 0 && self.data.len() - self.end < wanted.max(self.data.len() / 4) {
            self.data.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let full = self.end == self.data.len();
        if full || self.data.len() - self.end < wanted {
            let doubled = (self.data.len() * 2).clamp(FIRST_BYTES, limits::READ_BYTES);
            let size = doubled.max(self.end + wanted.max(1024));
            self.data.resize(size, 0);
        }
        self.data.get_mut(self.end..).unwrap_or_default()
    }

    /// Counts bytes that were read into the room.
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.data.len());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bytes_come_out_in_the_order_they_went_in() {
        let mut buffer = Buffer::default();
        let mut expected = Vec::new();
        let mut taken = Vec::new();
        for round in 0..2_000usize {
            let chunk: Vec<u8> = (0..round % 300).map(|i| (i + round) as u8).collect();
            let room = buffer.room(chunk.len());
            room[..chunk.len()].copy_from_slice(&chunk);
            buffer.filled(chunk.len());
            expected.extend_from_slice(&chunk);
            let take = buffer.unread().len() / 2;
            taken.extend_from_slice(&buffer.unread()[..take]);
            buffer.consume(take);
        }
        taken.extend_from_slice(buffer.unread());
        assert_eq!(taken, expected);
    }

    #[test]
    fn a_large_message_does_not_keep_its_memory() {
        let mut buffer = Buffer::default();
        assert!(buffer.room(10 << 20).len() >= 10 << 20);
        buffer.filled(10 << 20);
        buffer.consume(10 << 20);
        assert!(buffer.data.capacity() <= limits::READ_BYTES);
    }
}
