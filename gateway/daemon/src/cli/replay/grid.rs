//! A part of an answer as text: a grid of rows, messages, or how many bytes.

use std::io::Write;

use weir_ledger::AnswerRow;

use crate::cli::sessions::terminal;

/// Writes what an answer's part holds, `indent` from the left.
pub(in crate::cli) fn write(
    screen: &mut dyn Write,
    indent: usize,
    answer: &AnswerRow,
) -> anyhow::Result<()> {
    if !answer.columns.is_empty() || !answer.rows.is_empty() {
        let heads: Vec<_> = answer.columns.iter().map(|name| terminal::cell(name)).collect();
        let heads: Vec<_> = heads.iter().map(String::as_str).collect();
        let cell =
            |cell: &Option<String>| cell.as_deref().map_or("NULL".to_owned(), terminal::cell);
        let rows: Vec<_> =
            answer.rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>()).collect();
        terminal::table(screen, indent, &heads, &rows)?;
    }
    for line in answer.message.iter().flat_map(|message| message.lines()) {
        writeln!(screen, "{:indent$}{}", "", terminal::plain(line))?;
    }
    if let Some(bytes) = &answer.bytes {
        writeln!(screen, "{:indent$}{} bytes ({})", "", bytes.len(), answer.kind)?;
    }
    if let Some(tag) = &answer.tag {
        writeln!(screen, "{:indent$}{}", "", terminal::cell(tag))?;
    }
    Ok(())
}
