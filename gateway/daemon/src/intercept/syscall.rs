//! The calls of bpf(2) that no library wraps: pinned links, their programs, and putting another
//! program in the place of one without a moment in between.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_PROG_GET_FD_BY_ID: libc::c_int = 13;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_PROG_QUERY: libc::c_int = 16;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_LINK_UPDATE: libc::c_int = 29;
const LINK_TYPE_CGROUP: u32 = 3;
const CGROUP_SETSOCKOPT: u32 = 22;
const QUERY_EFFECTIVE: u32 = 1;
/// Programs of one kind that run for one cgroup; the kernel's own bound per level is 64.
const QUERIED: usize = 1024;

#[repr(C)]
#[derive(Default)]
struct ObjGet {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct InfoByFd {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

#[repr(C)]
#[derive(Default)]
struct ById {
    id: u32,
    next_id: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct LinkUpdate {
    link_fd: u32,
    new_prog_fd: u32,
    flags: u32,
    old_prog_fd: u32,
}

#[repr(C)]
#[derive(Default)]
struct ProgQuery {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    padding: u32,
}

/// The head of `struct bpf_link_info` for a cgroup link.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LinkInfo {
    kind: u32,
    /// The link's id.
    pub(super) id: u32,
    /// The id of its program.
    pub(super) program: u32,
    padding: u32,
    /// The id of its cgroup; zero once it is detached.
    pub(super) cgroup: u64,
    /// The hook.
    pub(super) attach_type: u32,
    more: u32,
}

/// The head of `struct bpf_prog_info`.
#[repr(C, align(8))]
#[derive(Clone, Copy, Default)]
struct ProgramInfo {
    kind: u32,
    id: u32,
    tag: [u8; 8],
}

/// Opens what is pinned.
pub(super) fn pinned(pin: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let mut attributes = ObjGet { pathname: path.as_ptr() as u64, ..ObjGet::default() };
    descriptor(bpf(BPF_OBJ_GET, &mut attributes)?)
}

/// What the kernel says of a pinned link; an error where it is no cgroup link.
pub(super) fn link_info(pin: &Path) -> io::Result<LinkInfo> {
    let info: LinkInfo = info(&pinned(pin)?)?;
    if info.kind != LINK_TYPE_CGROUP {
        return Err(io::Error::other("not a cgroup link"));
    }
    Ok(info)
}

/// The tag of a program: a hash of its instructions.
pub(super) fn program_tag(program: u32) -> io::Result<String> {
    let mut attributes = ById { id: program, ..ById::default() };
    let program = descriptor(bpf(BPF_PROG_GET_FD_BY_ID, &mut attributes)?)?;
    let info: ProgramInfo = info(&program)?;
    Ok(info.tag.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Attaches a program for `setsockopt` to a cgroup.
pub(super) fn attach_setsockopt(
    program: BorrowedFd<'_>,
    cgroup: BorrowedFd<'_>,
) -> io::Result<OwnedFd> {
    let mut attributes = LinkCreate {
        prog_fd: number(&program)?,
        target_fd: number(&cgroup)?,
        attach_type: CGROUP_SETSOCKOPT,
        flags: 0,
    };
    descriptor(bpf(BPF_LINK_CREATE, &mut attributes)?)
}

/// Gives a link a name on a bpffs.
pub(super) fn pin(link: BorrowedFd<'_>, pin: &Path) -> io::Result<()> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let pathname = path.as_ptr() as u64;
    let mut attributes = ObjGet { pathname, bpf_fd: number(&link)?, file_flags: 0 };
    bpf(BPF_OBJ_PIN, &mut attributes).map(drop)
}

/// Puts another program in the place of a pinned link's. Every call meets the old one or the new
/// one; the link stays attached and keeps its id.
pub(super) fn link_update(pin: &Path, program: BorrowedFd<'_>) -> io::Result<()> {
    let link = pinned(pin)?;
    let mut attributes = LinkUpdate {
        link_fd: number(&link)?,
        new_prog_fd: number(&program)?,
        ..LinkUpdate::default()
    };
    bpf(BPF_LINK_UPDATE, &mut attributes).map(drop)
}

/// The ids of the programs that run for a cgroup at a hook, those of its ancestors among them.
pub(super) fn effective(cgroup: BorrowedFd<'_>, attach_type: u32) -> io::Result<Vec<u32>> {
    let mut ids = vec![0_u32; QUERIED];
    let mut attributes = ProgQuery {
        target_fd: number(&cgroup)?,
        attach_type,
        query_flags: QUERY_EFFECTIVE,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: QUERIED as u32,
        ..ProgQuery::default()
    };
    bpf(BPF_PROG_QUERY, &mut attributes)?;
    // SAFETY: the kernel wrote both behind the compiler's back; every bit pattern is a value.
    let count = unsafe { std::ptr::read_volatile(&raw const attributes.prog_cnt) } as usize;
    // SAFETY: the same, of as many as there is room for.
    Ok((0..count.min(QUERIED)).map(|at| unsafe { ids.as_ptr().add(at).read_volatile() }).collect())
}

/// What the kernel says to a command of bpf(2) that it does not know.
pub(super) fn unknown_command(command: u32) -> io::Error {
    match bpf(libc::c_int::from_ne_bytes(command.to_ne_bytes()), &mut ById::default()) {
        Err(error) => error,
        Ok(_) => io::Error::other("it knows it"),
    }
}

fn info<T: Copy + Default>(object: &OwnedFd) -> io::Result<T> {
    let mut info = T::default();
    let mut attributes = InfoByFd {
        bpf_fd: number(object)?,
        info_len: size_of::<T>() as u32,
        info: &raw mut info as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attributes)?;
    // SAFETY: the kernel wrote it behind the compiler's back; `T` is made of integers.
    Ok(unsafe { std::ptr::read_volatile(&raw const info) })
}

fn descriptor(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = i32::try_from(result).map_err(io::Error::other)?;
    // SAFETY: the kernel has just opened this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn number(fd: &impl std::os::fd::AsRawFd) -> io::Result<u32> {
    u32::try_from(fd.as_raw_fd()).map_err(io::Error::other)
}

fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the attributes are a prefix of `union bpf_attr` of the size that is passed, which the
    // kernel may write to, and the memory they point to outlives the call.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
