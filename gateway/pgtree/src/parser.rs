//! Calls the parser, and sees to it that nothing of its tree outlives its memory.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::NonNull;

use pg_query::protobuf::RawStmt;

use crate::reader::{At, Bad, Reader};

/// What a text is.
#[derive(Debug, PartialEq)]
pub struct Tree {
    /// Its statements, in order.
    pub statements: Vec<RawStmt>,
    /// libpg_query's fingerprint: the same for texts that differ in literals, in the digits of
    /// relations' names and in schema names.
    pub fingerprint: i64,
}

/// Why a text has no tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The grammar does not accept it.
    #[error("the text is no SQL that PostgreSQL's grammar accepts")]
    Syntax,
    /// It nests deeper than `limits::SQL_TREE_DEPTH`.
    #[error("the text nests too deep")]
    Depth,
    /// The parser gave something that no raw tree has.
    #[error("the parser gave a tree that is not understood")]
    Tree,
}

/// `PgQueryInternalParsetreeAndError` of libpg_query's `pg_query_internal.h`.
#[repr(C)]
struct Parsed {
    tree: *const u8,
    stderr_buffer: *mut c_char,
    error: *mut c_void,
}

unsafe extern "C" {
    fn pg_query_enter_memory_context() -> *mut c_void;
    fn pg_query_exit_memory_context(context: *mut c_void);
    fn pg_query_raw_parse(input: *const c_char, parser_options: c_int) -> Parsed;
    fn pg_query_free_error(error: *mut c_void);
    fn pg_query_fingerprint_node(node: *const c_void) -> u64;
    fn free(pointer: *mut c_void);
}

/// The memory that a tree lives in; it ends with this.
struct Context(*mut c_void);

impl Context {
    fn enter() -> Self {
        // SAFETY: no argument; what it needs of the thread it makes itself. One `Context` at a time
        // and thread, because `parse` makes the only one and does not call itself.
        Self(unsafe { pg_query_enter_memory_context() })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: entered by `enter` on this thread (raw pointers keep `Self` on it), left once.
        unsafe { pg_query_exit_memory_context(self.0) }
    }
}

/// Reads a text by PostgreSQL 18's grammar, with `standard_conforming_strings` on.
///
/// # Errors
/// It is no SQL, or nests too deep.
pub fn parse(text: &str) -> Result<Tree, ParseError> {
    let text = CString::new(text).map_err(|_| ParseError::Syntax)?;
    let _context = Context::enter();
    // SAFETY: a C string, and the context that the tree will live in has been entered. An error
    // within is caught within (PG_TRY) and returned.
    let parsed = unsafe { pg_query_raw_parse(text.as_ptr(), 0) };
    // SAFETY: made by strdup() or null; not used again.
    unsafe { free(parsed.stderr_buffer.cast()) };
    if !parsed.error.is_null() {
        // SAFETY: made by the parser for its caller to free; not used again.
        unsafe { pg_query_free_error(parsed.error) };
        return Err(ParseError::Syntax);
    }
    // SAFETY: a tree of this parser, in a context that outlives the reader.
    let list = NonNull::new(parsed.tree.cast_mut()).map(|list| unsafe { At::new(list) });
    let statements = Reader::default().statements(list).map_err(|bad| match bad {
        Bad::Depth => ParseError::Depth,
        Bad::Node => ParseError::Tree,
    })?;
    // SAFETY: the same tree, which nobody has changed. Beyond a depth of 100 it goes no further,
    // so that it does not run into the stack check, whose error nothing here would catch.
    let fingerprint = unsafe { pg_query_fingerprint_node(parsed.tree.cast()) };
    Ok(Tree { statements, fingerprint: fingerprint.cast_signed() })
}
