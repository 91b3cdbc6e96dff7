//! Suites whose tests print: each must print through Weir what it printed direct, to the byte.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use super::place::{Place, Via};
use super::suites::{Outcome, Suite};

/// An empty folder for what a suite prints one way, a file each test.
pub(super) fn folder(place: &Place, suite: Suite, via: Via) -> Result<PathBuf> {
    place.empty(&name(suite, via))
}

fn name(suite: Suite, via: Via) -> String {
    format!("{suite}-{}", if via == Via::Direct { "direct" } else { "weir" })
}

/// Compares what was printed with what was printed direct.
pub(super) fn outcome(place: &Place, suite: Suite, via: Via) -> Result<Outcome> {
    let direct = place.folder.join(name(suite, Via::Direct));
    let own = place.folder.join(name(suite, via));
    let mut outcome = Outcome::new();
    for entry in fs::read_dir(&direct).context("what was printed direct is gone")? {
        let test = entry?.file_name().to_string_lossy().into_owned();
        let said = fs::read(direct.join(&test))?;
        ensure!(!said.is_empty(), "{suite}: {test} printed nothing");
        outcome.insert(test.clone(), fs::read(own.join(&test)).is_ok_and(|same| same == said));
    }
    Ok(outcome)
}
