//! QEMU, newer than Debian 12's, unpacked below `target/vm`.
//!
//! Of QEMU 7.2, that one installs, a virtual CPU may keep a translation of what another CPU is writing
//! over. The kernel patches its own code while it runs (`text_poke_bp`) to attach LSM programs, and then
//! dies of a breakpoint that is not there any more: of five machines, two.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::apt::Apt;
use crate::shell;

const RELEASE: &str = "bookworm-backports";
const PACKAGES: [&str; 4] =
    ["qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios"];

/// The unpacked emulator. The libraries that it needs are those of the QEMU that is installed.
pub(super) struct Emulator {
    folder: PathBuf,
}

impl Emulator {
    /// The one that was fetched last, or with `update` the newest that Debian has.
    pub(super) fn get(folder: &Path, update: bool) -> Result<Self> {
        let folder = folder.join("qemu");
        let emulator = Self { folder: folder.join("root") };
        let done = folder.join("done");
        if update || !done.exists() {
            let _ = fs::remove_dir_all(&emulator.folder);
            let apt = Apt::new(&[RELEASE.to_owned()], &folder.join("apt"))?;
            let packages = PACKAGES.map(|package| format!("{package}/{RELEASE}"));
            apt.unpack(&packages.each_ref().map(String::as_str), &emulator.folder)?;
            let version = shell::capture(emulator.command().arg("--version"))
                .context("starting the QEMU that was fetched")?;
            fs::write(&done, version).with_context(|| format!("writing {}", done.display()))?;
        }
        Ok(emulator)
    }

    /// A command line to add to.
    pub(super) fn command(&self) -> Command {
        let mut qemu = shell::program(self.folder.join("usr/bin/qemu-system-x86_64"));
        for data in ["usr/share/seabios", "usr/share/qemu"] {
            qemu.arg("-L").arg(self.folder.join(data));
        }
        qemu
    }
}
