//! What stands in the kernel without a gateway: the slice's own programs, and what gateways that
//! are gone have left pinned.

use std::fs::TryLockError;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::cgroup::{self, Hierarchy};
use super::pins::{self, Pins};
use super::slice::{self, Slice};
use super::{InterceptError, Options, bpffs, maps, programs, syscall};

/// The slice after its programs were attached.
#[derive(Clone, Debug, Serialize)]
pub struct Attached {
    /// Its directory.
    pub slice: PathBuf,
    /// The layout of the maps.
    pub layout: String,
    /// Whether a gateway runs, which had attached them before.
    pub running: bool,
}

/// What is pinned of one instance.
#[derive(Clone, Debug, Serialize)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Whether its gateway runs.
    pub running: bool,
    /// Whether its slice is attached for good.
    pub kept: bool,
    /// The directory of its slice.
    pub slice: PathBuf,
    /// Its bindings, of all layouts.
    pub bindings: Vec<Pinned>,
}

/// A binding as the kernel has it.
#[derive(Clone, Debug, Serialize)]
pub struct Pinned {
    /// Its id.
    pub id: u64,
    /// Its leaf.
    pub leaf: String,
    /// The layout of the maps that it uses.
    pub layout: String,
    /// Processes in the leaf; none where the leaf is gone.
    pub processes: Option<usize>,
    /// Its programs.
    pub links: Vec<Link>,
    /// Why it is not cut off or governed as it should be.
    pub problem: Option<String>,
}

/// A program that is attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The program's name.
    pub name: String,
    /// The id of the link, which stays.
    pub link: u32,
    /// The id of the program, which an update changes.
    pub program: u32,
}

/// Attaches the slice's own programs, for good: whatever is below the slice and not in a bound leaf
/// is cut off, with or without a gateway.
pub fn attach(options: &Options) -> Result<Attached, InterceptError> {
    let hierarchy = Hierarchy::find()?;
    let (pins, running) = match Pins::open(options) {
        Ok(pins) => (pins, false),
        Err(InterceptError::Running(_)) => (Pins::beside(options)?, true),
        Err(error) => return Err(error),
    };
    maps::check(&pins.life().maps())?;
    let slice = Slice::ensure(&hierarchy, &options.instance)?;
    if running {
        programs::guards(slice.id, pins.life())?;
    } else {
        programs::attach_guard(&slice.path, slice.id, pins.life())?;
    }
    pins.keep()?;
    Ok(Attached { slice: slice.path, layout: pins::layout(), running })
}

/// The instances that have pins.
pub fn instances(bpffs: Option<&Path>) -> Result<Vec<Instance>, InterceptError> {
    let hierarchy = Hierarchy::find()?;
    let shared = bpffs::shared(bpffs)?;
    let names = bpffs::names(&shared)?;
    // What its own gateway takes away meanwhile was not there.
    let standing = names.into_iter().filter_map(|name| {
        let own = shared.join(&name);
        let found = instance(&hierarchy, &own, name);
        (found.is_ok() || own.exists()).then_some(found)
    });
    standing.collect()
}

fn instance(hierarchy: &Hierarchy, own: &Path, name: String) -> Result<Instance, InterceptError> {
    let slice = hierarchy.directory(&hierarchy.name(&slice::leaf(&name)));
    let slice = slice.ok_or(InterceptError::NoCgroup2)?;
    let mut bindings = Vec::new();
    for life in pins::lives(own)? {
        for (id, leaf) in life.bindings()? {
            let path = slice.join(&leaf);
            let pins = life.binding(id, &leaf);
            let links = match links(&pins) {
                Err(_) if !pins.exists() => continue,
                links => links?,
            };
            let checked = cgroup::id(&path).and_then(|cgroup| pins::links(&pins, cgroup));
            bindings.push(Pinned {
                id,
                leaf,
                layout: life.name(),
                processes: path.is_dir().then(|| cgroup::processes(&path)),
                links,
                problem: checked.err().map(|error| error.to_string()),
            });
        }
    }
    let running = match bpffs::open(own)?.try_lock() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(error)) => return Err(InterceptError::io("locking", own, error)),
    };
    Ok(Instance { name, running, kept: pins::are_kept(own), slice, bindings })
}

fn links(pins: &Path) -> Result<Vec<Link>, InterceptError> {
    let mut links = Vec::new();
    for name in bpffs::names(pins)? {
        if let Ok(info) = syscall::link_info(&pins.join(&name)) {
            links.push(Link { name, link: info.id, program: info.program });
        }
    }
    Ok(links)
}

/// Ends an instance whose gateway is gone: kills what is below its slice, removes slice and pins.
pub fn retire(options: &Options) -> Result<(), InterceptError> {
    let pins = Pins::open(options)?;
    let hierarchy = Hierarchy::find()?;
    let slice = Slice::ensure(&hierarchy, &options.instance)?;
    slice::end_leaf(&slice.path, 0)?;
    slice.remove_own();
    pins.remove()
}
