//! A file that no `mod` names is never compiled, and a test in it never runs.

use std::path::{Path, PathBuf};

use super::{File, Problem, Tree};

pub(super) fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in tree.rust().filter(|file| !is_root(&file.path)) {
        let stem = file.path.file_stem().unwrap_or_default().to_string_lossy();
        let folder = file.path.parent().unwrap_or(Path::new(""));
        let (name, above) = if stem == "mod" {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            (name, folder.parent().unwrap_or(Path::new("")))
        } else {
            (stem, folder)
        };
        if !parents(above).iter().any(|parent| declares(tree, parent, &name)) {
            problems.push(file.problem(1, format!("no `mod {name};` names this file")));
        }
    }
}

/// Files that Cargo finds by itself or by a manifest.
fn is_root(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default();
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
    ["main", "lib", "build"].iter().any(|root| stem == *root)
        || ["examples", "benches", "fuzz_targets", "compile_fail"].iter().any(|it| folder == *it)
        // Integration tests stand beside `src`; modules called `tests` stand below it.
        || (folder == "tests" && !path.components().any(|part| part.as_os_str() == "src"))
}

/// Where the modules of a folder may be declared.
fn parents(folder: &Path) -> Vec<PathBuf> {
    let mut parents: Vec<PathBuf> =
        ["mod.rs", "lib.rs", "main.rs"].iter().map(|name| folder.join(name)).collect();
    parents.push(folder.with_extension("rs"));
    parents
}

fn declares(tree: &Tree, parent: &Path, name: &str) -> bool {
    let is_it = |file: &&File| file.path == parent;
    tree.rust().find(is_it).is_some_and(|file| {
        file.code.contains(&format!("mod {name};")) || file.text.contains(&format!("/{name}.rs\"]"))
    })
}
