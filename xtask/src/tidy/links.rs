//! Links between documents lead somewhere.

use std::path::{Component, Path, PathBuf};

use super::{File, Problem, Tree};

pub(super) fn check(tree: &Tree, problems: &mut Vec<Problem>) {
    let documents = tree.files.iter().filter(|file| is_document(&file.path));
    for file in documents {
        for (line, target) in links(&file.text) {
            if let Some(message) = broken(tree, file, &target) {
                problems.push(file.problem(line, message));
            }
        }
    }
}

fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// The targets of `[text](target)`, outside of fenced code, with their lines.
pub(super) fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let rest = line.get(at + 2..).unwrap_or_default();
            if let Some(end) = rest.find(')') {
                links.push((number + 1, rest.get(..end).unwrap_or_default().to_owned()));
            }
        }
    }
    links
}

fn broken(tree: &Tree, file: &File, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(p, a)| (p, Some(a)));
    let folder = file.path.parent().unwrap_or(Path::new(""));
    let to = if path.is_empty() { file.path.clone() } else { resolve(&folder.join(path)) };
    if !tree.root.join(&to).exists() {
        return Some(format!("the link {target} leads nowhere"));
    }
    let anchor = anchor.filter(|_| is_document(&to))?;
    let text = tree.files.iter().find(|file| file.path == to).map(|file| file.text.as_str())?;
    let found = text.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == anchor);
    (!found).then(|| format!("{} has no heading #{anchor}", to.display()))
}

fn resolve(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => out.push(part),
        }
    }
    out
}

/// A heading as forges make an anchor of it.
pub(super) fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
