//! The record's disk: how much is free, how fast it really writes, and how the record itself is.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::Patient;
use super::finding::Report;
use crate::record::read::Snapshot;

const AREA: &str = "record";
/// Writes that are timed.
const WRITES: u64 = 200;
/// The same with a slow disk: the doctor does not take longer than this.
const PATIENCE: Duration = Duration::from_secs(5);
const BLOCK: usize = 4096;
/// Above this a statement waits noticeably for its place in the record.
const SLOW: Duration = Duration::from_millis(10);

pub(super) fn check(patient: &Patient<'_>, report: &mut Report) {
    let record = &patient.config.record;
    if !record.dir.is_dir() {
        let text = format!(
            "{} does not exist, or can't be looked at; the gateway makes it",
            record.dir.display()
        );
        return report.unknown(AREA, text, "weir gateway");
    }
    space(&record.dir, record.min_free_bytes, report);
    match time(&record.dir) {
        Ok((p50, p99, writes)) => {
            let text = format!(
                "fdatasync of 4 KiB takes {p50:?} (p50), {p99:?} (p99) over {writes} writes"
            );
            if p99 > SLOW && record.class == crate::record::Class::Disk {
                report.warn(
                    AREA,
                    text,
                    "use a faster disk, or class = \"process\" where loss of power is no concern",
                );
            } else {
                report.ok(AREA, text);
            }
        }
        Err(error) => {
            let text = format!("how fast the disk is was not measured: {error}");
            report.unknown(AREA, text, "sudo weir doctor");
        }
    }
    match Snapshot::open(&record.dir) {
        Ok(_) => report.ok(AREA, "the sealed files and the log can be read"),
        Err(error) => {
            let denied = std::error::Error::source(&error)
                .and_then(|source| source.downcast_ref::<io::Error>())
                .is_some_and(|source| source.kind() == io::ErrorKind::PermissionDenied);
            match denied {
                true => report.unknown(AREA, error.to_string(), "sudo weir doctor"),
                false => report.fail(AREA, error.to_string(), "weir sessions"),
            }
        }
    }
}

fn space(dir: &Path, least: u64, report: &mut Report) {
    let found = nix::sys::statvfs::statvfs(dir);
    let Ok(found) = found else {
        return report.unknown(
            AREA,
            "free space can't be asked for",
            &format!("df {}", dir.display()),
        );
    };
    let free = found.blocks_available().saturating_mul(found.fragment_size());
    let text =
        format!("{} MiB are free; below {} MiB nothing new is admitted", free >> 20, least >> 20);
    let mend = format!("make room on the disk of {}", dir.display());
    match free {
        free if free < least => report.fail(AREA, text, &mend),
        free if free < least.saturating_mul(4) => report.warn(AREA, text, &mend),
        _ => report.ok(AREA, text),
    }
}

/// The median and the 99th percentile of what an entry of the class `disk` waits for: the file has its
/// blocks already, as segments of the log do.
fn time(dir: &Path) -> io::Result<(Duration, Duration, usize)> {
    let path = dir.join(format!(".doctor-{}", std::process::id()));
    let result = timed(&path);
    let _ = fs::remove_file(&path);
    result
}

fn timed(path: &Path) -> io::Result<(Duration, Duration, usize)> {
    let file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    for block in 0..WRITES {
        file.write_all_at(&[0; BLOCK], block * BLOCK as u64)?;
    }
    file.sync_all()?;
    let begin = Instant::now();
    let mut times = Vec::with_capacity(WRITES as usize);
    for block in 0..WRITES {
        let before = Instant::now();
        file.write_all_at(&[1; BLOCK], block * BLOCK as u64)?;
        file.sync_data()?;
        times.push(before.elapsed());
        if begin.elapsed() > PATIENCE {
            break;
        }
    }
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    Ok((at(50), at(99), times.len()))
}
