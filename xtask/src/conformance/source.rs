//! PostgreSQL's own suites: no package of Debian's has them built, so its source is fetched and what
//! they need is built.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::apt::Apt;
use crate::shell;

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
    let archives = folder.join("archives");
    eprintln!("fetching the source of PostgreSQL {major}");
    let apt = Apt::sources(&[release()?], &folder.join("apt"))?;
    apt.source(&format!("postgresql-{major}"), &archives)?;
    let archive = entry(&archives, |name| name.contains(".orig.tar"))?;
    shell::quietly(shell::words("tar", ["-x", "-C"]).arg(folder).arg("-f").arg(archive))?;
    entry(folder, |name| name.starts_with(&prefix))
}

fn entry(folder: &Path, fits: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths
        .find(|path| path.file_name().is_some_and(|name| fits(&name.to_string_lossy())))
        .with_context(|| format!("{} holds no such archive or folder", folder.display()))
}

/// Debian's name of what runs here.
fn release() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("reading /etc/os-release")?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(name.context("this is no release of Debian")?.to_owned())
}
