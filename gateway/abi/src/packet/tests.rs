//! Packets that may leave, and all the ways in which one may try to leave otherwise.

#![allow(clippy::unwrap_used)]

use super::*;

const LISTENER: Listener =
    Listener { tcp4: 4000, tcp6: 6000, dns4: [4053, 4054, 4055, 0], dns6: [6053, 6054, 6055, 0] };

fn head4(protocol: u8, destination: [u8; 4], port: u16) -> [u8; HEAD4] {
    let mut head = [0; HEAD4];
    head[0] = 0x45;
    head[6] = 0x40; // don't fragment
    head[9] = protocol;
    head[12..16].copy_from_slice(&[127, 0, 0, 1]);
    head[16..20].copy_from_slice(&destination);
    head[20..22].copy_from_slice(&50_000_u16.to_be_bytes());
    head[22..24].copy_from_slice(&port.to_be_bytes());
    head
}

fn head6(protocol: u8, last: u8, port: u16) -> [u8; HEAD6] {
    let mut head = [0; HEAD6];
    head[0] = 0x60;
    head[6] = protocol;
    head[23] = 1;
    head[39] = last;
    head[42..44].copy_from_slice(&port.to_be_bytes());
    head
}

fn stream4(destination: [u8; 4], port: u16, interface: u32) -> bool {
    goes_to_listener(&v4(&head4(TCP, destination, port)).unwrap(), interface, &LISTENER)
}

fn query4(destination: [u8; 4], port: u16, interface: u32) -> Option<u32> {
    query_slot(&v4(&head4(UDP, destination, port)).unwrap(), interface, &LISTENER)
}

#[test]
fn packets_to_the_listeners_are_known() {
    assert!(stream4([127, 0, 0, 1], 4000, 1));
    assert!(goes_to_listener(&v6(&head6(TCP, 1, 6000)).unwrap(), 1, &LISTENER));
    assert_eq!(query4([127, 0, 0, 1], 4053, 1), Some(0));
    assert_eq!(query4([127, 0, 0, 1], 4055, 1), Some(2));
    assert_eq!(query_slot(&v6(&head6(UDP, 1, 6054)).unwrap(), 1, &LISTENER), Some(1));
}

#[test]
fn packets_to_anything_else_are_not() {
    for (destination, port, interface) in [
        ([127, 0, 0, 1], 4001, 1),
        ([127, 0, 0, 1], 4053, 1),
        ([127, 0, 0, 1], 0, 1),
        ([127, 0, 0, 2], 4000, 1),
        ([192, 0, 2, 1], 4000, 1),
        ([127, 0, 0, 1], 4000, 2),
    ] {
        assert!(!stream4(destination, port, interface), "{destination:?} {port} {interface}");
    }
    assert!(!goes_to_listener(&v6(&head6(TCP, 2, 6000)).unwrap(), 1, &LISTENER));
    let none = Listener { tcp6: 0, ..LISTENER };
    assert!(!goes_to_listener(&v6(&head6(TCP, 1, 0)).unwrap(), 1, &none));
    assert_eq!(query4([127, 0, 0, 1], 0, 1), None);
    assert_eq!(query4([127, 0, 0, 1], 4000, 1), None);
    assert_eq!(query4([127, 0, 0, 2], 4053, 1), None);
    assert_eq!(query4([127, 0, 0, 1], 4053, 2), None);
    let stream = v4(&head4(TCP, [127, 0, 0, 1], 4053)).unwrap();
    assert_eq!(query_slot(&stream, 1, &LISTENER), None);
}

#[test]
fn an_answer_comes_from_a_dns_listener_over_loopback() {
    let query = v4(&head4(UDP, [127, 0, 0, 1], 4053)).unwrap();
    let answer = Packet {
        source: query.destination,
        source_port: query.destination_port,
        destination: query.source,
        destination_port: query.source_port,
        ..query
    };
    assert!(is_answer(&answer, 1, &LISTENER));
    assert!(!is_answer(&answer, 2, &LISTENER));
    assert!(!is_answer(&query, 1, &LISTENER));
    assert!(!is_answer(&Packet { protocol: TCP, ..answer }, 1, &LISTENER));
}

