//! The active segment in memory: a store to a shared mapping is in the page cache, as after a write,
//! and costs no system call.
//!
//! Only on file systems that overwrite in place. Elsewhere the first store to a page may need space,
//! and where there is none that is a signal rather than an error; there the log writes as usual.
#![allow(unsafe_code)] // copies into the mapping, which no slice may stand for

use std::fs::File;

use memmap2::{MmapRaw, UncheckedAdvice};

/// What was written is let go in pieces of so many bytes, so that it does not count as the
/// gateway's memory. It stays in the page cache.
const PIECE: usize = 4 << 20;

/// A whole segment in memory.
pub(super) struct Map(MmapRaw);

impl Map {
    /// Maps a file of zeros; `None` where that can't be, or would not be safe.
    pub(super) fn of(file: &File) -> Option<Self> {
        if !writes_in_place(file) {
            return None;
        }
        match MmapRaw::map_raw(file) {
            Ok(map) => Some(Self(map)),
            Err(error) => {
                tracing::warn!(%error, "mapping a segment of the log, which is slower without");
                None
            }
        }
    }

    /// Copies bytes to a place; `false` where they do not fit.
    pub(super) fn put(&mut self, at: u64, bytes: &[u8]) -> bool {
        let Ok(at) = usize::try_from(at) else { return false };
        if at.checked_add(bytes.len()).is_none_or(|end| end > self.0.len()) {
            return false;
        }
        // SAFETY: the range was just checked to lie in the mapping, which lives as long as `self`,
        // and nobody has a reference into it: others read the file, not this memory. The file is
        // the recorder's own, behind its lock, and never made shorter than the mapping.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.as_mut_ptr().add(at), bytes.len());
        }
        let (first, next) = (at / PIECE, (at + bytes.len()) / PIECE);
        if first < next {
            self.let_go(first * PIECE, (next - first) * PIECE);
        }
        true
    }

    fn let_go(&self, from: usize, len: usize) {
        // SAFETY: the mapping is shared and of a file, so its pages are found again in the page
        // cache: nothing that was written is lost by this advice.
        let told = unsafe { self.0.unchecked_advise_range(UncheckedAdvice::DontNeed, from, len) };
        if let Err(error) = told {
            tracing::debug!(%error, "letting go of what was written");
        }
    }
}

/// Whether a block that was written before gets no new place.
#[cfg(target_os = "linux")]
pub(super) fn writes_in_place(file: &File) -> bool {
    use nix::sys::statfs::{EXT4_SUPER_MAGIC, TMPFS_MAGIC, XFS_SUPER_MAGIC, fstatfs};
    let kinds = [EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, TMPFS_MAGIC];
    fstatfs(file).is_ok_and(|stat| kinds.contains(&stat.filesystem_type()))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn writes_in_place(_: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_put_is_in_the_file_and_never_beyond_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("segment");
        std::fs::write(&path, [0; 8192]).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let mut map = Map::of(&file).unwrap();
        assert!(map.put(8190, b"ab"));
        assert!(!map.put(8191, b"ab") && !map.put(u64::MAX, b"ab"));
        let read = std::fs::read(&path).unwrap();
        assert_eq!((read.len(), &read[8190..]), (8192, &b"ab"[..]));
    }

    #[test]
    fn what_was_let_go_is_still_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("segment");
        std::fs::write(&path, vec![0; 3 * PIECE]).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let mut map = Map::of(&file).unwrap();
        let bytes: Vec<u8> = (0..1_000_003u32).map(|number| number as u8 | 1).collect();
        let mut at = 0;
        while map.put(at as u64, &bytes) {
            at += bytes.len();
        }
        let read = std::fs::read(&path).unwrap();
        assert!(at > 2 * PIECE && read[..at].chunks(bytes.len()).all(|chunk| chunk == bytes));
        assert!(read[at..].iter().all(|byte| *byte == 0));
    }
}
