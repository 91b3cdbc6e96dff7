//! The forms that numbers are written in, and where one of them may stand.
//!
//! A form is looked for at the end of its first group of digits: what follows the group, how long
//! it is and how long the next one is leave few forms of all, mostly none. Tables made at compile
//! time say which.

use crate::detector::ends_word;
use crate::detector::national::TABLE;
use crate::eight;

/// A set of forms, by their places in `FORMS`.
pub(crate) type Forms = u64;

/// A way to write a number: `9` is a digit, `A` an upper-case letter, `X` either, all else itself.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub(super) picture: &'static [u8],
    /// Whose it is: a place in `TABLE`.
    pub(super) row: usize,
    /// Where the first group of digits begins and ends.
    group: (usize, usize),
}

const COUNT: usize = {
    let (mut row, mut count) = (0, 0);
    while row < TABLE.len() {
        count += TABLE[row].forms.len();
        row += 1;
    }
    assert!(count <= Forms::BITS as usize);
    count
};

pub(super) const FORMS: [Form; COUNT] = {
    let mut forms = [Form { picture: b"", row: 0, group: (0, 0) }; COUNT];
    let (mut row, mut at) = (0, 0);
    while row < TABLE.len() {
        let mut form = 0;
        while form < TABLE[row].forms.len() {
            let picture = TABLE[row].forms[form].as_bytes();
            let mut begin = 0;
            while picture[begin] != b'9' {
                begin += 1;
            }
            let end = begin + nines(picture, begin);
            assert!(picture.len() <= LONGEST && end - begin + FRAMING < GROUPS - 1);
            assert!(begin <= LETTERS);
            forms[at] = Form { picture, row, group: (begin, end) };
            form += 1;
            at += 1;
        }
        row += 1;
    }
    forms
};

/// Letters that a form has before its first digit, at the most.
pub(crate) const LETTERS: usize = 6;
/// Bytes of the longest form.
const LONGEST: usize = 24;
/// Bytes that the length before a value may add to its first group where rows are looked at raw: no
/// message is so long that all four could be digits.
const FRAMING: usize = 3;
/// Longer groups than this are all the same.
const GROUPS: usize = 32;
/// Likewise for the group that follows.
const NEXT: usize = 9;

/// What follows a group of digits.
const SPACE: usize = 0;
const DASH: usize = 1;
const DOT: usize = 2;
const PARENTHESIS: usize = 3;
const END: usize = 4;
const UPPER: usize = 5;
const WORD: usize = 6;
const KINDS_PADDED: usize = 8;

const KINDS: [u8; 256] = {
    let mut kinds = [END as u8; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        if b.is_ascii_uppercase() {
            kinds[byte] = UPPER as u8;
        } else if b.is_ascii_alphanumeric() || b == b'_' {
            kinds[byte] = WORD as u8;
        }
        byte += 1;
    }
    kinds[b' ' as usize] = SPACE as u8;
    kinds[b'-' as usize] = DASH as u8;
    kinds[b'.' as usize] = DOT as u8;
    kinds[b'(' as usize] = PARENTHESIS as u8;
    kinds
};

/// How many nines stand in a picture from `at` on.
const fn nines(picture: &[u8], at: usize) -> usize {
    let mut end = at;
    while end < picture.len() && picture[end] == b'9' {
        end += 1;
    }
    end - at
}

/// Which forms may have a first group of so many digits, by what follows it.
static BY_GROUP: [[Forms; GROUPS]; KINDS_PADDED] = {
    let mut sets = [[0; GROUPS]; KINDS_PADDED];
    let mut at = 0;
    while at < COUNT {
        let Form { picture, group: (begin, end), .. } = FORMS[at];
        let bit = 1 << at;
        let mut length = end - begin;
        // Letters before the group set it apart from what frames the value.
        let longest = if begin == 0 { length + FRAMING } else { length };
        while length <= longest {
            if end == picture.len() {
                let mut kind = SPACE;
                while kind <= END {
                    sets[kind][length] |= bit;
                    kind += 1;
                }
            } else if picture[end] == b'A' {
                sets[UPPER][length] |= bit;
            } else {
                sets[KINDS[picture[end] as usize] as usize][length] |= bit;
            }
            length += 1;
        }
        at += 1;
    }
    sets
};

