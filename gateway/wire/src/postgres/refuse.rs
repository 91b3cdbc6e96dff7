//! A refusal in PostgreSQL's words, and the messages that stand in for a refused one.
//!
//! A substitute certainly fails at the target, whatever state the session is in and whatever names
//! the agent has made, and changes nothing before it fails. So the target itself aborts the
//! transaction, skips to the Sync and reports its state, and only the error's text is rewritten.

use weir_model::Refusal;

use crate::WireError;
use crate::postgres::build::{self, ErrorFields, Severity};

/// `insufficient_privilege`.
pub const CODE: &str = "42501";

/// No statement begins with a closing parenthesis: the raw parser refuses it at the first token,
/// before it looks whether the transaction has failed. The rest is for who reads the server's log.
const TEXT: &[u8] = b") -- refused by weir";

/// How much of the policy set's hash the agent is told.
const HASH: usize = 12;

/// A refusal as an error that leaves the session alive. Where no policy was asked, its hash is empty.
pub fn refusal(refusal: &Refusal, policy_hash: &str) -> ErrorFields {
    let hash = policy_hash.get(..HASH).unwrap_or(policy_hash);
    let policy = if hash.is_empty() { String::new() } else { format!(", policy {hash}") };
    ErrorFields {
        severity: Severity::Error,
        code: CODE,
        message: refusal.message.clone(),
        detail: Some(format!("rule {}{policy}", refusal.rule)),
        hint: Some(refusal.instead.clone()).filter(|instead| !instead.is_empty()),
    }
}

/// Stands in for a Query.
pub fn substitute_query(out: &mut Vec<u8>) -> Result<(), WireError> {
    build::query(TEXT, out)
}

/// Stands in for a Parse: the statement is not made.
pub fn substitute_parse(
    name: &[u8],
    types: impl IntoIterator<Item = u32>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    build::parse(name, TEXT, types, out)
}

/// Stands in for an Execute, Bind, Describe or Close.
///
/// It is a Parse: a portal's name that cannot exist is not to be had, for clients, cursors and
/// functions on the server choose names as they like. The statement's name keeps the server from
/// dropping the unnamed one, and is not taken, as the text never gets through the parser.
pub fn substitute_execute(out: &mut Vec<u8>) -> Result<(), WireError> {
    build::parse(b"weir_refused", TEXT, [], out)
}

/// Stands in for a FunctionCall: there is no function 0.
pub fn substitute_function_call(out: &mut Vec<u8>) {
    const BODY: [u8; 10] = [0; 10];
    out.extend_from_slice(&[b'F', 0, 0, 0, 4 + 10]);
    out.extend_from_slice(&BODY);
}

/// Whether an error with this SQLSTATE is the one that a substitute causes. Any other (the server
/// shuts down, the query was cancelled) came in between and is to be passed on as it is.
pub fn is_substitutes(code: &[u8]) -> bool {
    // Syntax error; no such function; and, of a FunctionCall only, the transaction has failed.
    matches!(code, b"42601" | b"42883" | b"25P02")
}

/// The same of a walsender, which may take no SQL at all, and no message of the extended protocol.
pub fn is_substitutes_for_walsender(code: &[u8]) -> bool {
    is_substitutes(code) || matches!(code, b"0A000" | b"08P01")
}

#[cfg(test)]
mod tests;
