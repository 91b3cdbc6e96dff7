//! Where suites run: a server, a gateway that permits everything, and both ways to the server.

use std::fmt;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::shell;
use crate::stage::{self, Stage};

use super::python;
use super::sqlsmith::Effort;
use super::suites::Suite;

const HOST: &str = "conformance.internal";
const POLICY: &str = "@id(\"conformance.all\")\npermit (principal, action, resource);\n";
/// The longest that a suite may take, in minutes, beside what SQLsmith is given.
const PATIENCE: u64 = 30;

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

/// Which PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// Debian's.
    Debian,
    /// 18, from PyPI.
    Newest,
}

/// The stage, and a folder that the server's own user can reach.
pub(super) struct Place {
    pub(super) stage: Stage,
    /// Kept between runs.
    pub(super) folder: PathBuf,
    /// The server's major version.
    pub(super) major: String,
    pub(super) effort: Effort,
    token: PathBuf,
}

impl Place {
    pub(super) fn new(server: Server, effort: Effort, weir: &Path) -> Result<Self> {
        let folder = folder();
        open(&folder)?;
        let instance = if server == Server::Debian { "conformance" } else { "conformance18" };
        let dir = shell::build_dir().join(instance);
        let mut stage = Stage::new(dir, weir.to_owned(), instance, HOST)?;
        stage.runs(programs(server, &folder)?);
        stage.database("select 1")?;
        stage.logs_in_as_superuser();
        stage.issuer()?;
        let policy = stage.dir.join("policy.cedar");
        fs::write(&policy, POLICY).context("writing the policy")?;
        let files = format!("[policy]\nfiles = [\"{}\"]\n", policy.display());
        stage.gateway("class = \"process\"", &files)?;
        let token = stage.token("alice", &["agents"])?;
        let major = stage.sql("postgres", "show server_version_num")?;
        let major = major.trim().get(..2).context("asking for the server's version")?.to_owned();
        Ok(Self { stage, folder, major, effort, token })
    }

    /// A program that reaches the server by libpq's variables.
    pub(super) fn command(&self, via: Via, words: &[&str]) -> Command {
        let patience = format!("{}m", PATIENCE + 20 * self.effort.minutes);
        let bounds = ["--kill-after=10s", &patience];
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

    /// A text without the server's name and address, which differ both ways.
    pub(super) fn nameless(&self, text: &str) -> String {
        text.replace(&self.stage.host, "SERVER").replace(&self.stage.address, "SERVER")
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

    pub(super) fn log(&self, suite: Suite, via: Via) -> PathBuf {
        let way = if via == Via::Direct { "direct" } else { "weir" };
        self.folder.join(format!("{suite}-{way}.log"))
    }

    /// An empty database of a name, past Weir.
    pub(super) fn database(&self, name: &str) -> Result<()> {
        self.stage.sql("postgres", &format!("drop database if exists \"{name}\" with (force)"))?;
        self.stage.sql("postgres", &format!("create database \"{name}\"")).map(drop)
    }
}

/// Where a server's programs are, once the environment of Python's that has the newest is made.
pub(super) fn programs(server: Server, folder: &Path) -> Result<PathBuf> {
    if server == Server::Debian {
        return stage::programs();
    }
    let python = python::environment(folder)?.join("bin/python");
    let find = "import pathlib, sysconfig\n\
                site = pathlib.Path(sysconfig.get_paths()['purelib'])\n\
                print(next(site.glob('**/bin/initdb')).parent)";
    let found = shell::capture(shell::program(python).args(["-c", find]))?;
    Ok(PathBuf::from(found.trim()))
}

/// Where everything is fetched, built and logged.
pub(super) fn folder() -> PathBuf {
    std::env::temp_dir().join("weir-conformance")
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
