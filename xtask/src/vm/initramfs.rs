//! The first file system of a machine: busybox, the modules that reach this machine's root by 9p, and
//! a script that goes there.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::packages::Image;
use crate::shell;

const BUSYBOX: &str = "/bin/busybox";
/// Those that the kernel has built in are not in modules.dep.
const MODULES: [&str; 4] = ["virtio_pci", "9pnet_virtio", "9p", "overlay"];

/// The root is this machine's, read only, with a layer of memory over it for what is written.
const INIT: &str = r#"#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc && $b mount -t devtmpfs dev /dev || exit 1
for module in $($b cat /modules/order); do $b insmod /modules/$module || exit 1; done
$b mount -t tmpfs -o mode=0755 memory /new || exit 1
$b mkdir /new/below /new/above /new/work /new/root
$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose root /new/below || exit 1
$b mount -t overlay -o lowerdir=/new/below,upperdir=/new/above,workdir=/new/work root /new/root || exit 1
$b umount /dev /proc
exec $b switch_root /new/root /bin/sh GUEST
"#;

/// Writes it. `guest` is the script, by its path on this machine, that runs as the first process.
pub(super) fn write(image: &Image, guest: &Path, to: &Path) -> Result<()> {
    let mut archive = Archive::default();
    for folder in ["bin", "proc", "dev", "modules", "new"] {
        archive.entry(folder, 0o040_755, &[]);
    }
    let busybox = fs::read(BUSYBOX).context("reading busybox: install busybox-static")?;
    archive.entry("bin/busybox", 0o100_755, &busybox);
    let init = INIT.replace("GUEST", &guest.display().to_string());
    archive.entry("init", 0o100_755, init.as_bytes());
    let mut order = String::new();
    for path in closure(&image.modules)? {
        let (name, content) = module(&image.modules.join(&path))?;
        order.push_str(&format!("{name}\n"));
        archive.entry(&format!("modules/{name}"), 0o100_644, &content);
    }
    archive.entry("modules/order", 0o100_644, order.as_bytes());
    let mut file = fs::File::create(to).with_context(|| format!("writing {}", to.display()))?;
    file.write_all(&archive.end()).with_context(|| format!("writing {}", to.display()))
}

/// The modules with all that they need, in the order in which they can be loaded.
fn closure(modules: &Path) -> Result<Vec<String>> {
    let dep = modules.join("modules.dep");
    let text = fs::read_to_string(&dep).with_context(|| format!("reading {}", dep.display()))?;
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    for wanted in MODULES {
        let line = text.lines().find_map(|line| {
            let (path, needs) = line.split_once(':')?;
            let name = path.rsplit('/').next()?.split('.').next()?;
            (name == wanted).then_some((path, needs))
        });
        let Some((path, needs)) = line else { continue };
        for path in needs.split_whitespace().rev().chain([path]) {
            if seen.insert(path.to_owned()) {
                order.push(path.to_owned());
            }
        }
    }
    Ok(order)
}

/// A module as busybox can load it: not compressed.
fn module(path: &Path) -> Result<(String, Vec<u8>)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (stem, unpack) = match name.rsplit_once('.') {
        Some((_, "ko")) => return Ok((name, fs::read(path)?)),
        Some((stem, "xz")) => (stem.to_owned(), "xz"),
        Some((stem, "zst")) => (stem.to_owned(), "zstd"),
        _ => bail!("{} is not a module", path.display()),
    };
    let output = shell::program(unpack).arg("-dc").arg(path).output();
    let output = output.with_context(|| format!("unpacking {}", path.display()))?;
    ensure!(output.status.success(), "unpacking {} failed", path.display());
    Ok((stem, output.stdout))
}

/// A cpio archive in the kernel's format, "newc".
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: usize,
}

impl Archive {
    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let (inode, size, name_size) = (self.entries, content.len(), name.len() + 1);
        // inode, mode, uid, gid, links, time, size, device, special device, name's size, checksum
        let fields = format!(
            "070701{inode:08X}{mode:08X}{0:08X}{0:08X}{1:08X}{0:08X}{size:08X}{0:08X}{0:08X}{0:08X}\
             {0:08X}{name_size:08X}{0:08X}",
            0, 1
        );
        self.bytes.extend_from_slice(fields.as_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn end(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn modules_come_after_what_they_need() {
        let folder = std::env::temp_dir().join(format!("weir-modules-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let dep = "kernel/net/9p/9pnet_virtio.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/netfs.ko.xz\n\
                   kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/netfs.ko.xz\n\
                   kernel/fs/9p/9px.ko.xz: kernel/no.ko\n";
        fs::write(folder.join("modules.dep"), dep).unwrap();
        let order = closure(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let names = ["netfs", "net/9p/9pnet", "net/9p/9pnet_virtio", "fs/9p/9p"];
        assert_eq!(order, names.map(|name| format!("kernel/{name}.ko.xz")));
    }

    #[test]
    fn the_archive_is_what_cpio_makes() {
        let mut archive = Archive::default();
        archive.entry("a", 0o100_644, b"hello");
        let bytes = archive.end();
        assert!(bytes.starts_with(b"07070100000001000081A4"), "magic, inode, mode");
        assert_eq!(bytes.get(110..120).unwrap(), b"a\0hello\0\0\0");
        assert!(bytes.get(120..).unwrap().starts_with(b"070701"), "the trailer follows");
        assert_eq!(bytes.len() % 4, 0);
    }
}
