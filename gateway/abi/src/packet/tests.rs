//! Packets that may leave, and all the ways in which one may try to leave otherwise.

#![allow(clippy::unwrap_used)]

use super::*;

const LISTENER: Listener = Listener { tcp4: 4000, tcp6: 6000, dns4: 4053, dns6: 6053 };

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

fn leaves4(head: [u8; HEAD4], interface: u32, protocol: u8) -> Result<(), Reason> {
    may_leave(&v4(&head)?, interface, protocol, &LISTENER)
}

#[test]
fn packets_to_the_listener_leave() {
    assert_eq!(leaves4(head4(TCP, [127, 0, 0, 1], 4000), 1, TCP), Ok(()));
    assert_eq!(leaves4(head4(UDP, [127, 0, 0, 1], 4053), 1, UDP), Ok(()));
    let packet = v6(&head6(TCP, 1, 6000)).unwrap();
    assert_eq!(may_leave(&packet, 1, TCP, &LISTENER), Ok(()));
    let packet = v6(&head6(UDP, 1, 6053)).unwrap();
    assert_eq!(may_leave(&packet, 1, UDP, &LISTENER), Ok(()));
}

#[test]
fn packets_to_anything_else_do_not() {
    let route = Err(Reason::PacketRoute);
    assert_eq!(leaves4(head4(TCP, [127, 0, 0, 1], 4001), 1, TCP), route);
    assert_eq!(leaves4(head4(TCP, [127, 0, 0, 1], 4053), 1, TCP), route);
    assert_eq!(leaves4(head4(TCP, [127, 0, 0, 2], 4000), 1, TCP), route);
    assert_eq!(leaves4(head4(TCP, [192, 0, 2, 1], 4000), 1, TCP), route);
    assert_eq!(leaves4(head4(TCP, [127, 0, 0, 1], 4000), 2, TCP), route);
    let packet = v6(&head6(TCP, 2, 6000)).unwrap();
    assert_eq!(may_leave(&packet, 1, TCP, &LISTENER), route);
}

#[test]
fn a_port_of_zero_is_no_listener() {
    let packet = v6(&head6(TCP, 1, 0)).unwrap();
    let none = Listener { tcp6: 0, ..LISTENER };
    assert_eq!(may_leave(&packet, 1, TCP, &none), Err(Reason::PacketRoute));
}

#[test]
fn a_socket_redirected_as_one_protocol_cannot_send_another() {
    let lost = Err(Reason::PacketUnattributed);
    assert_eq!(leaves4(head4(UDP, [127, 0, 0, 1], 4053), 1, TCP), lost);
    assert_eq!(leaves4(head4(TCP, [127, 0, 0, 1], 4000), 1, 0), lost);
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
