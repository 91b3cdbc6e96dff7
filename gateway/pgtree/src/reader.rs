//! Reads fields of C nodes: the only file that follows a pointer into the tree.
//!
//! An [`At`] is the address of a node of a living tree. That is what makes the methods here sound;
//! which fields a node has, and where, `nodes.rs` says.

use std::ffi::{CStr, c_char};
use std::ptr::NonNull;

use pg_query::protobuf as pg;
use pg_query::protobuf::a_const::Val;
use pg_query::protobuf::node::Node;
use weir_model::limits;

use crate::nodes;

/// The address of a node, aligned and within a tree that lives as long as the [`Reader`].
#[derive(Clone, Copy)]
pub(crate) struct At(NonNull<u8>);

impl At {
    /// A node's address.
    ///
    /// # Safety
    /// It is that of a whole node of a tree that outlives every use of this.
    pub(crate) const unsafe fn new(address: NonNull<u8>) -> Self {
        Self(address)
    }

    /// A node that is a field of this one, not a pointer to it.
    pub(crate) const fn inside(self, offset: usize) -> Self {
        // SAFETY: `nodes.rs` gives the offset of a field, which lies within the node.
        Self(unsafe { self.0.add(offset) })
    }

    /// A field.
    const fn get<T: Copy>(self, offset: usize) -> T {
        // SAFETY: `nodes.rs` gives the field's offset and its width, so it is within the node,
        // aligned as C aligned it, and initialised, because makeNode() zeroes what it makes.
        unsafe { self.0.add(offset).cast::<T>().read() }
    }

    /// A pointer to another node.
    fn follow(self, offset: usize) -> Option<Self> {
        NonNull::new(self.get::<*mut u8>(offset)).map(Self)
    }
}

/// Why a tree can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It nests too deep.
    Depth,
    /// It has something that no raw tree has.
    Node,
}

type Read<T> = fn(&mut Reader, At) -> Result<T, Bad>;

/// Reads one tree.
#[derive(Default)]
pub(crate) struct Reader {
    depth: usize,
}

impl Reader {
    /// The statements of a text: `List` of `RawStmt`, null for a text without any.
    pub(crate) fn statements(&mut self, list: Option<At>) -> Result<Vec<pg::RawStmt>, Bad> {
        list.map_or(Ok(Vec::new()), |list| self.every(list, Self::statement))
    }

    fn statement(&mut self, element: Option<At>) -> Result<pg::RawStmt, Bad> {
        match element {
            Some(n) if self.tag(n) == nodes::RAW_STMT => nodes::raw_stmt(self, n),
            _ => Err(Bad::Node),
        }
    }

    pub(crate) fn tag(&self, n: At) -> usize {
        n.get::<u32>(0) as usize
    }

    pub(crate) fn i16(&self, n: At, offset: usize) -> i16 {
        n.get(offset)
    }

    pub(crate) fn i32(&self, n: At, offset: usize) -> i32 {
        n.get(offset)
    }

    pub(crate) fn i64(&self, n: At, offset: usize) -> i64 {
        n.get(offset)
    }

    pub(crate) fn u32(&self, n: At, offset: usize) -> u32 {
        n.get(offset)
    }

    pub(crate) fn u64(&self, n: At, offset: usize) -> u64 {
        n.get(offset)
    }

    pub(crate) fn f64(&self, n: At, offset: usize) -> f64 {
        n.get(offset)
    }

    /// C's `bool`; read as a byte, because any other value would not be one in Rust.
    pub(crate) fn flag(&self, n: At, offset: usize) -> bool {
        n.get::<u8>(offset) != 0
    }

    /// An enum of which C counts from 0 and protobuf from 1.
    pub(crate) fn number(&self, n: At, offset: usize, most: i32) -> Result<i32, Bad> {
        let number = self.i32(n, offset);
        if (0..=most).contains(&number) { Ok(number + 1) } else { Err(Bad::Node) }
    }

    /// A `char`; none where it is NUL.
    pub(crate) fn character(&self, n: At, offset: usize) -> Result<String, Bad> {
        match n.get::<u8>(offset) {
            0 => Ok(String::new()),
            byte if byte.is_ascii() => Ok(char::from(byte).to_string()),
            _ => Err(Bad::Node),
        }
    }

    /// A `char *`; empty where it is null.
    pub(crate) fn text(&self, n: At, offset: usize) -> Result<String, Bad> {
        let Some(text) = NonNull::new(n.get::<*mut c_char>(offset)) else {
            return Ok(String::new());
        };
        // SAFETY: the parser's strings end with NUL and live as long as their tree.
        let text = unsafe { CStr::from_ptr(text.as_ptr()) };
        text.to_str().map(str::to_owned).map_err(|_| Bad::Node)
    }

    /// Sets of numbers belong to trees that have been analysed.
    pub(crate) fn no_set(&self, n: At, offset: usize) -> Result<Vec<u64>, Bad> {
        if n.follow(offset).is_none() { Ok(Vec::new()) } else { Err(Bad::Node) }
    }

    /// A `List *` of nodes; empty where it is null.
    pub(crate) fn items(&mut self, n: At, offset: usize) -> Result<Vec<pg::Node>, Bad> {
        match n.follow(offset) {
            Some(list) => self.every(list, Self::element),
            None => Ok(Vec::new()),
        }
    }

    /// A `Node *`.
    pub(crate) fn node(&mut self, n: At, offset: usize) -> Result<Option<pg::Node>, Bad> {
        n.follow(offset).map(|n| self.element(Some(n))).transpose()
    }

