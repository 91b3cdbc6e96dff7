//! The settings of a connection that change how its texts are read.

use weir_classify::SqlState;

/// The settings that change how the target reads SQL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LexerState {
    /// `standard_conforming_strings`.
    pub conforming: bool,
    /// Whether no byte of a multibyte character can be taken for a quote or backslash.
    pub safe_encoding: bool,
}

impl LexerState {
    /// The classifier's own form.
    pub fn sql(self) -> SqlState {
        SqlState { standard_conforming_strings: self.conforming, safe_encoding: self.safe_encoding }
    }

    /// Learns from a ParameterStatus; whether anything changed.
    pub fn learn(&mut self, name: &[u8], value: &[u8]) -> bool {
        let before = *self;
        match name {
            // Once unsafe, always: a change back may be overtaken by what was read before it.
            b"standard_conforming_strings" => self.conforming &= value == b"on",
            b"client_encoding" => self.safe_encoding &= is_safe(value),
            _ => {}
        }
        before != *self
    }
}

/// Whether a setting says that texts are UTF-8.
pub(super) fn is_utf8(name: &[u8], value: &[u8]) -> bool {
    name == b"client_encoding" && value == b"UTF8"
}

/// Whether no byte of a character in an encoding looks like a quote or a backslash. PostgreSQL's
/// client-only encodings (`PG_ENCODING_BE_LAST` in pg_wchar.h) have such trail bytes. Names are
/// compared as the server does (`clean_encoding_name`): letters and digits alone, in one case.
pub fn is_safe(encoding: &[u8]) -> bool {
    let plain = encoding.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let plain: Vec<u8> = plain.map(u8::to_ascii_uppercase).collect();
    let safe = [b"UTF8".as_slice(), b"UNICODE", b"SQLASCII", b"LATIN1", b"LATIN9", b"WIN1252"];
    safe.contains(&plain.as_slice())
}
