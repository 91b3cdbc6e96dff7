//! Reads rows and messages back out of a part of an answer.
//!
//! PostgreSQL backend messages are `type u8 | len u32 (itself included) | payload`, big endian.
//! What can't be read as such is kept as bytes: nothing of an answer is dropped.

mod cell;

use serde::{Deserialize, Serialize};
use weir_model::entry::PartKind;

use crate::value::Texts;
use cell::Bytes;

/// One column of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Column {
    name: String,
    oid: u32,
    format: i16,
}

/// What an exchange's next part needs to know of its former ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    columns: Vec<Column>,
    result: i64,
    /// Whether the result at `result` has ended.
    ended: bool,
}

/// A run of one result in one part.
#[derive(Default)]
pub(crate) struct Run {
    pub(crate) kind: &'static str,
    pub(crate) result: i64,
    pub(crate) columns: Texts,
    pub(crate) rows: Vec<Vec<Option<String>>>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) message: String,
    pub(crate) tag: Option<String>,
}

impl Run {
    fn is_empty(&self) -> bool {
        self.columns.is_empty()
            && self.rows.is_empty()
            && self.bytes.is_empty()
            && self.message.is_empty()
            && self.tag.is_none()
    }

    fn say(&mut self, line: &str) {
        if !self.message.is_empty() {
            self.message.push('\n');
        }
        self.message.push_str(line);
    }
}

/// Reads a part's body.
pub(crate) fn read(cursor: &mut Cursor, kind: PartKind, formats: &[i16], body: &[u8]) -> Vec<Run> {
    let raw = |kind| Run { kind, bytes: body.to_vec(), ..Run::default() };
    match kind {
        PartKind::PostgresPiece => vec![raw("piece")],
        PartKind::CopyIn => vec![raw("copy_in")],
        PartKind::PostgresMessages => messages(cursor, formats, body),
    }
}

fn messages(cursor: &mut Cursor, formats: &[i16], body: &[u8]) -> Vec<Run> {
    let mut reader = Reader { cursor, formats, runs: Vec::new(), run: Run::default() };
    reader.begin();
    let mut rest = body;
    while !rest.is_empty() {
        let Some((kind, payload, after)) = message(rest) else {
            reader.run.bytes.extend_from_slice(rest);
            break;
        };
        let whole = &rest[..rest.len() - after.len()];
        if reader.message(kind, payload).is_none() {
            reader.run.bytes.extend_from_slice(whole);
        }
        rest = after;
    }
    reader.begin();
    reader.runs
}

fn message(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let len = u32::from_be_bytes(*rest.first_chunk::<4>()?) as usize;
    let (message, after) = rest.split_at_checked(len)?;
    Some((*kind, message.get(4..)?, after))
}

struct Reader<'a> {
    cursor: &'a mut Cursor,
    formats: &'a [i16],
    runs: Vec<Run>,
    run: Run,
}

impl Reader<'_> {
    /// Ends the run, where it holds anything, and begins the next.
    fn begin(&mut self) {
        let columns = self.cursor.columns.iter().map(|column| column.name.clone()).collect();
        let next = Run { kind: "result", result: self.cursor.result, ..Run::default() };
        let mut done = std::mem::replace(&mut self.run, next);
        if !done.is_empty() {
            if done.columns.is_empty() && !done.rows.is_empty() {
                done.columns = columns;
            }
            self.runs.push(done);
        }
    }

    /// A result that ended is followed by another one.
    fn next_result(&mut self) {
        if self.cursor.ended {
            self.begin();
            self.cursor.ended = false;
            self.cursor.columns.clear();
            self.cursor.result += 1;
            self.run.result = self.cursor.result;
        }
    }

    fn message(&mut self, kind: u8, payload: &[u8]) -> Option<()> {
        match kind {
            b'T' => {
                let columns = description(payload)?;
                self.next_result();
                self.run.columns = columns.iter().map(|column| column.name.clone()).collect();
                self.cursor.columns = columns;
            }
            b'D' => {
                let row = self.row(payload)?;
                self.next_result();
                self.run.rows.push(row);
            }
            b'C' => {
                let tag = Bytes(payload).text()?;
                self.next_result();
                self.run.tag = Some(tag);
                self.end();
            }
            b'I' => self.end(),
            b'E' | b'N' => self.run.say(&report(payload)?),
            b'A' => self.run.say(&notification(payload)?),
            b'S' => self.run.say(&parameter(payload)?),
            b'd' => {
                self.next_result();
                self.run.kind = "copy_out";
                self.run.bytes.extend_from_slice(payload);
            }
            // They carry nothing that was said: parse, bind, close complete, no data, parameter
            // description, portal suspended, copy begins and ends, ready.
            b'1' | b'2' | b'3' | b'n' | b's' | b't' | b'G' | b'H' | b'W' | b'c' | b'Z' => {}
            _ => return None,
        }
        Some(())
    }

    fn end(&mut self) {
        self.begin();
        self.cursor.ended = true;
    }

    fn row(&self, payload: &[u8]) -> Option<Vec<Option<String>>> {
        let mut bytes = Bytes(payload);
        let count = usize::from(bytes.u16()?);
        // A cell takes four bytes at the least.
        if count > payload.len() / 4 {
            return None;
        }
        let columns = if self.cursor.ended { &[][..] } else { &self.cursor.columns };
        let mut cells = Vec::with_capacity(count);
        for at in 0..count {
            let value = bytes.value()?;
            let column = columns.get(at);
            let format = match (column, self.formats) {
                (_, [all]) => *all,
                (_, [_, _, ..]) => self.formats.get(at).copied().unwrap_or(0),
                (Some(column), []) => column.format,
                (None, []) => 0,
            };
            let oid = column.map_or(0, |column| column.oid);
            cells.push(value.map(|value| cell::text(value, oid, format)));
        }
        Some(cells)
    }
}

fn description(payload: &[u8]) -> Option<Vec<Column>> {
    let mut bytes = Bytes(payload);
    let count = usize::from(bytes.u16()?);
    // Each takes 19 bytes at the least: an empty name's zero and six numbers.
    if count > payload.len() / 19 {
        return None;
    }
    let mut columns = Vec::with_capacity(count);
    for _ in 0..count {
        let name = bytes.text()?;
        bytes.take(6)?; // table, attribute
        let oid = bytes.u32()?;
        bytes.take(6)?; // size, modifier
        let format = bytes.u16()? as i16;
        columns.push(Column { name, oid, format });
    }
    Some(columns)
}

/// `ERROR 42P01: relation "x" does not exist (hint)`.
fn report(payload: &[u8]) -> Option<String> {
    let mut bytes = Bytes(payload);
    let (mut severity, mut code, mut text, mut more) =
        (String::new(), String::new(), String::new(), String::new());
    loop {
        match bytes.u8()? {
            0 => break,
            b'S' => severity = bytes.text()?,
            b'C' => code = bytes.text()?,
            b'M' => text = bytes.text()?,
            b'D' | b'H' => more = format!("{more} ({})", bytes.text()?),
            _ => drop(bytes.text()?),
        }
    }
    Some(format!("{severity} {code}: {text}{more}"))
}

fn notification(payload: &[u8]) -> Option<String> {
    let mut bytes = Bytes(payload);
    bytes.u32()?;
    Some(format!("NOTIFY {}: {}", bytes.text()?, bytes.text()?))
}

fn parameter(payload: &[u8]) -> Option<String> {
    let mut bytes = Bytes(payload);
    Some(format!("PARAMETER {} = {}", bytes.text()?, bytes.text()?))
}

#[cfg(test)]
mod tests;
