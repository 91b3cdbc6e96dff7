//! Sizes, first lines and names of files; where `unsafe` may stand.

use std::path::Path;

use super::{File, Problem, Tree, lexer};

const FILE_LINES: usize = 400;
/// Tests are tables; they may be longer, but not endless.
const TEST_FILE_LINES: usize = 800;
const FUNCTION_LINES: usize = 70;
const INLINE_TEST_LINES: usize = 80;
const BANNED_NAMES: [&str; 6] = ["utils", "common", "helpers", "types", "misc", "manager"];
/// What a task writes is as long as it is.
const GENERATED: [&str; 1] = ["gateway/pgtree/src/nodes.rs"];
/// Invariant 12.
const UNSAFE_PLACES: [&str; 5] = [
    "gateway-ebpf",
    "gateway/abi",
    "gateway/pgtree",
    "gateway/daemon/src/intercept",
    "gateway/daemon/src/record/map.rs",
];

pub(super) fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    for path in &tree.paths {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if BANNED_NAMES.contains(&stem.as_ref()) {
            let message = format!("{stem} says nothing about what is in the file");
            problems.push(Problem { file: path.clone(), line: 1, message });
        }
    }
    for file in &tree.files {
        if file.path.extension().is_some_and(|extension| extension != "md") {
            length(file, problems);
        }
    }
    for file in tree.rust() {
        first_line(file, problems);
        functions(file, problems);
        inline_tests(file, problems);
        unsafety(file, problems);
    }
}

fn is_generated(path: &Path) -> bool {
    GENERATED.iter().any(|generated| path == Path::new(generated))
}

fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem == "tests")
        || path.components().any(|part| part.as_os_str() == "tests")
}

fn length(file: &File, problems: &mut Vec<Problem>) {
    if is_generated(&file.path) {
        return;
    }
    let most = if is_test(&file.path) { TEST_FILE_LINES } else { FILE_LINES };
    let lines = file.text.lines().count();
    if lines > most {
        problems
            .push(file.problem(most + 1, format!("the file has {lines} lines, {most} at most")));
    }
}

fn first_line(file: &File, problems: &mut Vec<Problem>) {
    if !file.text.starts_with("//! ") {
        problems.push(file.problem(1, "the first line is not `//! what this file does`"));
    }
}

fn functions(file: &File, problems: &mut Vec<Problem>) {
    if is_generated(&file.path) {
        return;
    }
    for (at, name, end) in bodies(&file.code, "fn") {
        let (first, last) = (file.line(at), file.line(end));
        let lines = last - first + 1;
        if lines > FUNCTION_LINES {
            let message = format!("fn {name} has {lines} lines, {FUNCTION_LINES} at most");
            problems.push(file.problem(first, message));
        }
    }
}

fn inline_tests(file: &File, problems: &mut Vec<Problem>) {
    for (at, name, end) in bodies(&file.code, "mod") {
        let lines = file.line(end) - file.line(at) + 1;
        if name == "tests" && lines > INLINE_TEST_LINES {
            let message =
                format!("{lines} lines of tests: past {INLINE_TEST_LINES} they get a file");
            problems.push(file.problem(file.line(at), message));
        }
    }
}

/// Items of a kind that have a body: where the keyword stands, the name, where the body ends.
pub(super) fn bodies<'a>(
    code: &'a str,
    keyword: &'a str,
) -> impl Iterator<Item = (usize, &'a str, usize)> {
    let pairs = lexer::words(code).zip(lexer::words(code).skip(1));
    pairs.filter_map(move |((at, word), (name_at, name))| {
        let between = code.get(at + word.len()..name_at)?;
        if word != keyword || !between.trim().is_empty() {
            return None;
        }
        let open = body(code, name_at + name.len())?;
        Some((at, name, lexer::closing(code, open)?))
    })
}

/// The brace that opens a body, which a semicolon comes before where there is none.
fn body(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn unsafety(file: &File, problems: &mut Vec<Problem>) {
    let allowed = UNSAFE_PLACES.iter().any(|place| file.path.starts_with(place));
    if allowed || is_test(&file.path) {
        return;
    }
    for (at, word) in lexer::words(&file.code) {
        if word == "unsafe" || word == "unsafe_code" {
            let places = UNSAFE_PLACES.join(", ");
            problems.push(file.problem(file.line(at), format!("unsafe is only for {places}")));
        }
    }
}
