//! Reads offsets of fields from the kernel's BTF. Rust does not relocate accesses to kernel
//! structures as C does, so the programs are told where the fields are.

/// One parsed BTF: where each structure's fields are.
pub(super) struct Btf<'a> {
    strings: &'a [u8],
    structures: Vec<Structure<'a>>,
    /// For each type id, from 1, its structure, if it is one.
    kinds: Vec<Option<usize>>,
}

struct Structure<'a> {
    name: u32,
    /// Twelve bytes for each member: name, type, offset.
    members: &'a [u8],
    /// The offset shares its word with the size of a bit field.
    bit_fields: bool,
}

const MAGIC: u32 = 0xeb9f;
const MEMBER: usize = 12;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
/// Anonymous structures in anonymous structures, at the most.
const DEPTH: usize = 8;

impl<'a> Btf<'a> {
    /// `None` if it is not well formed.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        if word(bytes, 0)? & 0xffff != MAGIC {
            return None;
        }
        let header = size(word(bytes, 4)?);
        let section = |at: usize| {
            let start = header.checked_add(size(word(bytes, at)?))?;
            bytes.get(start..start.checked_add(size(word(bytes, at + 4)?))?)
        };
        let mut types = section(8)?;
        let mut btf = Self { strings: section(16)?, structures: Vec::new(), kinds: Vec::new() };
        while !types.is_empty() {
            let (name, info) = (word(types, 0)?, word(types, 4)?);
            let (kind, count) = (info >> 24 & 0x1f, size(info & 0xffff));
            let members = types.get(12..)?;
            let length = match kind {
                1 | 14 | 17 => 4,                       // integer, variable, tag
                3 => 12,                                // array
                STRUCT | UNION | 15 | 19 => count * 12, // and sections, wide enumerations
                6 | 13 => count * 8,                    // enumerations, prototypes
                2 | 7..=12 | 16 | 18 => 0,              // references, floats
                _ => return None,
            };
            let members = members.get(..length)?;
            let is_structure = kind == STRUCT || kind == UNION;
            btf.kinds.push(is_structure.then_some(btf.structures.len()));
            if is_structure {
                btf.structures.push(Structure { name, members, bit_fields: info >> 31 == 1 });
            }
            types = types.get(12 + length..)?;
        }
        Some(btf)
    }

    /// Bytes from the start of a structure to a field, which may lie in anonymous ones inside.
    pub(super) fn offset(&self, structure: &str, field: &str) -> Option<u32> {
        let named = self.structures.iter().filter(|it| self.text(it.name) == structure.as_bytes());
        let bits = named.filter_map(|it| self.find(it, field.as_bytes(), 0)).next()?;
        (bits % 8 == 0).then_some(bits / 8)
    }

    fn find(&self, structure: &Structure<'_>, field: &[u8], depth: usize) -> Option<u32> {
        for at in (0..structure.members.len()).step_by(MEMBER) {
            let (name, kind) = (word(structure.members, at)?, word(structure.members, at + 4)?);
            let offset = word(structure.members, at + 8)?;
            let offset = if structure.bit_fields { offset & 0x00ff_ffff } else { offset };
            let name = self.text(name);
            if name == field {
                return Some(offset);
            }
            if name.is_empty()
                && depth < DEPTH
                && let Some(inner) = self.structure(kind)
                && let Some(more) = self.find(inner, field, depth + 1)
            {
                return offset.checked_add(more);
            }
        }
        None
    }

    fn structure(&self, kind: u32) -> Option<&Structure<'a>> {
        let index = self.kinds.get(size(kind).checked_sub(1)?)?;
        self.structures.get((*index)?)
    }

    fn text(&self, at: u32) -> &'a [u8] {
        let rest = self.strings.get(size(at)..).unwrap_or_default();
        rest.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

fn size(number: u32) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// struct inner { u32 a; }; struct outer { u64 x; struct { u32 y : bits; }; };
    fn sample(bit_fields: bool) -> Vec<u8> {
        let strings = b"\0outer\0x\0y\0";
        let flag = u32::from(bit_fields) << 31;
        let types: [u32; 3 + 3 + 3 + 3 + 1 + 6] = [
            // 1: the anonymous one, y at 4 bytes
            0,
            STRUCT << 24 | 1 | flag,
            8,
            9,
            3,
            32,
            // 2: outer: x at 0, the anonymous one at 8 bytes
            1,
            STRUCT << 24 | 2,
            16,
            7,
            3,
            0,
            0,
            1,
            64,
            // 3: an integer
            0,
            1 << 24,
            4,
            32,
        ];
        let length = u32::try_from(types.len() * 4).unwrap();
        let header = [MAGIC | 1 << 16, 24, 0, length, length, strings.len() as u32];
        let words = header.iter().chain(&types).flat_map(|word| word.to_ne_bytes());
        words.chain(strings.iter().copied()).collect()
    }

    #[test]
    fn fields_are_found_also_in_anonymous_structures() {
        for bytes in [sample(false), sample(true)] {
            let btf = Btf::parse(&bytes).unwrap();
            assert_eq!(btf.offset("outer", "x"), Some(0));
            assert_eq!(btf.offset("outer", "y"), Some(12));
            assert_eq!(btf.offset("outer", "z"), None);
            assert_eq!(btf.offset("inner", "x"), None);
        }
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let bytes = sample(false);
        for length in 0..bytes.len() - 12 {
            assert!(Btf::parse(&bytes[..length]).is_none(), "{length}");
        }
    }
}
