//! Plain lists must be complete: a detector that is not listed never looks, a codec that is not fuzzed
//! is not proven.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Problem, Tree};

const DETECTOR_LIST: &str = "gateway/mask/src/detector.rs";
const DETECTORS: &str = "gateway/mask/src/detector";
const CODECS: &str = "gateway/wire/src";
const TARGETS: &str = "tests/fuzz/fuzz_targets";
const FUZZ_MANIFEST: &str = "tests/fuzz/Cargo.toml";
const REPLAY: &str = "gateway/wire/tests/corpus_replay.rs";
const CORPUS: &str = "tests/corpus";

pub(super) fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    detectors(tree, problems);
    codecs(tree, problems);
    fuzz_targets(tree, problems);
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn detectors(tree: &Tree, problems: &mut Vec<Problem>) {
    let Some(list) = tree.file(DETECTOR_LIST) else { return };
    let start = list.code.find("DETECTORS:").unwrap_or(list.code.len());
    for path in tree.below(DETECTORS).filter(|path| path.components().count() == 1) {
        let name = stem(path);
        // In the list, or a table of it: `&name::Name`.
        if name != "tests" && !list.code.contains(&format!("&{name}::")) {
            let message = format!("detector {name} is not in DETECTORS");
            problems.push(list.problem(list.line(start), message));
        }
    }
}

/// Each folder of `wire` is a codec, but for the bodies of the fuzz targets.
fn codecs(tree: &Tree, problems: &mut Vec<Problem>) {
    let folders: BTreeSet<String> = tree
        .below(CODECS)
        .filter(|path| path.ends_with("mod.rs") && path.components().count() == 2)
        .filter_map(|path| Some(path.parent()?.to_string_lossy().into_owned()))
        .filter(|folder| folder != "fuzz")
        .collect();
    let targets: Vec<String> = tree.below(TARGETS).map(stem).collect();
    for folder in folders {
        if !targets.iter().any(|target| target.starts_with(&folder)) {
            let file = Path::new(CODECS).join(&folder).join("mod.rs");
            let message = format!("codec {folder} has no fuzz target in {TARGETS}");
            problems.push(Problem { file, line: 1, message });
        }
    }
}

/// Each fuzz target is built, has a corpus, and the corpus is replayed by a plain `cargo test`.
fn fuzz_targets(tree: &Tree, problems: &mut Vec<Problem>) {
    let text = |path: &str| tree.file(path).map_or("", |file| file.text.as_str());
    for path in tree.below(TARGETS) {
        let name = stem(path);
        let mut say = |message: String| {
            let file = Path::new(TARGETS).join(path);
            problems.push(Problem { file, line: 1, message });
        };
        if !text(FUZZ_MANIFEST).contains(&format!("name = \"{name}\"")) {
            say(format!("{name} is not in {FUZZ_MANIFEST}"));
        }
        if tree.below(&format!("{CORPUS}/{name}")).next().is_none() {
            say(format!("{CORPUS}/{name} is empty"));
        }
        if !text(REPLAY).contains(&format!("\"{name}\"")) {
            say(format!("{REPLAY} does not replay {name}"));
        }
    }
}
