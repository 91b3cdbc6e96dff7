//! Lists inside a message, checked once and then walked in place without allocating.

use std::fmt;

use crate::WireError;
use crate::reader::Reader;

/// Values that may be NULL: the parameters of a Bind, the cells of a row. `Debug` shows none.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Cells<'a> {
    count: u16,
    body: &'a [u8],
}

/// The cells of one row.
pub type DataRow<'a> = Cells<'a>;

/// Type numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Oids<'a>(&'a [[u8; 4]]);

/// Format codes: 0 is text, 1 is binary.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Formats<'a>(&'a [[u8; 2]]);

/// NUL-terminated strings, one after another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Strings<'a>(&'a [u8]);

impl<'a> Cells<'a> {
    /// Reads a 16-bit count and that many values.
    #[inline]
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let count = reader.u16()?;
        let body = reader.rest();
        for _ in 0..count {
            reader.cell()?;
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

    /// The values in order; `None` is SQL NULL.
    #[inline]
    pub fn iter(&self) -> CellIter<'a> {
        CellIter { left: self.count, reader: Reader::new("values", self.body) }
    }

    /// The value at `place`: `None` is that there is no such place, `Some(None)` is SQL NULL.
    pub fn get(&self, place: usize) -> Option<Option<&'a [u8]>> {
        self.iter().nth(place)
    }
}

/// Walks [`Cells`].
#[derive(Clone)]
pub struct CellIter<'a> {
    left: u16,
    reader: Reader<'a>,
}

impl<'a> Iterator for CellIter<'a> {
    type Item = Option<&'a [u8]>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        self.reader.cell().ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left), Some(usize::from(self.left)))
    }
}

impl ExactSizeIterator for CellIter<'_> {}

impl<'a> Oids<'a> {
    /// Reads a 16-bit count and that many type numbers.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let count = usize::from(reader.u16()?);
        Ok(Self(reader.take(count * 4)?.as_chunks().0))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The type numbers in order; 0 leaves the choice to the server.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> + Clone + use<'a> {
        self.0.iter().map(|bytes| u32::from_be_bytes(*bytes))
    }
}

impl<'a> Formats<'a> {
    /// Reads a 16-bit count and that many codes.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let count = usize::from(reader.u16()?);
        Ok(Self(reader.take(count * 2)?.as_chunks().0))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none, which makes everything text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The codes in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = i16> + Clone + use<'a> {
        self.0.iter().map(|bytes| i16::from_be_bytes(*bytes))
    }

    /// The code that applies at `place`: none given is text, a single one is for all. `None` is that
    /// the list is too short, which the server refuses.
    pub fn of(&self, place: usize) -> Option<i16> {
        match self.0 {
            [] => Some(0),
            [all] => Some(i16::from_be_bytes(*all)),
            each => each.get(place).map(|bytes| i16::from_be_bytes(*bytes)),
        }
    }
}

impl<'a> Strings<'a> {
    /// Reads `count` strings.
    pub(crate) fn read(reader: &mut Reader<'a>, count: u32) -> Result<Self, WireError> {
        let body = reader.rest();
        for _ in 0..count {
            reader.cstr()?;
        }
        let length = body.len() - reader.rest().len();
        Ok(Self(body.get(..length).unwrap_or_default()))
    }

    /// Reads strings up to an empty one, which is left out.
    pub(crate) fn read_until_empty(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let body = reader.rest();
        loop {
            let length = body.len() - reader.rest().len();
            if reader.cstr()?.is_empty() {
                return Ok(Self(body.get(..length).unwrap_or_default()));
            }
        }
    }

    /// The strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let mut reader = Reader::new("strings", self.0);
        std::iter::from_fn(move || reader.cstr().ok())
    }
}

impl fmt::Debug for Cells<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values of {} bytes", self.count, self.body.len())
    }
}

impl fmt::Debug for Oids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Formats<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Strings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} strings", self.iter().count())
    }
}
