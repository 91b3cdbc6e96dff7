//! Loads the embedded object and attaches its programs; links are pinned one by one.
//!
//! A link that is there already gets the new program in the old one's place.

use std::error::Error;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;

use aya::programs::links::FdLink;
use aya::programs::{CgroupAttachMode, CgroupSkbAttachType, Program, ProgramFd};
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};

use super::{InterceptError, bpffs, maps, pins, syscall};

/// Built by `cargo xtask ebpf`; CI proves that it matches the source.
pub(super) static OBJECT: &[u8] = include_bytes_aligned!("weir.bpf.o");

/// The programs of a binding, in the order in which they are attached: first what stops packets,
/// last what lets connections through.
pub(super) const BINDING: [&str; 16] = [
    "weir_egress",
    INGRESS,
    "weir_create",
    "weir_release",
    OPTION,
    "weir_bind4",
    "weir_bind6",
    "weir_publish",
    "weir_recvmsg4",
    "weir_recvmsg6",
    "weir_peername4",
    "weir_peername6",
    "weir_sendmsg4",
    "weir_sendmsg6",
    "weir_connect4",
    "weir_connect6",
];

/// Packets that come in; a program does not say itself which way it looks.
const INGRESS: &str = "weir_ingress";

const OPTION: &str = "weir_option";

/// The slice's own programs, in the order in which they are attached.
const GUARD: [&str; 2] = ["weir_guard_egress", "weir_guard_create"];

/// The program of the gateway's own cgroup.
const ACCEPT: &str = "weir_accept";

/// An instance of the object whose programs belong to one binding; zero for the gateway's own.
pub(super) fn load(binding: u64, maps: &Path) -> Result<Ebpf, InterceptError> {
    load_below(binding, 0, maps)
}

fn load_below(binding: u64, slice: u64, maps: &Path) -> Result<Ebpf, InterceptError> {
    let mut loader = EbpfLoader::new();
    // Nothing in the object is relocated to the kernel's types, which take long to read.
    loader.btf(None);
    loader.override_global("BINDING", &binding, true);
    loader.override_global("SLICE", &slice, true);
    for name in maps::names() {
        loader.map_pin_path(name, maps.join(name));
    }
    loader.load(OBJECT).map_err(|error| InterceptError::ebpf("loading the eBPF object", error))
}

/// Attaches the accepting side. It lives as long as the link: without the gateway nothing accepts.
pub(super) fn attach_accept(ebpf: &mut Ebpf, cgroup: &File) -> Result<FdLink, InterceptError> {
    attach(ebpf, ACCEPT, cgroup)
}

/// Attaches and pins all programs of a binding; those that are there already are replaced, and what
/// another version had beside them goes last.
pub(super) fn attach_binding(
    ebpf: &mut Ebpf,
    cgroup: &File,
    pins: &Path,
) -> Result<(), InterceptError> {
    for name in BINDING {
        place(ebpf, name, cgroup, &pins.join(name))?;
    }
    pins::complete(pins, BINDING.len())?;
    for name in bpffs::names(pins)?.iter().filter(|name| name.starts_with("weir_")) {
        if !BINDING.contains(&name.as_str()) {
            let pin = pins.join(name);
            std::fs::remove_file(&pin)
                .map_err(|error| InterceptError::io("unpinning", &pin, error))?;
        }
    }
    Ok(())
}

/// Attaches and pins the slice's own programs, and has the kernel say that they run.
pub(super) fn attach_guard(slice: &Path, id: u64, life: &pins::Life) -> Result<(), InterceptError> {
    let mut ebpf = load_below(0, id, &life.maps())?;
    let cgroup = bpffs::open(slice)?;
    for name in GUARD {
        let pin = life.slice().join(name);
        if pin.exists() && !syscall::link_info(&pin).is_ok_and(|link| link.cgroup == id) {
            // The slice was removed and made again.
            std::fs::remove_file(&pin)
                .map_err(|error| InterceptError::io("unpinning", &pin, error))?;
        }
        place(&mut ebpf, name, &cgroup, &pin)?;
        let link = guard(&pin, id)?;
        let running = syscall::effective(cgroup.as_fd(), link.attach_type)
            .map_err(|error| InterceptError::io("asking what runs for", slice, error))?;
        if !running.contains(&link.program) {
            return Err(InterceptError::Detached(pin));
        }
    }
    Ok(())
}