    /// The same, in a box.
    pub(crate) fn boxed_node(
        &mut self,
        n: At,
        offset: usize,
    ) -> Result<Option<Box<pg::Node>>, Bad> {
        Ok(self.node(n, offset)?.map(Box::new))
    }

    /// A pointer to a node of one kind.
    pub(crate) fn plain<T>(
        &mut self,
        n: At,
        offset: usize,
        tag: usize,
        read: Read<T>,
    ) -> Result<Option<T>, Bad> {
        match n.follow(offset) {
            None => Ok(None),
            Some(n) if self.tag(n) == tag => self.deeper(n, read).map(Some),
            Some(_) => Err(Bad::Node),
        }
    }

    /// The same, in a box.
    pub(crate) fn boxed<T>(
        &mut self,
        n: At,
        offset: usize,
        tag: usize,
        read: Read<T>,
    ) -> Result<Option<Box<T>>, Bad> {
        Ok(self.plain(n, offset, tag, read)?.map(Box::new))
    }

    /// A node where any may stand. Not inlined, so that a frame has room for one kind, not for all.
    #[inline(never)]
    pub(crate) fn in_place<T>(
        &mut self,
        n: At,
        read: Read<T>,
        node: fn(T) -> Node,
    ) -> Result<Node, Bad> {
        read(self, n).map(node)
    }

    /// The same, in a box.
    #[inline(never)]
    pub(crate) fn in_box<T>(
        &mut self,
        n: At,
        read: Read<T>,
        node: fn(Box<T>) -> Node,
    ) -> Result<Node, Bad> {
        read(self, n).map(|found| node(Box::new(found)))
    }

    /// An element of a list: a node, or none, as `*` in `count(*)`'s place.
    fn element(&mut self, n: Option<At>) -> Result<pg::Node, Bad> {
        let node = n.map(|n| self.deeper(n, nodes::any)).transpose()?;
        Ok(pg::Node { node })
    }

    /// Reads one level below; the stack of what reads and walks the tree is bounded by it.
    fn deeper<T>(&mut self, n: At, read: Read<T>) -> Result<T, Bad> {
        if self.depth >= limits::SQL_TREE_DEPTH {
            return Err(Bad::Depth);
        }
        self.depth += 1;
        let found = read(self, n);
        self.depth -= 1;
        found
    }

    /// All elements of a `List` of pointers (pg_list.h); lists of numbers belong to analysed trees.
    fn every<T>(
        &mut self,
        list: At,
        mut read: impl FnMut(&mut Self, Option<At>) -> Result<T, Bad>,
    ) -> Result<Vec<T>, Bad> {
        if self.tag(list) != nodes::LIST {
            return Err(Bad::Node);
        }
        let length = usize::try_from(self.i32(list, nodes::LENGTH)).map_err(|_| Bad::Node)?;
        let elements = list.follow(nodes::ELEMENTS).ok_or(Bad::Node)?;
        // A list has `length` elements, pointers each, at `elements`.
        (0..length).map(|i| read(self, elements.follow(i * size_of::<*mut u8>()))).collect()
    }
}

/// Nodes that libpg_query's generator leaves out.
impl Reader {
    pub(crate) fn integer(&mut self, n: At) -> Result<pg::Integer, Bad> {
        Ok(pg::Integer { ival: self.i32(n, nodes::IVAL) })
    }

    pub(crate) fn float(&mut self, n: At) -> Result<pg::Float, Bad> {
        Ok(pg::Float { fval: self.text(n, nodes::FVAL)? })
    }

    pub(crate) fn boolean(&mut self, n: At) -> Result<pg::Boolean, Bad> {
        Ok(pg::Boolean { boolval: self.flag(n, nodes::BOOLVAL) })
    }

    pub(crate) fn string(&mut self, n: At) -> Result<pg::String, Bad> {
        Ok(pg::String { sval: self.text(n, nodes::SVAL)? })
    }

    pub(crate) fn bit_string(&mut self, n: At) -> Result<pg::BitString, Bad> {
        Ok(pg::BitString { bsval: self.text(n, nodes::BSVAL)? })
    }

    pub(crate) fn list(&mut self, n: At) -> Result<pg::List, Bad> {
        Ok(pg::List { items: self.every(n, Self::element)? })
    }

    pub(crate) fn int_list(&mut self, _: At) -> Result<pg::IntList, Bad> {
        Err(Bad::Node)
    }

    pub(crate) fn oid_list(&mut self, _: At) -> Result<pg::OidList, Bad> {
        Err(Bad::Node)
    }

    /// A constant. Its value is a node within it, and none where it is NULL.
    pub(crate) fn aconst(&mut self, n: At) -> Result<pg::AConst, Bad> {
        let isnull = self.flag(n, nodes::CONST_ISNULL);
        let location = self.i32(n, nodes::CONST_LOCATION);
        let value = n.inside(nodes::CONST_VAL);
        let val = match self.tag(value) {
            _ if isnull => None,
            nodes::INTEGER => Some(Val::Ival(self.integer(value)?)),
            nodes::FLOAT => Some(Val::Fval(self.float(value)?)),
            nodes::BOOLEAN => Some(Val::Boolval(self.boolean(value)?)),
            nodes::STRING => Some(Val::Sval(self.string(value)?)),
            nodes::BIT_STRING => Some(Val::Bsval(self.bit_string(value)?)),
            _ => return Err(Bad::Node),
        };
        Ok(pg::AConst { isnull, location, val })
    }
}
