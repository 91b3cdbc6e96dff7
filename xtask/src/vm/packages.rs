//! Debian's kernel packages, fetched and unpacked below `target/vm`, one folder per version.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::kernels::Kernel;
use crate::apt::Apt;
use crate::shell;

/// An unpacked kernel.
#[derive(Debug)]
pub(super) struct Image {
    /// What `uname -r` says.
    pub(super) release: String,
    pub(super) vmlinuz: PathBuf,
    /// The folder with `kernel/` and `modules.dep`.
    pub(super) modules: PathBuf,
}

/// The kernel that was fetched last, or with `update` the newest that Debian has.
pub(super) fn image(kernel: &Kernel, folder: &Path, update: bool) -> Result<Image> {
    let folder = folder.join("kernels").join(&kernel.name);
    let current = folder.join("current");
    if let Ok(version) = fs::read_to_string(&current)
        && !update
    {
        return unpacked(&folder.join(version));
    }
    let apt = Apt::new(&kernel.releases, &folder.join("apt"))?;
    let package = newest(&apt, kernel)?;
    let version = package.replace('=', "_").replace(':', "-");
    let into = folder.join(&version);
    if !into.join("done").exists() {
        apt.unpack(&[&package], &into)?;
        let release = unpacked(&into)?.release;
        shell::quietly(shell::program("depmod").arg("-b").arg(base(&into)).arg(release))?;
        fs::write(into.join("done"), "")?;
    }
    fs::write(&current, &version).with_context(|| format!("writing {}", current.display()))?;
    unpacked(&into)
}

fn unpacked(folder: &Path) -> Result<Image> {
    let missing = || format!("{} is not an unpacked kernel: remove it", folder.display());
    let modules = only_entry(&folder.join("lib/modules"))
        .or_else(|_| only_entry(&folder.join("usr/lib/modules")))
        .with_context(missing)?;
    let release = modules.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let vmlinuz = folder.join("boot").join(format!("vmlinuz-{release}"));
    ensure!(vmlinuz.is_file(), missing());
    Ok(Image { release, vmlinuz, modules })
}

/// The image's package and version: the first thing that the package in the list depends on.
fn newest(apt: &Apt, kernel: &Kernel) -> Result<String> {
    let said = apt.show(&kernel.package)?;
    let depends = said.lines().find_map(|line| line.strip_prefix("Depends: "));
    let parsed = depends.and_then(|depends| {
        let (name, rest) = depends.split(',').next()?.trim().split_once(" (= ")?;
        Some(format!("{name}={}", rest.strip_suffix(')')?))
    });
    parsed.with_context(|| format!("{} does not name an image: {said}", kernel.package))
}

fn only_entry(folder: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder)?;
    Ok(entries.next().context("empty")??.path())
}

/// The folder above `lib/modules`.
fn base(into: &Path) -> PathBuf {
    if into.join("lib/modules").is_dir() { into.to_owned() } else { into.join("usr") }
}
