//! What a client sends after its start-up.

use std::fmt;

use crate::WireError;
use crate::postgres::lists::{Cells, Formats, Oids};
use crate::reader::Reader;

/// A message of the client. `Debug` shows its name only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Frontend<'a> {
    /// A simple query's text, without the NUL.
    Query(&'a [u8]),
    /// Prepares a statement.
    Parse {
        /// The statement's name; empty is the unnamed one.
        name: &'a [u8],
        /// The SQL text.
        text: &'a [u8],
        /// The types of the parameters, as far as the client says them.
        types: Oids<'a>,
    },
    /// Makes a portal from a statement and its parameters.
    Bind {
        /// The portal's name; empty is the unnamed one.
        portal: &'a [u8],
        /// The statement's name.
        statement: &'a [u8],
        /// The formats of the parameters.
        formats: Formats<'a>,
        /// The parameters.
        parameters: Cells<'a>,
        /// The formats wanted for the result.
        result_formats: Formats<'a>,
    },
    /// Asks for a description.
    Describe {
        /// Of what.
        kind: Kind,
        /// Its name.
        name: &'a [u8],
    },
    /// Runs a portal.
    Execute {
        /// The portal's name.
        portal: &'a [u8],
        /// The most rows to return; 0 or less is no limit.
        max_rows: i32,
    },
    /// Forgets a statement or portal.
    Close {
        /// What.
        kind: Kind,
        /// Its name.
        name: &'a [u8],
    },
    /// Ends a pipeline's transaction and asks for `ReadyForQuery`.
    Sync,
    /// Asks for what the server holds back.
    Flush,
    /// Calls a function by number.
    FunctionCall(FunctionCall<'a>),
    /// A piece of COPY data.
    CopyData(&'a [u8]),
    /// The end of COPY data.
    CopyDone,
    /// COPY is given up, with a reason.
    CopyFail(&'a [u8]),
    /// The body of a password, SASL or GSS message; which one, the conversation knows.
    Password(&'a [u8]),
    /// Good-bye.
    Terminate,
}

/// What a Describe or Close names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A prepared statement.
    Statement,
    /// A portal.
    Portal,
}

/// A call of a function by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionCall<'a> {
    /// The function.
    pub oid: u32,
    /// The formats of the arguments.
    pub formats: Formats<'a>,
    /// The arguments.
    pub arguments: Cells<'a>,
    /// The format wanted for the result.
    pub result_format: i16,
}

/// Reads one whole message, its type and length included.
pub fn parse(message: &[u8]) -> Result<Frontend<'_>, WireError> {
    let (tag, body) = split(message)?;
    let name = tag_name(tag)
        .ok_or(WireError::UnknownTag { tag, side: crate::postgres::frame::Side::Client })?;
    let mut reader = Reader::new(name, body);
    let parsed = read(tag, name, &mut reader)?;
    reader.end()?;
    Ok(parsed)
}

/// Splits a whole message into its type and body, checking its length.
pub(crate) fn split(message: &[u8]) -> Result<(u8, &[u8]), WireError> {
    let mut reader = Reader::new("a message", message);
    let tag = reader.u8()?;
    let said = (reader.u32()? as usize).saturating_add(1);
    if said != message.len() {
        return Err(WireError::LengthMismatch { said, given: message.len() });
    }
    Ok((tag, reader.take_rest()))
}

fn tag_name(tag: u8) -> Option<&'static str> {
    Some(match tag {
        b'Q' => "Query",
        b'P' => "Parse",
        b'B' => "Bind",
        b'D' => "Describe",
        b'E' => "Execute",
        b'C' => "Close",
        b'S' => "Sync",
        b'H' => "Flush",
        b'F' => "FunctionCall",
        b'd' => "CopyData",
        b'c' => "CopyDone",
        b'f' => "CopyFail",
        b'p' => "PasswordMessage",
        b'X' => "Terminate",
        _ => return None,
    })
}

fn read<'a>(
    tag: u8,
    what: &'static str,
    reader: &mut Reader<'a>,
) -> Result<Frontend<'a>, WireError> {
    Ok(match tag {
        b'Q' => Frontend::Query(last_text(what, reader)?),
        b'P' => Frontend::Parse {
            name: reader.cstr()?,
            text: reader.cstr()?,
            types: Oids::read(reader)?,
        },
        b'B' => Frontend::Bind {
            portal: reader.cstr()?,
            statement: reader.cstr()?,
            formats: Formats::read(reader)?,
            parameters: Cells::read(reader)?,
            result_formats: Formats::read(reader)?,
        },
        b'D' => Frontend::Describe { kind: kind(what, reader)?, name: reader.cstr()? },
        b'E' => Frontend::Execute { portal: reader.cstr()?, max_rows: reader.i32()? },
        b'C' => Frontend::Close { kind: kind(what, reader)?, name: reader.cstr()? },
        b'S' => Frontend::Sync,
        b'H' => Frontend::Flush,
        b'F' => Frontend::FunctionCall(FunctionCall {
            oid: reader.u32()?,
            formats: Formats::read(reader)?,
            arguments: Cells::read(reader)?,
            result_format: reader.i16()?,
        }),
        b'd' => Frontend::CopyData(reader.take_rest()),
        b'c' => Frontend::CopyDone,
        b'f' => Frontend::CopyFail(last_text(what, reader)?),
        b'p' => Frontend::Password(reader.take_rest()),
        b'X' => Frontend::Terminate,
        tag => {
            let side = crate::postgres::frame::Side::Client;
            return Err(WireError::UnknownTag { tag, side });
        }
    })
}

/// A text that must reach to the message's end.
fn last_text<'a>(what: &'static str, reader: &mut Reader<'a>) -> Result<&'a [u8], WireError> {
    let text = reader.cstr()?;
    if reader.rest().is_empty() {
        return Ok(text);
    }
    Err(WireError::InteriorNul { what })
}

fn kind(what: &'static str, reader: &mut Reader<'_>) -> Result<Kind, WireError> {
    match reader.u8()? {
        b'S' => Ok(Kind::Statement),
        b'P' => Ok(Kind::Portal),
        other => {
            Err(WireError::Value { what, field: "statement or portal", value: u32::from(other) })
        }
    }
}

impl Frontend<'_> {
    /// The message's name in the manual.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Query(_) => "Query",
            Self::Parse { .. } => "Parse",
            Self::Bind { .. } => "Bind",
            Self::Describe { .. } => "Describe",
            Self::Execute { .. } => "Execute",
            Self::Close { .. } => "Close",
            Self::Sync => "Sync",
            Self::Flush => "Flush",
            Self::FunctionCall(_) => "FunctionCall",
            Self::CopyData(_) => "CopyData",
            Self::CopyDone => "CopyDone",
            Self::CopyFail(_) => "CopyFail",
            Self::Password(_) => "PasswordMessage",
            Self::Terminate => "Terminate",
        }
    }
}

impl fmt::Debug for Frontend<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Kind {
    /// The byte that stands for it.
    pub fn byte(self) -> u8 {
        match self {
            Self::Statement => b'S',
            Self::Portal => b'P',
        }
    }
}

#[cfg(test)]
mod tests;
