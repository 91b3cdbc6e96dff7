//! The kernel calls that no library wraps: what is attached where, a namespace's cookie, the clock.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

const BPF_OBJ_GET: libc::c_int = 7;
const BPF_PROG_GET_FD_BY_ID: libc::c_int = 13;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_PROG_QUERY: libc::c_int = 16;
const BPF_F_QUERY_EFFECTIVE: u32 = 1;
/// More programs than the kernel allows at one hook of a cgroup and a few ancestors.
const PROGRAMS: usize = 256;
const LINK_TYPE_CGROUP: u32 = 3;

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

/// The head of `struct bpf_link_info` for a cgroup link.
#[repr(C, align(8))]
#[derive(Clone, Copy, Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    program: u32,
    padding: u32,
    cgroup: u64,
    attach_type: u32,
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

#[repr(C)]
#[derive(Default)]
struct Query {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    programs: u64,
    count: u32,
    padding: u32,
}

#[repr(C)]
#[derive(Default)]
struct ById {
    id: u32,
    next_id: u32,
    flags: u32,
}

/// A cgroup link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) id: u32,
    pub(super) program: u32,
    /// Zero once it is detached.
    pub(super) cgroup: u64,
    pub(super) attach_type: u32,
}

/// A pinned link.
pub(super) fn link(pin: &Path) -> io::Result<Link> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let mut attributes = ObjGet { pathname: path.as_ptr() as u64, ..ObjGet::default() };
    let link = descriptor(bpf(BPF_OBJ_GET, &mut attributes)?)?;
    let info: LinkInfo = info(&link)?;
    if info.kind != LINK_TYPE_CGROUP {
        return Err(io::Error::other("not a cgroup link"));
    }
    let LinkInfo { id, program, cgroup, attach_type, .. } = info;
    Ok(Link { id, program, cgroup, attach_type })
}

/// The cgroup to which a pinned link is attached; zero once it is detached.
pub(super) fn link_cgroup(pin: &Path) -> io::Result<u64> {
    link(pin).map(|link| link.cgroup)
}

/// The tag of a program: a hash of its instructions.
pub(super) fn tag(program: u32) -> io::Result<String> {
    let mut attributes = ById { id: program, ..ById::default() };
    let program = descriptor(bpf(BPF_PROG_GET_FD_BY_ID, &mut attributes)?)?;
    let info: ProgramInfo = info(&program)?;
    Ok(info.tag.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The programs that the kernel runs for a cgroup at one hook, those of its ancestors too.
pub(super) fn effective(cgroup: &File, attach_type: u32) -> io::Result<Vec<u32>> {
    let mut programs = [0_u32; PROGRAMS];
    let mut attributes = Query {
        target_fd: u32::try_from(cgroup.as_raw_fd()).map_err(io::Error::other)?,
        attach_type,
        query_flags: BPF_F_QUERY_EFFECTIVE,
        programs: programs.as_mut_ptr() as u64,
        count: PROGRAMS as u32,
        ..Query::default()
    };
    bpf(BPF_PROG_QUERY, &mut attributes)?;
    // SAFETY: the kernel wrote both behind the compiler's back; every bit pattern is a value.
    let (count, programs) = unsafe {
        let count = std::ptr::read_volatile(&raw const attributes.count);
        (count, std::ptr::read_volatile(&raw const programs))
    };
    Ok(programs.iter().copied().take(count as usize).collect())
}

fn info<T: Copy + Default>(object: &OwnedFd) -> io::Result<T> {
    let mut info = T::default();
    let mut attributes = InfoByFd {
        bpf_fd: u32::try_from(object.as_raw_fd()).map_err(io::Error::other)?,
        info_len: size_of::<T>() as u32,
        info: &raw mut info as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attributes)?;
    // SAFETY: the kernel wrote it behind the compiler's back; every bit pattern is a value.
    Ok(unsafe { std::ptr::read_volatile(&raw const info) })
}

fn descriptor(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = i32::try_from(result).map_err(io::Error::other)?;
    // SAFETY: the kernel has just opened this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the attributes are a prefix of `union bpf_attr` of the size that is passed, and the
    // memory they point to outlives the call.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The cookie of the network namespace that a socket belongs to.
pub(super) fn netns_cookie(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: value and length describe a live u64.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
}

/// Nanoseconds of the clock that the programs use.
pub(super) fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}
