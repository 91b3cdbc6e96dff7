//! What a target sends.

use std::fmt;

use crate::WireError;
use crate::postgres::fields::Fields;
use crate::postgres::frame::Side;
use crate::postgres::frontend::split;
use crate::postgres::lists::{DataRow, Formats, Oids, Strings};
use crate::postgres::rows::RowDescription;
use crate::postgres::startup::check_key;
use crate::reader::Reader;

/// A message of the target. `Debug` shows its name only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Backend<'a> {
    /// A step of the log-in.
    Authentication(Authentication<'a>),
    /// A setting's value.
    ParameterStatus {
        /// The setting.
        name: &'a [u8],
        /// Its value.
        value: &'a [u8],
    },
    /// What a CancelRequest must say.
    BackendKeyData {
        /// The process.
        pid: u32,
        /// The key, 4 to 256 bytes.
        key: &'a [u8],
    },
    /// The server speaks an older minor version, or does not know some options.
    NegotiateProtocolVersion {
        /// The newest version that it speaks, as its start-up code (196608 is 3.0).
        version: u32,
        /// The options that it does not know.
        options: Strings<'a>,
    },
    /// The server waits for the next query.
    ReadyForQuery(Transaction),
    /// The columns of the rows that follow, or of a statement or portal.
    RowDescription(RowDescription<'a>),
    /// A row.
    DataRow(DataRow<'a>),
    /// A statement is done; see [`command_tag`].
    CommandComplete(&'a [u8]),
    /// The query was empty.
    EmptyQuery,
    /// An error.
    Error(Fields<'a>),
    /// A notice, at any time.
    Notice(Fields<'a>),
    /// A NOTIFY of some session, at any time.
    Notification {
        /// The process that notified.
        pid: u32,
        /// The channel.
        channel: &'a [u8],
        /// The payload.
        payload: &'a [u8],
    },
    /// A Parse is done.
    ParseComplete,
    /// A Bind is done.
    BindComplete,
    /// A Close is done.
    CloseComplete,
    /// The statement or portal returns no rows.
    NoData,
    /// The types of a statement's parameters.
    ParameterDescription(Oids<'a>),
    /// An Execute reached its row limit.
    PortalSuspended,
    /// The client is to send COPY data.
    CopyIn {
        /// 0 is text, 1 is binary.
        format: u8,
        /// The format of each column.
        columns: Formats<'a>,
    },
    /// COPY data follows.
    CopyOut {
        /// 0 is text, 1 is binary.
        format: u8,
        /// The format of each column.
        columns: Formats<'a>,
    },
    /// COPY data flows both ways (replication).
    CopyBoth {
        /// 0 is text, 1 is binary.
        format: u8,
        /// The format of each column.
        columns: Formats<'a>,
    },
    /// A piece of COPY data.
    CopyData(&'a [u8]),
    /// The end of COPY data.
    CopyDone,
    /// A function call's result; `None` is SQL NULL.
    FunctionResult(Option<&'a [u8]>),
}

/// A step of the log-in. `Debug` shows no salt or token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// Logged in.
    Ok,
    /// The password is wanted as it is.
    Cleartext,
    /// The password is wanted as an MD5 hash.
    Md5 {
        /// The salt.
        salt: [u8; 4],
    },
    /// A SASL exchange is wanted.
    Sasl {
        /// The mechanisms that the server offers.
        mechanisms: Strings<'a>,
    },
    /// SASL goes on.
    SaslContinue(&'a [u8]),
    /// SASL ends.
    SaslFinal(&'a [u8]),
    /// Anything else (GSSAPI, SSPI, ...), by its code.
    Other(u32),
}

/// The state of the session's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// None is open.
    Idle,
    /// One is open.
    Open,
    /// One is open and failed: only its end is accepted.
    Failed,
}

/// Reads one whole message, its type and length included.
pub fn parse(message: &[u8]) -> Result<Backend<'_>, WireError> {
    let (tag, body) = split(message)?;
    let what = tag_name(tag).ok_or(WireError::UnknownTag { tag, side: Side::Target })?;
    let mut reader = Reader::new(what, body);
    let parsed = read(tag, what, &mut reader)?;
    reader.end()?;
    Ok(parsed)
}

/// A command tag's verb and, where it has one, its number of rows: `INSERT 0 5`, `CREATE TABLE`.
pub fn command_tag(tag: &[u8]) -> (&[u8], Option<u64>) {
    let (verb, rows) = split_number(tag);
    match rows {
        // INSERT alone has two numbers; the first is the OID of a row, always 0 nowadays.
        Some(_) => (split_number(verb).0, rows),
        None => (tag, None),
    }
}

fn split_number(text: &[u8]) -> (&[u8], Option<u64>) {
    let Some(space) = text.iter().rposition(|byte| *byte == b' ') else {
        return (text, None);
    };
    let Some((head, [_, digits @ ..])) = text.split_at_checked(space) else {
        return (text, None);
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return (text, None);
    }
    match std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()) {
        Some(number) => (head, Some(number)),
        None => (text, None),
    }
}

fn tag_name(tag: u8) -> Option<&'static str> {
    Some(match tag {
        b'R' => "Authentication",
        b'S' => "ParameterStatus",
        b'K' => "BackendKeyData",
        b'v' => "NegotiateProtocolVersion",
        b'Z' => "ReadyForQuery",
        b'T' => "RowDescription",
        b'D' => "DataRow",
        b'C' => "CommandComplete",
        b'I' => "EmptyQueryResponse",
        b'E' => "ErrorResponse",
        b'N' => "NoticeResponse",
        b'A' => "NotificationResponse",
        b'1' => "ParseComplete",
        b'2' => "BindComplete",
        b'3' => "CloseComplete",
        b'n' => "NoData",
        b't' => "ParameterDescription",
        b's' => "PortalSuspended",
        b'G' => "CopyInResponse",
        b'H' => "CopyOutResponse",
        b'W' => "CopyBothResponse",
        b'd' => "CopyData",
        b'c' => "CopyDone",
        b'V' => "FunctionCallResponse",
        _ => return None,
    })
}

fn read<'a>(
    tag: u8,
    what: &'static str,
    reader: &mut Reader<'a>,
) -> Result<Backend<'a>, WireError> {
    Ok(match tag {
        b'R' => Backend::Authentication(authentication(reader)?),
        b'S' => Backend::ParameterStatus { name: reader.cstr()?, value: reader.cstr()? },
        b'K' => {
            let pid = reader.u32()?;
            let key = reader.take_rest();
            check_key(what, key)?;
            Backend::BackendKeyData { pid, key }
        }
        b'v' => {
            let version = reader.u32()?;
            let count = reader.u32()?;
            Backend::NegotiateProtocolVersion { version, options: Strings::read(reader, count)? }
        }
        b'Z' => Backend::ReadyForQuery(transaction(what, reader.u8()?)?),
        b'T' => Backend::RowDescription(RowDescription::read(reader)?),
        b'D' => Backend::DataRow(DataRow::read(reader)?),
        b'C' => Backend::CommandComplete(reader.cstr()?),
        b'I' => Backend::EmptyQuery,
        b'E' => Backend::Error(Fields::read(reader)?),
        b'N' => Backend::Notice(Fields::read(reader)?),
        b'A' => Backend::Notification {
            pid: reader.u32()?,
            channel: reader.cstr()?,
            payload: reader.cstr()?,
        },
        b'1' => Backend::ParseComplete,
        b'2' => Backend::BindComplete,
        b'3' => Backend::CloseComplete,
        b'n' => Backend::NoData,
        b't' => Backend::ParameterDescription(Oids::read(reader)?),
        b's' => Backend::PortalSuspended,
        b'G' => Backend::CopyIn { format: copy(what, reader)?, columns: Formats::read(reader)? },
        b'H' => Backend::CopyOut { format: copy(what, reader)?, columns: Formats::read(reader)? },
        b'W' => Backend::CopyBoth { format: copy(what, reader)?, columns: Formats::read(reader)? },
        b'd' => Backend::CopyData(reader.take_rest()),
        b'c' => Backend::CopyDone,
        b'V' => Backend::FunctionResult(reader.cell()?),
        tag => return Err(WireError::UnknownTag { tag, side: Side::Target }),
    })
}

fn authentication<'a>(reader: &mut Reader<'a>) -> Result<Authentication<'a>, WireError> {
    Ok(match reader.u32()? {
        0 => Authentication::Ok,
        3 => Authentication::Cleartext,
        5 => Authentication::Md5 { salt: reader.array()? },
        10 => Authentication::Sasl { mechanisms: Strings::read_until_empty(reader)? },
        11 => Authentication::SaslContinue(reader.take_rest()),
        12 => Authentication::SaslFinal(reader.take_rest()),
        other => {
            reader.take_rest();
            Authentication::Other(other)
        }
    })
}

fn transaction(what: &'static str, status: u8) -> Result<Transaction, WireError> {
    match status {
        b'I' => Ok(Transaction::Idle),
        b'T' => Ok(Transaction::Open),
        b'E' => Ok(Transaction::Failed),
        other => {
            Err(WireError::Value { what, field: "transaction status", value: u32::from(other) })
        }
    }
}

fn copy(what: &'static str, reader: &mut Reader<'_>) -> Result<u8, WireError> {
    match reader.u8()? {
        format @ (0 | 1) => Ok(format),
        other => Err(WireError::Value { what, field: "COPY format", value: u32::from(other) }),
    }
}

impl Backend<'_> {
    /// The message's name in the manual.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Authentication(_) => "Authentication",
            Self::ParameterStatus { .. } => "ParameterStatus",
            Self::BackendKeyData { .. } => "BackendKeyData",
            Self::NegotiateProtocolVersion { .. } => "NegotiateProtocolVersion",
            Self::ReadyForQuery(_) => "ReadyForQuery",
            Self::RowDescription(_) => "RowDescription",
            Self::DataRow(_) => "DataRow",
            Self::CommandComplete(_) => "CommandComplete",
            Self::EmptyQuery => "EmptyQueryResponse",
            Self::Error(_) => "ErrorResponse",
            Self::Notice(_) => "NoticeResponse",
            Self::Notification { .. } => "NotificationResponse",
            Self::ParseComplete => "ParseComplete",
            Self::BindComplete => "BindComplete",
            Self::CloseComplete => "CloseComplete",
            Self::NoData => "NoData",
            Self::ParameterDescription(_) => "ParameterDescription",
            Self::PortalSuspended => "PortalSuspended",
            Self::CopyIn { .. } => "CopyInResponse",
            Self::CopyOut { .. } => "CopyOutResponse",
            Self::CopyBoth { .. } => "CopyBothResponse",
            Self::CopyData(_) => "CopyData",
            Self::CopyDone => "CopyDone",
            Self::FunctionResult(_) => "FunctionCallResponse",
        }
    }
}

impl fmt::Debug for Backend<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Authentication<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("Ok"),
            Self::Cleartext => f.write_str("Cleartext"),
            Self::Md5 { .. } => f.write_str("Md5"),
            Self::Sasl { .. } => f.write_str("Sasl"),
            Self::SaslContinue(_) => f.write_str("SaslContinue"),
            Self::SaslFinal(_) => f.write_str("SaslFinal"),
            Self::Other(code) => write!(f, "Other({code})"),
        }
    }
}

#[cfg(test)]
mod tests;
