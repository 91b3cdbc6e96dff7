//! The eBPF programs: entry points only. They decide scope, never policy.
//!
//! Each binding has an instance of its own, with the binding's id as a constant, attached to the
//! bound cgroup; `weir_accept` is attached to the gateway's own cgroup, and `weir_guard_*` to the slice
//! above all bound ones. Whatever is missing (map entry, storage, listener) means "refused".

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod bind;
mod connect;
mod context;
mod create;
mod deny;
mod egress;
mod flow;
mod guard;
mod ingress;
mod local;
mod maps;
mod option;
mod peer;
mod redirect;
mod resolver;

use aya_ebpf::macros::{cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, sock_ops};
use aya_ebpf::programs::{SkBuffContext, SockAddrContext, SockContext};
use aya_ebpf::programs::{SockOpsContext, SockoptContext};

#[cgroup_sock(sock_create)]
fn weir_create(context: SockContext) -> i32 {
    create::create(context.sock)
}

#[cgroup_sock(sock_release)]
fn weir_release(context: SockContext) -> i32 {
    create::release(context.sock)
}

#[cgroup_sockopt(setsockopt)]
fn weir_option(context: SockoptContext) -> i32 {
    option::set(context.sockopt)
}

#[cgroup_sock_addr(bind4)]
fn weir_bind4(context: SockAddrContext) -> i32 {
    bind::bind4(context.sock_addr)
}

#[cgroup_sock_addr(bind6)]
fn weir_bind6(context: SockAddrContext) -> i32 {
    bind::bind6(context.sock_addr)
}

#[cgroup_sock_addr(connect4)]
fn weir_connect4(context: SockAddrContext) -> i32 {
    connect::connect4(context.sock_addr)
}

#[cgroup_sock_addr(connect6)]
fn weir_connect6(context: SockAddrContext) -> i32 {
    connect::connect6(context.sock_addr)
}

#[cgroup_sock_addr(sendmsg4)]
fn weir_sendmsg4(context: SockAddrContext) -> i32 {
    connect::sendmsg4(context.sock_addr)
}

#[cgroup_sock_addr(sendmsg6)]
fn weir_sendmsg6(context: SockAddrContext) -> i32 {
    connect::sendmsg6(context.sock_addr)
}

#[cgroup_sock_addr(recvmsg4)]
fn weir_recvmsg4(context: SockAddrContext) -> i32 {
    peer::restore4(context.sock_addr)
}

#[cgroup_sock_addr(recvmsg6)]
fn weir_recvmsg6(context: SockAddrContext) -> i32 {
    peer::restore6(context.sock_addr)
}

#[cgroup_sock_addr(getpeername4)]
fn weir_peername4(context: SockAddrContext) -> i32 {
    peer::restore4(context.sock_addr)
}

#[cgroup_sock_addr(getpeername6)]
fn weir_peername6(context: SockAddrContext) -> i32 {
    peer::restore6(context.sock_addr)
}

#[sock_ops]
fn weir_publish(context: SockOpsContext) -> u32 {
    flow::publish(context.ops)
}

#[sock_ops]
fn weir_accept(context: SockOpsContext) -> u32 {
    flow::accept(context.ops)
}

#[cgroup_skb(egress)]
fn weir_egress(context: SkBuffContext) -> i32 {
    egress::egress(context.skb.skb)
}

#[cgroup_sock(sock_create)]
fn weir_guard_create(_: SockContext) -> i32 {
    guard::create()
}

#[cgroup_skb(egress)]
fn weir_guard_egress(context: SkBuffContext) -> i32 {
    guard::egress(context.skb.skb)
}

#[cgroup_skb(ingress)]
fn weir_ingress(context: SkBuffContext) -> i32 {
    ingress::ingress(context.skb.skb)
}

/// The verifier needs a licence; none of the helpers used is reserved to the GPL.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 11] = *b"Apache-2.0\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
