//! Writes what `gateway/pgtree` has to know of libpg_query's C structs, and proves that it is up to date.
//!
//! libpg_query's own generated files say which field of a C struct becomes which field of a protobuf
//! message; a small program, compiled against its headers, says where those fields are.

mod sources;
mod write;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::shell;
use sources::Sources;

const COMMITTED: &str = "gateway/pgtree/src/nodes.rs";

/// Writes the file. With `check` the committed one is compared, else it is replaced.
pub fn run(check: bool) -> Result<()> {
    let package = package()?;
    let sources = Sources::read(&package)?;
    let place = tempdir()?;
    let layout = layout(&package, &place, &sources.probe());
    fs::remove_dir_all(&place)?;
    let text = format(&write::file(&sources, &layout?)?)?;
    let committed = shell::root().join(COMMITTED);
    if check {
        let old = fs::read_to_string(&committed).with_context(|| format!("reading {COMMITTED}"))?;
        ensure!(old == text, "{COMMITTED} is not what libpg_query gives: run `cargo xtask pgtree`");
        return Ok(());
    }
    fs::write(&committed, text).with_context(|| format!("writing {COMMITTED}"))
}

/// Where Cargo keeps the source of `pg_query` in the version that the lock file names.
fn package() -> Result<PathBuf> {
    let said = shell::capture(shell::cargo().args(["metadata", "--format-version=1", "--locked"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&said).context("reading metadata")?;
    let packages = metadata.get("packages").and_then(serde_json::Value::as_array);
    let named = |package: &&serde_json::Value| package.get("name").is_some_and(|n| n == "pg_query");
    let package = packages.and_then(|all| all.iter().find(named));
    let manifest = package.and_then(|package| package.get("manifest_path")?.as_str());
    let manifest = Path::new(manifest.context("pg_query is not in the lock file")?);
    Ok(manifest.parent().context("a manifest lies in a folder")?.to_owned())
}

fn tempdir() -> Result<PathBuf> {
    let place = shell::build_dir().join(format!("pgtree-{}", std::process::id()));
    fs::create_dir_all(&place).with_context(|| format!("making {}", place.display()))?;
    Ok(place)
}

/// What a C program says that was compiled against the headers.
fn layout(package: &Path, place: &Path, probe: &str) -> Result<String> {
    let (source, program) = (place.join("probe.c"), place.join("probe"));
    fs::write(&source, probe)?;
    let library = package.join("libpg_query");
    let mut compile = shell::program("cc");
    for include in ["", "vendor", "src/postgres/include", "src/include"] {
        compile.arg("-I").arg(library.join(include));
    }
    shell::run(compile.args(["-w", "-fwrapv", "-o"]).arg(&program).arg(&source))?;
    shell::capture(&mut shell::program(&program))
}

fn format(text: &str) -> Result<String> {
    let place = tempdir()?;
    let path = place.join("nodes.rs");
    fs::write(&path, text)?;
    let config = shell::root().join("rustfmt.toml");
    let mut rustfmt = shell::program("rustfmt");
    shell::run(rustfmt.args(["--edition", "2024", "--config-path"]).arg(config).arg(&path))?;
    let text = fs::read_to_string(&path)?;
    fs::remove_dir_all(&place)?;
    Ok(text)
}
