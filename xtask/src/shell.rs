//! Where things are, and running other programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// The repository's root.
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// Where Cargo puts what it builds.
pub fn build_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The Python environment that `setup` makes.
pub fn venv() -> PathBuf {
    std::env::var_os("WEIR_VENV").map_or_else(|| root().join("target/venv"), PathBuf::from)
}

/// A program, in the repository's root, that reads nothing.
pub fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The Cargo that runs this task.
pub fn cargo() -> Command {
    program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A program by name and arguments.
pub fn words<'a>(name: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = program(name);
    command.args(arguments);
    command
}

/// Runs a program to its end; an error if it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("running {}", shown(command)))?;
    ensure!(status.success(), "{} failed: {status}", shown(command));
    Ok(())
}

/// Runs a program to its end and returns what it printed; an error, with what it said, if it fails.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("running {}", shown(command)))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        bail!("{} failed: {}\n{said}", shown(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("reading from {}", shown(command)))
}

/// Runs a program, showing what it prints only if it fails.
pub fn quietly(command: &mut Command) -> Result<()> {
    capture(command).map(drop)
}

/// Whether a program of this name is in `PATH`.
pub fn has(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(name).is_file())
}

/// Whether this process may do everything.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program());
    let mut text = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text.truncate(text.char_indices().nth(200).map_or(text.len(), |(at, _)| at));
    text
}
