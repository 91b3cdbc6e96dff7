//! The tests of tokio-postgres, from the crate itself. They know one address, so a relay to the server
//! listens there, both ways.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::shell;

use super::place::{Place, Via};
use super::suites::{Outcome, Suite, outcome};

const PACKAGE: &str = "tokio-postgres";
/// What its tests of types are switched by.
const FEATURES: &str = "array-impls,with-bit-vec-0_8,with-chrono-0_4,with-eui48-1,with-geo-types-0_7,\
                        with-jiff-0_2,with-serde_json-1,with-time-0_3,with-uuid-1";
/// The relay, until the test ends; the rest of the words is the test.
const RELAY: &str = "socat TCP4-LISTEN:5433,bind=127.0.0.1,reuseaddr,fork TCP:$PGHOST:$PGPORT & \
                     relay=$!; sleep 1; \"$@\"; kill $relay";
/// Who its tests log in as, each in a way of its own, as upstream's server is set up.
const ROLES: &str = "set password_encryption = 'scram-sha-256'; \
     create role pass_user login password 'password'; \
     create role scram_user login password 'password'; \
     create role ssl_user login; \
     set password_encryption = 'md5'; create role md5_user login password 'password'";
/// What the databases have that its tests reach: they name none, so that direct it is the superuser's, and
/// through Weir the target's.
const EXTENSIONS: &str = "set client_min_messages = error; \
     create extension if not exists hstore; create extension if not exists ltree";
const ACCESS: &str = "host all pass_user all password\nhost all md5_user all md5\n\
                      host all scram_user all scram-sha-256\nhost all all all trust\n";

/// Where Cargo keeps the crate that the workspace locks.
fn crate_source() -> Result<PathBuf> {
    let ask = ["metadata", "--locked", "--format-version", "1"];
    let said = shell::capture(shell::cargo().args(ask))?;
    let metadata: serde_json::Value = serde_json::from_str(&said).context("reading metadata")?;
    let packages = metadata["packages"].as_array().context("Cargo knows no packages")?;
    let own = packages.iter().find(|package| package["name"] == PACKAGE);
    let manifest = own.and_then(|package| package["manifest_path"].as_str());
    let manifest = Path::new(manifest.context("the workspace has no tokio-postgres")?);
    Ok(manifest.parent().context("its folder")?.to_owned())
}

/// The built tests; what was built before is used again.
fn built(place: &Place) -> Result<PathBuf> {
    let source = crate_source()?;
    let folder = place.folder.join(source.file_name().context("the crate's name")?);
    let test = folder.join("test");
    if test.exists() {
        return Ok(test);
    }
    eprintln!("building the tests of {PACKAGE}");
    if !folder.exists() {
        shell::quietly(shell::words("cp", ["-r"]).arg(&source).arg(&folder))?;
    }
    let target = folder.join("target");
    let mut build = shell::cargo();
    build.args(["test", "--no-run", "--test", "test", "--features", FEATURES]);
    build.args(["--message-format", "json"]).env("CARGO_TARGET_DIR", &target);
    let said = shell::capture(build.current_dir(&folder))?;
    let executable = said.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    fs::copy(executable.context("no test was built")?, &test)?;
    // It is large, and nothing of it is needed again.
    fs::remove_dir_all(&target)?;
    Ok(test)
}

pub(super) fn prepare(place: &Place) -> Result<()> {
    built(place).map(drop)
}

pub(super) fn run(suite: Suite, place: &Place, via: Via) -> Result<Outcome> {
    place.stage.sql("postgres", "drop role if exists pass_user, scram_user, ssl_user, md5_user")?;
    place.stage.sql("postgres", ROLES)?;
    for database in ["postgres", &place.stage.database] {
        place.stage.sql(database, EXTENSIONS)?;
    }
    let access = Access::open(place)?;
    let test = built(place)?.display().to_string();
    let words = ["sh", "-c", RELAY, "sh", &test, "--test-threads=4"];
    let said = place.capture(suite, via, &mut place.command(via, &words));
    access.close(place)?;
    Ok(outcome(said?.lines().filter_map(line)))
}

/// The server's rules of access, which these tests need others of.
struct Access {
    file: PathBuf,
    usual: String,
}

impl Access {
    fn open(place: &Place) -> Result<Self> {
        let file = PathBuf::from(place.stage.sql("postgres", "show hba_file")?.trim());
        let usual = fs::read_to_string(&file).context("reading the server's rules of access")?;
        fs::write(&file, ACCESS)?;
        place.stage.sql("postgres", "select pg_reload_conf()")?;
        let errors = "select count(*) from pg_hba_file_rules where error is not null";
        let errors = place.stage.sql("postgres", errors)?;
        ensure!(errors.trim() == "0", "the server does not take its rules of access");
        Ok(Self { file, usual })
    }

    fn close(self, place: &Place) -> Result<()> {
        fs::write(self.file, self.usual)?;
        place.stage.sql("postgres", "select pg_reload_conf()").map(drop)
    }
}

/// `test name ... ok` of Rust's harness; what it ignores is no test.
fn line(line: &str) -> Option<(String, bool)> {
    let (name, verdict) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let passed = match verdict {
        "ok" => true,
        "FAILED" => false,
        _ => return None,
    };
    Some((name.to_owned(), passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_harness_is_read() {
        assert_eq!(line("test runtime::tcp ... ok"), Some(("runtime::tcp".to_owned(), true)));
        assert_eq!(line("test a ... FAILED"), Some(("a".to_owned(), false)));
        assert_eq!(line("test a ... ignored"), None);
        assert_eq!(line("test result: ok. 1 passed"), None);
    }
}
