//! The interceptor against the running kernel: real cgroups, real programs, real sockets. Needs root.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dns;
mod escape;
mod ledger;
mod life;
mod local;
mod namespace;
mod perimeter;
mod redirect;
mod rig;
mod stale;
mod standing;

use weir::intercept::{Denials, FactsReader, Interceptor};

#[test]
fn the_handles_cross_threads() {
    fn sends<T: Send>() {}
    fn shares<T: Send + Sync + Clone>() {}
    sends::<Interceptor>();
    sends::<Denials>();
    shares::<FactsReader>();
}
