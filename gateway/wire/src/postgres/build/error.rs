//! Errors and notices of our own, in the target's shape.

use crate::WireError;
use crate::postgres::build::Message;
use crate::postgres::fields::Fields;

/// The most bytes of a text of ours.
const TEXT: usize = 8 << 10;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The statement failed, the session lives.
    Error,
    /// The session ends.
    Fatal,
    /// Nothing failed, but somebody should know.
    Warning,
    /// Good to know.
    Notice,
}

/// An error or notice of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorFields {
    /// How bad it is.
    pub severity: Severity,
    /// The SQLSTATE.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl Severity {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Warning => "WARNING",
            Self::Notice => "NOTICE",
        }
    }
}

/// Writes an error.
pub fn error_response(fields: &ErrorFields, out: &mut Vec<u8>) {
    let name = fields.severity.name().as_bytes();
    ours(b'E', Some(name), Some(name), fields, out);
}

/// Writes a notice.
pub fn notice(fields: &ErrorFields, out: &mut Vec<u8>) {
    let name = fields.severity.name().as_bytes();
    ours(b'N', Some(name), Some(name), fields, out);
}

/// Writes an error that takes another's place: its severity (in the server's language) stays, and
/// everything that tells of the substituted text (position, context, file, routine, ...) goes.
pub fn rewrite_error(original: &Fields<'_>, with: &ErrorFields, out: &mut Vec<u8>) {
    ours(b'E', original.get(b'S'), original.get(b'V'), with, out);
}

/// Writes any error or notice as it was read.
pub(crate) fn verbatim(tag: u8, fields: &Fields<'_>, out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut message = Message::tagged("ErrorResponse", tag, out);
    for (kind, text) in fields.iter() {
        message.u8(kind);
        message.cstr(text)?;
    }
    message.u8(0);
    message.end()
}

fn ours(
    tag: u8,
    severity: Option<&[u8]>,
    plain_severity: Option<&[u8]>,
    fields: &ErrorFields,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.extend_from_slice(&[tag, 0, 0, 0, 0]);
    let mut put = |kind: u8, text: &[u8]| {
        out.push(kind);
        // NULs would end the text early for the reader.
        out.extend(cut(text).iter().map(|byte| if *byte == 0 { b' ' } else { *byte }));
        out.push(0);
    };
    put(b'S', severity.unwrap_or_else(|| fields.severity.name().as_bytes()));
    if let Some(severity) = plain_severity {
        put(b'V', severity);
    }
    put(b'C', fields.code.as_bytes());
    put(b'M', fields.message.as_bytes());
    if let Some(detail) = &fields.detail {
        put(b'D', detail.as_bytes());
    }
    if let Some(hint) = &fields.hint {
        put(b'H', hint.as_bytes());
    }
    out.push(0);
    // Six texts of at most 8 KiB: the length fits.
    let length = (out.len() - start - 1) as u32;
    if let Some(place) = out.get_mut(start + 1..start + 5) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// At most [`TEXT`] bytes, not cut inside a UTF-8 character.
fn cut(text: &[u8]) -> &[u8] {
    if text.len() <= TEXT {
        return text;
    }
    let within = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let mut end = TEXT;
    while end > TEXT - 4 && within(&end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
