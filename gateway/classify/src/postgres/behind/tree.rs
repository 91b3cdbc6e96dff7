//! What a stored expression names, told by the text of its tree (`nodeToString` in `nodes/outfuncs.c`).

use super::FIRST_NORMAL;

/// What the tree of a stored expression has in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    /// Whether a statement in it is no plain query.
    pub writes: bool,
    /// The functions that it calls by name or as aggregates, and how.
    pub calls: Vec<Call>,
    /// Whatever else may be the number of an object of a user's.
    pub numbers: Vec<u32>,
}

impl Tree {
    /// What nobody has read.
    pub(super) fn unread() -> Self {
        Self { writes: true, ..Self::default() }
    }
}

/// Fields that number no object: places in a text that is gone, and modifiers of types.
const NO_OBJECTS: [&str; 6] =
    ["location ", "stmt_location ", "stmt_len ", "consttypmod ", "vartypmod ", "resulttypmod "];

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call {
    /// Of which function.
    pub function: u32,
    /// Whether it is one of a column and constants, so that nobody knows its value before there is a row.
    pub of_column: bool,
}

/// Reads a tree, or several behind each other. Any number in one may be that of a user's own object; the
/// server's functions are told apart. Statements are told by `CmdType` in `nodes.h`: only 1 is SELECT; row
/// locks are no plain query.
pub(super) fn tree(text: &str) -> Tree {
    let mut tree = Tree::default();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        let rest = bytes.get(at..).unwrap_or_default();
        match byte {
            b':' => at += tree.field(rest),
            b' ' | b'(' => tree.numbers.extend(number(rest).0.filter(|n| *n >= FIRST_NORMAL)),
            _ => {}
        }
    }
    tree.numbers.sort_unstable();
    tree.numbers.dedup();
    tree.calls.sort_unstable();
    tree.calls.dedup();
    tree
}

impl Tree {
    /// Reads what stands behind the colon of a field; how much of it is done with.
    fn field(&mut self, rest: &[u8]) -> usize {
        for (name, by_name) in [("funcid ", true), ("aggfnoid ", false), ("winfnoid ", false)] {
            let Some(value) = rest.strip_prefix(name.as_bytes()) else { continue };
            let (function, digits) = number(value);
            let behind = value.get(digits..).unwrap_or_default();
            let of_column = by_name && is_of_column(behind);
            match function {
                Some(function) => self.calls.push(Call { function, of_column }),
                None => self.writes = true,
            }
            return name.len() + digits;
        }
        if let Some(name) = NO_OBJECTS.iter().find(|name| rest.starts_with(name.as_bytes())) {
            return name.len() + number(rest.get(name.len()..).unwrap_or_default()).1;
        }
        self.writes |= rest.starts_with(b"hasForUpdate true")
            || rest.starts_with(b"hasModifyingCTE true")
            || rest.strip_prefix(b"commandType ").is_some_and(|kind| number(kind).0 != Some(1));
        0
    }
}

/// The number at the beginning, if there is one that fits, and how many digits stand there.
fn number(bytes: &[u8]) -> (Option<u32>, usize) {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = bytes.get(..digits).and_then(|digits| std::str::from_utf8(digits).ok());
    (text.and_then(|text| text.parse().ok()), digits)
}

/// Whether a call's arguments, behind its number, are constants and then a column.
fn is_of_column(rest: &[u8]) -> bool {
    let brace = |bytes: &[u8]| bytes.iter().position(|byte| matches!(byte, b'{' | b'}'));
    let Some(begin) = brace(rest) else { return false };
    let (before, mut rest) = rest.split_at(begin);
    if !before.ends_with(b":args (") {
        return false;
    }
    while let Some(constant) = rest.strip_prefix(b"{CONST ") {
        let end = brace(constant).and_then(|end| constant.get(end..));
        let Some(behind) = end.and_then(|end| end.strip_prefix(b"} ")) else { return false };
        rest = behind;
    }
    rest.starts_with(b"{VAR ") || rest.starts_with(b"{RELABELTYPE :arg {VAR ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(function: u32, of_column: bool) -> Call {
        Call { function, of_column }
    }

    #[test]
    fn numbers_and_calls_are_found_wherever_they_stand() {
        let text = "({FUNCEXPR :funcid 20000 :funcresulttype 23 :args ({CONST :consttype 20001 :consttypmod 20005 \
            :constvalue 4 [ 1 0 0 0 ]} {VAR :varno 1}) :location 20006} (16384 {OPEXPR :opno 20002 :opfuncid 65 \
            :args (o 20003 16383)} {AGGREF :aggfnoid 2108} {WINDOWFUNC :winfnoid 20004}";
        let tree = tree(text);
        assert!(!tree.writes);
        assert_eq!(tree.calls, [call(2108, false), call(20_000, true), call(20_004, false)]);
        assert_eq!(tree.numbers, [16_384, 20_001, 20_002, 20_003]);
    }

    #[test]
    fn a_call_is_of_a_column_only_behind_constants() {
        let of = |arguments: &str| {
            tree(&format!("{{FUNCEXPR :funcid 17000 :inputcollid 0 :args {arguments}")).calls
        };
        assert_eq!(of("({VAR :varno 1})"), [call(17_000, true)]);
        assert_eq!(of("({RELABELTYPE :arg {VAR :varno 1}})"), [call(17_000, true)]);
        assert_eq!(of("({CONST :a 1} {CONST :b 2} {VAR :varno 1})"), [call(17_000, true)]);
        assert_eq!(of("({CONST :a 1})"), [call(17_000, false)]);
        assert_eq!(of("<> :location 1} {VAR "), [call(17_000, false)]);
        let nested = of("({FUNCEXPR :funcid 17001 :args ({VAR :varno 1})})");
        assert_eq!(nested, [call(17_000, false), call(17_001, true)]);
    }

    #[test]
    fn whatever_is_no_plain_query_is_told() {
        let plain = "{QUERY :commandType 1 :hasForUpdate false :hasModifyingCTE false}";
        assert!(!tree(plain).writes);
        for (from, to) in [
            ("commandType 1", "commandType 2"),
            ("commandType 1", "commandType 0"),
            ("commandType 1", "commandType 10"),
            ("ForUpdate false", "ForUpdate true"),
            ("ModifyingCTE false", "ModifyingCTE true"),
        ] {
            assert!(tree(&plain.replace(from, to)).writes, "{to}");
        }
    }

    #[test]
    fn what_is_cut_off_or_too_long_does_no_harm() {
        for text in ["", ":", " ", ":funcid", ":commandType 1", ":funcid 1 :args ({CONST "] {
            assert!(!tree(text).writes, "{text}");
        }
        for text in [":funcid ", ":funcid x", ":aggfnoid 4294967296", ":commandType "] {
            assert!(tree(text).writes, "{text}");
        }
        assert_eq!(tree(" 99999999999 4294967295 020000").numbers, [20_000, u32::MAX]);
    }
}
