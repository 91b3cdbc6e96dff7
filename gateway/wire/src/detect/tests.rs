//! First bytes and what they are taken for.

use super::*;
use Detected::{Http, NeedMore, Postgres, Ssh, Tls, Unknown};

#[test]
fn first_bytes_tell_the_protocol() {
    for (first, expected) in [
        (b"".as_slice(), NeedMore),
        (b"\x16", NeedMore),
        (b"\x16\x03", Tls),
        (b"\x16\x03\x01\x02\x00", Tls),
        (b"\x16\x02", Unknown),
        (b"\x80\x2e\x01", Unknown),
        (b"\x00", NeedMore),
        (b"\x00\x00\x00\x08", NeedMore),
        (b"\x00\x01", Unknown),
        (b"\x00\x00\x00\x07", Unknown),
        (b"\x00\x00\xff\xff", Unknown),
        (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", Postgres),
        (b"\x00\x00\x00\x08\x04\xd2\x16\x30", Postgres),
        (b"\x00\x00\x00\x09\x04\xd2\x16\x2f", Unknown),
        (b"\x00\x00\x00\x10\x04\xd2\x16\x2e", Postgres),
        (b"\x00\x00\x00\x0c\x04\xd2\x16\x2e", Unknown),
        (b"\x00\x00\x00\x20\x00\x03\x00\x00", Postgres),
        (b"\x00\x00\x00\x20\x00\x03\x00\x02", Postgres),
        (b"\x00\x00\x00\x20\x00\x02\x00\x00", Unknown),
        (b"\x00\x00\x00\x20\x00\x02", Unknown),
        (b"\x00\x00\x00\x20\x00\x03", NeedMore),
        (b"\x00\x00\x00\x20\x04\xd2", NeedMore),
        (b"\x00\x00\x00\x20\x04\xd3", Unknown),
        (b"G", NeedMore),
        (b"GET /", Http),
        (b"GETX", Unknown),
        (b"PRI * HTTP/2.0\r\n", Http),
        (b"P", NeedMore),
        (b"SSH", NeedMore),
        (b"SSH-2.0-x", Ssh),
        (b"\xff\xff", Unknown),
    ] {
        assert_eq!(detect(first), expected, "{}", first.escape_ascii());
    }
}

#[test]
fn more_bytes_never_take_back_an_answer() {
    let streams: [&[u8]; 4] = [
        b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
        b"\x00\x00\x00\x20\x00\x03\x00\x00user",
        b"CONNECT a:1 HTTP/1.1",
        b"SSH-2.0-OpenSSH",
    ];
    for stream in streams {
        let last = detect(stream);
        for cut in 0..stream.len() {
            let seen = detect(&stream[..cut]);
            assert!(seen == NeedMore || seen == last, "{} at {cut}", stream.escape_ascii());
        }
    }
}
