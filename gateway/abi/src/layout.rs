//! A fingerprint of what lies in the maps: every field's name, type and place, and every number's
//! meaning.
//!
//! It is part of the pin directory's name. So programs and daemons that read the same bytes in
//! different ways never share a map, even where somebody forgot to raise `VERSION`.

use core::mem::{offset_of, size_of};

use crate::count::{COUNTS, Counters, REASONS};
use crate::{
    Address, AskerKey, Closed, Denial, FlowKey, FlowMeta, Listener, Owner, RESOLVERS, Resolvers,
};

/// The beginning of a fingerprint.
pub const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;

/// The layout of all keys and values.
pub const LAYOUT: u64 = all();

/// Adds a text to a fingerprint (FNV-1a, with an end so that texts don't run into each other).
#[must_use]
pub const fn text(mut hash: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        hash = byte(hash, bytes[at]);
        at += 1;
    }
    byte(hash, 0xff)
}

/// Adds a number to a fingerprint.
#[must_use]
pub const fn number(mut hash: u64, number: usize) -> u64 {
    let bytes = (number as u64).to_le_bytes();
    let mut at = 0;
    while at < bytes.len() {
        hash = byte(hash, bytes[at]);
        at += 1;
    }
    hash
}

const fn byte(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3)
}

/// Adds a struct. A field that is left out, or has another type, does not compile.
macro_rules! layout {
    ($hash:expr, $name:ident { $($field:ident: $kind:ty),+ $(,)? }) => {{
        const _: fn($name) = |$name { $($field),+ }| { $(let _: $kind = $field;)+ };
        let mut hash = text($hash, stringify!($name));
        $(
            hash = text(hash, stringify!($field));
            hash = text(hash, stringify!($kind));
            hash = number(hash, offset_of!($name, $field));
        )+
        number(hash, size_of::<$name>())
    }};
}

const fn all() -> u64 {
    let hash = layout!(
        EMPTY,
        FlowMeta {
            binding: u64,
            cookie: u64,
            netns: u64,
            cgroup: u64,
            at_ns: u64,
            pid: u32,
            tid: u32,
            uid: u32,
            gid: u32,
            address: [u32; 4],
            port: u16,
            proxy_port: u16,
            protocol: u8,
            sent: u8,
            reserved: [u8; 2],
            comm: [u8; 16],
        }
    );
    let hash = layout!(
        hash,
        FlowKey {
            netns: u64,
            client: [u32; 4],
            server: [u32; 4],
            client_port: u16,
            server_port: u16,
            reserved: u32,
        }
    );
    let hash = layout!(hash, AskerKey { netns: u64, address: [u32; 4], port: u32, slot: u32 });
    let hash = layout!(
        hash,
        Listener { tcp4: u16, tcp6: u16, dns4: [u16; RESOLVERS], dns6: [u16; RESOLVERS] }
    );
    let hash = layout!(hash, Owner { binding: u64, netns: u64 });
    let hash = layout!(
        hash,
        Resolvers {
            address: [Address; RESOLVERS],
            port: [u16; RESOLVERS],
            source: Address,
            source_port: u32,
            next: u32,
        }
    );
    told(number(hash, RESOLVERS))
}

/// What the programs tell and count.
const fn told(hash: u64) -> u64 {
    let hash = layout!(
        hash,
        Denial {
            binding: u64,
            netns: u64,
            at_ns: u64,
            address: [u32; 4],
            pid: u32,
            uid: u32,
            reason: u32,
            port: u16,
            protocol: u16,
        }
    );
    let hash = layout!(
        hash,
        Closed {
            binding: u64,
            cookie: u64,
            connected_ns: u64,
            acked: u64,
            received: u64,
            in_flight: u32,
            state: u8,
            taken: u8,
            reserved: [u8; 2],
        }
    );
    let hash =
        layout!(hash, Counters { counts: [u64; COUNTS.len()], denied: [u64; REASONS.len()] });
    meanings(hash)
}

/// A counter that comes to mean something else is another layout too.
const fn meanings(mut hash: u64) -> u64 {
    let mut at = 0;
    while at < COUNTS.len() {
        hash = text(hash, COUNTS[at].name());
        at += 1;
    }
    let mut at = 0;
    while at < REASONS.len() {
        hash = text(hash, REASONS[at].name());
        at += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(dead_code)]
    #[derive(Clone, Copy)]
    #[repr(C)]
    struct Pair {
        one: u32,
        two: u32,
    }

    mod other {
        #[allow(dead_code)]
        #[repr(C)]
        pub(super) struct Pair {
            pub(super) two: u32,
            pub(super) one: u32,
        }
    }

    #[test]
    fn fields_that_change_places_are_another_layout() {
        let before = layout!(EMPTY, Pair { one: u32, two: u32 });
        let after = {
            use other::Pair;
            layout!(EMPTY, Pair { one: u32, two: u32 })
        };
        assert_ne!(before, after);
        assert_eq!(before, layout!(EMPTY, Pair { one: u32, two: u32 }));
    }

    #[test]
    fn texts_and_numbers_do_not_run_into_each_other() {
        assert_ne!(text(text(EMPTY, "ab"), "c"), text(text(EMPTY, "a"), "bc"));
        assert_ne!(number(EMPTY, 1), number(EMPTY, 256));
        assert_ne!(LAYOUT, EMPTY);
    }
}
