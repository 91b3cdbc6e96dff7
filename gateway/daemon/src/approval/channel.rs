//! Ways in which people hear of a hold.

use super::Ticket;

/// A way in which people hear of a hold.
pub trait Channel: Send + Sync {
    /// Its name in logs.
    fn name(&self) -> &'static str;

    /// Tells them that `ticket` waits. It must not block; answers come back through `Queue::answer`.
    fn announce(&self, ticket: &Ticket);
}

/// The command line: the queue is what `weir holds` reads, so that it only needs a line in the log
/// that says there is something to read. The statement stays out of the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cli;

impl Channel for Cli {
    fn name(&self) -> &'static str {
        "cli"
    }

    fn announce(&self, ticket: &Ticket) {
        let question = &ticket.question;
        tracing::info!(
            hold = %question.hold,
            session = %question.session,
            agent = %question.identity.agent,
            target = %question.target.name,
            groups = question.terms.approve_groups.join(","),
            "a statement waits for approval: weir holds show {}",
            question.hold,
        );
    }
}
