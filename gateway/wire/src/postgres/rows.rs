//! The description of a result's columns.

use weir_model::limits;

use crate::WireError;
use crate::reader::Reader;

/// One column of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name that the statement gives it.
    pub name: &'a [u8],
    /// The relation it comes from, 0 where it is computed.
    pub table: u32,
    /// The column's number in that relation, 0 where it is computed.
    pub column: i16,
    /// Its type.
    pub type_oid: u32,
    /// The type's length, negative where it varies.
    pub type_len: i16,
    /// The type's modifier.
    pub type_mod: i32,
    /// 0 is text, 1 is binary.
    pub format: i16,
}

/// The columns of a result, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowDescription<'a> {
    count: u16,
    body: &'a [u8],
}

impl<'a> RowDescription<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let count = reader.u16()?;
        if usize::from(count) > limits::COLUMNS {
            let (what, field) = ("RowDescription", "columns");
            return Err(WireError::TooMany { what, field, max: limits::COLUMNS });
        }
        let body = reader.rest();
        for _ in 0..count {
            Field::read(reader)?;
        }
        let length = body.len() - reader.rest().len();
        let body = body.get(..length).unwrap_or_default();
        Ok(Self { count, body })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The columns in order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'a>> + Clone + use<'a> {
        let mut reader = Reader::new("RowDescription", self.body);
        (0..self.count).map_while(move |_| Field::read(&mut reader).ok())
    }
}

impl<'a> Field<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            name: reader.cstr()?,
            table: reader.u32()?,
            column: reader.i16()?,
            type_oid: reader.u32()?,
            type_len: reader.i16()?,
            type_mod: reader.i32()?,
            format: reader.i16()?,
        })
    }
}
