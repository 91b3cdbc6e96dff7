//! What a client says.

use crate::WireError;
use crate::postgres::build::{Message, copy_data, copy_done, empty};
use crate::postgres::frontend::{Frontend, FunctionCall, Kind};

/// Writes any message of the client; what was parsed gives the bytes that it was parsed from.
pub fn frontend(message: &Frontend<'_>, out: &mut Vec<u8>) -> Result<(), WireError> {
    match message {
        Frontend::Query(text) => query(text, out)?,
        Frontend::Parse { name, text, types } => parse(name, text, types.iter(), out)?,
        Frontend::Bind { portal, statement, formats, parameters, result_formats } => {
            let formats = formats.iter();
            let results = result_formats.iter();
            bind(portal, statement, formats, parameters.iter(), results, out)?;
        }
        Frontend::Describe { kind, name } => describe(*kind, name, out)?,
        Frontend::Execute { portal, max_rows } => execute(portal, *max_rows, out)?,
        Frontend::Close { kind, name } => close(*kind, name, out)?,
        Frontend::Sync => sync(out),
        Frontend::Flush => flush(out),
        Frontend::FunctionCall(call) => function_call(call, out)?,
        Frontend::CopyData(data) => copy_data(data, out)?,
        Frontend::CopyDone => copy_done(out),
        Frontend::CopyFail(reason) => copy_fail(reason, out)?,
        Frontend::Password(body) => sasl_response(body, out)?,
        Frontend::Terminate => terminate(out),
    }
    Ok(())
}

/// Writes a simple query.
pub fn query(text: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut message = Message::tagged("Query", b'Q', out);
    message.cstr(text)?;
    message.end()
}

/// Writes a simple query's text with parameters, all of them texts: as a statement and portal of a name
/// that is made and forgotten here. The answer is that of the simple query, less what Parse, Bind and
/// Close are answered with.
pub fn query_with<'v>(
    name: &[u8],
    text: &[u8],
    given: impl IntoIterator<Item = &'v [u8]>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    // A failure may have left one behind.
    close(Kind::Statement, name, out)?;
    parse(name, text, [], out)?;
    bind(name, name, [], given.into_iter().map(Some), [], out)?;
    describe(Kind::Portal, name, out)?;
    execute(name, 0, out)?;
    close(Kind::Portal, name, out)?;
    close(Kind::Statement, name, out)?;
    sync(out);
    Ok(())
}

/// Writes a Parse.
pub fn parse(
    name: &[u8],
    text: &[u8],
    types: impl IntoIterator<Item = u32>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let mut message = Message::tagged("Parse", b'P', out);
    message.cstr(name)?;
    message.cstr(text)?;
    message.list(types, |message, oid| {
        message.u32(oid);
        Ok(())
    })?;
    message.end()
}

/// Writes a Bind.
pub fn bind<'v>(
    portal: &[u8],
    statement: &[u8],
    formats: impl IntoIterator<Item = i16>,
    parameters: impl IntoIterator<Item = Option<&'v [u8]>>,
    result_formats: impl IntoIterator<Item = i16>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let mut message = Message::tagged("Bind", b'B', out);
    message.cstr(portal)?;
    message.cstr(statement)?;
    message.list(formats, format)?;
    message.list(parameters, Message::cell)?;
    message.list(result_formats, format)?;
    message.end()
}

/// Writes a Describe.
pub fn describe(kind: Kind, name: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut message = Message::tagged("Describe", b'D', out);
    message.u8(kind.byte());
    message.cstr(name)?;
    message.end()
}

/// Writes an Execute.
pub fn execute(portal: &[u8], max_rows: i32, out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut message = Message::tagged("Execute", b'E', out);
    message.cstr(portal)?;
    message.i32(max_rows);
    message.end()
}

/// Writes a Close.
pub fn close(kind: Kind, name: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut message = Message::tagged("Close", b'C', out);
    message.u8(kind.byte());
    message.cstr(name)?;
    message.end()
}

/// Writes a Sync.
pub fn sync(out: &mut Vec<u8>) {
    empty(b'S', out);
}

/// Writes a Flush.
pub fn flush(out: &mut Vec<u8>) {
    empty(b'H', out);
}

/// Writes a Terminate.
pub fn terminate(out: &mut Vec<u8>) {
    empty(b'X', out);
}

/// Writes a FunctionCall.
pub fn function_call(call: &FunctionCall<'_>, out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut message = Message::tagged("FunctionCall", b'F', out);
    message.u32(call.oid);
    message.list(call.formats.iter(), format)?;
    message.list(call.arguments.iter(), Message::cell)?;
    message.i16(call.result_format);
    message.end()
}

/// Writes a CopyFail.
pub fn copy_fail(reason: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut message = Message::tagged("CopyFail", b'f', out);
    message.cstr(reason)?;
    message.end()
}

/// Writes a password: in clear, or as an MD5 hash.
pub fn password(password: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut message = Message::tagged("PasswordMessage", b'p', out);
    message.cstr(password)?;
    message.end()
}

/// Writes the first answer of a SASL exchange.
pub fn sasl_initial(mechanism: &[u8], data: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut message = Message::tagged("SASLInitialResponse", b'p', out);
    message.cstr(mechanism)?;
    message.cell(Some(data))?;
    message.end()
}

/// Writes a further answer of a SASL exchange.
pub fn sasl_response(data: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut message = Message::tagged("SASLResponse", b'p', out);
    message.bytes(data);
    message.end()
}

fn format(message: &mut Message<'_>, code: i16) -> Result<(), WireError> {
    message.i16(code);
    Ok(())
}
