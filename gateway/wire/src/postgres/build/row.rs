//! Rows, written cell by cell.

use crate::WireError;
use crate::postgres::build::Message;
use crate::postgres::rows::Field;

/// A row that is being written: dropped before [`RowWriter::finish`], it takes itself back.
pub struct RowWriter<'b> {
    message: Message<'b>,
    count_at: usize,
    count: u16,
}

impl<'b> RowWriter<'b> {
    /// Begins a row at the end of `out`.
    pub fn begin(out: &'b mut Vec<u8>) -> Self {
        let mut message = Message::tagged("DataRow", b'D', out);
        let count_at = message.position();
        message.u16(0);
        Self { message, count_at, count: 0 }
    }

    /// Appends a cell; `None` is SQL NULL.
    #[inline]
    pub fn push(&mut self, cell: Option<&[u8]>) -> Result<(), WireError> {
        self.count = self.message.next(self.count)?;
        self.message.cell(cell)
    }

    /// Ends the row.
    pub fn finish(mut self) -> Result<(), WireError> {
        self.message.patch(self.count_at, &self.count.to_be_bytes());
        self.message.end()
    }
}

/// Writes a row.
pub fn data_row<'v>(
    cells: impl IntoIterator<Item = Option<&'v [u8]>>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let mut row = RowWriter::begin(out);
    for cell in cells {
        row.push(cell)?;
    }
    row.finish()
}

/// Writes the description of a result's columns.
pub fn row_description<'v>(
    fields: impl IntoIterator<Item = Field<'v>>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let mut message = Message::tagged("RowDescription", b'T', out);
    message.list(fields, |message, field| {
        message.cstr(field.name)?;
        message.u32(field.table);
        message.i16(field.column);
        message.u32(field.type_oid);
        message.i16(field.type_len);
        message.i32(field.type_mod);
        message.i16(field.format);
        Ok(())
    })?;
    message.end()
}
