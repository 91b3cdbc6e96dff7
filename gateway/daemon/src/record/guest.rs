//! Writes what another process appends, which had the record before and still serves its flows.
//!
//! When it ends, the flows that it left open are closed on record.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use weir_ledger::frame::{self, Logged, Step};
use weir_model::entry::{Event, FlowClosed};
use weir_model::{Entry, FlowId, limits};

use super::error::{Doing as _, RecordError};
use super::log::Need;
use super::remote::REQUEST_HEAD;
use super::{Class, Recorder, now_us};

const READ: usize = 256 << 10;

/// The other process's side.
struct Guest {
    recorder: Recorder,
    socket: UnixStream,
    /// Read, and not yet served.
    buffer: Vec<u8>,
    open: BTreeSet<FlowId>,
}

/// A request as it came.
struct Request {
    number: u64,
    class: Class,
    frames: Vec<u8>,
}

impl Recorder {
    /// Serves the process at the other end of a socket until it is gone. `open` are its flows.
    pub fn admit(&self, socket: UnixStream, open: BTreeSet<FlowId>) -> Result<(), RecordError> {
        let guest = Guest { recorder: self.clone(), socket, buffer: Vec::new(), open };
        let path = std::path::Path::new("the record's earlier writer");
        std::thread::Builder::new()
            .name("weir-guest".to_owned())
            .spawn(move || guest.serve())
            .map(drop)
            .doing("starting the thread of", path)
    }
}

impl Guest {
    fn serve(mut self) {
        let ended = self.requests();
        if let Err(error) = ended {
            tracing::error!(%error, "serving the gateway that is being replaced");
        }
        // Whoever still sends is told so at once.
        drop(self.socket.shutdown(std::net::Shutdown::Both));
        self.close();
    }

    /// All that is there is written, committed together, and answered.
    fn requests(&mut self) -> io::Result<()> {
        loop {
            let mut answers = Vec::new();
            let mut commits = Vec::new();
            while let Some(request) = self.next()? {
                match (self.write(&request), request.class) {
                    (Ok(index), Class::Disk) => commits.push((request.number, index)),
                    (Ok(index), Class::Process) => answer(&mut answers, request.number, Ok(index)),
                    (Err(error), _) => answer(&mut answers, request.number, Err(error)),
                }
            }
            if !commits.is_empty() {
                let committed = self.commit();
                for (number, index) in commits {
                    let told = committed.as_ref().map(|()| index).map_err(|error| match error {
                        RecordError::Failed(why) => RecordError::Failed(why.clone()),
                        other => RecordError::Failed(other.to_string()),
                    });
                    answer(&mut answers, number, told);
                }
            }
            self.socket.write_all(&answers)?;
            if !self.fill()? {
                return Ok(());
            }
        }
    }

    /// The next whole request of those that were read.
    fn next(&mut self) -> io::Result<Option<Request>> {
        let Some(head) = self.buffer.first_chunk::<REQUEST_HEAD>() else { return Ok(None) };
        let len = u32::from_le_bytes([head[9], head[10], head[11], head[12]]) as usize;
        let class = match head[8] {
            0 => Class::Process,
            1 => Class::Disk,
            _ => return Err(io::Error::other("an append of no known class")),
        };
        if len > limits::HANDED_BYTES {
            return Err(io::Error::other("an append is too long"));
        }
        let number = head.iter().take(8).rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        if self.buffer.len() < REQUEST_HEAD + len {
            return Ok(None);
        }
        let rest = self.buffer.split_off(REQUEST_HEAD + len);
        let mut frames = std::mem::replace(&mut self.buffer, rest);
        frames.drain(..REQUEST_HEAD);
        Ok(Some(Request { number, class, frames }))
    }

    fn fill(&mut self) -> io::Result<bool> {
        let have = self.buffer.len();
        self.buffer.resize(have + READ, 0);
        let read = self.socket.read(&mut self.buffer[have..]);
        self.buffer.truncate(have + read.as_ref().copied().unwrap_or(0));
        read.map(|count| count > 0)
    }

    /// Checks each frame and its entry: what this version can't read is not recorded, so it is
    /// refused there.
    fn write(&mut self, request: &Request) -> Result<u64, RecordError> {
        let mut need = Need::Close;
        let mut rest = request.frames.as_slice();
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let Step::Frame(frame, len) = frame::step(rest) else {
                return Err(RecordError::Failed("an entry is not whole".to_owned()));
            };
            // Where it lands is not known there, so nothing may refer to what is before it.
            let Logged::Entry(entry) = frame.logged()? else {
                return Err(RecordError::Failed("an entry is not whole".to_owned()));
            };
            need = need.max(Need::of(&entry));
            entries.push(entry);
            rest = rest.get(len..).unwrap_or_default();
        }
        let mut frames = request.frames.clone();
        let index = self.recorder.append_frames(need, &mut frames)?;
        for entry in entries {
            match entry {
                Entry::FlowOpened(opened) => drop(self.open.insert(opened.flow)),
                Entry::FlowClosed(closed) => drop(self.open.remove(&closed.flow)),
                Entry::SessionOpened(_)
                | Entry::SessionClosed(_)
                | Entry::Asked(_)
                | Entry::AnswerPart(_)
                | Entry::Answered(_)
                | Entry::HoldOpened(_)
                | Entry::HoldSettled(_)
                | Entry::Event(_)
                | Entry::Coverage(_) => {}
            }
        }
        Ok(index)
    }

    fn commit(&self) -> Result<(), RecordError> {
        let shared = self.recorder.here()?;
        let wait = shared.commit.enqueue(true)?;
        shared.commit.wait_blocking(wait)
    }

    /// Records the end of flows that nobody serves any more.
    fn close(&mut self) {
        let left = std::mem::take(&mut self.open);
        let lost = left.len();
        let closed = left.into_iter().map(|flow| {
            Entry::FlowClosed(FlowClosed {
                flow,
                at_us: now_us(),
                reason: "the gateway that served it ended".to_owned(),
                bytes_in: 0,
                bytes_out: 0,
            })
        });
        let text = "the gateway before this one has ended".to_owned();
        let event = Event::info(now_us(), "gateway.replaced", text).with("flows_cut", lost);
        let event = Entry::Event(if lost == 0 { event } else { event.warning() });
        for entry in closed.chain(std::iter::once(event)) {
            if let Err(error) = self.recorder.append_blocking(Class::Process, &[(&entry, &[])]) {
                tracing::error!(%error, "recording the end of the gateway before this one");
            }
        }
    }
}

fn answer(into: &mut Vec<u8>, number: u64, told: Result<u64, RecordError>) {
    let (index, why) = match told {
        Ok(index) => (index, String::new()),
        Err(error) => (0, error.to_string()),
    };
    into.extend_from_slice(&number.to_le_bytes());
    into.extend_from_slice(&index.to_le_bytes());
    into.extend_from_slice(&(why.len() as u32).to_le_bytes());
    into.extend_from_slice(why.as_bytes());
}