/// Fails where the slice's own programs are not attached to the cgroup with this id.
pub(super) fn guards(id: u64, life: &pins::Life) -> Result<(), InterceptError> {
    GUARD.iter().try_for_each(|name| guard(&life.slice().join(name), id).map(drop))
}

fn guard(pin: &Path, id: u64) -> Result<syscall::LinkInfo, InterceptError> {
    let link = syscall::link_info(pin)
        .map_err(|error| InterceptError::io("looking at the link", pin, error))?;
    if link.cgroup == id { Ok(link) } else { Err(InterceptError::Detached(pin.to_owned())) }
}

/// Has a pinned link run a program: by an update where it exists, else attached and pinned.
fn place(ebpf: &mut Ebpf, name: &str, cgroup: &File, pin: &Path) -> Result<(), InterceptError> {
    if !pin.exists() {
        if name == OPTION {
            return attach_option(ebpf, cgroup, pin);
        }
        let link = attach(ebpf, name, cgroup)?;
        return link
            .pin(pin)
            .map(drop)
            .map_err(|error| InterceptError::ebpf(format!("pinning {name}"), error));
    }
    let program = loaded(ebpf, name)?;
    syscall::link_update(pin, program.as_fd())
        .map_err(|error| InterceptError::io("updating the link", pin, error))
}

fn loaded<'ebpf>(ebpf: &'ebpf mut Ebpf, name: &str) -> Result<&'ebpf ProgramFd, InterceptError> {
    let failed = |error| InterceptError::ebpf(format!("loading {name}"), error);
    let program = ebpf.program_mut(name).ok_or_else(|| failed("no such program".into()))?;
    load_one(program).map_err(failed)?;
    program.fd().map_err(|error| failed(error.into()))
}

fn attach(ebpf: &mut Ebpf, name: &str, cgroup: &File) -> Result<FdLink, InterceptError> {
    let failed = |error| InterceptError::ebpf(format!("attaching {name}"), error);
    let program = ebpf.program_mut(name).ok_or_else(|| failed("no such program".into()))?;
    let direction = match name {
        INGRESS => CgroupSkbAttachType::Ingress,
        _ => CgroupSkbAttachType::Egress,
    };
    link(program, direction, cgroup).map_err(failed)
}

/// The library attaches this kind, but its links can't be pinned.
fn attach_option(ebpf: &mut Ebpf, cgroup: &File, pin: &Path) -> Result<(), InterceptError> {
    let program = loaded(ebpf, OPTION)?;
    let link = syscall::attach_setsockopt(program.as_fd(), cgroup.as_fd())
        .map_err(|error| InterceptError::ebpf(format!("attaching {OPTION}"), error))?;
    syscall::pin(link.as_fd(), pin)
        .map_err(|error| InterceptError::ebpf(format!("pinning {OPTION}"), error))
}

/// Has the verifier look at a program, if it has not yet.
pub(super) fn load_one(program: &mut Program) -> Result<(), Box<dyn Error + Send + Sync>> {
    match program {
        Program::CgroupSockAddr(program) => program.load()?,
        Program::CgroupSock(program) => program.load()?,
        Program::SockOps(program) => program.load()?,
        Program::CgroupSkb(program) => program.load()?,
        Program::CgroupSockopt(program) => program.load()?,
        _ => return Err("not a cgroup program".into()),
    }
    Ok(())
}

/// `Single` is the mode without flags: the kernel makes links coexist by itself and refuses flags.
fn link(
    program: &mut Program,
    direction: CgroupSkbAttachType,
    cgroup: &File,
) -> Result<FdLink, Box<dyn Error + Send + Sync>> {
    const MODE: CgroupAttachMode = CgroupAttachMode::Single;
    macro_rules! link {
        ($program:ident $(, $kind:expr)?) => {{
            $program.load()?;
            let id = $program.attach(cgroup, $($kind,)? MODE)?;
            Ok($program.take_link(id)?.try_into()?)
        }};
    }
    match program {
        Program::CgroupSockAddr(program) => link!(program),
        Program::CgroupSock(program) => link!(program),
        Program::SockOps(program) => link!(program),
        Program::CgroupSkb(program) => link!(program, direction),
        _ => Err("not a cgroup program".into()),
    }
}