#[test]
fn only_loopback_goes_direct() {
    let direct = |protocol, destination, interface| {
        may_go_direct(&v4(&head4(protocol, destination, 80)).unwrap(), interface)
    };
    assert_eq!(direct(TCP, [127, 0, 1, 1], 1), Ok(()));
    assert_eq!(direct(TCP, [127, 0, 1, 1], 2), Err(Reason::PacketRoute));
    assert_eq!(direct(TCP, [10, 0, 0, 1], 1), Err(Reason::PacketRoute));
    assert_eq!(direct(TCP, [127, 255, 255, 255], 1), Err(Reason::PacketRoute));
    assert_eq!(direct(UDP, [127, 0, 0, 1], 1), Ok(()));
    assert_eq!(direct(UDP, [127, 0, 1, 1], 1), Err(Reason::Datagram));
    assert_eq!(direct(UDP, [127, 0, 0, 1], 2), Err(Reason::Datagram));
    assert_eq!(may_go_direct(&v6(&head6(TCP, 1, 80)).unwrap(), 1), Ok(()));
    assert_eq!(may_go_direct(&v6(&head6(TCP, 2, 80)).unwrap(), 1), Err(Reason::PacketRoute));
    let mut spoofed = v4(&head4(TCP, [127, 0, 0, 1], 80)).unwrap();
    spoofed.source = address::v4(0x0a00_0001_u32.to_be());
    assert_eq!(may_go_direct(&spoofed, 1), Err(Reason::PacketRoute));
}

#[test]
fn a_first_segment_has_syn_and_no_ack() {
    assert!(opens(0x02) && opens(0xc2)); // with ECN
    assert!(!opens(0x12) && !opens(0x10) && !opens(0x11) && !opens(0x04));
}

#[test]
fn options_fragments_and_extension_headers_are_refused() {
    let shape = Err(Reason::PacketShape);
    let mut options = head4(TCP, [127, 0, 0, 1], 4000);
    options[0] = 0x46;
    assert_eq!(v4(&options), shape);
    let mut more = head4(TCP, [127, 0, 0, 1], 4000);
    more[6] = 0x20;
    assert_eq!(v4(&more), shape);
    let mut later = head4(TCP, [127, 0, 0, 1], 4000);
    later[7] = 1;
    assert_eq!(v4(&later), shape);
    assert_eq!(v4(&head4(1, [127, 0, 0, 1], 4000)), shape);
    for extension in [0, 43, 44, 51, 60, 58, 136] {
        assert_eq!(v6(&head6(extension, 1, 6000)), shape);
    }
    let mut version = head6(TCP, 1, 6000);
    version[0] = 0x45;
    assert_eq!(v6(&version), shape);
}

#[test]
fn only_the_protocol_and_family_of_a_listener_are_its_own() {
    let listener = Listener { tcp4: 1, tcp6: 2, dns4: [3; RESOLVERS], dns6: [4; RESOLVERS] };
    // The ports, as bits.
    let ours = |protocol, at: &Address| {
        (0..6)
            .filter(|&port| is_own(&listener, protocol, at, port))
            .fold(0, |all, port| all | 1 << port)
    };
    let (four, six) = (address::v4(address::LOOPBACK4), address::LOOPBACK6);
    for (at, tcp, udp) in [
        (four, 0b00010, 0b01000),
        (six, 0b00100, 0b10000),
        (address::v4(0), 0b00010, 0b01000),
        ([0; 4], 0b00110, 0b11000),
        (address::v4(0x7f00_0002_u32.to_be()), 0, 0),
    ] {
        assert_eq!((ours(TCP, &at), ours(UDP, &at)), (tcp, udp), "{at:?}");
    }
    let none = Listener::default();
    assert!(!is_own(&none, TCP, &four, 0) && !is_own(&none, UDP, &[0; 4], 0));
}
