//! The record, without a file: the log's byte layout, and how its entries become tables.
//!
//! `frame` and `segment` are the write-ahead log's bytes · `join` turns entries, in index order,
//! into `rows` · `answer` reads delivered rows back out of PostgreSQL messages · `rows` are the Arrow
//! schemas of the tables.

mod answer;
pub mod coverage;
pub mod frame;
pub mod join;
pub mod rows;
pub mod segment;
pub mod time;
mod value;

pub use frame::{Class, Frame, FrameError};
pub use join::{Carry, JoinError, Joiner};
pub use rows::{
    Actor, AnswerRow, CoverageRow, EventRow, ExchangeRow, FlowRow, HoldRow, Row, Rows, SessionRow,
    Table,
};
pub use time::Time;
pub use value::{Text, Texts};
