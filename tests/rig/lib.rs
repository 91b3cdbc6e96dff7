//! The rig: a real PostgreSQL, a real issuer, the real gateway with eBPF, and agents run by
//! `weir run`. Nothing here stands in for a part of Weir.
//!
//! Needs root, cgroup v2 and eBPF; a test that can't have them fails, it does not skip.

pub mod agent;
mod coverage;
pub mod gateway;
pub mod idp;
pub mod liar;
pub mod postgres;
pub mod python;
pub mod record;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use agent::Agent;
pub use gateway::{Gateway, Issuer, Setup};
pub use idp::Provider;
pub use postgres::Postgres;

/// The binary under test: `WEIR_BIN`, else what a plain build makes.
pub fn weir() -> PathBuf {
    if let Some(path) = std::env::var_os("WEIR_BIN") {
        return path.into();
    }
    let mut path = std::env::current_exe().expect("this test's own path");
    while path.file_name().is_some_and(|name| name != "debug" && name != "release") {
        path.pop();
    }
    path.join("weir")
}

/// Copies the binary under test. By a program: while this process had the copy open for writing, a child
/// of another test would have it too, and what is open for writing does not run.
pub fn copy_weir(to: &std::path::Path) {
    let copied = std::process::Command::new("cp").arg(weir()).arg(to).status().expect("cp");
    assert!(copied.success(), "copying to {}", to.display());
}

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("a root").to_owned()
}

/// Waits until something holds; panics with what it waited for after `limit`.
pub fn wait_for<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(begin.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A number that no other test of this run has.
pub fn unique() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
