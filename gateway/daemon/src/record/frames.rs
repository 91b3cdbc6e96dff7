//! Reads a segment's frames one after the other, without reading it whole.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use weir_ledger::frame::{self, Frame, Step};
use weir_ledger::segment::{HEADER_BYTES, Header};

const CHUNK: usize = 256 << 10;

/// A segment being read.
pub(super) struct Frames {
    file: File,
    buffer: Vec<u8>,
    /// Where in the buffer the next frame begins.
    start: usize,
    /// Where in the file it begins.
    at: u64,
    next_index: u64,
}

impl Frames {
    /// Opens a segment; `None` where it has no header.
    pub(super) fn open(path: &Path) -> io::Result<Option<(Header, Self)>> {
        let file = File::open(path)?;
        let mut head = vec![0; HEADER_BYTES];
        if read_full(&file, &mut head, 0)? < HEADER_BYTES {
            return Ok(None);
        }
        if Header::is_foreign(&head) {
            let why = "another version of the gateway wrote it; let that one seal it";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(Header::decode(&head).map(|header| {
            let next_index = header.first_index;
            let at = HEADER_BYTES as u64;
            (header, Self { file, buffer: Vec::new(), start: 0, at, next_index })
        }))
    }

    /// The next frame; `None` at the end and at the first byte that is no frame of this segment.
    pub(super) fn next(&mut self) -> io::Result<Option<Frame<'_>>> {
        loop {
            let have = self.buffer.len() - self.start;
            let needed = frame::needed(&self.buffer[self.start..]);
            if needed <= have || !self.fill(needed)? {
                break;
            }
        }
        match frame::step(&self.buffer[self.start..]) {
            Step::Frame(frame, len) if frame.index == self.next_index => {
                self.start += len;
                self.at += len as u64;
                self.next_index += 1;
                Ok(Some(frame))
            }
            Step::Frame(..) | Step::More(_) | Step::End | Step::Torn => Ok(None),
        }
    }

    /// Reads on until `needed` bytes of the next frame are there; false where the file has no more.
    fn fill(&mut self, needed: usize) -> io::Result<bool> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let have = self.buffer.len();
        self.buffer.resize(needed.max(have + CHUNK), 0);
        let read = read_full(&self.file, &mut self.buffer[have..], self.at + have as u64)?;
        self.buffer.truncate(have + read);
        if self.buffer.capacity() > 4 * CHUNK && self.buffer.len() <= CHUNK {
            self.buffer.shrink_to(CHUNK);
        }
        Ok(read > 0 && self.buffer.len() >= needed)
    }

    /// Where the frames read so far end, in the file.
    pub(super) fn offset(&self) -> u64 {
        self.at
    }

    /// The index that the next frame would have.
    pub(super) fn next_index(&self) -> u64 {
        self.next_index
    }

    /// What stands behind the last frame, without the zeros at its end.
    pub(super) fn tail(&self) -> io::Result<Vec<u8>> {
        let mut tail = Vec::new();
        let mut chunk = vec![0; CHUNK];
        let (mut at, mut end) = (self.at, 0);
        loop {
            let read = read_full(&self.file, &mut chunk, at)?;
            if read == 0 {
                break;
            }
            at += read as u64;
            // Zeros are kept only where something follows them.
            if let Some(last) = chunk[..read].iter().rposition(|byte| *byte != 0) {
                let before = (at - read as u64 - self.at) as usize;
                tail.resize(before, 0);
                tail.extend_from_slice(&chunk[..=last]);
                end = tail.len();
            }
        }
        tail.truncate(end);
        Ok(tail)
    }
}

fn read_full(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], at + read as u64) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
