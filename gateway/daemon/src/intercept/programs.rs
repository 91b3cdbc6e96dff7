//! Loads the embedded object and attaches its programs; links are pinned one by one.

use std::error::Error;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;

use aya::programs::links::FdLink;
use aya::programs::{CgroupAttachMode, CgroupSkbAttachType, Program};
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};

use super::{InterceptError, kernel, maps};

/// Built by `cargo xtask ebpf`; CI proves that it matches the source.
static OBJECT: &[u8] = include_bytes_aligned!("weir.bpf.o");

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

/// The program of the gateway's own cgroup.
const ACCEPT: &str = "weir_accept";

/// An instance of the object whose programs belong to one binding; zero for the gateway's own.
pub(super) fn load(binding: u64, maps: &Path) -> Result<Ebpf, InterceptError> {
    let mut loader = EbpfLoader::new();
    loader.override_global("BINDING", &binding, true);
    for name in maps::names() {
        loader.map_pin_path(name, maps.join(name));
    }
    loader.load(OBJECT).map_err(|error| InterceptError::ebpf("loading the eBPF object", error))
}

/// Attaches the accepting side. It lives as long as the link: without the gateway nothing accepts.
pub(super) fn attach_accept(ebpf: &mut Ebpf, cgroup: &File) -> Result<FdLink, InterceptError> {
    attach(ebpf, ACCEPT, cgroup)
}

/// Attaches and pins all programs of a binding.
pub(super) fn attach_binding(
    ebpf: &mut Ebpf,
    cgroup: &File,
    pins: &Path,
) -> Result<(), InterceptError> {
    for name in BINDING {
        let pin = pins.join(name);
        if name == OPTION {
            attach_option(ebpf, cgroup, &pin)?;
            continue;
        }
        let link = attach(ebpf, name, cgroup)?;
        link.pin(pin).map_err(|error| InterceptError::ebpf(format!("pinning {name}"), error))?;
    }
    Ok(())
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
    let what = format!("attaching {OPTION}");
    let failed = |error: Box<dyn Error + Send + Sync>| InterceptError::ebpf(what.clone(), error);
    let Some(Program::CgroupSockopt(program)) = ebpf.program_mut(OPTION) else {
        return Err(failed("no such program".into()));
    };
    program.load().map_err(|error| failed(error.into()))?;
    let program = program.fd().map_err(|error| failed(error.into()))?;
    let link = kernel::attach_setsockopt(program.as_fd(), cgroup.as_fd());
    let link = link.map_err(|error| failed(error.into()))?;
    kernel::pin(link.as_fd(), pin)
        .map_err(|error| InterceptError::ebpf(format!("pinning {OPTION}"), error))
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
