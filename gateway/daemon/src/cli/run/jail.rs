//! What the child gives up before it becomes the command, and the way to any of it. The layers are
//! told to the gateway before: a child that does not get there does not become the command.

mod calls;
mod mounts;
mod privileges;
pub(super) mod run_folder;
mod scope;
mod sockets;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use nix::sys::prctl::set_no_new_privs;
use nix::unistd::geteuid;
use weir_model::{Layer, Relaxation};

use super::plan::{Failure, Plan, Step as _};
use super::trust::{self, Trust};

pub(super) use mounts::{bind, make_read_only};

/// The layers that a child of this process will have.
pub(super) fn layers(terminal: bool) -> Vec<Layer> {
    let mut layers = vec![Layer::NoPrivileges, Layer::Seccomp];
    layers.extend(scope::abi().map(|abi| Layer::Landlock { abi }));
    if geteuid().is_root() {
        layers.push(Layer::Mounts);
    }
    if terminal {
        layers.push(Layer::Terminal);
    }
    layers
}

/// What changes in the command's environment.
pub(super) struct Environment {
    /// What it trusts.
    pub(super) trust: Trust,
    /// Variables that name a socket that is not for it.
    pub(super) dropped: BTreeSet<OsString>,
}

/// Gives it all up. Any step that fails ends the run: half a jail is none.
pub(super) fn enter(plan: &Plan) -> Result<Environment, Failure> {
    let has = |layer: fn(&Layer) -> bool| plan.layers.iter().any(layer);
    let mounted = has(|layer| matches!(layer, Layer::Mounts));
    let sockets = sockets::Open::new(plan);
    let dropped = sockets.variables();
    let here = std::env::current_dir();
    let trust = if mounted {
        mounts::shut(&plan.cgroup_mounts)?;
        sockets::hide(&sockets)?;
        trust::mounted(&plan.authority)?
    } else {
        trust::beside(&plan.authority, plan.trust.as_deref())?
    };
    if geteuid().is_root() {
        privileges::shrink_bounds()?;
        privileges::lock_root()?;
    }
    if let Some(account) = &plan.account
        && (geteuid().is_root() || account.uid != geteuid().as_raw())
    {
        privileges::switch(account)?;
    }
    // As the user, for root is not let into every user's folders.
    if mounted {
        go_back(here)?;
    }
    privileges::drop_capabilities()?;
    set_no_new_privs().step("ruling out new privileges")?;
    let confined = plan.layers.iter().find_map(|layer| match layer {
        Layer::Landlock { abi } => Some(*abi),
        Layer::NoPrivileges | Layer::Seccomp | Layer::Mounts | Layer::Terminal => None,
    });
    if let Some(abi) = confined {
        scope::enter(abi, plan.relaxed(Relaxation::AbstractSockets))?;
    }
    calls::enter(&plan.relax, confined.is_some())?;
    Ok(Environment { trust, dropped })
}

/// A working folder stays what it was when it is covered, with all that was in it. It is entered anew
/// by its name.
fn go_back(here: io::Result<PathBuf>) -> Result<(), Failure> {
    let back = here.and_then(std::env::set_current_dir);
    match back {
        Ok(()) => Ok(()),
        // It is gone, or was never to be seen.
        Err(_) => std::env::set_current_dir("/").step("leaving the working folder"),
    }
}
