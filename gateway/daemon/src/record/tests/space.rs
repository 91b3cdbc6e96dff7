//! A small tmpfs that fills up. Needs root; elsewhere the test says nothing.

use std::os::unix::fs::DirEntryExt as _;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount, umount};

use super::*;

struct Tmpfs(TempDir);

impl Tmpfs {
    fn new(size: &str) -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let options = format!("size={size}");
        let tmpfs = Some("tmpfs");
        mount(tmpfs, dir.path(), tmpfs, MsFlags::empty(), Some(options.as_str())).ok()?;
        Some(Self(dir))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        umount(self.0.path()).unwrap();
    }
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < end, "waiting for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_full_disk_admits_nothing_but_still_takes_refusals() {
    let Some(tmpfs) = Tmpfs::new("16m") else { return };
    let dir = tmpfs.0.path().join("record");
    let config = Config { min_free_bytes: 4 << 20, ..config(&dir) };
    let (recorder, _) = Recorder::open(&config, "h").unwrap();
    let try_put = |entry: &Entry| recorder.append_blocking(Class::Process, &[(entry, &[])]);
    put(&recorder, &asked(1, true));
    wait_for("a spare", || dir.join("wal").read_dir().unwrap().count() >= 3);

    // Below the mark, nothing new: though there is space.
    let filler = tmpfs.0.path().join("filler");
    std::fs::write(&filler, vec![1; 10 << 20]).unwrap();
    wait_for("low space", || recorder.health().low_space);
    assert!(recorder.health().free_bytes > 0);
    assert!(matches!(try_put(&asked(2, true)), Err(RecordError::NoSpace)));
    // What was admitted goes on.
    put(&recorder, &part(1));
    put(&recorder, &answered(1));
    put(&recorder, &asked(3, false));

    // Not a byte is left: refusals go on until the reserve is full.
    let fill = File::options().append(true).open(&filler).unwrap();
    while std::io::Write::write(&mut &fill, &[1; 4096]).is_ok() {}
    let mut refusals = 0;
    let error = loop {
        match try_put(&event(refusals, 2000)) {
            Ok(_) => refusals += 1,
            Err(error) => break error,
        }
        if refusals == 400 {
            assert!(matches!(try_put(&asked(5, true)), Err(RecordError::NoSpace)));
        }
    };
    assert!(matches!(error, RecordError::NoSpace), "{error}");
    assert!(refusals > 1000, "{refusals} refusals");
    assert!(matches!(try_put(&part(1)), Err(RecordError::NoSpace)));
    wait_for("a failed seal", || recorder.health().seal_error.is_some());

    // Space again: all goes on, and nothing is lost.
    drop(fill);
    std::fs::remove_file(&filler).unwrap();
    wait_for("space", || !recorder.health().low_space);
    put(&recorder, &asked(6, true));
    recorder.seal_blocking().unwrap();
    assert_eq!(numbers(&dir).len() as u64, refusals);
    assert!(dir.join("wal/reserve").exists() || recorder.health().unsealed_bytes == 0);
    drop(recorder);
}

/// The inodes of files whose name begins so.
fn inodes(wal: &Path, kind: &str) -> Vec<u64> {
    let entries = wal.read_dir().unwrap().map(Result::unwrap);
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(kind));
    ours.map(|entry| entry.ino()).collect()
}

fn named(wal: &Path, kind: &str) -> usize {
    inodes(wal, kind).len()
}

/// A record that has its spare.
fn ready() -> (TempDir, PathBuf, Recorder) {
    let dir = TempDir::new().unwrap();
    let wal = dir.path().join("wal");
    let (recorder, _) = open(dir.path());
    wait_for("a spare", || named(&wal, "spare.") == 1);
    (dir, wal, recorder)
}

#[test]
fn a_segment_that_was_made_in_a_hurry_is_filled_with_zeros_when_it_is_quiet() {
    let (dir, wal, recorder) = ready();
    let begin = Instant::now();
    let mut number = 0;
    while named(&wal, "blank.") == 0 {
        assert!(begin.elapsed() < Duration::from_secs(10), "no segment was made in a hurry");
        number += 1;
        put(&recorder, &event(number, 100_000));
    }
    // It is found again, blank as it is.
    drop(recorder);
    let (recorder, _) = open(dir.path());
    wait_for("zeros", || named(&wal, "blank.") == 0 && named(&wal, "spare.") > 0);
    // What takes its place is as whole as it was.
    for more in 1..=30 {
        put(&recorder, &event(number + more, 100_000));
    }
    recorder.seal_blocking().unwrap();
    assert_eq!(numbers(dir.path()).len() as u64, number + 30);
}

#[test]
fn a_segment_that_is_sealed_and_gone_gives_its_space_back() {
    let dir = TempDir::new().unwrap();
    let (recorder, _) = open(dir.path());
    for number in 1..=200 {
        put(&recorder, &event(number, 100_000));
    }
    recorder.seal_blocking().unwrap();
    let ours = dir.path().to_string_lossy().into_owned();
    let gone = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| {
        let target = std::fs::read_link(entry.unwrap().path()).ok()?;
        let target = target.to_string_lossy().into_owned();
        (target.starts_with(&ours) && target.ends_with("(deleted)")).then_some(target)
    });
    assert_eq!(gone.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_segment_that_is_sealed_when_it_is_quiet_is_a_spare_at_once() {
    let (_dir, wal, recorder) = ready();
    for number in 1..=3 {
        put(&recorder, &event(number, 1_000));
        let [active] = inodes(&wal, "0").try_into().unwrap();
        recorder.seal_blocking().unwrap();
        assert!(inodes(&wal, "spare.").contains(&active), "round {number}");
        std::thread::sleep(Duration::from_millis(1_100));
    }
}

#[test]
fn a_segment_whose_name_was_lost_with_power_is_a_segment() {
    for name in ["spare.90", "blank.91"] {
        let dir = TempDir::new().unwrap();
        let (recorder, _) = open(dir.path());
        for number in 1..=3 {
            put(&recorder, &event(number, 1_000));
        }
        drop(recorder);
        let [segment] = segments(dir.path()).try_into().unwrap();
        std::fs::rename(&segment, dir.path().join("wal").join(name)).unwrap();
        let (recorder, recovery) = open(dir.path());
        assert_eq!((recovery.entries, recovery.dropped_bytes), (3, 0), "{name}");
        drop(recorder);
        assert_eq!(numbers(dir.path()).len(), 3);
    }
}
