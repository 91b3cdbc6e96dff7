//! Free space, looked at once a second and when a file is about to grow.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How much space there is for the record.
pub(super) struct Space {
    dir: PathBuf,
    min_free: u64,
    free: AtomicU64,
    low: AtomicBool,
}

impl Space {
    pub(super) fn new(dir: PathBuf, min_free: u64) -> Self {
        let space = Self { dir, min_free, free: AtomicU64::new(0), low: AtomicBool::new(false) };
        space.look();
        space
    }

    /// Looks, and remembers; a disk that can't be asked counts as full.
    pub(super) fn look(&self) {
        let free = nix::sys::statvfs::statvfs(&self.dir)
            .map(|stat| stat.blocks_available().saturating_mul(stat.fragment_size()))
            .unwrap_or(0);
        self.free.store(free, Ordering::Relaxed);
        let low = free < self.min_free;
        if self.low.swap(low, Ordering::Relaxed) != low {
            if low {
                tracing::error!(free, "space for the record is low, nothing new is admitted");
            } else {
                tracing::info!(free, "there is space for the record again");
            }
        }
    }

    /// Whether `bytes` more leave what must stay free.
    pub(super) fn has(&self, bytes: u64) -> bool {
        self.look();
        self.free().saturating_sub(bytes) >= self.min_free
    }

    pub(super) fn free(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }

    pub(super) fn is_low(&self) -> bool {
        self.low.load(Ordering::Relaxed)
    }

    /// A write found the disk full.
    pub(super) fn set_low(&self) {
        self.low.store(true, Ordering::Relaxed);
    }
}
