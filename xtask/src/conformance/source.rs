//! PostgreSQL's own suites: no package of Debian's has them built, so its source is fetched and what
//! they need is built.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::apt::{self, Apt};
use crate::shell;

/// The version that is not Debian's own.
pub(super) const NEWEST: &str = "18";

/// What is built, in this order: folder and target.
const PARTS: [(&str, &str); 7] = [
    ("src/backend", "generated-headers"),
    ("src/common", "all"),
    ("src/port", "all"),
    ("src/interfaces/libpq", "all"),
    ("src/test/regress", "all"),
    ("src/test/isolation", "all"),
    ("src/test/modules/libpq_pipeline", "all"),
];

/// The release of Debian whose source goes with the server.
fn release_of(major: &str) -> Result<String> {
    // The wheel of 18 is as new as Debian's newest.
    if major == NEWEST { Ok("sid".to_owned()) } else { apt::release() }
}

/// The built source of a major version; what was built before is used again.
pub(super) fn built(major: &str, folder: &Path) -> Result<PathBuf> {
    let stamp = folder.join(format!("built-{major}"));
    if let Ok(name) = fs::read_to_string(&stamp) {
        return Ok(folder.join(name));
    }
    let source = fetched(major, folder)?;
    eprintln!("building its suites");
    let mut configure = shell::program(source.join("configure"));
    configure.args(["--without-readline", "--without-zlib", "--without-icu"]);
    shell::quietly(configure.current_dir(&source))?;
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    for (part, target) in PARTS {
        let mut make = shell::words("make", ["-s", &format!("-j{jobs}"), "-C", part, target]);
        shell::quietly(make.current_dir(&source))?;
    }
    let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
    fs::write(&stamp, name).context("remembering what is built")?;
    Ok(source)
}

/// The source of a major version, as it comes; what was fetched before is used again.
pub(crate) fn fetched(major: &str, folder: &Path) -> Result<PathBuf> {
    let prefix = format!("postgresql-{major}.");
    if let Ok(source) = entry(folder, |name| name.starts_with(&prefix)) {
        return Ok(source);
    }
    let archive = archive(folder, &format!("postgresql-{major}"), &release_of(major)?, "")?;
    shell::quietly(shell::words("tar", ["-x", "-C"]).arg(folder).arg("-f").arg(archive))?;
    entry(folder, |name| name.starts_with(&prefix))
}

/// The upstream archive of a package's source, from a release of Debian unless it is in the folder
/// `archives` already. A version that begins otherwise is refused.
pub(super) fn archive(
    folder: &Path,
    package: &str,
    release: &str,
    version: &str,
) -> Result<PathBuf> {
    let archives = folder.join("archives");
    fs::create_dir_all(&archives)?;
    let prefix = format!("{package}_{version}");
    let is_it = |name: &str| name.starts_with(&prefix) && name.contains(".orig.tar");
    if let Ok(found) = entry(&archives, is_it) {
        return Ok(found);
    }
    eprintln!("fetching the source of {package}");
    let apt = Apt::sources(&[release.to_owned()], &folder.join("apt"))?;
    apt.source(package, &archives)?;
    entry(&archives, is_it)
}

/// What an archive holds, unpacked once; its first folder is left out.
pub(super) fn unpacked(folder: &Path, archive: &Path) -> Result<PathBuf> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let into = folder.join(name.split(".orig").next().unwrap_or(&name));
    if !into.exists() {
        let partly = folder.join("partly");
        if partly.exists() {
            fs::remove_dir_all(&partly)?;
        }
        fs::create_dir_all(&partly)?;
        let mut unpack = shell::words("tar", ["-x", "--strip-components=1", "-C"]);
        shell::quietly(unpack.arg(&partly).arg("-f").arg(archive))?;
        fs::rename(&partly, &into).context("keeping what was unpacked")?;
    }
    Ok(into)
}

fn entry(folder: &Path, fits: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths
        .find(|path| path.file_name().is_some_and(|name| fits(&name.to_string_lossy())))
        .with_context(|| format!("{} holds no such archive or folder", folder.display()))
}
