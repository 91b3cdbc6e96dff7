//! What there is of tier T3, for people.

use std::path::Path;

use weir_abi::lsm::{HOOKS, Hook, Scope};

use super::{kernel, programs};
use crate::intercept::{Options, pins};

/// Whether the LSM programs run, else why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LsmStatus {
    /// All programs are attached, and the kernel calls them.
    pub available: bool,
    /// The kernel takes the programs.
    pub possible: bool,
    /// Why not; empty if it is available.
    pub reason: String,
    /// Each program.
    pub programs: Vec<LsmProgram>,
}

/// One program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LsmProgram {
    /// The kernel's name of the hook.
    pub hook: &'static str,
    /// Whether it is attached.
    pub attached: bool,
}

impl LsmStatus {
    /// Nothing is attached.
    #[must_use]
    pub fn without(reason: &str) -> Self {
        let program = |hook: Hook| LsmProgram { hook: hook.name(), attached: false };
        let programs = HOOKS.map(program).to_vec();
        Self { available: false, possible: false, reason: reason.to_owned(), programs }
    }

    pub(super) fn set(&mut self, hook: Hook, attached: bool) {
        for program in self.programs.iter_mut().filter(|program| program.hook == hook.name()) {
            program.attached = attached;
        }
    }
}

impl std::fmt::Display for LsmStatus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let attached = self.programs.iter().filter(|program| program.attached).count();
        match self.available {
            true => write!(formatter, "{attached} LSM programs attached"),
            false => write!(formatter, "no LSM programs: {}", self.reason),
        }
    }
}

/// What the gateway of an instance has attached, as another process of root's can see it; where there
/// is none, whether the kernel would let it.
#[must_use]
pub fn status(options: &Options) -> LsmStatus {
    let mut status = LsmStatus::without("");
    if let Some(obstacle) = kernel::obstacle() {
        status.reason = obstacle;
        return status;
    }
    if let Some(pins) = pins::lsm_of(options) {
        look(&pins, &mut status);
    }
    let attached = status.programs.iter().filter(|program| program.attached).count();
    status.available = attached == HOOKS.len();
    status.possible = status.available;
    if status.available {
        return status;
    }
    let tried = try_one();
    status.possible = tried.is_ok();
    status.reason = match (attached, tried) {
        (0, Ok(())) => "no gateway has attached them".to_owned(),
        (_, Ok(())) => format!("only {attached} of {} programs are attached", HOOKS.len()),
        (_, Err(error)) => error,
    };
    status
}

fn look(pins: &Path, status: &mut LsmStatus) {
    for hook in HOOKS {
        status.set(hook, pins.join(hook.name()).exists());
    }
}

/// Loads the object for a scope that binds nobody, and one program, without attaching it.
fn try_one() -> Result<(), String> {
    let scope = Scope { offsets: kernel::offsets()?, ..Scope::default() };
    let (mut ebpf, _maps) = programs::load(&scope)?;
    programs::verify(&mut ebpf, Hook::Bpf)
}
