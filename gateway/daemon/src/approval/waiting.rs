//! A statement's place in front of a question.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use weir_model::HoldId;

use super::Queue;

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It may run, once, now.
    Approved {
        /// Who said so.
        by: String,
        /// Their words.
        comment: Option<String>,
    },
    /// It may not run.
    Denied {
        /// Who said so.
        by: String,
        /// Their words.
        comment: Option<String>,
    },
    /// It was approved once, and an identical statement that waited longer took that one.
    Taken {
        /// Who approved the other.
        by: String,
    },
    /// The client's time ran out. The ticket stays: the identical statement finds it again.
    Expired,
    /// The session ended.
    Withdrawn,
}

/// A statement that waits. Dropping it withdraws the question, unless others wait for it too or a
/// client was told to come back.
#[must_use = "dropping it withdraws the question"]
pub struct Waiting {
    pub(super) queue: Queue,
    pub(super) hold: HoldId,
    pub(super) number: u64,
    pub(super) joined: bool,
    pub(super) receiver: oneshot::Receiver<Answer>,
    pub(super) over: bool,
}

impl Waiting {
    /// The hold, which is another statement's where this one joined it.
    pub fn hold(&self) -> &HoldId {
        &self.hold
    }

    /// Whether an identical statement of the session had opened the question before.
    pub fn joined(&self) -> bool {
        self.joined
    }

    /// Stops waiting, but leaves the question open: the client is told to come back. An answer that
    /// came meanwhile is returned, and counts.
    pub fn promise(mut self) -> Option<Answer> {
        self.over = true;
        match self.queue.leave(&self.hold, self.number, true) {
            true => None,
            false => self.receiver.try_recv().ok(),
        }
    }
}

impl Future for Waiting {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        match Pin::new(&mut self.receiver).poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(answer) => {
                self.over = true;
                Poll::Ready(answer.unwrap_or(Answer::Withdrawn))
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.over || self.queue.leave(&self.hold, self.number, false) {
            return;
        }
        // An approval that arrived but that nobody read was not used.
        if let Ok(Answer::Approved { .. }) = self.receiver.try_recv() {
            self.queue.give_back(&self.hold);
        }
    }
}
