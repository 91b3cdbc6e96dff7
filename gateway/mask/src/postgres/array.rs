//! Arrays: walks the elements and builds the array again.

use crate::Outcome;
use crate::postgres::Kind;

/// Most dimensions (`MAXDIM` in c.h).
const DIMENSIONS: i32 = 6;

/// What is done with an element that is not NULL.
type Each<'a> = dyn FnMut(&[u8], &mut Vec<u8>) -> Outcome + 'a;

/// Walks an array. `Null` where it can't be taken apart; `whole` says that the array counts as
/// replaced even if it has no elements.
pub(super) fn walk(
    binary: bool,
    element: u32,
    value: &[u8],
    each: &mut Each<'_>,
    out: &mut Vec<u8>,
    whole: bool,
) -> Outcome {
    let changed =
        if binary { walk_binary(element, value, each, out) } else { walk_text(value, each, out) };
    match changed {
        Some(changed) if changed || whole => Outcome::Replaced,
        Some(_) => Outcome::Unchanged,
        None => Outcome::Null,
    }
}

fn walk_binary(element: u32, value: &[u8], each: &mut Each<'_>, out: &mut Vec<u8>) -> Option<bool> {
    let mut rest = value;
    let dimensions = int(&mut rest)?;
    let _has_null = int(&mut rest)?;
    let type_oid = int(&mut rest)?;
    if !(0..=DIMENSIONS).contains(&dimensions) || Kind::of(type_oid as u32) != Kind::of(element) {
        return None;
    }
    let mut count = usize::from(dimensions > 0);
    for _ in 0..dimensions {
        let length = usize::try_from(int(&mut rest)?).ok()?;
        let _lower_bound = int(&mut rest)?;
        count = count.checked_mul(length)?;
    }
    let from = out.len();
    out.extend_from_slice(&value[..value.len() - rest.len()]);
    let mut changed = false;
    let mut nulls = false;
    // Every element takes four bytes at least, so that a false count ends here.
    for _ in 0..count {
        let length = int(&mut rest)?;
        if length == -1 {
            out.extend_from_slice(&(-1i32).to_be_bytes());
            nulls = true;
            continue;
        }
        let cell = rest.split_off(..usize::try_from(length).ok()?)?;
        let place = out.len();
        out.extend_from_slice(&length.to_be_bytes());
        let body = out.len();
        match each(cell, out) {
            Outcome::Unchanged => {
                out.truncate(body);
                out.extend_from_slice(cell);
            }
            Outcome::Replaced => {
                let length = i32::try_from(out.len() - body).ok()?;
                out[place..body].copy_from_slice(&length.to_be_bytes());
                changed = true;
            }
            Outcome::Null => {
                out.truncate(body);
                out[place..body].copy_from_slice(&(-1i32).to_be_bytes());
                nulls = true;
                changed = true;
            }
        }
    }
    out[from + 4..from + 8].copy_from_slice(&i32::from(nulls).to_be_bytes());
    rest.is_empty().then_some(changed)
}

fn int(rest: &mut &[u8]) -> Option<i32> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(i32::from_be_bytes(*bytes))
}

fn walk_text(value: &[u8], each: &mut Each<'_>, out: &mut Vec<u8>) -> Option<bool> {
    // Bounds other than 1 stand before the braces: `[0:1]={a,b}`.
    let mut at = value.iter().position(|byte| *byte == b'{')?;
    if at > 0 && (value[0] != b'[' || value[at - 1] != b'=') {
        return None;
    }
    out.extend_from_slice(&value[..at]);
    let mut changed = false;
    let mut depth = 0u32;
    while let Some(byte) = value.get(at) {
        match byte {
            b'{' | b'}' | b',' => {
                if *byte == b'{' {
                    depth += 1;
                } else if *byte == b'}' {
                    depth = depth.checked_sub(1)?;
                }
                out.push(*byte);
                at += 1;
                if depth == 0 {
                    break;
                }
            }
            _ => {
                let (cell, end) = text_element(value, at)?;
                changed |= put(cell.as_deref(), &value[at..end], each, out);
                at = end;
            }
        }
    }
    (depth == 0 && at == value.len()).then_some(changed)
}

/// The element at `at`, `None` for NULL, and where it ends.
fn text_element(value: &[u8], at: usize) -> Option<(Option<Vec<u8>>, usize)> {
    if value[at] != b'"' {
        let length = value[at..].iter().position(|byte| matches!(byte, b',' | b'}'))?;
        let raw = &value[at..at + length];
        if raw.iter().any(|byte| matches!(byte, b'"' | b'\\' | b'{')) {
            return None;
        }
        let cell = (!raw.eq_ignore_ascii_case(b"null")).then(|| raw.to_vec());
        return Some((cell, at + length));
    }
    let mut cell = Vec::new();
    let mut place = at + 1;
    loop {
        match *value.get(place)? {
            b'"' => return Some((Some(cell), place + 1)),
            b'\\' => {
                cell.push(*value.get(place + 1)?);
                place += 2;
            }
            byte => {
                cell.push(byte);
                place += 1;
            }
        }
    }
}

/// Writes what becomes of an element; says whether that is something else.
fn put(cell: Option<&[u8]>, raw: &[u8], each: &mut Each<'_>, out: &mut Vec<u8>) -> bool {
    let mut replaced = Vec::new();
    match cell.map(|cell| each(cell, &mut replaced)) {
        None | Some(Outcome::Unchanged) => {
            out.extend_from_slice(raw);
            false
        }
        Some(Outcome::Null) => {
            out.extend_from_slice(b"NULL");
            true
        }
        Some(Outcome::Replaced) => {
            out.push(b'"');
            for byte in replaced {
                if matches!(byte, b'"' | b'\\') {
                    out.push(b'\\');
                }
                out.push(byte);
            }
            out.push(b'"');
            true
        }
    }
}
