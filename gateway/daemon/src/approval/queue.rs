//! The questions that are open, shared by all workers; every change is a compare-and-set under one lock.

mod desk;
#[cfg(test)]
pub(super) mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use weir_model::{HoldId, SessionId, limits};

use super::store::Store;
use super::{
    Approver, Binding, Channel, Choice, Question, Refused, State, StoreError, Ticket, Vote, Waiting,
};
use desk::Desk;

/// Why a statement can't wait for a human.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The session has too many.
    #[error("session {0} has {max} holds open already", max = limits::HOLDS_PER_SESSION)]
    Session(SessionId),
    /// The gateway has too many.
    #[error("the gateway has too many holds open already")]
    Full,
    /// Nobody could read it.
    #[error("a statement of {0} bytes is too long for a person to approve")]
    Long(usize),
    /// Another gateway keeps the holds, and this connection is not its own.
    #[error(
        "this connection belongs to a gateway that was replaced: connect again, then run it again"
    )]
    Released,
    /// The name is taken; ask again with another.
    #[error("hold {0} exists already")]
    Name(HoldId),
    /// The change could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an answer did not count.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// There is no such hold.
    #[error("there is no hold {0}: list them with weir holds --all")]
    Missing(HoldId),
    /// It was settled before.
    #[error("hold {hold} is {} already{}", state.name(), by_whom(by))]
    Settled {
        /// The hold.
        hold: HoldId,
        /// How it stands.
        state: State,
        /// Who settled it; empty where nobody did.
        by: String,
    },
    /// The approver has approved before.
    #[error("{by} has approved hold {hold} already: it needs someone else too")]
    Twice {
        /// The hold.
        hold: HoldId,
        /// The approver.
        by: String,
    },
    /// The approver may not.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The comment is too long.
    #[error("the comment is longer than {max} bytes", max = limits::COMMENT_BYTES)]
    Comment,
    /// The answer could not be kept, and so does not count.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn by_whom(by: &str) -> String {
    if by.is_empty() { String::new() } else { format!(", by {by}") }
}

/// An approval that is used by the one who got this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The hold.
    pub hold: HoldId,
    /// Who approved.
    pub by: String,
    /// Their words.
    pub comment: Option<String>,
}

/// The questions that are open. Clones share them.
#[derive(Clone)]
pub struct Queue {
    shared: Arc<Shared>,
}

struct Shared {
    desk: Mutex<Desk>,
    channels: Vec<Box<dyn Channel>>,
    revision: watch::Sender<u64>,
}

impl Queue {
    /// A queue that keeps open tickets in `path`, beginning with those of the last run that have
    /// time left at `now_us`.
    pub fn open_file(
        path: PathBuf,
        channels: Vec<Box<dyn Channel>>,
        now_us: i64,
    ) -> Result<Self, StoreError> {
        let store = Store::new(path);
        let mut tickets = store.load()?;
        tickets.retain(|ticket| ticket.state.is_open() && !ticket.is_over(now_us));
        let queue = Self::with(Desk::new(tickets, Some(store)), channels);
        queue.lock().save()?;
        Ok(queue)
    }

    /// A queue that forgets everything when it is dropped.
    pub fn in_memory(channels: Vec<Box<dyn Channel>>) -> Self {
        Self::with(Desk::new(Vec::new(), None), channels)
    }

    fn with(desk: Desk, channels: Vec<Box<dyn Channel>>) -> Self {
        let shared = Shared { desk: Mutex::new(desk), channels, revision: watch::Sender::new(0) };
        Self { shared: Arc::new(shared) }
    }

    /// Puts a statement in front of a question: the open one with the same binding in the same
    /// session, else a new one. One that is approved and unused, or denied and not yet over, answers
    /// at once.
    pub fn open(&self, question: Question) -> Result<Waiting, QueueError> {
        let mut desk = self.lock();
        let (place, announced) = desk.open(question)?;
        let waiting = Waiting {
            queue: self.clone(),
            hold: place.hold,
            number: place.number,
            joined: place.joined,
            receiver: place.receiver,
            over: false,
        };
        drop(desk);
        self.changed();
        if let Some(ticket) = announced {
            self.shared.channels.iter().for_each(|channel| channel.announce(&ticket));
        }
        Ok(waiting)
    }

