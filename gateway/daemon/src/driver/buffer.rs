//! A read buffer: bytes are taken from its front and added at its end. Its memory is lent by the thread
//! while there is something to read, and it grows only while reads fill it.

use std::cell::RefCell;
use std::io;
use std::task::Poll;

use tokio::io::ReadBuf;
use weir_model::limits;
use zeroize::Zeroize;

use crate::flow::memory::Share;

/// How many pieces of memory a thread keeps to lend.
const LENT: usize = 16;
/// A buffer that waits keeps so much of a message of its own, and what is lent where there is more.
const KEPT_BYTES: usize = 8 << 10;
const FULL: &str = "too many large messages at a time: send smaller ones, or on fewer connections";

/// Large messages have all the memory that they may have.
pub fn full() -> io::Error {
    io::Error::new(io::ErrorKind::OutOfMemory, FULL)
}

thread_local! {
    /// Pieces of `READ_BYTES` that no buffer of this thread has.
    static FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
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
    /// Reads once by `poll`, where a message wants `wanted` bytes more; answers how many came.
    ///
    /// # Errors
    /// Those of `poll`, and large messages have all the memory that they may have: `OutOfMemory`.
    pub fn poll_fill(
        &mut self,
        wanted: usize,
        poll: impl FnOnce(&mut ReadBuf<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(self.room(wanted)?);
        let polled = poll(&mut room);
        let count = room.filled().len();
        match polled {
            Poll::Ready(read) => {
                self.filled(count);
                Poll::Ready(read.map(|()| count))
            }
            Poll::Pending => {
                self.wait();
                Poll::Pending
            }
        }
    }

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
                self.data = Vec::new();
                if let Some(share) = &mut self.share {
                    share.hold(0);
                }
            }
        }
    }

    /// Wipes what was read and taken: it may have been a password, and the memory is another's next.
    pub fn wipe(&mut self) {
        let (read, rest) = self.data.split_at_mut(self.start);
        read.zeroize();
        rest.get_mut(self.end - self.start..).unwrap_or_default().zeroize();
    }

    /// Room at the end for a read, more where a message is known to want `wanted` bytes. It never more
    /// than doubles: who announces a large message gets memory for what has come.
    fn room(&mut self, wanted: usize) -> io::Result<&mut [u8]> {
        if self.data.len() < limits::READ_BYTES {
            self.move_to(borrow());
        }
        if self.start > 0 && self.data.len() - self.end < wanted.max(self.data.len() / 4) {
            self.data.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.data.len() {
            let most = self.data.len() * 2;
            self.grow((self.end + wanted.max(1024)).min(most))?;
        }
        Ok(self.data.get_mut(self.end..).unwrap_or_default())
    }

    /// Gives back what is lent: of many connections, most wait.
    fn wait(&mut self) {
        if self.data.len() == limits::READ_BYTES && self.unread().len() <= KEPT_BYTES {
            self.move_to(vec![0; self.unread().len()]);
        }
    }

    /// Goes on in other memory, which has room for what is unread.
    fn move_to(&mut self, mut data: Vec<u8>) {
        let unread = self.unread();
        if let Some(to) = data.get_mut(..unread.len()) {
            to.copy_from_slice(unread);
        }
        self.end = unread.len();
        self.start = 0;
        give_back(std::mem::replace(&mut self.data, data));
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

    fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.data.len());
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.data));
    }
}

fn borrow() -> Vec<u8> {
    let free = FREE.with_borrow_mut(Vec::pop);
    free.unwrap_or_else(|| vec![0; limits::READ_BYTES])
}

fn give_back(data: Vec<u8>) {
    if data.len() == limits::READ_BYTES {
        // The thread may be ending, and its own memory gone.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < LENT {
                free.push(data);
            }
        });
    }
}

#[cfg(test)]
mod tests;
