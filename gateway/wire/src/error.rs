//! What was wrong with bytes from the wire. Never carries the bytes themselves.

use thiserror::Error;

use crate::postgres::frame::Side;

/// What was wrong with bytes from the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// A field ends after the message does.
    #[error("reading {what}: {want} bytes wanted, {have} left")]
    Truncated {
        /// The message.
        what: &'static str,
        /// Bytes that the field needs.
        want: usize,
        /// Bytes that are left.
        have: usize,
    },
    /// A message goes on after its last field.
    #[error("reading {what}: {extra} bytes after its end")]
    Trailing {
        /// The message.
        what: &'static str,
        /// Bytes too many.
        extra: usize,
    },
    /// A string has no NUL at its end.
    #[error("reading {what}: a string is not terminated")]
    Unterminated {
        /// The message.
        what: &'static str,
    },
    /// A text holds a NUL before its end, where two readers would disagree about it.
    #[error("handling {what}: a NUL inside its text")]
    InteriorNul {
        /// The message.
        what: &'static str,
    },
    /// A message type that this direction does not have.
    #[error("framing a message from the {side}: unknown type 0x{tag:02x}")]
    UnknownTag {
        /// The type byte.
        tag: u8,
        /// Who sent it.
        side: Side,
    },
    /// A length below the least or above the most that its message may have.
    #[error("framing {what}: length {len} is not in {min}..={max}")]
    Length {
        /// The message or packet.
        what: &'static str,
        /// The length announced.
        len: usize,
        /// The least.
        min: usize,
        /// The most.
        max: usize,
    },
    /// The message's own length disagrees with the bytes given.
    #[error("reading a message: it says {said} bytes, {given} were given")]
    LengthMismatch {
        /// What the length field says, type byte included.
        said: usize,
        /// What was given.
        given: usize,
    },
    /// A cell's length is below -1.
    #[error("reading {what}: a value of length {len}")]
    NegativeLength {
        /// The message.
        what: &'static str,
        /// The length.
        len: i32,
    },
    /// A field holds a value that it may not have.
    #[error("reading {what}: {value} is no {field}")]
    Value {
        /// The message.
        what: &'static str,
        /// The field.
        field: &'static str,
        /// What it holds.
        value: u32,
    },
    /// The same thing is said twice, and the readers may take either.
    #[error("reading {what}: {field} is given twice")]
    Duplicate {
        /// The message.
        what: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A list is longer than it may be.
    #[error("handling {what}: more than {max} {field}")]
    TooMany {
        /// The message.
        what: &'static str,
        /// What the list is of.
        field: &'static str,
        /// The most.
        max: usize,
    },
    /// A text inside a message has not the form that it must have.
    #[error("reading {what}: its text has another form")]
    Malformed {
        /// The message.
        what: &'static str,
    },
    /// A message that is well-formed, but not one that may come now.
    #[error("{what} came out of turn")]
    Unexpected {
        /// Which message.
        what: &'static str,
    },
}
