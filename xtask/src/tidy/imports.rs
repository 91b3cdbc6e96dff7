//! Invariant 7: the daemon's parts do not know each other; only those that put them together do.

use super::{File, Problem, Tree, lexer};

const DAEMON: &str = "gateway/daemon/src";
/// Parts that stand alone.
const PARTS: [&str; 7] =
    ["intercept", "identity", "approval", "record", "control", "respond", "console"];
/// Who may name parts.
const JOINERS: [&str; 5] = ["app", "flow", "driver", "cli", "config"];

pub(super) fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    for file in tree.rust() {
        let Ok(path) = file.path.strip_prefix(DAEMON) else { continue };
        let first = path.components().next().map(|part| part.as_os_str().to_string_lossy());
        let module = first.unwrap_or_default().trim_end_matches(".rs").to_owned();
        if !JOINERS.contains(&module.as_str()) {
            part(file, &module, problems);
        }
    }
}

fn part(file: &File, module: &str, problems: &mut Vec<Problem>) {
    for (at, named) in named_modules(&file.code) {
        if named != module && PARTS.contains(&named) {
            let message = format!("{module} may not know {named} (invariant 7)");
            problems.push(file.problem(file.line(at), message));
        }
    }
}

/// The modules that follow `crate::`, alone or in braces.
pub(super) fn named_modules(code: &str) -> Vec<(usize, &str)> {
    let mut named = Vec::new();
    for (start, _) in code.match_indices("crate::") {
        let at = start + "crate::".len();
        let rest = code.get(at..).unwrap_or_default();
        if !rest.starts_with('{') {
            named.extend(lexer::words(rest).next().map(|(offset, word)| (at + offset, word)));
            continue;
        }
        let end = lexer::closing(code, at).unwrap_or(code.len());
        let group = code.get(at + 1..end).unwrap_or_default();
        let mut depth = 0;
        let mut item = true;
        for (offset, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => item = true,
                c if item && !c.is_whitespace() => {
                    item = false;
                    let word = lexer::words(group.get(offset..).unwrap_or_default()).next();
                    named.extend(word.map(|(more, word)| (at + 1 + offset + more, word)));
                }
                _ => {}
            }
        }
    }
    named
}