    /// Takes an answer. What comes back is how the hold stands then: still pending while the quorum
    /// is not reached, consumed where a statement was waiting for just this.
    pub fn answer(
        &self,
        hold: &HoldId,
        approver: &Approver,
        choice: Choice,
        comment: Option<String>,
        now_us: i64,
    ) -> Result<Ticket, AnswerError> {
        let answered = self.lock().answer(hold, approver, choice, comment, now_us);
        self.changed();
        answered
    }

    /// Uses up the approval for exactly this binding, if there is one with time left.
    pub fn redeem(&self, binding: Binding, now_us: i64) -> Result<Option<Approval>, QueueError> {
        let redeemed = self.lock().redeem(binding, now_us)?;
        if redeemed.is_some() {
            self.changed();
        }
        Ok(redeemed)
    }

    /// The open tickets, oldest first, and where `settled` the last settled ones.
    pub fn list(&self, settled: bool) -> Vec<Ticket> {
        self.lock().list(settled)
    }

    /// Leaves the file and all tickets to another gateway, unless statements wait in the wire: then
    /// nothing changes, and their number is returned.
    pub fn release(&self) -> Result<usize, StoreError> {
        self.lock().release()
    }

    /// Goes on after a `release` that came to nothing.
    pub fn reclaim(&self) {
        self.lock().reclaim();
    }

    /// One ticket, open or lately settled.
    pub fn get(&self, hold: &HoldId) -> Option<Ticket> {
        self.lock().get(hold)
    }

    /// How many questions wait for an answer.
    pub fn pending(&self) -> usize {
        self.lock().pending()
    }

    /// A counter that moves with every change.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.revision.subscribe()
    }

    /// Lets clients go whose time ran out, ends tickets that are over, and writes what is not yet on
    /// disk; to be called about once a second. What ended is returned, to be recorded.
    pub fn expire(&self, now_us: i64) -> Result<Vec<Ticket>, StoreError> {
        let mut desk = self.lock();
        let (ended, changed) = desk.expire(now_us);
        let saved = desk.save();
        drop(desk);
        if changed {
            self.changed();
        }
        saved.map(|()| ended)
    }

    /// Withdraws all that a session asked. What ended is returned, to be recorded.
    pub fn session_ended(&self, session: SessionId, now_us: i64) -> Vec<Ticket> {
        let ended = self.lock().session_ended(session, now_us);
        if !ended.is_empty() {
            self.changed();
        }
        ended
    }

    pub(super) fn leave(&self, hold: &HoldId, number: u64, promised: bool) -> bool {
        let left = self.lock().leave(hold, number, promised);
        if left {
            self.changed();
        }
        left
    }

    pub(super) fn give_back(&self, hold: &HoldId) {
        self.lock().give_back(hold);
        self.changed();
    }

    fn changed(&self) {
        self.shared.revision.send_modify(|revision| *revision = revision.wrapping_add(1));
    }

    // A panic elsewhere leaves the desk between two whole changes.
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.shared.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an answer counts, given how the hold stands.
fn check(
    ticket: &Ticket,
    approver: &Approver,
    choice: Choice,
    comment: Option<&str>,
    now_us: i64,
) -> Result<(), AnswerError> {
    let hold = ticket.question.hold.clone();
    if ticket.state != State::Pending {
        let (by, _) = ticket.settled_by();
        return Err(AnswerError::Settled { hold, state: ticket.state, by });
    }
    if ticket.is_over(now_us) {
        return Err(AnswerError::Settled { hold, state: State::Expired, by: String::new() });
    }
    if comment.is_some_and(|comment| comment.len() > limits::COMMENT_BYTES) {
        return Err(AnswerError::Comment);
    }
    let mine = |vote: &Vote| vote.uid == approver.uid || vote.by == approver.name;
    if choice == Choice::Approve && ticket.votes.iter().any(mine) {
        return Err(AnswerError::Twice { hold, by: approver.name.clone() });
    }
    Ok(())
}
