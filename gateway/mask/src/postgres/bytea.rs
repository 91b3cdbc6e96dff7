//! Byte strings.

use weir_model::Transform;

use crate::key::Keyed;
use crate::replace::REDACTED;

/// Bytes of a pseudonym.
const TOKEN: usize = 16;

/// Hides a byte string whole.
pub(super) fn apply(
    key: &Keyed,
    transform: Transform,
    binary: bool,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let decoded;
    let bytes = if binary {
        value
    } else {
        decoded = decode(value)?;
        &decoded
    };
    match transform {
        Transform::Redact | Transform::Partial | Transform::Generalise | Transform::Null => {
            write(binary, REDACTED.as_bytes(), out)
        }
        Transform::Token => write(binary, &key.digest("bytea", bytes)[..TOKEN], out),
        Transform::Hash => write(binary, &key.digest("hash", bytes), out),
    }
    Some(())
}

fn write(binary: bool, bytes: &[u8], out: &mut Vec<u8>) {
    if binary {
        out.extend_from_slice(bytes);
        return;
    }
    out.extend_from_slice(b"\\x");
    for byte in bytes {
        let digit = |n: u8| b"0123456789abcdef"[usize::from(n & 15)];
        out.extend_from_slice(&[digit(byte >> 4), digit(*byte)]);
    }
}

/// The bytes of a text form, either of `bytea_output`'s.
pub(super) fn decode(value: &[u8]) -> Option<Vec<u8>> {
    match value.strip_prefix(b"\\x") {
        Some(hex) => decode_hex(hex),
        None => decode_escaped(value),
    }
}

fn decode_hex(hex: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = hex.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some((digit(*high)? * 16 + digit(*low)?) as u8)).collect()
}

fn decode_escaped(value: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
        } else if let Some(after) = rest.strip_prefix(b"\\") {
            bytes.push(b'\\');
            rest = after;
        } else {
            let (octal, after) = rest.split_first_chunk::<3>()?;
            let value = octal.iter().try_fold(0u32, |n, byte| {
                char::from(*byte).to_digit(8).map(|digit| n * 8 + digit)
            })?;
            bytes.push(u8::try_from(value).ok()?);
            rest = after;
        }
    }
    Some(bytes)
}
