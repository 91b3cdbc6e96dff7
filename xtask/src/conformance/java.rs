//! The tests of pgjdbc, from Debian's source of the driver that Debian has built, run by Debian's JUnit.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::{setup, shell, stage};

use super::place::{Place, Via};
use super::source;
use super::suites::{Outcome, Suite, outcome};

const FOLDER: &str = "/usr/share/java";
const JARS: [&str; 6] = [
    "postgresql.jar",
    "junit-platform-console-standalone.jar",
    "junit4.jar",
    "hamcrest.jar",
    "checker-qual.jar",
    "scram-common.jar",
];
/// What Debian has no library for: OSGi, stubs of the environment, a hunter of leaks; and, not compiled
/// since JUnit finds the tests by itself, their lists.
const LEFT_OUT: [&str; 6] = [
    "org.osgi",
    "webcompere",
    "classloader.leak",
    "ongres",
    "V3ParameterList;",
    "Suite.SuiteClasses",
];

fn class_path() -> String {
    JARS.map(|jar| format!("{FOLDER}/{jar}")).join(":")
}

fn unpacked(place: &Place) -> Result<PathBuf> {
    let version = fs::read_dir(FOLDER)?.flatten().find_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let version = name.strip_prefix("postgresql-")?.strip_suffix(".jar")?;
        version.starts_with(|first: char| first.is_ascii_digit()).then(|| version.to_owned())
    });
    let version = version.context("the driver's version")?;
    let release = crate::apt::release()?;
    let archive = source::archive(&place.folder, "libpgjava", &release, &version)?;
    source::unpacked(&place.folder, &archive)
}

/// Where the built tests are.
fn classes(place: &Place) -> Result<PathBuf> {
    Ok(unpacked(place)?.join("test-classes"))
}

pub(super) fn prepare(place: &Place) -> Result<()> {
    setup::install(&[setup::Part::Java, setup::Part::Junit])?;
    let (source, classes) = (unpacked(place)?, classes(place)?);
    if classes.exists() {
        return Ok(());
    }
    eprintln!("building the tests of pgjdbc");
    let tests = source.join("pgjdbc/src/test/java");
    let mut files = Vec::new();
    wanted(&tests, &mut files)?;
    let list = source.join("sources");
    fs::write(&list, files.join("\n"))?;
    let partly = source.join("test-classes-partly");
    let mut compile = shell::words(
        "javac",
        ["-nowarn", "-proc:none", "-encoding", "UTF-8", "-cp", &class_path()],
    );
    compile.arg("-d").arg(&partly).arg(format!("@{}", list.display()));
    shell::quietly(&mut compile)?;
    fs::rename(&partly, &classes).context("keeping the built tests")
}

/// The sources that can be compiled.
fn wanted(folder: &Path, files: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            wanted(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "java") {
            let text = fs::read_to_string(&path)?;
            if !LEFT_OUT.iter().any(|word| text.contains(word)) {
                files.push(path.display().to_string());
            }
        }
    }
    Ok(())
}

pub(super) fn run(suite: Suite, place: &Place, via: Via) -> Result<Outcome> {
    let database = suite.to_string();
    place.database(&database)?;
    let reports = place.empty(&format!("{suite}-reports"))?;
    let (source, classes) = (unpacked(place)?, classes(place)?);
    let resources = source.join("pgjdbc/src/test/resources");
    let path = format!("{}:{}:{}", class_path(), classes.display(), resources.display());
    let password = place.stage.login_password();
    let properties = [
        format!("-Dserver={}", place.host(via)),
        format!("-Ddatabase={database}"),
        format!("-Dusername={}", stage::SUPERUSER),
        format!("-Dpassword={password}"),
        format!("-DprivilegedUser={}", stage::SUPERUSER),
        format!("-DprivilegedPassword={password}"),
        // Weir has none of its own for a server that has none.
        "-Dpgjdbc.sslmode=disable".to_owned(),
    ];
    let scan = format!("--scan-class-path={}", classes.display());
    let reports_dir = format!("--reports-dir={}", reports.display());
    let options = [
        "-cp",
        &path,
        "org.junit.platform.console.ConsoleLauncher",
        &scan,
        &reports_dir,
        "--details=none",
        "--disable-banner",
        // Another server each, or a replica.
        "--exclude-package=org.postgresql.test.ssl",
        "--exclude-package=org.postgresql.test.hostchooser",
        "--exclude-package=org.postgresql.replication",
    ];
    let mut words = vec!["java"];
    words.extend(properties.iter().map(String::as_str));
    words.extend(options);
    let mut command = place.command(via, &words);
    place.capture(suite, via, command.current_dir(source.join("pgjdbc")))?;
    let mut all = Vec::new();
    for entry in fs::read_dir(&reports)?.flatten() {
        all.extend(report(&fs::read_to_string(entry.path())?));
    }
    Ok(outcome(all.into_iter()))
}

/// The tests of a report of JUnit's; what it skips is no test.
fn report(text: &str) -> Vec<(String, bool)> {
    let cases = text.split("<testcase ").skip(1);
    let test = |case: &str| {
        let attribute = |name: &str| {
            let rest = case.split_once(&format!("{name}=\""))?.1;
            Some(rest.split_once('"')?.0.to_owned())
        };
        let own = case.split("<system-out>").next().unwrap_or(case);
        let failed = own.contains("<failure") || own.contains("<error");
        // The class stands last, and its name has no attribute's in it.
        let class = attribute("classname")?;
        let name = format!("{}::{}", class, attribute("name")?);
        (!own.contains("<skipped")).then_some((name, !failed))
    };
    cases.filter_map(test).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_junit_are_read() {
        let text = "<testsuite>\n<testcase name=\"a()\" classname=\"org.X\" time=\"1\">\n\
             <system-out><![CDATA[<failure]]></system-out>\n</testcase>\n\
             <testcase name=\"b\" classname=\"org.X\"><failure message=\"\">no</failure></testcase>\n\
             <testcase name=\"c\" classname=\"org.X\"><skipped/></testcase>";
        let all = [("org.X::a()".to_owned(), true), ("org.X::b".to_owned(), false)];
        assert_eq!(report(text), all);
    }
}
