//! The settings of a connection that change how its texts are read.

use weir_classify::SqlState;

/// The settings that change how the target reads SQL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LexerState {
    /// `standard_conforming_strings`.
    pub conforming: bool,
    /// Whether `client_encoding` and `server_encoding` are UTF-8.
    pub utf8: bool,
}

impl LexerState {
    /// The classifier's own form.
    pub fn sql(self) -> SqlState {
        SqlState { standard_conforming_strings: self.conforming, utf8: self.utf8 }
    }

    /// Learns from a ParameterStatus; whether anything changed.
    pub fn learn(&mut self, name: &[u8], value: &[u8]) -> bool {
        let before = *self;
        match name {
            // Once unsafe, always: a change back may be overtaken by what was read before it.
            b"standard_conforming_strings" => self.conforming &= value == b"on",
            b"client_encoding" | b"server_encoding" => self.utf8 &= weir_classify::is_utf8(value),
            _ => {}
        }
        before != *self
    }
}

/// Whether a setting says that texts are UTF-8.
pub(super) fn is_utf8(name: &[u8], value: &[u8]) -> bool {
    name == b"client_encoding" && weir_classify::is_utf8(value)
}
