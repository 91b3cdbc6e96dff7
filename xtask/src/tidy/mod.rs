//! The rules that no compiler checks. All problems are printed, each with its file and line.

mod imports;
mod lexer;
mod links;
mod manifests;
mod modules;
mod proofs;
mod registry;
mod shape;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    file: PathBuf,
    line: usize,
    message: String,
}

/// A file of the repository, with its path from the root.
struct File {
    path: PathBuf,
    text: String,
    /// Rust only: the text with comments and literals blanked, line for line.
    code: String,
}

/// Everything that is committed or about to be.
struct Tree {
    root: PathBuf,
    paths: Vec<PathBuf>,
    files: Vec<File>,
}

/// Checks the repository.
pub fn run() -> Result<()> {
    let tree = Tree::read(&shell::root())?;
    let mut problems = Vec::new();
    for check in [
        shape::check,
        modules::check,
        manifests::check,
        imports::check,
        registry::check,
        links::check,
        proofs::check,
    ] {
        check(&tree, &mut problems);
    }
    problems.sort();
    for problem in &problems {
        println!("{}:{}: {}", problem.file.display(), problem.line, problem.message);
    }
    if !problems.is_empty() {
        bail!("{} problem(s)", problems.len());
    }
    println!("tidy: {} files, no problem", tree.paths.len());
    Ok(())
}

impl Tree {
    fn read(root: &Path) -> Result<Self> {
        let listed = shell::capture(
            shell::words(
                "git",
                ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
            )
            .current_dir(root),
        )?;
        let paths: Vec<PathBuf> = listed
            .split('\0')
            .filter(|path| !path.is_empty() && root.join(path).is_file())
            .map(PathBuf::from)
            .collect();
        let mut files = Vec::new();
        for path in paths.iter().filter(|path| is_text(path)) {
            let text = std::fs::read_to_string(root.join(path))
                .with_context(|| format!("reading {}", path.display()))?;
            files.push(File::new(path.clone(), text));
        }
        Ok(Self { root: root.to_owned(), paths, files })
    }

    fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == Path::new(path))
    }

    /// The paths below a folder, from there.
    fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a Path> {
        self.paths.iter().filter_map(move |path| path.strip_prefix(folder).ok())
    }
}

impl File {
    fn new(path: PathBuf, text: String) -> Self {
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        let code = if is_rust { lexer::code(&text) } else { String::new() };
        Self { path, text, code }
    }

    fn is_rust(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "rs")
    }

    fn problem(&self, line: usize, message: impl Into<String>) -> Problem {
        Problem { file: self.path.clone(), line, message: message.into() }
    }

    /// The line, from 1, of a place in the text or in the code.
    fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|&&byte| byte == b'\n').count() + 1
    }

    /// Where a text stands first, else line 1.
    fn line_of(&self, text: &str) -> usize {
        self.text.find(text).map_or(1, |at| self.line(at))
    }
}

fn is_text(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let known = ["rs", "md", "toml", "mjs", "js", "ts", "py", "sh", "java", "cedar"];
    extension.is_some_and(|extension| known.contains(&extension))
        && !path.starts_with("tests/corpus")
}
