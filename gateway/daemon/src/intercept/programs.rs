//! Loads the embedded object and attaches its programs; links are pinned one by one.

use std::error::Error;
use std::fs::File;
use std::path::Path;

use aya::programs::links::FdLink;
use aya::programs::{CgroupAttachMode, Program};
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};

use super::{InterceptError, maps};

/// Built by `cargo xtask ebpf`; CI proves that it matches the source.
static OBJECT: &[u8] = include_bytes_aligned!("weir.bpf.o");

/// The programs of a binding, in the order in which they are attached: first what stops packets,
/// last what lets connections through.
pub(super) const BINDING: [&str; 11] = [
    "weir_egress",
    "weir_create",
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

/// The program of the gateway's own cgroup.
const ACCEPT: &str = "weir_accept";

/// An instance of the object whose programs belong to one binding; zero for the gateway's own.
pub(super) fn load(binding: u64, maps: &Path) -> Result<Ebpf, InterceptError> {
    let mut loader = EbpfLoader::new();
    // Nothing in the object is relocated to the kernel's types, which take long to read.
    loader.btf(None);
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
        let link = attach(ebpf, name, cgroup)?;
        link.pin(pins.join(name))
            .map_err(|error| InterceptError::ebpf(format!("pinning {name}"), error))?;
    }
    Ok(())
}

fn attach(ebpf: &mut Ebpf, name: &str, cgroup: &File) -> Result<FdLink, InterceptError> {
    let failed = |error| InterceptError::ebpf(format!("attaching {name}"), error);
    let program = ebpf.program_mut(name).ok_or_else(|| failed("no such program".into()))?;
    link(program, cgroup).map_err(failed)
}

/// `Single` is the mode without flags: the kernel makes links coexist by itself and refuses flags.
fn link(program: &mut Program, cgroup: &File) -> Result<FdLink, Box<dyn Error + Send + Sync>> {
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
        Program::CgroupSkb(program) => {
            link!(program, aya::programs::CgroupSkbAttachType::Egress)
        }
        _ => Err("not a cgroup program".into()),
    }
}
