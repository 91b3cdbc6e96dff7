//! UUIDs, network and hardware addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weir_model::Transform;

use crate::key::Keyed;
use crate::postgres::{Manner, push};

/// `PGSQL_AF_INET` and `PGSQL_AF_INET6` in inet.h, which are the same on every platform.
const FAMILY_4: u8 = 2;
const FAMILY_6: u8 = 3;

/// A UUID: the nil one, or a keyed one of version 8.
pub(super) fn uuid(
    key: &Keyed,
    transform: Transform,
    binary: bool,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let clear: [u8; 16] = if binary { value.try_into().ok()? } else { hex(value, b'-')? };
    let mut shown = [0u8; 16];
    if Manner::of(transform) == Manner::Keyed {
        shown.copy_from_slice(&key.digest("uuid", &clear)[..16]);
        shown[6] = (shown[6] & 0x0f) | 0x80;
        shown[8] = (shown[8] & 0x3f) | 0x80;
    }
    if binary {
        return push(out, &shown);
    }
    for (place, byte) in shown.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.extend_from_slice(format!("{byte:02x}").as_bytes());
    }
    Some(())
}

/// A hardware address: all zeros, or a keyed one that is locally administered.
pub(super) fn mac(
    key: &Keyed,
    transform: Transform,
    binary: bool,
    width: usize,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let mut shown = [0u8; 8];
    if Manner::of(transform) == Manner::Keyed {
        let clear = match (binary, width) {
            (true, _) => value.to_vec(),
            (false, 6) => hex::<6>(value, b':')?.to_vec(),
            (false, _) => hex::<8>(value, b':')?.to_vec(),
        };
        shown.copy_from_slice(&key.digest("mac", &clear)[..8]);
        shown[0] = (shown[0] & 0xfc) | 2;
    }
    let shown = shown.get(..width)?;
    if binary {
        return push(out, shown);
    }
    let pairs: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    push(out, pairs.join(":").as_bytes())
}

/// A network address: 0.0.0.0 or ::, a keyed one of a block that is never assigned, or its network.
pub(super) fn inet(
    key: &Keyed,
    transform: Transform,
    binary: bool,
    cidr: bool,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let (clear, prefix) = if binary { decode_inet(value)? } else { parse_inet(value)? };
    let (shown, bits) = match (clear, Manner::of(transform)) {
        (IpAddr::V4(clear), Manner::Keyed) => {
            // 240.0.0.0/4, reserved (RFC 1112).
            let bits = key.number("inet", &clear.octets()) as u32;
            (IpAddr::V4(Ipv4Addr::from_bits(0xf000_0000 | bits)), 32)
        }
        (IpAddr::V6(clear), Manner::Keyed) => {
            // 100::/64, discarded (RFC 6666).
            let bits = key.number("inet", &clear.octets());
            (IpAddr::V6(Ipv6Addr::from_bits((0x100u128 << 112) | u128::from(bits))), 128)
        }
        (clear, Manner::Coarse) => network(clear, prefix),
        (IpAddr::V4(_), Manner::Constant) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 32),
        (IpAddr::V6(_), Manner::Constant) => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 128),
    };
    let (family, whole, octets) = match shown {
        IpAddr::V4(shown) => (FAMILY_4, 32u8, shown.octets().to_vec()),
        IpAddr::V6(shown) => (FAMILY_6, 128u8, shown.octets().to_vec()),
    };
    if binary {
        out.extend_from_slice(&[family, bits, u8::from(cidr), octets.len() as u8]);
        push(out, &octets)
    } else if cidr || bits < whole {
        push(out, format!("{shown}/{bits}").as_bytes())
    } else {
        push(out, shown.to_string().as_bytes())
    }
}

/// The network of an address, a /24 or /48; of a network that is no narrower, a wider one.
pub(crate) fn network(clear: IpAddr, prefix: u8) -> (IpAddr, u8) {
    match clear {
        IpAddr::V4(clear) => {
            let bits = prefix.min(32).saturating_sub(8).min(24);
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            (IpAddr::V4(Ipv4Addr::from_bits(clear.to_bits() & mask)), bits)
        }
        IpAddr::V6(clear) => {
            let bits = prefix.min(128).saturating_sub(16).min(48);
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            (IpAddr::V6(Ipv6Addr::from_bits(clear.to_bits() & mask)), bits)
        }
    }
}

/// An address and its prefix's length.
fn decode_inet(value: &[u8]) -> Option<(IpAddr, u8)> {
    let (head, octets) = value.split_first_chunk::<4>()?;
    let address = match (head[0], octets.len()) {
        (FAMILY_4, 4) => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
        (FAMILY_6, 16) => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
        _ => return None,
    };
    Some((address, head[1]))
}

fn parse_inet(value: &[u8]) -> Option<(IpAddr, u8)> {
    let text = std::str::from_utf8(value).ok()?;
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, prefix.parse().ok()?),
        None => (text, 128),
    };
    Some((address.parse().ok()?, prefix))
}

/// The bytes of hex digits with separators between.
fn hex<const N: usize>(value: &[u8], separator: u8) -> Option<[u8; N]> {
    let mut bytes = [0u8; N];
    let mut count = 0;
    for byte in value.iter().filter(|byte| **byte != separator) {
        let digit = char::from(*byte).to_digit(16)? as u8;
        let place = bytes.get_mut(count / 2)?;
        *place = (*place << 4) | digit;
        count += 1;
    }
    (count == 2 * N).then_some(bytes)
}
