//! Appends to a record that another process writes: sent over a socket, answered by `guest`.
//!
//! | request | size | | answer | size |
//! |---|---|---|---|---|
//! | number | 8 | | number | 8 |
//! | class: 0 process, 1 disk | 1 | | index of the last entry, 0 where refused | 8 |
//! | bytes of frames | 4 | | bytes of text | 4 |
//! | frames, stamped from 1 | | | why it was refused | |
//!
//! All integers are little endian.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;
use weir_ledger::frame::{self, FRAME_BYTES};
use weir_model::{Entry, limits};

use super::error::{Doing as _, RecordError};
use super::{Class, lock, now_us};

pub(super) const REQUEST_HEAD: usize = 13;
pub(super) const ANSWER_HEAD: usize = 20;
/// No entry is repeated: where frames land is not known here.
const NOWHERE: u64 = u64::MAX;
const WHY: &str = "the gateway that took over the record has ended";

/// The way to the process that writes the record.
pub(super) struct Remote {
    sending: Mutex<Sending>,
    waiting: Arc<Mutex<Waiting>>,
}

struct Sending {
    to: UnixStream,
    number: u64,
    buffer: Vec<u8>,
}

#[derive(Default)]
struct Waiting {
    waiters: HashMap<u64, Waiter>,
    ended: bool,
}

type Answer = Result<u64, String>;

enum Waiter {
    Task(oneshot::Sender<Answer>),
    Thread(std::sync::mpsc::SyncSender<Answer>),
}

/// A place among those who wait for an answer.
pub(super) enum Wait {
    Task(oneshot::Receiver<Answer>),
    Thread(std::sync::mpsc::Receiver<Answer>),
}

impl Remote {
    /// Sends to whoever holds the other end of a socket.
    pub(super) fn start(to: UnixStream) -> Result<Self, RecordError> {
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let path = std::path::Path::new("the record's new writer");
        let from = to.try_clone().doing("sharing the socket of", path)?;
        let answered = Arc::clone(&waiting);
        std::thread::Builder::new()
            .name("weir-remote".to_owned())
            .spawn(move || answers(from, &answered))
            .doing("starting the thread of", path)?;
        let sending = Mutex::new(Sending { to, number: 0, buffer: Vec::new() });
        Ok(Self { sending, waiting })
    }

    /// Sends entries; the answer is to be waited for.
    pub(super) fn send(
        &self,
        class: Class,
        items: &[(&Entry, &[u8])],
        blocking: bool,
    ) -> Result<Wait, RecordError> {
        let mut sending = lock(&self.sending);
        sending.encode(class, items)?;
        let number = sending.number;
        let wait = self.enqueue(number, blocking)?;
        let Sending { to, buffer, .. } = &mut *sending;
        if to.write_all(buffer).is_err() {
            lock(&self.waiting).end();
        }
        Ok(wait)
    }

    /// Why nothing can be recorded any more, where that is so.
    pub(super) fn failure(&self) -> Option<String> {
        lock(&self.waiting).ended.then(|| WHY.to_owned())
    }

    fn enqueue(&self, number: u64, blocking: bool) -> Result<Wait, RecordError> {
        let mut waiting = lock(&self.waiting);
        if waiting.ended {
            return Err(RecordError::Failed(WHY.to_owned()));
        }
        let (waiter, wait) = if blocking {
            let (sender, receiver) = std::sync::mpsc::sync_channel(1);
            (Waiter::Thread(sender), Wait::Thread(receiver))
        } else {
            let (sender, receiver) = oneshot::channel();
            (Waiter::Task(sender), Wait::Task(receiver))
        };
        waiting.waiters.insert(number, waiter);
        Ok(wait)
    }

    /// Waits for the answer: the index of the last entry.
    pub(super) async fn wait(&self, wait: Wait) -> Result<u64, RecordError> {
        match wait {
            Wait::Task(receiver) => told(receiver.await.ok()),
            Wait::Thread(receiver) => told(receiver.recv().ok()),
        }
    }

    /// The same, blocking the thread.
    pub(super) fn wait_blocking(&self, wait: Wait) -> Result<u64, RecordError> {
        match wait {
            Wait::Task(receiver) => told(receiver.blocking_recv().ok()),
            Wait::Thread(receiver) => told(receiver.recv().ok()),
        }
    }
}

fn told(answer: Option<Answer>) -> Result<u64, RecordError> {
    answer.unwrap_or_else(|| Err(WHY.to_owned())).map_err(RecordError::Failed)
}

impl Sending {
    /// Makes a request of entries. They are stamped so that the other side can check them whole.
    fn encode(&mut self, class: Class, items: &[(&Entry, &[u8])]) -> Result<(), RecordError> {
        if self.buffer.capacity() > FRAME_BYTES {
            self.buffer = Vec::new();
        }
        self.buffer.clear();
        self.number += 1;
        self.buffer.extend_from_slice(&self.number.to_le_bytes());
        self.buffer.push(match class {
            Class::Process => 0,
            Class::Disk => 1,
        });
        self.buffer.extend_from_slice(&[0; 4]);
        for (entry, body) in items {
            frame::encode(&mut self.buffer, class, now_us(), NOWHERE, entry, body)?;
        }
        let len = self.buffer.len() - REQUEST_HEAD;
        if len > limits::HANDED_BYTES {
            return Err(weir_ledger::FrameError::TooLarge(len).into());
        }
        self.buffer[9..REQUEST_HEAD].copy_from_slice(&(len as u32).to_le_bytes());
        frame::stamp(&mut self.buffer[REQUEST_HEAD..], 1);
        Ok(())
    }
}

impl Waiting {
    /// Wakes all: whoever is dropped is told that there will be no answer.
    fn end(&mut self) {
        self.ended = true;
        self.waiters.clear();
    }
}

/// The thread: hands out answers until the other side is gone.
fn answers(mut from: UnixStream, waiting: &Mutex<Waiting>) {
    while let Ok((number, answer)) = answer(&mut from) {
        let waiter = lock(waiting).waiters.remove(&number);
        // Who went away meanwhile does not mind.
        match waiter {
            Some(Waiter::Task(sender)) => drop(sender.send(answer)),
            Some(Waiter::Thread(sender)) => drop(sender.send(answer)),
            None => {}
        }
    }
    lock(waiting).end();
}

fn answer(from: &mut UnixStream) -> io::Result<(u64, Answer)> {
    let mut head = [0; ANSWER_HEAD];
    from.read_exact(&mut head)?;
    let number = |at: usize| {
        head.get(at..at + 8).map_or(0, |bytes| {
            bytes.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))
        })
    };
    let len = u32::from_le_bytes([head[16], head[17], head[18], head[19]]) as usize;
    if len > limits::HANDED_BYTES {
        return Err(io::Error::other("an answer is too long"));
    }
    let mut text = vec![0; len];
    from.read_exact(&mut text)?;
    let answer = match number(8) {
        0 => Err(String::from_utf8_lossy(&text).into_owned()),
        index => Ok(index),
    };
    Ok((number(0), answer))
}
