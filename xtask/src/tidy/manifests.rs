//! Invariant 1: the manifest of a pure crate can't name a crate that does I/O.

use toml::{Table, Value};

use super::{File, Problem, Tree};

/// The crates of `gateway/` that touch nothing; all but the daemon.
const PURE: [&str; 8] = ["abi", "model", "wire", "pgtree", "classify", "policy", "mask", "ledger"];

/// What a pure crate may be built from. A crate gets in here when nothing in it opens, listens,
/// waits, starts or reads a clock on the paths that we call.
const ALLOWED: [&str; 17] = [
    "aho-corasick",
    "arrow-array",
    "arrow-schema",
    "cedar-policy",
    "crc32c",
    "hashbrown",
    "hmac",
    "pg_query",
    "postcard",
    "regex",
    "serde",
    "serde_json",
    "sha2",
    "sqlparser",
    "thiserror",
    "toml",
    "ulid",
];
/// Others, each for one crate.
const ALLOWED_FOR: [(&str, &str); 3] = [("abi", "aya"), ("model", "zeroize"), ("mask", "zeroize")];
/// What tests of pure crates may use beside that.
const ALLOWED_FOR_TESTS: [&str; 1] = ["proptest"];

pub(super) fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    every_crate_is_known(tree, problems);
    for name in PURE {
        let Some(file) = tree.file(&format!("gateway/{name}/Cargo.toml")) else { continue };
        match file.text.parse::<Table>() {
            Ok(manifest) => pure(name, file, &manifest, problems),
            Err(error) => problems.push(file.problem(1, error.to_string())),
        }
    }
    if tree.file("gateway/clippy.toml").is_none() {
        let file = "gateway/clippy.toml".into();
        problems.push(Problem { file, line: 1, message: "the pure crates' bans are gone".into() });
    }
}

fn every_crate_is_known(tree: &Tree, problems: &mut Vec<Problem>) {
    for path in tree.below("gateway").filter(|path| path.ends_with("Cargo.toml")) {
        let name = path.parent().unwrap_or(path).to_string_lossy();
        if name != "daemon" && !PURE.contains(&name.as_ref()) {
            let file = std::path::Path::new("gateway").join(path);
            let message = format!("{name} is neither the daemon nor in the list of pure crates");
            problems.push(Problem { file, line: 1, message });
        }
    }
}

fn pure(name: &str, file: &File, manifest: &Table, problems: &mut Vec<Problem>) {
    let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    if inherits != Some(&Value::Boolean(true)) {
        problems.push(file.problem(1, "write `[lints] workspace = true`"));
    }
    if manifest.contains_key("build-dependencies") || file_has_build_script(manifest) {
        problems.push(file.problem(1, "a pure crate has no build script"));
    }
    let empty = Table::new();
    let table = |key: &str| manifest.get(key).and_then(Value::as_table).unwrap_or(&empty);
    for dependency in table("dependencies").keys() {
        if !is_allowed(name, dependency) {
            let message = format!("a pure crate may not depend on {dependency}");
            problems.push(file.problem(file.line_of(&format!("\n{dependency} ")) + 1, message));
        }
    }
    for dependency in table("dev-dependencies").keys() {
        let for_tests = ALLOWED_FOR_TESTS.contains(&dependency.as_str());
        if !for_tests && !is_allowed(name, dependency) {
            let message = format!("tests of a pure crate may not depend on {dependency}");
            problems.push(file.problem(file.line_of(&format!("\n{dependency} ")) + 1, message));
        }
    }
    if manifest.contains_key("target") {
        problems.push(file.problem(1, "a pure crate is the same on every target"));
    }
}

fn file_has_build_script(manifest: &Table) -> bool {
    manifest.get("package").is_some_and(|package| package.get("build").is_some())
}

fn is_allowed(name: &str, dependency: &str) -> bool {
    let own = dependency.strip_prefix("weir-").is_some_and(|own| PURE.contains(&own));
    own || ALLOWED.contains(&dependency) || ALLOWED_FOR.contains(&(name, dependency))
}
