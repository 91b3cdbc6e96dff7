//! Debian's kernel packages, fetched and unpacked below `target/vm`, one folder per version.
//!
//! They are not installed: apt works on lists of its own, so nothing of this machine changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::kernels::Kernel;
use crate::shell;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

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
    let apt = Apt::new(kernel, &folder.join("apt"))?;
    shell::quietly(&mut apt.command("apt-get", &["update"]))
        .context("asking Debian for its lists: is there a way to its mirror?")?;
    let package = apt.image(kernel)?;
    let version = package.replace('=', "_").replace(':', "-");
    let into = folder.join(&version);
    if !into.join("done").exists() {
        apt.unpack(&package, &into)?;
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

fn only_entry(folder: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder)?;
    Ok(entries.next().context("empty")??.path())
}

/// Where this machine has Debian's packages from: updates of security from a place of their own.
fn mirror(release: &str) -> Result<String> {
    let mut targets = shell::words("apt-get", ["indextargets", "Created-By: Packages"]);
    targets.args(["--format", "$(REPO_URI) $(RELEASE)"]);
    let said = shell::capture(&mut targets).context("asking apt where packages come from")?;
    let is_security = |release: &str| release.ends_with("-security");
    let debian = said.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (uri, of) = (words.next()?, words.next()?);
        let codename = release.split('-').next().unwrap_or(release);
        let fits = of.starts_with(codename) && is_security(of) == is_security(release);
        fits.then(|| uri.to_owned())
    });
    debian.with_context(|| format!("apt knows no mirror that has Debian's {release}"))
}

/// apt with sources, lists and cache of its own.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn new(kernel: &Kernel, folder: &Path) -> Result<Self> {
        ensure!(Path::new(KEYRING).is_file(), "install debian-archive-keyring");
        for sub in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(sub))
                .with_context(|| format!("making {}", folder.display()))?;
        }
        let line = |release: &String| {
            let mirror = mirror(release)?;
            Ok(format!("deb [signed-by={KEYRING}] {mirror} {release} main\n"))
        };
        let lines = kernel.releases.iter().map(line).collect::<Result<String>>()?;
        fs::write(folder.join("sources.list"), lines)?;
        Ok(Self { folder: folder.to_owned() })
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = shell::program(program);
        let at = |name: &str| self.folder.join(name).display().to_string();
        for option in [
            format!("Dir::Etc::sourcelist={}", at("sources.list")),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State::Lists={}", at("lists")),
            format!("Dir::Cache={}", at("cache")),
            // `_apt` can't write into a folder of root's.
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command.args(arguments);
        command
    }

    /// The image's package and version: the first thing that the package in the list depends on.
    fn image(&self, kernel: &Kernel) -> Result<String> {
        let show = ["show", "--no-all-versions", &kernel.package];
        let said = shell::capture(&mut self.command("apt-cache", &show))?;
        let depends = said.lines().find_map(|line| line.strip_prefix("Depends: "));
        let parsed = depends.and_then(|depends| {
            let (name, rest) = depends.split(',').next()?.trim().split_once(" (= ")?;
            Some(format!("{name}={}", rest.strip_suffix(')')?))
        });
        parsed.with_context(|| format!("{} does not name an image: {said}", kernel.package))
    }

    fn unpack(&self, package: &str, into: &Path) -> Result<()> {
        let archive = self.folder.join("cache/archives");
        eprintln!("vm: fetching {package}");
        shell::quietly(self.command("apt-get", &["download", package]).current_dir(&archive))?;
        fs::create_dir_all(into)?;
        for entry in fs::read_dir(&archive)? {
            let file = entry?.path();
            if file.extension().is_some_and(|extension| extension == "deb") {
                shell::quietly(shell::program("dpkg-deb").arg("-x").arg(&file).arg(into))?;
                fs::remove_file(&file)?;
            }
        }
        let release = unpacked(into)?.release;
        shell::quietly(shell::program("depmod").arg("-b").arg(base(into)).arg(release))
    }
}

/// The folder above `lib/modules`.
fn base(into: &Path) -> PathBuf {
    if into.join("lib/modules").is_dir() { into.to_owned() } else { into.join("usr") }
}
