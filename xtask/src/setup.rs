//! Installs what building and testing need, as root on Debian 12 or later; quick when all is there.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;

use crate::{ebpf, shell};

const DENY_VERSION: &str = "0.20.2";

/// Arguments of `setup`.
#[derive(clap::Args)]
pub struct Args {
    /// Only these parts (default: all but JUnit, proxies, profile, eBPF, deny, conformance and vm, which not every test needs).
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
}

/// Something to install.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// What the build needs beside Rust.
    Build,
    /// PostgreSQL and what the demo uses beside it.
    Postgres,
    /// Resolvers, their clients and a container runtime.
    Network,
    /// DuckDB, PostgreSQL 18 and Python's drivers, in target/venv.
    Python,
    /// An OpenID provider, node-postgres, and PostgreSQL 13, 14, 16 and 17.
    Node,
    /// JDBC.
    Java,
    /// What JDBC's own tests are built with.
    Junit,
    /// What agents use, and tests run in the jail.
    Tools,
    /// The proxies that the benchmark compares with.
    Proxies,
    /// What samples a process and draws flame graphs.
    Profile,
    /// The compiler and linker for eBPF, and a build of the object.
    Ebpf,
    /// `cargo deny`.
    Deny,
    /// What fetches and builds the suites of PostgreSQL and its drivers.
    Conformance,
    /// QEMU, and what unpacks kernels and makes their first file system.
    Vm,
}

/// What tests need.
const TEST: [Part; 7] =
    [Part::Build, Part::Postgres, Part::Network, Part::Python, Part::Node, Part::Java, Part::Tools];

/// What machines need; Ruby reads the Vagrantfile.
const MACHINES: [&str; 7] =
    ["qemu-system-x86", "busybox-static", "kmod", "xz-utils", "iproute2", "python3", "ruby"];

/// Runs the task.
pub fn run(args: &Args) -> Result<()> {
    install(if args.only.is_empty() { &TEST } else { &args.only })
}

/// Installs all that tests need.
pub fn for_tests() -> Result<()> {
    install(&TEST)
}

/// Installs some parts.
pub fn install(parts: &[Part]) -> Result<()> {
    for part in parts {
        let begin = Instant::now();
        one(*part).with_context(|| format!("installing {part:?}"))?;
        let seconds = begin.elapsed().as_secs_f32();
        if seconds > 1.0 {
            eprintln!("setup: {part:?} took {seconds:.0} s");
        }
    }
    Ok(())
}

fn one(part: Part) -> Result<()> {
    match part {
        // pg_query is C whose Rust face bindgen makes, which needs libclang.
        Part::Build => apt(&["gcc", "libc6-dev", "libclang-dev", "make", "pkg-config"]),
        Part::Postgres => apt(&[
            "postgresql",
            "postgresql-contrib",
            "openssl",
            "util-linux",
            "iproute2",
            "systemd",
        ]),
        Part::Network => apt(&["bind9-dnsutils", "dnsmasq-base", "runc"]),
        Part::Python => python(),
        Part::Node => node(),
        Part::Java => java(),
        Part::Junit => apt(&[
            "junit4",
            "junit5",
            "libchecker-framework-java",
            "libhamcrest-java",
            "libscram-java",
        ]),
        Part::Tools => apt(&["ca-certificates", "curl", "gdb", "git", "strace", "tmux"]),
        Part::Proxies => apt(&["pgbouncer", "haproxy", "util-linux"]),
        Part::Profile => apt(&["libdevel-nytprof-perl", "linux-perf", "util-linux"]),
        Part::Ebpf => ebpf::run(true),
        Part::Deny => deny(),
        // pg_config is asked for by the source distribution of psycopg 2.
        Part::Conformance => apt(&[
            "bison",
            "bzip2",
            "flex",
            "libpq-dev",
            "perl",
            "python3-dev",
            "socat",
            "sqlsmith",
            "xz-utils",
        ]),
        Part::Vm => apt(&MACHINES),
    }
}

/// Installs those Debian packages that are missing. No service is started.
fn apt(packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> =
        packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    ensure!(shell::is_root(), "as root, install {}", missing.join(" "));
    let policy = NoServices::declare()?;
    let install = || {
        let mut command = shell::program("apt-get");
        command.args(["install", "-y", "--no-install-recommends"]).args(&missing);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        shell::quietly(&mut command)
    };
    // The lists may be missing or old.
    let done = install().or_else(|_| {
        shell::quietly(&mut shell::words("apt-get", ["update"]))?;
        install()
    });
    drop(policy);
    done
}

