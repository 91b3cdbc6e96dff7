//! Holds that wait for a human: who may answer, what an answer covers, and how it outlives a restart.
//!
//! `Queue` keeps the questions, `Waiting` is a statement's place in front of one, `binding` says what
//! an approval is good for, and `Config` says who may give one. Time comes in as arguments.

mod approver;
mod binding;
mod channel;
mod queue;
mod store;
mod ticket;
mod waiting;

pub use approver::{Approver, Config, Groups, NotOperator, Operator, Refused};
pub use binding::{Binding, Bound, Parameter, binding};
pub use channel::{Channel, Cli};
pub use queue::{AnswerError, Approval, Queue, QueueError};
pub use store::StoreError;
pub use ticket::{Choice, Question, State, Ticket, Vote};
pub use waiting::{Answer, Waiting};
