//! Headers and the extent they announce.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

#[test]
fn a_header_tells_where_the_message_ends() {
    let row = Frame { tag: b'D', len: 7 };
    assert_eq!(peek(b"D\0\0\0\x06", Side::Target), Ok(Some(row)));
    assert_eq!(peek(b"D\0\0\0\x06\0\0rest", Side::Target), Ok(Some(row)));
    for cut in 0..HEADER {
        assert_eq!(peek(&b"D\0\0\0\x06"[..cut], Side::Target), Ok(None));
    }
}

#[test]
fn lengths_are_bounded_by_type_and_direction() {
    use Side::{Client, Target};
    for (tag, side, max) in [
        (b'Q', Client, limits::MESSAGE_BYTES),
        (b'P', Client, limits::MESSAGE_BYTES),
        (b'B', Client, limits::MESSAGE_BYTES),
        (b'd', Client, STREAM_BYTES),
        (b'E', Client, 10_000),
        (b'D', Client, 10_000),
        (b'C', Client, 10_000),
        (b'p', Client, 65_535),
        (b'S', Client, 4),
        (b'X', Client, 4),
        (b'D', Target, STREAM_BYTES),
        (b'd', Target, STREAM_BYTES),
        (b'E', Target, limits::MESSAGE_BYTES),
        (b'Z', Target, 5),
        (b'K', Target, 264),
    ] {
        let name = char::from(tag);
        for (length, good) in [(3, false), (4, true), (max, true), (max + 1, false)] {
            let seen = peek(&header(tag, u32::try_from(length).unwrap()), side);
            assert_eq!(seen.is_ok(), good, "{name} of the {side}, {length}");
        }
        assert!(peek(&header(tag, u32::MAX), side).is_err(), "{name}");
    }
}

#[test]
fn an_unknown_type_is_an_error_before_its_length_is_there() {
    for (tag, side) in [(b'z', Side::Client), (0, Side::Client), (b'Q', Side::Target)] {
        assert_eq!(peek(&[tag], side), Err(WireError::UnknownTag { tag, side }));
    }
}

#[test]
fn every_type_of_the_frame_is_one_of_the_parser_and_the_other_way_round() {
    use crate::postgres::{backend, frontend};
    for tag in 0..=255 {
        let message = [&header(tag, 4)[..], b""].concat();
        let unknown = |side| Some(WireError::UnknownTag { tag, side });
        let client = frontend::parse(&message).err() == unknown(Side::Client);
        assert_eq!(client, peek(&message, Side::Client).is_err(), "{tag}");
        let target = backend::parse(&message).err() == unknown(Side::Target);
        assert_eq!(target, peek(&message, Side::Target).is_err(), "{tag}");
    }
}

#[test]
fn start_up_packets_are_bounded() {
    for (length, expected) in
        [(0u32, None), (7, None), (8, Some(8)), (10_000, Some(10_000)), (10_001, None)]
    {
        assert_eq!(untagged(&length.to_be_bytes()).ok().flatten().map(|len| len as u32), expected);
    }
    assert_eq!(untagged(&[0, 0, 0]), Ok(None));
}

fn header(tag: u8, length: u32) -> [u8; 5] {
    let [a, b, c, d] = length.to_be_bytes();
    [tag, a, b, c, d]
}
