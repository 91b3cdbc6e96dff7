//! What a check found.

use serde::Serialize;

use crate::cli::output::{Paint, painted, visible};
use crate::cli::sessions::terminal;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// It was looked at, and is as it should be.
    Ok,
    /// It could not be looked at.
    Unknown,
    /// It works, but less well than it could.
    Warn,
    /// It does not work.
    Fail,
}

/// One finding.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) area: String,
    pub(super) level: Level,
    /// What was found, one sentence.
    pub(super) text: String,
    /// The command that mends it, or shows more.
    pub(super) mend: Option<String>,
}

/// All findings.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) findings: Vec<Finding>,
}

impl Report {
    pub(super) fn ok(&mut self, area: &str, text: impl Into<String>) {
        self.add(area, Level::Ok, text.into(), None);
    }

    pub(super) fn unknown(&mut self, area: &str, text: impl Into<String>, mend: &str) {
        self.add(area, Level::Unknown, text.into(), Some(mend.to_owned()));
    }

    pub(super) fn warn(&mut self, area: &str, text: impl Into<String>, mend: &str) {
        self.add(area, Level::Warn, text.into(), Some(mend.to_owned()));
    }

    pub(super) fn fail(&mut self, area: &str, text: impl Into<String>, mend: &str) {
        self.add(area, Level::Fail, text.into(), Some(mend.to_owned()));
    }

    fn add(&mut self, area: &str, level: Level, text: String, mend: Option<String>) {
        self.findings.push(Finding { area: area.to_owned(), level, text, mend });
    }

    /// The worst of all.
    pub(super) fn worst(&self) -> Level {
        self.findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
    }

    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// Prints them: as JSON, or one line each with what mends it below.
    pub(super) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        terminal::print(|screen| {
            if as_json {
                return Ok(writeln!(screen, "{}", serde_json::to_string(self)?)?);
            }
            for Finding { area, level, text, mend } in &self.findings {
                let word = match level {
                    Level::Ok => painted(Paint::Green, "ok     "),
                    Level::Unknown => painted(Paint::Dim, "unknown"),
                    Level::Warn => painted(Paint::Yellow, "warn   "),
                    Level::Fail => painted(Paint::Red, "FAIL   "),
                };
                writeln!(screen, "{word} {area:<14} {}", visible(text))?;
                if let Some(mend) = mend {
                    writeln!(screen, "{:22} -> {}", "", visible(mend))?;
                }
            }
            let (ok, unknown) = (self.count(Level::Ok), self.count(Level::Unknown));
            let (warn, fail) = (self.count(Level::Warn), self.count(Level::Fail));
            Ok(writeln!(screen, "\n{fail} failed, {warn} warnings, {unknown} unknown, {ok} ok")?)
        })
        .map(drop)
    }
}
