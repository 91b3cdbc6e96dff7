//! Builds the eBPF objects, and proves that the committed ones are what the source gives.
//!
//! eBPF needs `core` from source and a linker whose LLVM is that of the compiler. Debian's compiler
//! comes with both; what is missing is installed.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "llvm-22-dev"];
const LLVM: &str = "/usr/lib/llvm-22";
const LINKER: &str = "bpf-linker";
const LINKER_VERSION: &str = "0.13.0";
/// Where the repository is built, wherever it is.
const PLACE: &str = "/var/tmp/weir-ebpf";
const TARGET: &str = "bpfel-unknown-none";
const COMMITTED: &str = "gateway/daemon/src/intercept";
/// The programs of bound cgroups, and those that are the kernel's security module.
const OBJECTS: [&str; 2] = ["weir", "weir-lsm"];

/// Builds the objects. With `check` the committed ones are compared, else they are replaced.
pub fn run(check: bool) -> Result<()> {
    let root = root()?;
    install()?;
    build(&root)?;
    OBJECTS.into_iter().try_for_each(|name| object(&root, name, check))
}

fn object(root: &Path, name: &str, check: bool) -> Result<()> {
    let target = root.join("gateway-ebpf/target");
    let stripped = target.join(format!("{name}.bpf.o"));
    strip(&target.join(TARGET).join("release").join(name), &stripped)?;

    let new = std::fs::read(&stripped).context("reading the built object")?;
    let path = format!("{COMMITTED}/{name}.bpf.o");
    let committed = root.join(&path);
    if check {
        let old = std::fs::read(&committed).with_context(|| format!("reading {path}"))?;
        ensure!(old == new, "{path} is not what gateway-ebpf gives: run `cargo xtask ebpf`");
        return Ok(());
    }
    std::fs::write(&committed, new).with_context(|| format!("writing {path}"))
}

fn root() -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(own.parent().context("xtask lies in the repository")?.to_owned())
}

fn install() -> Result<()> {
    if !has_packages() {
        run_command(Command::new("apt-get").args(["update"]))?;
        run_command(
            Command::new("apt-get")
                .args(["install", "-y", "--no-install-recommends"])
                .args(PACKAGES)
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )?;
    }
    if !has_linker()? {
        run_command(
            Command::new("cargo")
                .args(["install", LINKER, "--locked", "--version", LINKER_VERSION])
                .args(["--no-default-features", "--features", "llvm-22"])
                .env("LLVM_PREFIX", LLVM)
                .env("LLVM_SYS_221_PREFIX", LLVM)
                .env("PATH", path(&[Path::new(LLVM).join("bin")])?),
        )?;
    }
    Ok(())
}

fn has_packages() -> bool {
    let query = Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status}\n"])
        .args(PACKAGES)
        .output();
    query.is_ok_and(|query| {
        let status = String::from_utf8_lossy(&query.stdout);
        status.lines().filter(|line| *line == "installed").count() == PACKAGES.len()
    })
}

fn has_linker() -> Result<bool> {
    let version =
        Command::new(LINKER).arg("--version").env("PATH", path(&[cargo_bin()?])?).output();
    Ok(version.is_ok_and(|version| {
        String::from_utf8_lossy(&version.stdout).trim() == format!("{LINKER} {LINKER_VERSION}")
    }))
}

/// The same source gives the same object anywhere: no path of this machine gets into it. Cargo hashes the
/// place of a crate into its symbols, by whose order the compiler lays out and merges code; so the
/// repository is always built by the same name.
fn build(root: &Path) -> Result<()> {
    let target = root.join("gateway-ebpf/target");
    let (place, _lock) = place(root)?;
    let (real, root) = (root, place.as_path());
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let flags = [
        "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        remap(root, "/weir"),
        remap(real, "/weir"),
        remap(&cargo_home()?, "/cargo"),
        remap(Path::new("/usr/lib/rustlib/src/rust"), "/rust"),
        remap(Path::new("/usr/src/rustc-1.96.0"), "/rust"),
    ];
    let mut command = Command::new("/usr/bin/cargo");
    command
        .current_dir("/")
        .args(["build", "--release", "--locked", "-Z", "build-std=core", "--target", TARGET])
        .arg("--manifest-path")
        .arg(root.join("gateway-ebpf/Cargo.toml"))
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env("PATH", path(&[cargo_bin()?])?);
    // An outer cargo's choices must not leak into this build.
    for variable in
        ["RUSTFLAGS", "RUSTUP_TOOLCHAIN", "CARGO", "RUSTC_WRAPPER", "CARGO_BUILD_TARGET"]
    {
        command.env_remove(variable);
    }
    run_command(&mut command)
}

/// A link to the repository below a folder that is this user's alone, and the lock on it.
fn place(root: &Path) -> Result<(PathBuf, File)> {
    let folder = Path::new(PLACE);
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("making {PLACE}"));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(folder).with_context(|| format!("looking at {PLACE}"))?;
    let ours = fs::metadata("/proc/self").context("asking who this is")?.uid();
    ensure!(found.is_dir() && found.uid() == ours, "{PLACE} belongs to somebody else: remove it");
    let lock = File::open(folder).with_context(|| format!("opening {PLACE}"))?;
    lock.lock().with_context(|| format!("locking {PLACE}"))?;
    let link = folder.join("weir");
    if fs::read_link(&link).is_ok_and(|to| to == root) {
        return Ok((link, lock));
    }
    match fs::remove_file(&link) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("removing {}", link.display()));
        }
        _ => {}
    }
    symlink(root, &link).with_context(|| format!("linking {}", link.display()))?;
    Ok((link, lock))
}

/// Drops DWARF, which names files and lines of everything, and keeps BTF, which the kernel wants.
fn strip(built: &Path, stripped: &Path) -> Result<()> {
    let tool = Path::new(LLVM).join("bin/llvm-strip");
    run_command(Command::new(tool).arg("--strip-debug").arg("-o").arg(stripped).arg(built))
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    Ok(Path::new(&home).join(".cargo"))
}

fn cargo_bin() -> Result<PathBuf> {
    Ok(cargo_home()?.join("bin"))
}

/// `PATH` with some directories before it.
fn path(first: &[PathBuf]) -> Result<OsString> {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let all = first.iter().cloned().chain(std::env::split_paths(&rest));
    std::env::join_paths(all).context("joining PATH")
}

fn run_command(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("running {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}
