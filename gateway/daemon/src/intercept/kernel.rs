//! The kernel calls that no library wraps: a pinned link's cgroup, a namespace's cookie, the clock.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_LINK_CREATE: libc::c_int = 28;
const LINK_TYPE_CGROUP: u32 = 3;
const CGROUP_SETSOCKOPT: u32 = 22;

#[repr(C)]
#[derive(Default)]
struct ObjGet {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
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
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    program: u32,
    padding: u32,
    cgroup: u64,
    attach_type: u32,
    more: u32,
}

/// The cgroup to which a pinned link is attached; zero once it is detached.
pub(super) fn link_cgroup(pin: &Path) -> io::Result<u64> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let attributes = ObjGet { pathname: path.as_ptr() as u64, ..ObjGet::default() };
    let link = owned(bpf(BPF_OBJ_GET, &attributes)?)?;
    let mut info = LinkInfo::default();
    let attributes = InfoByFd {
        bpf_fd: number(link.as_fd())?,
        info_len: size_of::<LinkInfo>() as u32,
        info: &raw mut info as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes)?;
    // SAFETY: the kernel wrote it behind the compiler's back; every bit pattern is a value.
    let info = unsafe { std::ptr::read_volatile(&raw const info) };
    if info.kind != LINK_TYPE_CGROUP {
        return Err(io::Error::other("not a cgroup link"));
    }
    Ok(info.cgroup)
}

/// Attaches a program for `setsockopt` to a cgroup.
pub(super) fn attach_setsockopt(
    program: BorrowedFd<'_>,
    cgroup: BorrowedFd<'_>,
) -> io::Result<OwnedFd> {
    let attributes = LinkCreate {
        program: number(program)?,
        target: number(cgroup)?,
        attach_type: CGROUP_SETSOCKOPT,
        flags: 0,
    };
    owned(bpf(BPF_LINK_CREATE, &attributes)?)
}

/// Gives a link a name on a bpffs.
pub(super) fn pin(link: BorrowedFd<'_>, pin: &Path) -> io::Result<()> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let pathname = path.as_ptr() as u64;
    bpf(BPF_OBJ_PIN, &ObjGet { pathname, bpf_fd: number(link)?, file_flags: 0 }).map(|_| ())
}

fn number(fd: BorrowedFd<'_>) -> io::Result<u32> {
    u32::try_from(fd.as_raw_fd()).map_err(io::Error::other)
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just opened this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bpf<T>(command: libc::c_int, attributes: &T) -> io::Result<libc::c_long> {
    // SAFETY: the attributes are a prefix of `union bpf_attr` of the size that is passed, and the
    // memory they point to outlives the call.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>())
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
