//! What Weir costs: short statements, much data and idle connections, direct, through other proxies
//! and through Weir.
//!
//! Latency is measured with everything on one CPU, because wake-ups of idle virtual CPUs swamp the
//! rest; the paths are interleaved in rounds, and medians over the rounds are reported.

mod bulk;
mod idle;
mod profile;
mod proxies;
mod report;
mod short;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::setup::Part;
use crate::stage::Stage;
use crate::{setup, shell};

use proxies::Proxy;

/// Arguments of `bench`.
#[derive(clap::Args)]
pub struct Args {
    /// One short round of each, to see that it works.
    #[arg(long)]
    quick: bool,
    /// Interleaved rounds.
    #[arg(long, value_name = "N", conflicts_with_all = ["quick", "profile"])]
    rounds: Option<u32>,
    /// Only these parts (default: all).
    #[arg(long, value_delimiter = ',', conflicts_with = "profile")]
    only: Vec<Topic>,
    /// Instead: where the gateway's time goes, with prepared statements, texts of their own and much data.
    #[arg(long, conflicts_with = "quick")]
    profile: bool,
    /// Where the results go (default: docs/bench).
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Something that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Topic {
    /// pgbench.
    Short,
    /// COPY and large results.
    Bulk,
    /// Memory of connections that do nothing.
    Idle,
}

/// How much is measured.
#[derive(Clone, Copy)]
struct Extent {
    rounds: u32,
    seconds: u32,
    /// Mebibytes of large results.
    megabytes: u32,
    idle: u32,
}

const WHOLE: Extent = Extent { rounds: 5, seconds: 5, megabytes: 1024, idle: 10_000 };
const QUICK: Extent = Extent { rounds: 1, seconds: 2, megabytes: 64, idle: 500 };

const HOST: &str = "bench.internal";
/// Hidden from agents.
const COLUMNS: &str = "[[column]]\ntarget = \"orders\"\ntable = \"public.people\"\n\
    columns = [\"email\"]\nclasses = [\"pii\"]\n";

/// Runs the task.
pub fn run(args: &Args) -> Result<()> {
    setup::install(&[Part::Build, Part::Postgres, Part::Proxies])?;
    shell::run(shell::cargo().args(["build", "--release", "--package", "weir"]))?;
    let weir = shell::build_dir().join("release/weir");
    let out = args.out.clone().unwrap_or_else(|| shell::root().join("docs/bench"));
    fs::create_dir_all(&out)?;
    if args.profile {
        setup::install(&[Part::Profile])?;
        return profile::run(&Bench::new(&weir)?, &out, WHOLE);
    }
    let whole = Extent { rounds: args.rounds.unwrap_or(WHOLE.rounds).max(1), ..WHOLE };
    let extent = if args.quick { QUICK } else { whole };
    let wanted = |topic| args.only.is_empty() || args.only.contains(&topic);
    let mut text = report::head(extent)?;
    if wanted(Topic::Idle) {
        text.push_str(&idle::measure(&weir, extent)?);
    }
    let bench = Bench::new(&weir)?;
    text.push_str(&format!("Compared with: {}.\n", bench.versions));
    if wanted(Topic::Bulk) {
        text.push_str(&bulk::measure(&bench, extent)?);
    }
    if wanted(Topic::Short) {
        text.push_str(&report::short(&short::measure(&bench, extent)?));
    }
    println!("{text}");
    let path = out.join("results.md");
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
}

struct Bench {
    process: Stage,
    disk: Stage,
    token: PathBuf,
    disk_token: PathBuf,
    proxies: Vec<Proxy>,
    /// Which releases of the proxies are compared with.
    versions: String,
}

impl Bench {
    fn new(weir: &Path) -> Result<Self> {
        let dir = shell::build_dir().join("bench");
        let mut process = Stage::new(dir.join("process"), weir.to_owned(), "bench", HOST)?;
        process.database("select 1")?;
        process.issuer()?;
        process.gateway("class = \"process\"", COLUMNS)?;
        let token = process.token("alice", &["agents"])?;
        let mut init = shell::words("pgbench", ["-i", "-q", "-s", "5"]);
        shell::quietly(init.arg(process.direct_dsn()))?;
        process.sql(&process.database, "grant all on all tables in schema public to app")?;
        let mut disk = Stage::new(dir.join("disk"), weir.to_owned(), "benchdisk", HOST)?;
        disk.shares_database_of(&process);
        disk.issuer()?;
        disk.gateway("class = \"disk\"", "")?;
        let disk_token = disk.token("alice", &["agents"])?;
        let (proxies, versions) = proxies::all(&dir, &process)?;
        Ok(Self { process, disk, token, disk_token, proxies, versions })
    }

    /// A client program that takes a path.
    fn client(&self, path: &str, program: &str, words: &[&str]) -> Command {
        let stage = &self.process;
        let (host, port) = match (path, proxies::port(path)) {
            (_, Some(port)) => ("127.0.0.1", port),
            ("direct", _) => (stage.address.as_str(), "5432"),
            _ => (HOST, "5432"),
        };
        let mut all = vec![program];
        all.extend(words);
        all.extend(["-h", host, "-p", port, "-U", "app", &stage.database]);
        let mut command = match path {
            "weir disk" => self.disk.agent(&self.disk_token, program, &all),
            path if path.starts_with("weir") => stage.agent(&self.token, program, &all),
            _ => shell::words(program, all.iter().skip(1).copied()),
        };
        command.env("PGPASSWORD", stage.login_password());
        // The other paths have no TLS to offer; Weir's would be used by default.
        command.env("PGSSLMODE", if path.ends_with("TLS") { "require" } else { "disable" });
        command
    }

    /// Puts all servers on one CPU, or lets them go.
    fn pin(&self, one: bool) -> Result<()> {
        let cpus = if one { "0" } else { "0-63" };
        let own = self.process.pids().into_iter().chain(self.disk.pids());
        let all = own.chain(self.proxies.iter().map(Proxy::pid)).collect::<Vec<u32>>();
        for pid in all.iter().flat_map(|pid| tree(*pid)) {
            let pid = pid.to_string();
            let mut set = shell::words("taskset", ["-a", "-p", "-c", cpus, &pid]);
            // A backend may have ended since.
            let _ = shell::quietly(&mut set);
        }
        Ok(())
    }

    fn gateway(&self) -> Result<u32> {
        self.process.pid("gateway").context("the gateway is gone")
    }
}

/// A process and those below it.
fn tree(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let below = children.split_whitespace().filter_map(|child| child.parse().ok());
    let mut all = vec![pid];
    all.extend(below.flat_map(tree));
    all
}

fn resident_kib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).context("no VmRSS")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
