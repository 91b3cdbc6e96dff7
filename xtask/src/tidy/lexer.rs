//! Just enough of Rust's grammar to tell code from comments and literals.

/// The text with comments and the insides of literals replaced by spaces, so that every byte that is
/// left stands where it stood.
pub(super) fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = skip(bytes, at);
        if end > at {
            blank(&mut out, at, end);
            at = end;
        } else {
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The end of the comment or literal that begins here, or `at`.
fn skip(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => comment(bytes, at),
        [b'"', ..] => string(bytes, at),
        [b'r', b'"' | b'#', ..] if !in_word(bytes, at) => raw(bytes, at, 1),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !in_word(bytes, at) => raw(bytes, at, 2),
        [b'\'', ..] => character(bytes, at),
        _ => at,
    }
}

fn in_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && bytes.get(at - 1).is_some_and(|&byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn comment(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match (byte, bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw(bytes: &[u8], start: usize, prefix: usize) -> usize {
    let rest = bytes.get(start + prefix..).unwrap_or_default();
    let hashes = rest.iter().take_while(|&&byte| byte == b'#').count();
    if rest.get(hashes) != Some(&b'"') {
        return start; // a raw identifier
    }
    let open = start + prefix + hashes + 1;
    let closing = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    let body = bytes.get(open..).unwrap_or_default();
    let length = body.windows(closing.len()).position(|window| window == closing);
    length.map_or(bytes.len(), |length| open + length + closing.len())
}

/// A character literal, which a lifetime is not.
fn character(bytes: &[u8], start: usize) -> usize {
    match bytes.get(start + 1) {
        Some(b'\\') => {
            let from = start + 3;
            let rest = bytes.get(from..).unwrap_or_default();
            rest.iter().position(|&byte| byte == b'\'').map_or(start, |end| from + end + 1)
        }
        Some(&first) => {
            let width = match first {
                0xf0.. => 4,
                0xe0.. => 3,
                0xc0.. => 2,
                _ => 1,
            };
            let end = start + 1 + width;
            if bytes.get(end) == Some(&b'\'') { end + 1 } else { start }
        }
        None => start,
    }
}

fn blank(out: &mut [u8], start: usize, end: usize) {
    let end = end.min(out.len());
    for byte in out.get_mut(start..end).unwrap_or_default() {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// The words of blanked code, with where they stand.
pub(super) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let start = code.as_ptr() as usize;
    code.split(move |c| !is_word(c))
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - start, word))
}

/// Where the bracket that opens at `open` closes.
pub(super) fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}
