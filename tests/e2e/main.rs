//! End to end: the whole gateway, real eBPF, real servers, unmodified clients. One file a behaviour.

mod boot;
mod cancel;
mod challenge;
mod container;
mod coverage;
mod dns;
mod doctor;
mod drivers;
mod evade;
mod fallback;
mod faults;
mod hold;
mod identity;
mod infer;
mod jail;
mod mask;
mod messages;
mod perimeter;
mod record;
mod refuse;
mod scan;
mod start;
mod tls;
mod transparent;
mod upgrade;
mod way_back;
