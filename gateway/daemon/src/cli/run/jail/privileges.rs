//! Capabilities and the user: given up for good.

use nix::unistd::{Gid, Uid, getegid, geteuid, getgid, getuid, setgroups, setresgid, setresuid};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities,
    capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits,
};

use crate::cli::run::plan::{Account, Failure, Step as _};

/// No program that it runs can have more capabilities than none.
pub(super) fn shrink_bounds() -> Result<(), Failure> {
    let step = "dropping capabilities for good";
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        match capability_is_in_bounding_set(capability) {
            Ok(true) => remove_capability_from_bounding_set(capability).step(step)?,
            Ok(false) => {}
            // The kernel knows no more of them.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(Failure::new(step, error)),
        }
    }
    Ok(())
}

/// Being user 0 stops to mean having capabilities, now and in all programs that follow.
pub(super) fn lock_root() -> Result<(), Failure> {
    let bits = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    set_capabilities_secure_bits(bits).step("taking capabilities from root")
}

/// Becomes a user, for good.
pub(super) fn switch(account: &Account) -> Result<(), Failure> {
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    let groups: Vec<Gid> = account.groups.iter().copied().map(Gid::from_raw).collect();
    let step = format!("becoming user {}", account.name);
    setgroups(&groups).step(&step)?;
    setresgid(gid, gid, gid).step(&step)?;
    setresuid(uid, uid, uid).step(&step)?;
    if (getuid(), geteuid(), getgid(), getegid()) != (uid, uid, gid, gid) {
        return Err(Failure::new(step, "the kernel did not do it"));
    }
    Ok(())
}

/// No capability is left.
pub(super) fn drop_capabilities() -> Result<(), Failure> {
    let step = "dropping capabilities";
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    clear_ambient_capability_set().step(step)?;
    set_capabilities(None, sets).step(step)?;
    if capabilities(None).step(step)?.permitted != none {
        return Err(Failure::new(step, "the kernel did not do it"));
    }
    Ok(())
}
