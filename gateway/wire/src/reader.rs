//! A bounds-checked cursor over one message: every read gives a value or says what was missing.

use std::ffi::CStr;

use crate::WireError;

/// A cursor over the bytes of one message.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, naming `what` in errors.
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, what }
    }

    /// Everything that was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads everything that is left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Reads `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let Some((head, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.truncated(count));
        };
        self.rest = rest;
        Ok(head)
    }

    /// Reads `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let Some((head, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.truncated(N));
        };
        self.rest = rest;
        Ok(*head)
    }

    /// Reads one byte.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Reads 16 bits, unsigned.
    pub fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Reads 16 bits, signed.
    pub fn i16(&mut self) -> Result<i16, WireError> {
        self.array().map(i16::from_be_bytes)
    }

    /// Reads 24 bits, unsigned.
    pub fn u24(&mut self) -> Result<u32, WireError> {
        self.array().map(|[high, middle, low]| u32::from_be_bytes([0, high, middle, low]))
    }

    /// Reads 32 bits, unsigned.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Reads 32 bits, signed.
    pub fn i32(&mut self) -> Result<i32, WireError> {
        self.array().map(i32::from_be_bytes)
    }

    /// Reads up to a NUL, which is read too and left out.
    pub fn cstr(&mut self) -> Result<&'a [u8], WireError> {
        let text = CStr::from_bytes_until_nul(self.rest)
            .map_err(|_| WireError::Unterminated { what: self.what })?
            .to_bytes();
        self.take(text.len() + 1)?;
        Ok(text)
    }

    /// Reads a 32-bit length and that many bytes; -1 is SQL NULL.
    pub fn cell(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        match self.i32()? {
            -1 => Ok(None),
            len => {
                let count = usize::try_from(len)
                    .map_err(|_| WireError::NegativeLength { what: self.what, len })?;
                self.take(count).map(Some)
            }
        }
    }

    /// Ends the message: an error if anything is left.
    pub fn end(&self) -> Result<(), WireError> {
        match self.rest.len() {
            0 => Ok(()),
            extra => Err(WireError::Trailing { what: self.what, extra }),
        }
    }

    fn truncated(&self, want: usize) -> WireError {
        WireError::Truncated { what: self.what, want, have: self.rest.len() }
    }
}
