//! Debian's packages, fetched and unpacked, not installed: apt works on lists of its own, so nothing of
//! this machine changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::shell;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

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
    if let Some(debian) = debian {
        return Ok(debian);
    }
    // Debian keeps all its releases in one place, and this machine may know but one of them.
    let own = self::release()?;
    let main = said.lines().find_map(|line| line.strip_suffix(&own)?.strip_suffix(' '));
    main.filter(|_| !is_security(release))
        .map(str::to_owned)
        .with_context(|| format!("apt knows no mirror that has Debian's {release}"))
}

/// Debian's name of what runs here.
pub(crate) fn release() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("reading /etc/os-release")?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(name.context("this is no release of Debian")?.to_owned())
}

/// apt with sources, lists and cache of its own.
pub(crate) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Asks Debian for the lists of packages of these releases.
    pub(crate) fn new(releases: &[String], folder: &Path) -> Result<Self> {
        Self::of("deb", releases, folder)
    }

    /// The same for sources.
    pub(crate) fn sources(releases: &[String], folder: &Path) -> Result<Self> {
        Self::of("deb-src", releases, folder)
    }

    fn of(kind: &str, releases: &[String], folder: &Path) -> Result<Self> {
        ensure!(Path::new(KEYRING).is_file(), "install debian-archive-keyring");
        for sub in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(sub))
                .with_context(|| format!("making {}", folder.display()))?;
        }
        let line = |release: &String| {
            let mirror = mirror(release)?;
            Ok(format!("{kind} [signed-by={KEYRING}] {mirror} {release} main\n"))
        };
        let lines = releases.iter().map(line).collect::<Result<String>>()?;
        fs::write(folder.join("sources.list"), lines)?;
        // As on a machine that has nothing, so that what a package needs is fetched with it.
        fs::write(folder.join("status"), "")?;
        let apt = Self { folder: folder.to_owned() };
        shell::quietly(&mut apt.command("apt-get", &["update"]))
            .context("asking Debian for its lists: is there a way to its mirror?")?;
        Ok(apt)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = shell::program(program);
        let at = |name: &str| self.folder.join(name).display().to_string();
        for option in [
            format!("Dir::Etc::sourcelist={}", at("sources.list")),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State::Lists={}", at("lists")),
            format!("Dir::State::status={}", at("status")),
            format!("Dir::Cache={}", at("cache")),
            // `_apt` can't write into a folder of root's.
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command.args(arguments);
        command
    }

    /// What Debian says of a package.
    pub(crate) fn show(&self, package: &str) -> Result<String> {
        shell::capture(&mut self.command("apt-cache", &["show", "--no-all-versions", package]))
    }

    /// Fetches the newest source of a package into a folder: the archives, as upstream made them, and
    /// Debian's own changes.
    pub(crate) fn source(&self, package: &str, into: &Path) -> Result<()> {
        fs::create_dir_all(into)?;
        let fetch = ["source", "--download-only", "--only-source", package];
        shell::quietly(self.command("apt-get", &fetch).current_dir(into))
    }

    /// Fetches packages and unpacks them into a folder.
    pub(crate) fn unpack(&self, packages: &[&str], into: &Path) -> Result<()> {
        let mut download = self.command("apt-get", &["download"]);
        self.fetch(download.args(packages).current_dir(self.archives()), packages, into)
    }

    /// The same with all that they need: a system to change the root to. Nothing of it is run.
    pub(crate) fn unpack_whole(&self, packages: &[&str], into: &Path) -> Result<()> {
        let words = ["install", "-y", "--download-only", "--no-install-recommends"];
        let mut download = self.command("apt-get", &words);
        // The links of a root whose programs and libraries are all below /usr.
        self.fetch(download.arg("base-files").args(packages), packages, into)
    }

    fn archives(&self) -> PathBuf {
        self.folder.join("cache/archives")
    }

    fn fetch(&self, download: &mut Command, packages: &[&str], into: &Path) -> Result<()> {
        eprintln!("fetching {}", packages.join(" "));
        shell::quietly(download)?;
        fs::create_dir_all(into)?;
        for entry in fs::read_dir(self.archives())? {
            let file = entry?.path();
            if file.extension().is_some_and(|extension| extension == "deb") {
                shell::quietly(shell::program("dpkg-deb").arg("-x").arg(&file).arg(into))?;
                fs::remove_file(&file)?;
            }
        }
        Ok(())
    }
}
