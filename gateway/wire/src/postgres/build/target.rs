//! What a target says.

use crate::WireError;
use crate::postgres::backend::{Authentication, Backend, Transaction};
use crate::postgres::build::error::verbatim;
use crate::postgres::build::{Message, copy_data, copy_done, data_row, empty, row_description};
use crate::postgres::lists::Formats;
use crate::postgres::startup::{self, check_key};

/// `AuthenticationSASL`'s code.
const SASL: u32 = 10;

/// Writes any message of the target; what was parsed gives the bytes that it was parsed from, save
/// that an unknown kind of authentication has lost its data.
pub fn backend(message: &Backend<'_>, out: &mut Vec<u8>) -> Result<(), WireError> {
    match message {
        Backend::Authentication(step) => authentication(step, out)?,
        Backend::ParameterStatus { name, value } => parameter_status(name, value, out)?,
        Backend::BackendKeyData { pid, key } => backend_key_data(*pid, key, out)?,
        Backend::NegotiateProtocolVersion { version, options } => {
            negotiate(*version, options.iter(), out)?;
        }
        Backend::ReadyForQuery(transaction) => ready_for_query(*transaction, out),
        Backend::RowDescription(fields) => row_description(fields.iter(), out)?,
        Backend::DataRow(cells) => data_row(cells.iter(), out)?,
        Backend::CommandComplete(tag) => command_complete(tag, out)?,
        Backend::EmptyQuery => empty(b'I', out),
        Backend::Error(fields) => verbatim(b'E', fields, out)?,
        Backend::Notice(fields) => verbatim(b'N', fields, out)?,
        Backend::Notification { pid, channel, payload } => {
            notification(*pid, channel, payload, out)?;
        }
        Backend::ParseComplete => empty(b'1', out),
        Backend::BindComplete => empty(b'2', out),
        Backend::CloseComplete => empty(b'3', out),
        Backend::NoData => empty(b'n', out),
        Backend::ParameterDescription(types) => parameter_description(types.iter(), out)?,
        Backend::PortalSuspended => empty(b's', out),
        Backend::CopyIn { format, columns } => copy_response(b'G', *format, columns, out)?,
        Backend::CopyOut { format, columns } => copy_response(b'H', *format, columns, out)?,
        Backend::CopyBoth { format, columns } => copy_response(b'W', *format, columns, out)?,
        Backend::CopyData(data) => copy_data(data, out)?,
        Backend::CopyDone => copy_done(out),
        Backend::FunctionResult(value) => function_result(*value, out)?,
    }
    Ok(())
}

/// Writes that the client is logged in.
pub fn authentication_ok(out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'R', 0, 0, 0, 8, 0, 0, 0, 0]);
}

/// Writes that a SASL exchange is wanted.
pub fn authentication_sasl<'v>(
    mechanisms: impl IntoIterator<Item = &'v [u8]>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let mut message = Message::tagged("Authentication", b'R', out);
    message.u32(SASL);
    for mechanism in mechanisms {
        message.cstr(mechanism)?;
    }
    message.u8(0);
    message.end()
}

/// Writes a setting's value.
pub fn parameter_status(name: &[u8], value: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut message = Message::tagged("ParameterStatus", b'S', out);
    message.cstr(name)?;
    message.cstr(value)?;
    message.end()
}

/// Writes what a CancelRequest must say.
pub fn backend_key_data(pid: u32, key: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    check_key("BackendKeyData", key)?;
    let mut message = Message::tagged("BackendKeyData", b'K', out);
    message.u32(pid);
    message.bytes(key);
    message.end()
}

/// Writes that the next query is waited for.
pub fn ready_for_query(transaction: Transaction, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'Z', 0, 0, 0, 5, transaction.byte()]);
}

/// Writes the newest minor version of ours and the options that we do not know.
pub fn negotiate_protocol_version<'v>(
    newest_minor: u16,
    unknown: impl IntoIterator<Item = &'v [u8]>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    negotiate((startup::MAJOR << 16) | u32::from(newest_minor), unknown, out)
}

/// Writes that a statement is done.
pub fn command_complete(tag: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut message = Message::tagged("CommandComplete", b'C', out);
    message.cstr(tag)?;
    message.end()
}

/// Writes a notification.
pub fn notification(
    pid: u32,
    channel: &[u8],
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let mut message = Message::tagged("NotificationResponse", b'A', out);
    message.u32(pid);
    message.cstr(channel)?;
    message.cstr(payload)?;
    message.end()
}

fn authentication(step: &Authentication<'_>, out: &mut Vec<u8>) -> Result<(), WireError> {
    if let Authentication::Sasl { mechanisms } = step {
        return authentication_sasl(mechanisms.iter(), out);
    }
    let mut message = Message::tagged("Authentication", b'R', out);
    match step {
        Authentication::Ok => message.u32(0),
        Authentication::Cleartext => message.u32(3),
        Authentication::Md5 { salt } => {
            message.u32(5);
            message.bytes(salt);
        }
        Authentication::Sasl { .. } => message.u32(SASL),
        Authentication::SaslContinue(data) => {
            message.u32(11);
            message.bytes(data);
        }
        Authentication::SaslFinal(data) => {
            message.u32(12);
            message.bytes(data);
        }
        Authentication::Other(code) => message.u32(*code),
    }
    message.end()
}

fn negotiate<'v>(
    version: u32,
    unknown: impl IntoIterator<Item = &'v [u8]>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let mut message = Message::tagged("NegotiateProtocolVersion", b'v', out);
    message.u32(version);
    let count_at = message.position();
    message.u32(0);
    let mut count: u32 = 0;
    for option in unknown {
        count = count.saturating_add(1);
        message.cstr(option)?;
    }
    message.patch(count_at, &count.to_be_bytes());
    message.end()
}

fn parameter_description(
    types: impl IntoIterator<Item = u32>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let mut message = Message::tagged("ParameterDescription", b't', out);
    message.list(types, |message, oid| {
        message.u32(oid);
        Ok(())
    })?;
    message.end()
}

fn copy_response(
    tag: u8,
    format: u8,
    columns: &Formats<'_>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let mut message = Message::tagged("CopyResponse", tag, out);
    message.u8(format);
    message.list(columns.iter(), |message, code| {
        message.i16(code);
        Ok(())
    })?;
    message.end()
}

fn function_result(value: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut message = Message::tagged("FunctionCallResponse", b'V', out);
    message.cell(value)?;
    message.end()
}

impl Transaction {
    /// The byte that stands for it.
    pub fn byte(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::Open => b'T',
            Self::Failed => b'E',
        }
    }
}
