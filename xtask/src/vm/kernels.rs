//! `vagrant/kernels.toml`: which kernels there are, how they are booted, what runs in them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::shell;

const LIST: &str = "vagrant/kernels.toml";

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kernels {
    #[serde(rename = "kernel")]
    kernels: Vec<Kernel>,
    #[serde(rename = "run")]
    pub(super) runs: Vec<Run>,
    /// Vagrant's; the Vagrantfile reads them itself, line by line, so they are plain texts.
    #[serde(rename = "box")]
    boxes: Vec<BTreeMap<String, String>>,
}

/// A kernel that Debian has.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kernel {
    pub(super) name: String,
    /// The package that depends on the newest image.
    pub(super) package: String,
    /// Debian's releases that have it.
    pub(super) releases: Vec<String>,
}

/// One way to boot each kernel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    pub(super) name: String,
    pub(super) cmdline: String,
    /// Test targets of the package `weir`.
    pub(super) suites: Vec<String>,
    /// Scenarios: programs of the repository that are given the path of `weir`.
    #[serde(default)]
    pub(super) scenarios: Vec<String>,
    /// The tests that a smoke run keeps of a suite; a suite that is not named runs whole.
    #[serde(default)]
    pub(super) smoke: BTreeMap<String, Vec<String>>,
}

impl Kernels {
    pub(super) fn read() -> Result<Self> {
        let text = std::fs::read_to_string(shell::root().join(LIST))
            .with_context(|| format!("reading {LIST}"))?;
        Self::parse(&text).with_context(|| format!("reading {LIST}"))
    }

    fn parse(text: &str) -> Result<Self> {
        let list: Self = toml::from_str(text)?;
        let kernels = list.kernels.iter().map(|kernel| &kernel.name);
        for name in kernels.chain(list.runs.iter().map(|run| &run.name)) {
            // Names become directories.
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
            ensure!(name.chars().all(fits) && !name.starts_with('.'), "{name:?} is not a name");
        }
        for one in &list.boxes {
            let named = one.contains_key("name") && one.contains_key("box");
            ensure!(named, "a [[box]] needs name and box");
        }
        Ok(list)
    }

    /// Those that are asked for; all where none is.
    pub(super) fn chosen(&self, names: &[String]) -> Result<Vec<Kernel>> {
        if names.is_empty() {
            return Ok(self.kernels.clone());
        }
        let known: Vec<&str> = self.kernels.iter().map(|kernel| kernel.name.as_str()).collect();
        let find = |name: &String| {
            let kernel = self.kernels.iter().find(|kernel| kernel.name == *name);
            kernel.cloned().with_context(|| {
                format!("there is no kernel {name} in {LIST}, only {}", known.join(", "))
            })
        };
        names.iter().map(find).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_list_is_read_and_unknown_kernels_are_refused() {
        let kernels = Kernels::read().unwrap();
        assert!(kernels.chosen(&[]).unwrap().len() >= 2);
        let error = kernels.chosen(&["2.6".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("no kernel 2.6") && error.contains("6.12"), "{error}");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let list = |name: &str| {
            Kernels::parse(&format!(
                "box = []\n[[kernel]]\nname = '{name}'\npackage = 'p'\nreleases = []\n\
                 [[run]]\nname = 'r'\ncmdline = ''\nsuites = []"
            ))
        };
        assert!(list("6.1").is_ok());
        assert!(list("../x").is_err() && list(".").is_err());
    }
}