/// Which forms may have a second group of so many digits behind a separator; those without one may
/// have any.
static BY_NEXT: [Forms; NEXT] = {
    let mut sets = [0; NEXT];
    let mut at = 0;
    while at < COUNT {
        let Form { picture, group: (_, end), .. } = FORMS[at];
        let separated = end < picture.len() && picture[end] != b'A';
        let next = if separated { nines(picture, end + 1) } else { 0 };
        let either = separated && end + 1 + next < picture.len() && picture[end + 1 + next] == b'X';
        let mut length = 0;
        while length < NEXT {
            if !separated || length == next || (either && length == next + 1) {
                sets[length] |= 1 << at;
            }
            length += 1;
        }
        at += 1;
    }
    sets
};

/// The forms that may stand where a group of digits does: `start..end`, as long as it gets.
#[inline]
pub(crate) fn candidates(bytes: &[u8], start: usize, end: usize) -> Forms {
    let kind = bytes.get(end).map_or(END, |byte| usize::from(KINDS[usize::from(*byte)]));
    let forms = BY_GROUP[kind][(end - start).min(GROUPS - 1)];
    // Most groups end here.
    if forms != 0 && kind <= DOT { by_next(bytes, end + 1, forms) } else { forms }
}

/// Those of the forms that go on like what begins behind a separator, at `start`.
fn by_next(bytes: &[u8], start: usize, forms: Forms) -> Forms {
    let next = eight::few_digits(bytes, start);
    let then = bytes.get(start + next).map_or(END, |byte| usize::from(KINDS[usize::from(*byte)]));
    forms & BY_NEXT[next] & BY_THEN[then]
}

/// Which forms may have a second group with that behind it; those without a separator, or with
/// letters there, may have anything.
static BY_THEN: [Forms; KINDS_PADDED] = {
    let mut sets = [0; KINDS_PADDED];
    let mut at = 0;
    while at < COUNT {
        let Form { picture, group: (_, end), .. } = FORMS[at];
        let then = if end < picture.len() { end + 1 + nines(picture, end + 1) } else { 0 };
        let drawn = then > 0 && then < picture.len() && matches!(picture[then], b' ' | b'-' | b'.');
        let mut kind = SPACE;
        while kind <= WORD {
            if !drawn || KINDS[picture[then] as usize] as usize == kind {
                sets[kind] |= 1 << at;
            }
            kind += 1;
        }
        at += 1;
    }
    sets
};

/// Calls `each` with those of the forms that stand with their first group's end at `end`, and are
/// valid, whatever stands before them: the form and its span.
pub(super) fn standing(
    bytes: &[u8],
    end: usize,
    mut forms: Forms,
    mut each: impl FnMut(&Form, usize, usize),
) {
    while forms != 0 {
        let form = &FORMS[forms.trailing_zeros() as usize];
        forms &= forms - 1;
        let Some(from) = end.checked_sub(form.group.1) else { continue };
        let to = from + form.picture.len();
        if ends_word(bytes, to) && bytes.get(from..to).is_some_and(|text| is_valid(form, text)) {
            each(form, from, to);
        }
    }
}

/// Whether a text has a form and its letters and digits pass the check.
fn is_valid(form: &Form, text: &[u8]) -> bool {
    // From the end, since the beginning is known to be digits already.
    let fits = text.iter().rev().zip(form.picture.iter().rev()).all(|(byte, drawn)| match drawn {
        b'9' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_uppercase(),
        b'X' => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        _ => byte == drawn,
    });
    if !fits {
        return false;
    }
    let mut compact = [0; LONGEST];
    let mut count = 0;
    for byte in text.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        compact[count] = *byte;
        count += 1;
    }
    (TABLE[form.row].valid)(&compact[..count])
}
