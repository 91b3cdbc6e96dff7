//! A part of an answer, as rows.

use weir_model::entry::AnswerPart;

use super::Joiner;
use super::words::Words;
use crate::answer::{self, Cursor};
use crate::rows::{AnswerRow, ExchangeRow};
use crate::time::Time;

impl Joiner {
    /// A part is told whatever else is known of its exchange: it was delivered.
    pub(super) fn answer_part(&mut self, index: i64, entry: &AnswerPart, body: &[u8]) {
        if let Some(open) = self.carry.exchanges.get_mut(&entry.exchange) {
            let of = (&open.row, &mut open.cursor, &mut self.words);
            self.rows.answers.extend(rows(index, entry, body, of));
            return;
        }
        self.orphan(index, entry.at_us, "exchange", &entry.exchange.to_string());
        let (_, mut row) = self.of_flow(entry.flow);
        row.exchange = entry.exchange.text();
        let of = (&row, &mut Cursor::default(), &mut self.words);
        self.rows.answers.extend(rows(index, entry, body, of));
    }
}

fn rows(
    index: i64,
    entry: &AnswerPart,
    body: &[u8],
    (of, cursor, words): (&ExchangeRow, &mut Cursor, &mut Words),
) -> Vec<AnswerRow> {
    let runs = answer::read(cursor, entry.kind, &entry.formats, body);
    let row = |run: answer::Run| AnswerRow {
        entry_index: index,
        exchange: of.exchange.clone(),
        session: of.session.clone(),
        flow: of.flow.clone(),
        part: i64::from(entry.part),
        result: run.result,
        at: Time(entry.at_us),
        host: of.host.clone(),
        kind: words.text(run.kind),
        columns: run.columns,
        rows: run.rows,
        bytes: Some(run.bytes).filter(|bytes| !bytes.is_empty()),
        message: Some(run.message).filter(|message| !message.is_empty()),
        tag: run.tag,
        ..AnswerRow::default()
    };
    runs.into_iter().map(row).map(|row| row.by(of.actor())).collect()
}
