//! ClientHellos: made here by hand, and a real one from the corpus.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

const REAL: &[u8] = include_bytes!("../../../../tests/corpus/client_hello/openssl_postgresql");

#[test]
fn a_real_hello_gives_its_name_in_lower_case_and_its_protocols() {
    let hello = client_hello(REAL).unwrap().unwrap();
    assert_eq!(hello.server_name.as_deref(), Some("db.example.com"));
    assert_eq!(hello.alpn, [b"postgresql"]);
    assert!(!hello.encrypted_hello);
}

#[test]
fn every_beginning_of_a_hello_needs_more() {
    for cut in 0..REAL.len() {
        assert_eq!(client_hello(&REAL[..cut]), Ok(None), "cut at {cut}");
    }
}

#[test]
fn records_may_cut_the_hello_anywhere() {
    let whole = client_hello(REAL);
    let message = &REAL[5..];
    for size in [1, 2, 3, 7, 100] {
        let cut: Vec<u8> = message.chunks(size).flat_map(record_of).collect();
        assert_eq!(client_hello(&cut), whole, "records of {size}");
    }
}

#[test]
fn what_two_readers_may_take_differently_is_refused() {
    let name = |name: &[u8]| extension(0, &vector(&[&[0], &*vector(name)].concat()));
    let two = [&[0], &*vector(b"a.b"), &[0], &*vector(b"c.d")].concat();
    let many: Vec<u8> = (1000..1300).flat_map(|kind| extension(kind, b"")).collect();
    for (why, extensions) in [
        ("two names", extension(0, &vector(&two))),
        ("the extension twice", [name(b"a.b"), name(b"c.d")].concat()),
        ("an unknown extension twice", [extension(9999, b""), extension(9999, b"")].concat()),
        ("too many extensions", many),
        ("no name", extension(0, &vector(b""))),
        ("an empty name", name(b"")),
        ("a NUL", name(b"a.b\0.c")),
        ("a dot at the end", name(b"a.b.")),
        ("a space", name(b"a b")),
        ("an IPv6 address", name(b"::1")),
        ("no ASCII", name("é.fr".as_bytes())),
        ("a label of 64", name(&[b'a'; 64])),
        ("a name of 254", name(&b"ab".repeat(127))),
        ("another kind of name", extension(0, &vector(&[&[1], &*vector(b"x")].concat()))),
        ("bytes after the list", extension(0, &[&*vector(&[0, 0, 1, b'a']), b"x"].concat())),
        ("an empty protocol", extension(16, &vector(b"\0\0"))),
        ("a protocol beyond the list", extension(16, &vector(b"\x05h2"))),
        ("a length beyond", vec![0, 0, 255, 255]),
    ] {
        assert!(client_hello(&hello_of(&extensions)).is_err(), "{why}");
    }
}

#[test]
fn odd_but_clear_hellos_are_read() {
    let name = extension(0, &vector(&[&[0], &*vector(b"A_1.b-c")].concat()));
    let hello = |extensions: &[u8]| client_hello(&hello_of(extensions)).unwrap().unwrap();
    assert_eq!(hello(&name).server_name.as_deref(), Some("a_1.b-c"));
    assert!(hello(&[name, extension(0xfe0d, b"x")].concat()).encrypted_hello);
    assert_eq!(hello(b""), Hello::default());
    let old = record_of(&handshake_of(&core()));
    assert_eq!(client_hello(&old), Ok(Some(Hello::default())));
}

#[test]
fn what_is_no_hello_is_refused_at_once() {
    let twice = [&REAL[5..], &REAL[5..]].concat();
    for (why, bytes) in [
        ("an alert", b"\x15".to_vec()),
        ("SSL 2", b"\x16\x02".to_vec()),
        ("a ServerHello", record_of(b"\x02\0\0\0")),
        ("an empty record", record_of(b"")),
        ("a record too long", b"\x16\x03\x01\x40\x01".to_vec()),
        ("a hello too long", record_of(b"\x01\x00\x40\x01")),
        ("two messages in a record", record_of(&twice)),
        ("bytes after the hello", record_of(&[&REAL[5..], b"x"].concat())),
        ("records that never end", record_of(b"\x01\x00\x20\x00").repeat(2000)),
    ] {
        assert!(client_hello(&bytes).is_err(), "{why}");
    }
}

#[test]
fn a_hello_that_drips_is_cut_off() {
    let message = [&[1, 0, 0x30, 0][..], &[0; 4_000]].concat();
    let drip: Vec<u8> = message.chunks(1).flat_map(record_of).collect();
    assert_eq!(client_hello(&drip[..HELLO_BYTES]), Ok(None));
    assert!(client_hello(&drip).is_err());
}

fn core() -> Vec<u8> {
    [&[3, 3][..], &[0; 32], &[0], &[0, 2, 0x13, 0x01], &[1, 0]].concat()
}

fn hello_of(extensions: &[u8]) -> Vec<u8> {
    record_of(&handshake_of(&[core(), vector(extensions)].concat()))
}

fn handshake_of(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[1], &length[1..], body].concat()
}

fn record_of(fragment: &[u8]) -> Vec<u8> {
    [&[22, 3, 1], &*vector(fragment)].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes(), &*vector(data)].concat()
}

fn vector(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}
