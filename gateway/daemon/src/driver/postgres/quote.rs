//! Texts of the target that may quote values: errors and notices.

use weir_wire::postgres::fields::Fields;

use super::catalogue::Catalogue;
use super::lane::{Judged, Lane};
use super::shape::clean_text;

const HIDDEN: &[u8] = b"[hidden by weir]";

/// How much of a text has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hides {
    /// What detectors find.
    Findings,
    /// What stands in quotes, numbers, and all that is said beside the message.
    Quotes,
    /// The text is not the server's own, so that nothing in it tells values from words.
    All,
}

/// An error or notice with its findings hidden, as a whole message, if there are any. Where it may quote
/// values of sensitive columns, it loses its quotes.
pub fn clean_fields(
    lane: &Lane,
    tag: u8,
    fields: &Fields<'_>,
    judged: Option<&Judged>,
) -> Option<Vec<u8>> {
    let hides = hides(lane, fields, judged);
    let mut changed = false;
    let mut body = Vec::new();
    for (kind, value) in fields.iter() {
        let mut text = value.to_vec();
        if matches!(kind, b'M' | b'D' | b'H' | b'W' | b'q') {
            if let Some(quiet) = lane.way_back.hide(&text) {
                text = quiet;
                changed = true;
            }
            if let Some(quiet) = quiet(&text, kind, hides) {
                text = quiet;
                changed = true;
            }
            if let Some(clean) = clean_text(lane, &text) {
                text = clean;
                changed = true;
            }
        }
        body.push(kind);
        body.extend_from_slice(&text);
        body.push(0);
    }
    if !changed {
        return None;
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).ok()?;
    let mut message = vec![tag];
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(&body);
    Some(message)
}

fn hides(lane: &Lane, fields: &Fields<'_>, judged: Option<&Judged>) -> Hides {
    let known = lane.catalogue.borrow().clone();
    let touches = match judged {
        Some(judged) => touches(lane, &known, judged, fields),
        // A notice is nobody's answer: any statement in flight may have raised it.
        None => lane.open.borrow().iter().any(|open| touches(lane, &known, &open.judged, fields)),
    };
    match (touches || speaks_of_others(&known, fields), is_raised(fields)) {
        (true, true) => Hides::All,
        (true, false) => Hides::Quotes,
        (false, _) => Hides::Findings,
    }
}

/// Whether a statement may have read sensitive columns, as far as is known of it: what a cursor reads
/// was said when it was declared, and what fails at the end of a transaction began in it.
fn touches(lane: &Lane, known: &Catalogue, judged: &Judged, fields: &Fields<'_>) -> bool {
    let facts = &judged.facts;
    let constraint = fields.get(b'C').is_some_and(|code| code.starts_with(b"23"));
    let late = judged.operation.effect == weir_model::Effect::Session && constraint;
    let elsewhere = facts.deferred || late || lane.schema_changes.get();
    known.touches(&judged.operation) || (elsewhere && known.classifies())
}

/// Whether an error is about a table with sensitive columns, or was raised by code in the target (a
/// trigger, a cascade), of which nobody here knows what it reads.
fn speaks_of_others(known: &Catalogue, fields: &Fields<'_>) -> bool {
    let table = fields.get(b't').map(String::from_utf8_lossy);
    let context = fields.get(b'W').unwrap_or_default();
    // In every language PL/pgSQL and SQL are called so.
    let ran = fields.get(b'q').is_some() || context.windows(3).any(|word| word == b"SQL");
    table.is_some_and(|table| known.has_classified(&table)) || (ran && known.classifies())
}

/// Whether the text is what a function's author wrote (`RAISE`, `plpy.error`), or its place is not told.
fn is_raised(fields: &Fields<'_>) -> bool {
    match fields.get(b'F') {
        // The planner's own files begin like those of procedural languages.
        Some(file) => file.starts_with(b"pl") && !file.starts_with(b"plan"),
        None => true,
    }
}

/// A text without what it may quote.
fn quiet(text: &[u8], kind: u8, hides: Hides) -> Option<Vec<u8>> {
    match (hides, kind) {
        (Hides::Findings, _) => None,
        (Hides::All, _) | (Hides::Quotes, b'D' | b'W' | b'q') => Some(HIDDEN.to_vec()),
        (Hides::Quotes, _) => unquote(text),
    }
}

/// A text without all between its first and its last quote or number. Quotes beyond ASCII are those of
/// other languages.
fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let quotes = |byte: &u8| matches!(byte, b'"' | b'\'' | b'0'..=b'9') || !byte.is_ascii();
    let start = text.iter().position(quotes)?;
    let end = text.iter().rposition(quotes)?;
    // A number may go on in letters: `0xe4f`.
    let rest = text.get(end + 1..)?;
    let word = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let mut quiet = text.get(..start)?.to_vec();
    quiet.extend_from_slice(HIDDEN);
    quiet.extend_from_slice(rest.get(word..)?);
    Some(quiet)
}

#[cfg(test)]
mod tests {
    use super::{Hides, quiet, unquote};

    #[test]
    fn nothing_between_quotes_or_numbers_is_left() {
        for (text, expected) in [
            ("relation \"a\" does not exist", "relation [hidden by weir] does not exist"),
            (
                "date field value out of range: 2024-77-1",
                "date field value out of range: [hidden by weir]",
            ),
            ("index 17 out of valid range, 0..3", "index [hidden by weir]"),
            (
                "invalid byte sequence for encoding \"UTF8\": 0xe4f",
                "invalid byte sequence for encoding [hidden by weir]",
            ),
            ("ungültige Eingabesyntax für Typ integer: »abc«", "ung[hidden by weir]"),
        ] {
            let quiet = unquote(text.as_bytes()).map(String::from_utf8);
            assert_eq!(quiet, Some(Ok(expected.to_owned())), "{text}");
        }
        assert_eq!(unquote(b"division by zero"), None);
    }

    #[test]
    fn what_a_function_raised_is_hidden_whole() {
        let said = b"no stock for somebody";
        assert_eq!(quiet(said, b'M', Hides::All).as_deref(), Some(&b"[hidden by weir]"[..]));
        assert_eq!(quiet(said, b'H', Hides::Quotes), None);
        assert_eq!(quiet(said, b'D', Hides::Findings), None);
    }
}
