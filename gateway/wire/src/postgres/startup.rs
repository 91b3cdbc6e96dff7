//! The packets without a type byte with which a client begins.

use crate::WireError;
use crate::postgres::build::Message;
use crate::reader::Reader;

/// The major version, in the upper half of a start-up packet's code.
pub const MAJOR: u32 = 3;
/// `SSLRequest`'s code.
pub const SSL_CODE: u32 = 80_877_103;
/// `GSSENCRequest`'s code.
pub const GSSENC_CODE: u32 = 80_877_104;
/// `CancelRequest`'s code.
pub const CANCEL_CODE: u32 = 80_877_102;
/// The shortest `CancelRequest`.
pub const CANCEL_MIN: usize = 16;
/// [`MAJOR`] as it stands on the wire.
pub(crate) const MAJOR_BYTES: [u8; 2] = 3u16.to_be_bytes();
/// The upper half (1234) that the three requests have for a version.
pub(crate) const REQUEST_MAJOR: [u8; 2] = 1234u16.to_be_bytes();

/// A name and its value.
pub type Parameter<'a> = (&'a [u8], &'a [u8]);

const PARAMETERS: usize = 256;
const KEY: std::ops::RangeInclusive<usize> = 4..=256;

/// A packet without a type byte. Its `Debug` shows no key.
#[derive(Clone, PartialEq, Eq)]
pub enum Startup<'a> {
    /// The client wants TLS.
    Ssl,
    /// The client wants GSSAPI encryption.
    GssEnc,
    /// Another connection's query is to be cancelled.
    Cancel {
        /// Which.
        pid: u32,
        /// Its key, 4 to 256 bytes.
        key: &'a [u8],
    },
    /// The session begins.
    Start {
        /// The minor version: 0, 2, or one that is to be negotiated.
        minor: u16,
        /// Names and values, no name twice.
        parameters: Vec<Parameter<'a>>,
    },
}

impl Startup<'_> {
    /// What it is, for errors and the record.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ssl => "SSLRequest",
            Self::GssEnc => "GSSENCRequest",
            Self::Cancel { .. } => "CancelRequest",
            Self::Start { .. } => "StartupMessage",
        }
    }
}

impl std::fmt::Debug for Startup<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads one whole packet, its length included.
pub fn parse(packet: &[u8]) -> Result<Startup<'_>, WireError> {
    let mut reader = Reader::new("a start-up packet", packet);
    let said = reader.u32()? as usize;
    if said != packet.len() {
        return Err(WireError::LengthMismatch { said, given: packet.len() });
    }
    match reader.u32()? {
        SSL_CODE => reader.end().map(|()| Startup::Ssl),
        GSSENC_CODE => reader.end().map(|()| Startup::GssEnc),
        CANCEL_CODE => {
            let pid = reader.u32()?;
            let key = reader.take_rest();
            check_key("CancelRequest", key)?;
            Ok(Startup::Cancel { pid, key })
        }
        code if code >> 16 == MAJOR => {
            let parameters = parameters(reader.take_rest())?;
            Ok(Startup::Start { minor: code as u16, parameters })
        }
        value => Err(WireError::Value { what: "a start-up packet", field: "known version", value }),
    }
}

/// Writes a start-up packet.
pub fn encode_start<'p>(
    minor: u16,
    parameters: impl IntoIterator<Item = Parameter<'p>>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let mut message = Message::untagged("StartupMessage", out);
    message.u32((MAJOR << 16) | u32::from(minor));
    for (name, value) in parameters {
        if name.is_empty() {
            let field = "parameter name";
            return Err(WireError::Value { what: "StartupMessage", field, value: 0 });
        }
        message.cstr(name)?;
        message.cstr(value)?;
    }
    message.u8(0);
    message.end()
}

/// Writes an `SSLRequest`.
pub fn encode_ssl(out: &mut Vec<u8>) {
    out.extend_from_slice(&8u32.to_be_bytes());
    out.extend_from_slice(&SSL_CODE.to_be_bytes());
}

/// Writes a `GSSENCRequest`.
pub fn encode_gssenc(out: &mut Vec<u8>) {
    out.extend_from_slice(&8u32.to_be_bytes());
    out.extend_from_slice(&GSSENC_CODE.to_be_bytes());
}

/// Writes a `CancelRequest`.
pub fn encode_cancel(pid: u32, key: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    check_key("CancelRequest", key)?;
    let mut message = Message::untagged("CancelRequest", out);
    message.u32(CANCEL_CODE);
    message.u32(pid);
    message.bytes(key);
    message.end()
}

/// Checks the length of a cancel key.
pub(crate) fn check_key(what: &'static str, key: &[u8]) -> Result<(), WireError> {
    if KEY.contains(&key.len()) {
        return Ok(());
    }
    Err(WireError::Length { what, len: key.len(), min: *KEY.start(), max: *KEY.end() })
}

/// Reads pairs up to an empty name, which must be the packet's last byte.
fn parameters(body: &[u8]) -> Result<Vec<Parameter<'_>>, WireError> {
    const WHAT: &str = "StartupMessage";
    let mut reader = Reader::new(WHAT, body);
    let mut parameters: Vec<Parameter<'_>> = Vec::new();
    loop {
        let name = reader.cstr()?;
        if name.is_empty() {
            return reader.end().map(|()| parameters);
        }
        if parameters.len() == PARAMETERS {
            return Err(WireError::TooMany { what: WHAT, field: "parameters", max: PARAMETERS });
        }
        // The server lets the last one win; whoever reads the first would be fooled.
        if parameters.iter().any(|(known, _)| *known == name) {
            return Err(WireError::Duplicate { what: WHAT, field: "a parameter" });
        }
        parameters.push((name, reader.cstr()?));
    }
}

#[cfg(test)]
mod tests;
