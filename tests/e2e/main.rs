//! End to end: the whole gateway, real eBPF, real servers, unmodified clients. One file a behaviour.

mod cancel;
mod container;
mod dns;
mod drivers;
mod evade;
mod fallback;
mod faults;
mod hold;
mod identity;
mod mask;
mod perimeter;
mod record;
mod refuse;
mod tls;
mod transparent;
