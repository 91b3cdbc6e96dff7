//! Reads and writes of the hooks' contexts, a word at a time.
//!
//! The verifier accepts a context's fields only at constant offsets and, for some, only four bytes
//! wide; volatile accesses keep the compiler from merging them or computing pointers.

/// Reads a field of a context: `read!(context.field)`.
macro_rules! read {
    ($context:ident.$($field:tt)+) => {
        // SAFETY: the kernel passes a valid context, and the verifier checks the field's bounds.
        unsafe { core::ptr::read_volatile(&raw const (*$context).$($field)+) }
    };
}

/// Writes a field of a context: `write!(context.field, value)`.
macro_rules! write {
    ($context:ident.$($field:ident).+ $([$index:literal])?, $value:expr) => {{
        let value = $value;
        // SAFETY: as for `read!`.
        unsafe { core::ptr::write_volatile(&raw mut (*$context).$($field).+ $([$index])?, value) }
    }};
}

/// Reads an IPv6 address of a context.
macro_rules! words {
    ($context:ident.$field:ident) => {
        [
            $crate::context::read!($context.$field[0]),
            $crate::context::read!($context.$field[1]),
            $crate::context::read!($context.$field[2]),
            $crate::context::read!($context.$field[3]),
        ]
    };
}

pub(crate) use {read, words, write};
