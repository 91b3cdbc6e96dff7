//! Landlock: signals, debugging and abstract sockets stay inside.
//!
//! Every domain keeps ptrace and what asks for the same right (`/proc/PID/mem`, `process_vm_*`,
//! `pidfd_getfd`) inside. Signals and abstract sockets need ABI 6 (Linux 6.12).

use landlock::{
    AccessFs, BitFlags, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreated,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

use crate::cli::run::plan::{Failure, Step as _};

/// Where signals and abstract sockets can be kept inside.
const SCOPES: u8 = 6;
/// Before it every domain forbade to move files between folders, so that it is not used.
const OLDEST: u8 = 2;

/// The ABI whose means are used on this kernel; none where it has no Landlock, or none of use.
pub(super) fn abi() -> Option<u8> {
    [SCOPES, OLDEST].into_iter().find(|abi| prepare(*abi, false).is_ok())
}

/// Enters a domain of its own.
pub(super) fn enter(abi: u8, abstract_sockets: bool) -> Result<(), Failure> {
    let step = "shutting signals and debugging in";
    let domain = prepare(abi, abstract_sockets).step(step)?;
    match domain.restrict_self().step(step)?.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        RulesetStatus::PartiallyEnforced | RulesetStatus::NotEnforced => {
            Err(Failure::new(step, "the kernel did not do it"))
        }
    }
}

fn prepare(abi: u8, abstract_sockets: bool) -> Result<RulesetCreated, RulesetError> {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    if abi >= SCOPES {
        let mut scopes = BitFlags::from(Scope::Signal);
        if !abstract_sockets {
            scopes |= Scope::AbstractUnixSocket;
        }
        return ruleset.scope(scopes)?.create();
    }
    // A domain must rule over something: block devices, which nobody in it may make anyway.
    // Moving files between folders is forbidden in every domain that does not allow it.
    let created = ruleset.handle_access(AccessFs::MakeBlock | AccessFs::Refer)?.create()?;
    let everywhere = landlock::path_beneath_rules(["/"], AccessFs::Refer);
    created.add_rules(everywhere)
}
