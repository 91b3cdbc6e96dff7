//! A TLS ClientHello (RFC 8446 4.1.2, RFC 6066): the server name and ALPN, nothing deciphered.

use std::borrow::Cow;

use crate::WireError;
use crate::reader::Reader;

/// The most bytes, record headers included, that a ClientHello may take.
pub const HELLO_BYTES: usize = 16 << 10;

const WHAT: &str = "TLS ClientHello";
const RECORD: &str = "TLS record";

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
const EXTENSIONS: usize = 256;

/// A record's fragment and what follows the record.
type Split<'a> = (&'a [u8], &'a [u8]);

/// What a ClientHello says in the clear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// The host name, lower case.
    pub server_name: Option<String>,
    /// The application protocols offered, the most wanted first.
    pub alpn: Vec<Vec<u8>>,
    /// Whether an encrypted inner hello comes along, so that `server_name` may be a front. Browsers
    /// also send it as grease.
    pub encrypted_hello: bool,
}

/// Reads a ClientHello from the first bytes of a stream; `None` is that more bytes are needed.
pub fn client_hello(bytes: &[u8]) -> Result<Option<Hello>, WireError> {
    let Some(message) = handshake(bytes)? else {
        return Ok(None);
    };
    let mut message = Reader::new(WHAT, &message);
    message.take(4)?;
    hello(message.rest()).map(Some)
}

/// Joins the records that carry the first handshake message, header included.
fn handshake(bytes: &[u8]) -> Result<Option<Cow<'_, [u8]>>, WireError> {
    let mut joined: Cow<'_, [u8]> = Cow::Borrowed(&[]);
    let mut rest = bytes;
    loop {
        let Some((fragment, after)) = record(rest)? else {
            check_length(bytes.len())?;
            return Ok(None);
        };
        if joined.is_empty() {
            joined = Cow::Borrowed(fragment);
        } else {
            joined.to_mut().extend_from_slice(fragment);
        }
        rest = after;
        check_length(bytes.len() - rest.len())?;
        let Some(([kind, high, middle, low], body)) = joined.split_first_chunk::<4>() else {
            continue;
        };
        if *kind != CLIENT_HELLO {
            let value = u32::from(*kind);
            return Err(WireError::Value { what: WHAT, field: "ClientHello", value });
        }
        let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        check_length(length)?;
        match body.len().checked_sub(length) {
            None => continue,
            Some(0) => return Ok(Some(joined)),
            Some(extra) => return Err(WireError::Trailing { what: WHAT, extra }),
        }
    }
}

/// The first record's fragment and what follows it.
fn record(bytes: &[u8]) -> Result<Option<Split<'_>>, WireError> {
    if let Some(kind) = bytes.first().filter(|kind| **kind != HANDSHAKE) {
        let value = u32::from(*kind);
        return Err(WireError::Value { what: RECORD, field: "handshake record", value });
    }
    if let Some(major) = bytes.get(1).filter(|major| **major != 3) {
        let value = u32::from(*major);
        return Err(WireError::Value { what: RECORD, field: "TLS version", value });
    }
    let Some(([_, _, _, high, low], rest)) = bytes.split_first_chunk::<5>() else {
        return Ok(None);
    };
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    if len == 0 || len > HELLO_BYTES {
        return Err(WireError::Length { what: RECORD, len, min: 1, max: HELLO_BYTES });
    }
    Ok(rest.split_at_checked(len))
}

fn check_length(len: usize) -> Result<(), WireError> {
    if len > HELLO_BYTES {
        return Err(WireError::Length { what: WHAT, len, min: 0, max: HELLO_BYTES });
    }
    Ok(())
}

fn hello(body: &[u8]) -> Result<Hello, WireError> {
    let mut body = Reader::new(WHAT, body);
    body.take(2 + 32)?;
    let session = body.u8()?;
    check_list("session id", usize::from(session), 0..=32, 1)?;
    body.take(usize::from(session))?;
    let suites = usize::from(body.u16()?);
    check_list("list of cipher suites", suites, 2..=65_534, 2)?;
    body.take(suites)?;
    let compression = usize::from(body.u8()?);
    check_list("list of compressions", compression, 1..=255, 1)?;
    body.take(compression)?;
    let mut hello = Hello::default();
    if body.rest().is_empty() {
        return Ok(hello); // TLS 1.2 without extensions
    }
    let mut extensions = vector16(&mut body)?;
    body.end()?;
    let mut seen = Vec::new();
    while !extensions.rest().is_empty() {
        let kind = extensions.u16()?;
        let data = vector16(&mut extensions)?;
        if seen.contains(&kind) {
            return Err(WireError::Duplicate { what: WHAT, field: "an extension" });
        }
        if seen.len() == EXTENSIONS {
            return Err(WireError::TooMany { what: WHAT, field: "extensions", max: EXTENSIONS });
        }
        seen.push(kind);
        match kind {
            SERVER_NAME => hello.server_name = server_name(data)?,
            ALPN => hello.alpn = alpn(data)?,
            ENCRYPTED_CLIENT_HELLO => hello.encrypted_hello = true,
            _ => {}
        }
    }
    Ok(hello)
}

fn server_name(mut data: Reader<'_>) -> Result<Option<String>, WireError> {
    let mut list = vector16(&mut data)?;
    data.end()?;
    check_list("list of server names", list.rest().len(), 1..=65_535, 1)?;
    let mut found = None;
    while !list.rest().is_empty() {
        let kind = list.u8()?;
        let name = vector16(&mut list)?;
        // Only host names are defined; the layout of another kind is not known.
        if kind != 0 {
            let value = u32::from(kind);
            return Err(WireError::Value { what: WHAT, field: "kind of server name", value });
        }
        if found.is_some() {
            return Err(WireError::Duplicate { what: WHAT, field: "a host name" });
        }
        found = Some(host_name(name.rest())?);
    }
    Ok(found)
}

fn host_name(name: &[u8]) -> Result<String, WireError> {
    check_list("host name", name.len(), 1..=253, 1)?;
    let valid = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    for label in name.split(|byte| *byte == b'.') {
        check_list("label of a host name", label.len(), 1..=63, 1)?;
        if let Some(byte) = label.iter().find(|byte| !valid(byte)) {
            let value = u32::from(*byte);
            return Err(WireError::Value { what: WHAT, field: "byte of a host name", value });
        }
    }
    Ok(name.iter().map(|byte| char::from(byte.to_ascii_lowercase())).collect())
}

fn alpn(mut data: Reader<'_>) -> Result<Vec<Vec<u8>>, WireError> {
    let mut list = vector16(&mut data)?;
    data.end()?;
    check_list("list of protocols", list.rest().len(), 2..=65_535, 1)?;
    let mut protocols = Vec::new();
    while !list.rest().is_empty() {
        let length = usize::from(list.u8()?);
        check_list("protocol name", length, 1..=255, 1)?;
        protocols.push(list.take(length)?.to_vec());
    }
    Ok(protocols)
}

fn vector16<'a>(from: &mut Reader<'a>) -> Result<Reader<'a>, WireError> {
    let length = usize::from(from.u16()?);
    from.take(length).map(|bytes| Reader::new(WHAT, bytes))
}

fn check_list(
    what: &'static str,
    len: usize,
    bounds: std::ops::RangeInclusive<usize>,
    unit: usize,
) -> Result<(), WireError> {
    if bounds.contains(&len) && len.is_multiple_of(unit) {
        return Ok(());
    }
    Err(WireError::Length { what, len, min: *bounds.start(), max: *bounds.end() })
}

#[cfg(test)]
mod tests;
