//! Who may read and write what the gateway relies on.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::Patient;
use super::finding::Report;

const AREA: &str = "files";
/// What is public in the state directory.
const PUBLIC: [&str; 3] = ["ca.crt", "host.pub", "life.json"];
/// Files that are looked at; more are not expected.
const MOST: usize = 10_000;

pub(super) fn check(patient: &Patient<'_>, report: &mut Report) {
    let before = report.findings.len();
    let mut looked = 0;
    let config = &patient.config;
    for path in std::iter::once(&patient.common.config).chain(&config.policy.files) {
        looked += usize::from(others_write(path, report));
    }
    let mut open = vec![config.gateway.state_dir.clone()];
    while let Some(directory) = open.pop() {
        if looked > MOST {
            break;
        }
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text =
                    format!("{} does not exist yet; the gateway makes it", directory.display());
                report.unknown(AREA, text, "weir gateway");
                continue;
            }
            Err(error) => {
                let text = format!("{} can't be looked at: {error}", directory.display());
                report.unknown(AREA, text, "sudo weir doctor");
                continue;
            }
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            // The record has its own place, and may be in here.
            if path.is_dir() && path != config.record.dir {
                open.push(path);
            } else if path.is_file() {
                looked += usize::from(others_read(&path, report));
            }
        }
    }
    looked += usize::from(others_write(&config.gateway.state_dir, report));
    if report.findings.len() == before {
        report.ok(
            AREA,
            format!("{looked} files: secrets are root's alone, nobody else writes policy"),
        );
    }
}

fn metadata(path: &Path, report: &mut Report) -> Option<fs::Metadata> {
    match fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let text = format!("{} can't be looked at: {error}", path.display());
            report.unknown(AREA, text, "sudo weir doctor");
            None
        }
    }
}

/// Whoever writes policy or configuration decides what agents may do.
fn others_write(path: &Path, report: &mut Report) -> bool {
    let Some(metadata) = metadata(path, report) else { return false };
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        let text = format!("{} has mode {mode:o}: others can write it", path.display());
        report.fail(AREA, text, &format!("chmod go-w {}", path.display()));
    }
    if metadata.uid() != 0 {
        let text = format!("{} belongs to user {}, not root", path.display(), metadata.uid());
        report.warn(AREA, text, &format!("chown root: {}", path.display()));
    }
    true
}

fn others_read(path: &Path, report: &mut Report) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if PUBLIC.contains(&name.as_ref()) {
        return true;
    }
    let Some(metadata) = metadata(path, report) else { return false };
    // Below a directory that only root enters nobody else reads anything.
    let shut = path.ancestors().skip(1).any(|above| {
        fs::metadata(above).is_ok_and(|above| above.uid() == 0 && above.mode() & 0o011 == 0)
    });
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 && !shut {
        let text = format!("{} has mode {mode:o}: others can read it", path.display());
        report.fail(AREA, text, &format!("chmod 600 {}", path.display()));
    }
    true
}