fn is_installed(package: &str) -> bool {
    let query = ["-W", "-f", "${db:Status-Status}", package];
    shell::capture(&mut shell::words("dpkg-query", query)).is_ok_and(|text| text == "installed")
}

/// While it lives, packages that are installed don't start their services.
struct NoServices {
    ours: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl NoServices {
    fn declare() -> Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        std::fs::write(POLICY, "#!/bin/sh\nexit 101\n")
            .context("keeping services from starting")?;
        std::fs::set_permissions(POLICY, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { ours: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            let _ = std::fs::remove_file(POLICY);
        }
    }
}

fn python() -> Result<()> {
    environment(&shell::root().join("tests/drivers/requirements.txt"), &shell::venv())
}

/// Makes an environment of Python's with what a file of requirements lists, unless it is there.
pub fn environment(requirements: &Path, venv: &Path) -> Result<()> {
    let wanted = std::fs::read_to_string(requirements)
        .with_context(|| format!("reading {}", requirements.display()))?;
    let stamp = venv.join("requirements.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    // The system's own Python: agents run as other users, who can't read a home directory's.
    apt(&["python3", "python3-venv"])?;
    let create = ["-m", "venv", "--clear"];
    shell::quietly(shell::words("/usr/bin/python3", create).arg(venv))?;
    let install = ["-m", "pip", "install", "--quiet", "--only-binary", ":all:", "-r"];
    let mut pip = shell::program(venv.join("bin/python"));
    shell::quietly(pip.args(install).arg(requirements))?;
    std::fs::write(stamp, wanted).context("remembering what is installed")
}

fn node() -> Result<()> {
    for folder in ["tests/idp", "tests/drivers", "tests/servers"] {
        let folder = shell::root().join(folder);
        modules(&folder, &folder)?;
    }
    // Packages of npm's have no links: those of servers list them, for a script that is not run.
    let servers = shell::root().join("tests/servers/node_modules");
    for entry in std::fs::read_dir(&servers)? {
        links(&entry?.path())?;
    }
    Ok(())
}

fn links(package: &Path) -> Result<()> {
    #[derive(serde::Deserialize)]
    struct Link {
        source: String,
        target: String,
    }
    let Ok(listed) = std::fs::read_to_string(package.join("native/pg-symlinks.json")) else {
        return Ok(());
    };
    for Link { source, target } in serde_json::from_str::<Vec<Link>>(&listed)? {
        let name = Path::new(&source).file_name().context("a link to nothing")?;
        let target = package.join(target);
        if target.symlink_metadata().is_err() {
            std::os::unix::fs::symlink(name, &target)
                .with_context(|| format!("linking {}", target.display()))?;
        }
    }
    Ok(())
}

/// Installs in a folder what another locks, unless it is there.
pub fn modules(locked: &Path, folder: &Path) -> Result<()> {
    if !shell::has("node") || !shell::has("npm") {
        apt(&["nodejs", "npm"])?;
    }
    let Ok(wanted) = std::fs::read_to_string(locked.join("package-lock.json")) else {
        return Ok(());
    };
    let stamp = folder.join("node_modules/installed.json");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    for name in ["package.json", "package-lock.json"] {
        if locked != folder {
            std::fs::copy(locked.join(name), folder.join(name))?;
        }
    }
    // Prisma's would download engines that nothing here uses.
    let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    shell::quietly(shell::words("npm", install).current_dir(folder))?;
    std::fs::write(stamp, wanted).context("remembering what is installed")
}

fn java() -> Result<()> {
    if !shell::has("javac") {
        apt(&["default-jdk-headless"])?;
    }
    apt(&["libpostgresql-jdbc-java"])
}

/// It is run once a day and small: a quick build of it is worth more than a quick one.
fn deny() -> Result<()> {
    let version = shell::capture(shell::cargo().args(["deny", "--version"])).unwrap_or_default();
    if version.trim().ends_with(DENY_VERSION) {
        return Ok(());
    }
    let install = ["install", "cargo-deny", "--locked", "--debug", "--version", DENY_VERSION];
    shell::run(shell::cargo().args(install).env_remove("CARGO_TARGET_DIR"))
}
