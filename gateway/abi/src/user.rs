//! Lets userspace read and write these types as map keys and values.

#![allow(unsafe_code)]

use crate::count::Counters;
use crate::lsm::{LsmRefusal, Scope};
use crate::{AskerKey, Closed, FlowKey, FlowMeta, Listener, Owner, RESOLVERS, Resolvers};

// SAFETY: all of them are `repr(C)`, have integers and arrays of integers only, no padding (asserted
// below) and no bit pattern that is not a value.
unsafe impl aya::Pod for FlowMeta {}
// SAFETY: as above.
unsafe impl aya::Pod for FlowKey {}
// SAFETY: as above.
unsafe impl aya::Pod for AskerKey {}
// SAFETY: as above.
unsafe impl aya::Pod for Listener {}
// SAFETY: as above.
unsafe impl aya::Pod for Counters {}
// SAFETY: as above.
unsafe impl aya::Pod for Scope {}
// SAFETY: as above.
unsafe impl aya::Pod for LsmRefusal {}

const _: () = {
    assert!(size_of::<FlowMeta>() == 5 * 8 + 4 * 4 + 16 + 2 * 2 + 1 + 1 + 2 + 16);
    assert!(size_of::<Closed>() == 5 * 8 + 4 + 1 + 1 + 2);
    assert!(size_of::<FlowKey>() == 8 + 16 + 16 + 2 + 2 + 4);
    assert!(size_of::<AskerKey>() == 8 + 16 + 4 + 4);
    assert!(size_of::<Owner>() == 8 + 8);
    assert!(size_of::<Resolvers>() == (16 + 2) * RESOLVERS + 16 + 4 + 4);
    assert!(size_of::<Listener>() == 2 * 2 + 2 * 2 * RESOLVERS);
    assert!(size_of::<Scope>() == 8 + 3 * 4 + 19 * 4);
    assert!(size_of::<LsmRefusal>() == 2 * 8 + 4 * 4);
};
