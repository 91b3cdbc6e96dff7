//! Where suites run: a server, a gateway that permits everything, and both ways to the server.

use std::fmt;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::shell;
use crate::stage::{self, Stage};

use super::suites::Suite;

const HOST: &str = "conformance.internal";
const POLICY: &str = "@id(\"conformance.all\")\npermit (principal, action, resource);\n";
/// The longest that a suite may take, for `timeout`.
const PATIENCE: &str = "30m";

/// How a suite reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    Direct,
    Weir,
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Direct { "direct" } else { "through Weir" })
    }
}

/// The stage, and a folder that the server's own user can reach.
pub(super) struct Place {
    pub(super) stage: Stage,
    /// Kept between runs.
    pub(super) folder: PathBuf,
    token: PathBuf,
}

impl Place {
    pub(super) fn new() -> Result<Self> {
        let weir = shell::build_dir().join("debug/weir");
        let dir = shell::build_dir().join("conformance");
        let mut stage = Stage::new(dir, weir, "conformance", HOST)?;
        stage.database("select 1")?;
        stage.logs_in_as_superuser();
        stage.issuer()?;
        let policy = stage.dir.join("policy.cedar");
        fs::write(&policy, POLICY).context("writing the policy")?;
        let files = format!("[policy]\nfiles = [\"{}\"]\n", policy.display());
        stage.gateway("class = \"process\"", &files)?;
        let token = stage.token("alice", &["agents"])?;
        let folder = std::env::temp_dir().join("weir-conformance");
        open(&folder)?;
        Ok(Self { stage, folder, token })
    }

    /// A program that reaches the server by libpq's variables.
    pub(super) fn command(&self, via: Via, words: &[&str]) -> Command {
        let bounds = ["--kill-after=10s", PATIENCE];
        let mut command = match via {
            Via::Direct => shell::words("timeout", bounds),
            // A short name: it stands in application_name, of which the server keeps 63 bytes.
            Via::Weir => self.stage.agent(&self.token, "pg", &["timeout", bounds[0], bounds[1]]),
        };
        command.args(words);
        let variables = [
            ("PGHOST", self.host(via)),
            ("PGPORT", "5432"),
            ("PGUSER", stage::SUPERUSER),
            ("PGPASSWORD", self.stage.login_password()),
            ("PGDATABASE", &self.stage.database),
            // The server has none, so messages about the connection would differ.
            ("PGSSLMODE", "disable"),
        ];
        command.envs(variables).current_dir(&self.folder);
        command
    }

    /// The server's name or address.
    pub(super) fn host(&self, via: Via) -> &str {
        match via {
            Via::Direct => &self.stage.address,
            Via::Weir => &self.stage.host,
        }
    }

    /// An empty folder of a run's own.
    pub(super) fn empty(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        open(&folder)?;
        Ok(folder)
    }

    /// The same, for output that the server writes as well. Nothing in it is ever run.
    pub(super) fn shared(&self, name: &str) -> Result<PathBuf> {
        let folder = self.empty(name)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
        Ok(folder)
    }

    /// Runs a suite to its end, whatever that is, and returns what it printed, which is also logged.
    pub(super) fn capture(&self, suite: Suite, via: Via, command: &mut Command) -> Result<String> {
        let output = command.output().with_context(|| format!("running {suite}"))?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let log = self.log(suite, via);
        fs::write(&log, &said).with_context(|| format!("writing {}", log.display()))?;
        Ok(said)
    }

    pub(super) fn logs(&self) -> &Path {
        &self.folder
    }

    pub(super) fn log(&self, suite: Suite, via: Via) -> PathBuf {
        let way = if via == Via::Direct { "direct" } else { "weir" };
        self.folder.join(format!("{suite}-{way}.log"))
    }

    /// The server's major version.
    pub(super) fn major() -> Result<String> {
        let programs = stage::programs()?;
        let version = programs.parent().and_then(Path::file_name).context("PostgreSQL's folder")?;
        Ok(version.to_string_lossy().into_owned())
    }
}

/// Makes a folder that others may read. One that somebody else made is refused: what is built there is
/// run as root.
fn open(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let found = fs::symlink_metadata(folder)?;
    let own = found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw();
    ensure!(own, "{} is somebody else's: remove it", folder.display());
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
