//! A small tmpfs that fills up. Needs root; elsewhere the test says nothing.

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
