//! What may be given to a parser at all: bounds, encoding, and session state that changes lexing.

use weir_model::limits;

/// The part of a session's state that changes how the server reads a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SqlState {
    /// Whether a backslash in an ordinary literal is a plain character.
    pub standard_conforming_strings: bool,
    /// Whether `client_encoding` and `server_encoding` are UTF-8. In any other, bytes beyond ASCII are other
    /// letters to the server than they look here, and it folds and clips names that have any elsewhere
    /// (`downcase_identifier`, `truncate_identifier`).
    pub utf8: bool,
}

impl Default for SqlState {
    fn default() -> Self {
        Self { standard_conforming_strings: true, utf8: true }
    }
}

/// The text, if a parser here is certain to read it as the server does.
pub(crate) fn readable<'a>(text: &'a [u8], state: &SqlState) -> Option<&'a str> {
    if text.len() > limits::SQL_BYTES || text.contains(&0) || too_deep(text) || long_run(text) {
        return None;
    }
    // Without a backslash, PostgreSQL's scanner (scan.l) reads a literal to the same end in both of
    // its states; and ASCII is itself in every encoding that it knows, unless it stands for more (`U&"`).
    let certain = (state.standard_conforming_strings || !text.contains(&b'\\'))
        && (state.utf8 || (text.is_ascii() && !escapes(text)));
    if certain { std::str::from_utf8(text).ok() } else { None }
}

/// Whether names may be written in ASCII that are none: `U&"\\00e9"`.
fn escapes(text: &[u8]) -> bool {
    text.windows(2).any(|two| matches!(two, b"U&" | b"u&"))
}

/// Brackets nested deeper than is worth parsing. Cheap and approximate (it does not lex): the
/// parser's stack check and the decoder's recursion limit are what protects the stack.
fn too_deep(text: &[u8]) -> bool {
    let mut depth = 0usize;
    text.iter().any(|b| {
        match b {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > limits::SQL_DEPTH
    })
}

/// A run of operator characters longer than any operator. PostgreSQL's lexer reads such a run to
/// its end again for each comment or sign in it, so that its time grows with the square of the
/// run: a minute for a text within bounds.
fn long_run(text: &[u8]) -> bool {
    let mut run = 0usize;
    text.iter().any(|b| {
        run = if b"~!@#^&|`?+-*/%<>=".contains(b) { run + 1 } else { 0 };
        run > OPERATOR_RUN
    })
}

/// Four times PostgreSQL's longest operator name, so that ruled lines in comments still pass.
const OPERATOR_RUN: usize = 256;
