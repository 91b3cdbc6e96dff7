//! Addresses as four words in network byte order, IPv4 mapped into IPv6.

/// Four words in network byte order.
pub type Address = [u32; 4];

/// The third word of `::ffff:0:0`.
const MAPPED: u32 = 0xffff_u32.to_be();
/// 127.0.0.1 in network byte order.
pub const LOOPBACK4: u32 = 0x7f00_0001_u32.to_be();
const NET: u32 = 0xff00_0000_u32.to_be();
const LOOPBACK_NET: u32 = 0x7f00_0000_u32.to_be();
const BROADCAST: u32 = 0x7fff_ffff_u32.to_be();
/// The last word of `::1`.
const ONE: u32 = 1_u32.to_be();

/// `::1`.
pub const LOOPBACK6: Address = [0, 0, 0, ONE];

/// An IPv4 address, given in network byte order.
#[inline(always)]
#[must_use]
pub const fn v4(word: u32) -> Address {
    [0, 0, MAPPED, word]
}

/// Whether it is `::ffff:a.b.c.d`.
#[inline(always)]
#[must_use]
pub const fn is_mapped(address: &Address) -> bool {
    address[0] == 0 && address[1] == 0 && address[2] == MAPPED
}

/// Exactly 127.0.0.1 or `::1`, where Weir listens.
#[inline(always)]
#[must_use]
pub const fn is_listener(address: &Address) -> bool {
    if is_mapped(address) {
        address[3] == LOOPBACK4
    } else {
        address[0] == 0 && address[1] == 0 && address[2] == 0 && address[3] == ONE
    }
}

/// Whatever the kernel delivers to 127.0.0.1 or `::1` when connected to: these and "any".
#[inline(always)]
#[must_use]
pub const fn reaches_listener(address: &Address) -> bool {
    is_listener(address) || is_any(address)
}

/// An address of this host alone, to one receiver: 127.0.0.0/8 but its broadcast address, and `::1`.
#[inline(always)]
#[must_use]
pub const fn is_loopback(address: &Address) -> bool {
    if is_mapped(address) {
        return address[3] & NET == LOOPBACK_NET && address[3] != BROADCAST;
    }
    is_listener(address)
}

/// Where a connect to "any" ends up.
#[inline(always)]
#[must_use]
pub const fn reached(address: &Address) -> Address {
    if !is_any(address) {
        return *address;
    }
    if is_mapped(address) { v4(LOOPBACK4) } else { LOOPBACK6 }
}

/// `0.0.0.0` or `::`.
#[inline(always)]
#[must_use]
pub const fn is_any(address: &Address) -> bool {
    let any = address[0] == 0 && address[1] == 0 && address[3] == 0;
    any && (address[2] == 0 || address[2] == MAPPED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_what_one_receiver_on_this_host_gets() {
        for inside in [0x7f00_0001_u32, 0x7f00_0101, 0x7fff_fffe] {
            assert!(is_loopback(&v4(inside.to_be())), "{inside:x}");
        }
        assert!(is_loopback(&LOOPBACK6));
        for outside in [0x7fff_ffff_u32, 0, 0x0a00_0001, 0x807f_0001, 0xa9fe_a9fe] {
            assert!(!is_loopback(&v4(outside.to_be())), "{outside:x}");
        }
        assert!(!is_loopback(&[0; 4]));
    }

    #[test]
    fn any_is_reached_on_loopback_of_its_own_family() {
        assert_eq!(reached(&v4(0)), v4(LOOPBACK4));
        assert_eq!(reached(&[0; 4]), LOOPBACK6);
        assert_eq!(reached(&[0, 0, 7, 0]), [0, 0, 7, 0]);
    }

    #[test]
    fn an_ipv4_address_is_mapped_and_an_ipv6_address_is_not() {
        assert!(is_mapped(&v4(LOOPBACK4)));
        assert!(!is_mapped(&LOOPBACK6));
        assert!(!is_mapped(&[1, 0, MAPPED, LOOPBACK4]));
    }

    #[test]
    fn only_the_two_loopback_addresses_are_the_listener() {
        assert!(is_listener(&v4(LOOPBACK4)));
        assert!(is_listener(&LOOPBACK6));
        assert!(!is_listener(&v4(0x7f00_0002_u32.to_be())));
        assert!(!is_listener(&[0, 0, 0, LOOPBACK4]));
        assert!(!is_listener(&[0; 4]));
    }

    #[test]
    fn any_addresses_reach_the_listener_too() {
        assert!(reaches_listener(&[0; 4]));
        assert!(reaches_listener(&v4(0)));
        assert!(reaches_listener(&v4(LOOPBACK4)));
        assert!(!reaches_listener(&v4(0x0a00_0001_u32.to_be())));
        assert!(!reaches_listener(&[0, 0, 7, 0]));
    }
}
