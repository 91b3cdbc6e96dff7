//! Texts that differ in nothing but integers: what was found of one holds for the other, as long as
//! those integers are operands whose value means nothing to the classifier ([`Facts::free`]).
//!
//! No fingerprint: every byte but those digits is compared.
//!
//! [`Facts::free`]: crate::Facts::free

use std::ops::Range;

/// Stands for an integer. No text that is parsed has it.
const HOLE: u8 = 0;

/// A text in which holes stand for its plain decimal integers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skeleton {
    /// The text with its holes.
    pub key: Vec<u8>,
    /// Where the integers are in the text, in order.
    pub integers: Vec<Range<usize>>,
}

/// The skeleton of a text, if it is one that lexes the same whatever digits are in its holes: plain
/// ASCII without comments, dollar quotes and backslashes.
pub fn skeleton(text: &[u8]) -> Option<Skeleton> {
    let mut found = Skeleton { key: Vec::with_capacity(text.len()), integers: Vec::new() };
    let mut quote = None;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let next = text.get(at + 1).copied();
        match (quote, byte) {
            (_, HOLE | b'\\' | 0x80..) => return None,
            (Some(mark), _) if byte == mark => quote = None,
            (Some(_), _) => {}
            // Whatever stands before a quote (E, U&, B, X, N), without a backslash the literal ends at
            // the next one; a doubled one ends it and begins another, to the same effect.
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'-') if next == Some(b'-') => return None,
            (None, b'/') if next == Some(b'*') => return None,
            (None, b'$') if !next.is_some_and(|next| next.is_ascii_digit()) => return None,
            (None, b'0'..=b'9') => {
                let end = end_of_digits(text, at);
                if stands_alone(text, &(at..end)) {
                    found.key.push(HOLE);
                    found.integers.push(at..end);
                } else {
                    found.key.extend_from_slice(text.get(at..end)?);
                }
                at = end;
                continue;
            }
            (None, _) => {}
        }
        found.key.push(byte);
        at += 1;
    }
    quote.is_none().then_some(found)
}

fn end_of_digits(text: &[u8], from: usize) -> usize {
    let digits = text.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit());
    from + digits.count()
}

/// Whether a run of digits is a token of its own: an integer, and no part of a name, a parameter, a
/// number with a point or an exponent, or of one in another base (scan.l: `decinteger`).
fn stands_alone(text: &[u8], run: &Range<usize>) -> bool {
    let before = run.start.checked_sub(1).and_then(|at| text.get(at));
    let after = text.get(run.end);
    before.is_some_and(|byte| b" \t\r\n(,=<>".contains(byte))
        && after.is_none_or(|byte| b" \t\r\n),;".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::skeleton;

    fn check(text: &str, expected: Option<&str>) {
        let found = skeleton(text.as_bytes());
        let key = found.map(|found| String::from_utf8_lossy(&found.key).replace('\0', "#"));
        assert_eq!(key.as_deref(), expected, "{text}");
    }

    #[test]
    fn integers_become_holes_and_nothing_else_does() {
        check("select a from t where b = 12", Some("select a from t where b = #"));
        check("where b=7;", Some("where b=#;"));
        check("where b in (1, 22,3)", Some("where b in (#, #,#)"));
        check("t1 2x 0x1F 1_000 1.5 .5 1e5 $1 a1.b2", Some("t1 2x 0x1F 1_000 1.5 .5 1e5 $1 a1.b2"));
        check("'5 6' \"7 8\" 'it''s 9' 10", Some("'5 6' \"7 8\" 'it''s 9' #"));
        check("b = -5 and c = +6", Some("b = -5 and c = +6"));
    }

    #[test]
    fn what_may_lex_otherwise_has_none() {
        for text in [
            "select 1 -- 2",
            "select /* 1 */ 2",
            "select $$1$$",
            "select $a$ 1 $a$",
            "E'\\' 1",
            "'1",
            "\"1",
            "select é, 1",
            "a\0b",
        ] {
            check(text, None);
        }
    }
}
