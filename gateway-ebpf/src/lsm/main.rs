//! The LSM programs: entry points only. They refuse bound processes what leads out of their binding.
//!
//! One set per gateway, for the whole host: each program first asks whether the caller is bound, and
//! lets everybody else go on. What it can't find out about the other side counts as "not ours".
//!
//! The kernel takes only GPL compatible programs here. This folder is offered under the Apache licence, and
//! under the MIT licence or the GPL version 2 too: docs/decisions/0014-lsm-programs.md.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod calls;
mod files;
mod mounts;
mod peers;
mod refuse;
mod scope;
mod tasks;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::macros::lsm;
use aya_ebpf::programs::LsmContext;
use weir_abi::lsm::Hook;

#[lsm(hook = "inode_permission")]
fn weir_inode_permission(context: LsmContext) -> i32 {
    files::permission(context.arg(0), context.arg(1))
}

#[lsm(hook = "file_receive")]
fn weir_file_receive(context: LsmContext) -> i32 {
    files::receive(context.arg(0))
}

#[lsm(hook = "bpf")]
fn weir_bpf(context: LsmContext) -> i32 {
    calls::bpf(context.arg(0))
}

#[lsm(hook = "socket_create")]
fn weir_socket_create(context: LsmContext) -> i32 {
    calls::socket_create(context.arg(0), context.arg(2), context.arg(3))
}

#[lsm(hook = "kernel_load_data")]
fn weir_kernel_load_data(context: LsmContext) -> i32 {
    calls::load(Hook::LoadData, context.arg(0))
}

#[lsm(hook = "kernel_read_file")]
fn weir_kernel_read_file(context: LsmContext) -> i32 {
    calls::load(Hook::ReadFile, context.arg(1))
}

#[lsm(hook = "perf_event_open")]
fn weir_perf_event_open(_: LsmContext) -> i32 {
    calls::perf_event()
}

#[lsm(hook = "ptrace_access_check")]
fn weir_ptrace_access_check(context: LsmContext) -> i32 {
    tasks::trace(context.arg(0), context.arg(1))
}

#[lsm(hook = "task_kill")]
fn weir_task_kill(context: LsmContext) -> i32 {
    tasks::kill(context.arg(0), context.arg(2), arguments(&context))
}

#[lsm(hook = "unix_stream_connect")]
fn weir_unix_stream_connect(context: LsmContext) -> i32 {
    peers::connect(context.arg(1))
}

#[lsm(hook = "unix_may_send")]
fn weir_unix_may_send(context: LsmContext) -> i32 {
    peers::send(context.arg(1))
}

#[lsm(hook = "sb_mount")]
fn weir_sb_mount(_: LsmContext) -> i32 {
    mounts::change(Hook::Mount)
}

#[lsm(hook = "move_mount")]
fn weir_move_mount(_: LsmContext) -> i32 {
    mounts::change(Hook::MoveMount)
}

#[lsm(hook = "sb_umount")]
fn weir_sb_umount(_: LsmContext) -> i32 {
    mounts::change(Hook::Unmount)
}

/// The array of the hook's arguments, as memory of the kernel's.
#[inline(always)]
fn arguments(context: &LsmContext) -> scope::Kernel {
    context.as_ptr().cast_const().cast()
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
