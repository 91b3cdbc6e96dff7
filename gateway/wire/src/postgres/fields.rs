//! The fields of an error or notice.

use std::fmt;

use crate::WireError;
use crate::reader::Reader;

/// The fields of an error or notice. `Debug` shows the SQLSTATE only: the texts quote values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Reads fields up to the terminator.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let body = reader.rest();
        loop {
            let length = body.len() - reader.rest().len();
            if reader.u8()? == 0 {
                return Ok(Self(body.get(..length).unwrap_or_default()));
            }
            reader.cstr()?;
        }
    }

    /// The fields in order: type and text.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &'a [u8])> + Clone + use<'a> {
        let mut reader = Reader::new("fields", self.0);
        std::iter::from_fn(move || Some((reader.u8().ok()?, reader.cstr().ok()?)))
    }

    /// The first field of a type, for instance `C` for the SQLSTATE.
    pub fn get(&self, kind: u8) -> Option<&'a [u8]> {
        self.iter().find(|(known, _)| *known == kind).map(|(_, text)| text)
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.get(b'C').unwrap_or_default();
        write!(f, "Fields({})", code.escape_ascii())
    }
}
