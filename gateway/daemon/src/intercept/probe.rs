//! Asks the kernel what it can do and what is pinned, and changes nothing: for `weir doctor`.

#![allow(unsafe_code)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aya::EbpfLoader;

use super::{InterceptError, Options, bpffs, cgroup, chain, maps, pins, programs};

/// `LANDLOCK_CREATE_RULESET_VERSION`.
const LANDLOCK_VERSION: libc::c_uint = 1;

/// The version of Landlock's interface.
///
/// # Errors
/// The kernel has none, or it is not enabled.
pub fn landlock_abi() -> io::Result<i64> {
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the kernel looks at neither pointer nor size.
    let found = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, LANDLOCK_VERSION)
    };
    if found < 0 { Err(io::Error::last_os_error()) } else { Ok(found) }
}

/// Whether the kernel's clock is disciplined by a time source, and its greatest error in microseconds.
///
/// # Errors
/// The kernel doesn't say.
pub fn clock() -> io::Result<(bool, i64)> {
    // SAFETY: all-zero is a value of this type; with `modes` zero the call only reads.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live timex.
    let result = unsafe { libc::adjtimex(&raw mut state) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((state.status & libc::STA_UNSYNC == 0, state.maxerror))
}

/// Has this kernel's verifier look at each program, without attaching or pinning any; why it refuses.
///
/// # Errors
/// Not even maps can be made.
pub fn verify_programs() -> Result<Vec<(String, Option<String>)>, InterceptError> {
    let failed = |error| InterceptError::ebpf("loading the eBPF object", error);
    let mut ebpf = EbpfLoader::new().load(programs::OBJECT).map_err(failed)?;
    let found = ebpf.programs_mut().map(|(name, program)| {
        // A verifier's log has hundreds of lines; the last one says why.
        let why = programs::load_one(program).err().map(|error| {
            let text = error.to_string();
            text.lines().next_back().unwrap_or_default().trim().to_owned()
        });
        (name.to_owned(), why)
    });
    Ok(found.collect())
}

/// Where cgroup v2 is mounted.
///
/// # Errors
/// Nowhere.
pub fn cgroup_mount() -> Result<PathBuf, InterceptError> {
    let hierarchy = cgroup::Hierarchy::find()?;
    hierarchy.directory(&hierarchy.name("")).ok_or(InterceptError::NoCgroup2)
}

/// What an instance has pinned.
#[derive(Clone, Debug)]
pub struct Pinned {
    /// The bpffs.
    pub bpffs: PathBuf,
    /// Layouts with a directory.
    pub versions: Vec<String>,
    /// Bindings of the layout that this binary speaks.
    pub bindings: usize,
    /// What is wrong with the maps of that layout.
    pub problem: Option<String>,
}

/// Looks at the pins of an instance; `None` where no bpffs is mounted.
///
/// # Errors
/// They can't be read, most likely for want of privileges.
pub fn pinned(options: &Options) -> Result<Option<Pinned>, InterceptError> {
    let instance = super::checked(&options.instance)?;
    let Some(bpffs) = bpffs::mounted(options.bpffs.as_deref())? else { return Ok(None) };
    let own = bpffs.join("weir").join(instance);
    let mut versions = names(&own)?;
    versions.sort();
    let current = own.join(pins::layout());
    let bindings = names(&current.join("links"))?.len();
    let problem = maps::check(&current.join("maps")).err().map(|error| chain(&error));
    Ok(Some(Pinned { bpffs, versions, bindings, problem }))
}

fn names(directory: &Path) -> Result<Vec<String>, InterceptError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(InterceptError::io("listing", directory, error)),
    };
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}
