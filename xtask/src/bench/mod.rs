//! What Weir costs: pgbench and a large result, direct, through other proxies and through Weir.
//!
//! Latency is measured with everything on one CPU, because wake-ups of idle virtual CPUs swamp the
//! rest; the paths are interleaved in rounds, and medians over the rounds are reported.

mod profile;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::setup::Part;
use crate::stage::Stage;
use crate::{setup, shell};

/// Arguments of `bench`.
#[derive(clap::Args)]
pub struct Args {
    /// One short round of each, to see that it works.
    #[arg(long)]
    quick: bool,
    /// Instead: where the gateway's time goes, with prepared statements and with texts of their own.
    #[arg(long, conflicts_with = "quick")]
    profile: bool,
    /// Where the results go (default: docs/bench).
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

const HOST: &str = "bench.internal";
const PATHS: [&str; 6] =
    ["direct", "haproxy", "pgbouncer", "weir process", "weir disk", "weir process, TLS"];

/// One measurement of one path.
#[derive(Clone, Copy, Default)]
struct Sample {
    p50_us: f64,
    p99_us: f64,
    tps: f64,
}

type Samples = BTreeMap<(String, &'static str), Vec<Sample>>;

/// Runs the task.
pub fn run(args: &Args) -> Result<()> {
    setup::install(&[Part::Build, Part::Postgres, Part::Proxies])?;
    shell::run(shell::cargo().args(["build", "--release", "--package", "weir"]))?;
    let weir = shell::build_dir().join("release/weir");
    let bench = Bench::new(&weir)?;
    let out = args.out.clone().unwrap_or_else(|| shell::root().join("docs/bench"));
    fs::create_dir_all(&out)?;
    if args.profile {
        setup::install(&[Part::Profile])?;
        return profile::run(&bench, &out);
    }
    let (rounds, seconds) = if args.quick { (1, 2) } else { (5, 5) };
    // First, so that "before" is a gateway that has served nothing.
    let memory = bench.large_result(if args.quick { 64 } else { 1024 })?;
    let mut samples = Samples::new();
    for round in 1..=rounds {
        for (mode, clients) in [("prepared", 1), ("simple", 1), ("prepared", 4), ("prepared", 16)] {
            for path in PATHS {
                eprint!("\rround {round} of {rounds}: {mode}, {clients} clients, {path}          ");
                let sample = bench.pgbench(path, mode, clients, seconds)?;
                samples.entry((format!("{mode} {clients}"), path)).or_default().push(sample);
            }
        }
    }
    eprintln!();
    let report = report(&samples, &memory, rounds, seconds)?;
    println!("{report}");
    let path = out.join("results.md");
    fs::write(&path, report).with_context(|| format!("writing {}", path.display()))
}

struct Bench {
    process: Stage,
    disk: Stage,
    token: PathBuf,
    disk_token: PathBuf,
    proxies: Vec<Child>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        for proxy in &mut self.proxies {
            let _ = proxy.kill();
            let _ = proxy.wait();
        }
    }
}

impl Bench {
    fn new(weir: &Path) -> Result<Self> {
        let dir = shell::build_dir().join("bench");
        let mut process = Stage::new(dir.join("process"), weir.to_owned(), "bench", HOST)?;
        process.database("select 1")?;
        process.issuer()?;
        process.gateway("class = \"process\"", "")?;
        let token = process.token("alice", &["agents"])?;
        let mut init = shell::words("pgbench", ["-i", "-q", "-s", "5"]);
        shell::quietly(init.arg(process.direct_dsn()))?;
        process.sql(&process.database, "grant all on all tables in schema public to app")?;
        let mut disk = Stage::new(dir.join("disk"), weir.to_owned(), "benchdisk", HOST)?;
        disk.shares_database_of(&process);
        disk.issuer()?;
        disk.gateway("class = \"disk\"", "")?;
        let disk_token = disk.token("alice", &["agents"])?;
        let proxies = vec![haproxy(&dir, &process)?, pgbouncer(&dir, &process)?];
        std::thread::sleep(std::time::Duration::from_secs(1));
        Ok(Self { process, disk, token, disk_token, proxies })
    }

    /// pgbench -S on a path. With one client everything stays on one CPU.
    fn pgbench(&self, path: &str, mode: &str, clients: u32, seconds: u32) -> Result<Sample> {
        let stage = &self.process;
        let log = stage.dir.join("pgbench-log");
        for old in logs(&stage.dir)? {
            fs::remove_file(old)?;
        }
        let (clients, seconds) = (clients.to_string(), seconds.to_string());
        let jobs = if clients == "1" { "1" } else { "2" };
        let mut words = vec!["pgbench", "-n", "-S", "-M", mode, "-c", &clients, "-j", jobs];
        let prefix = log.display().to_string();
        words.extend(["-T", &seconds, "-l", "--log-prefix", &prefix]);
        let port = match path {
            "haproxy" => "6401",
            "pgbouncer" => "6402",
            _ => "5432",
        };
        let host = match path {
            "direct" => stage.address.as_str(),
            "haproxy" | "pgbouncer" => "127.0.0.1",
            _ => HOST,
        };
        words.extend(["-h", host, "-p", port, "-U", "app", &stage.database]);
        let mut command = match path {
            "weir process" | "weir process, TLS" => stage.agent(&self.token, "pgbench", &words),
            "weir disk" => self.disk.agent(&self.disk_token, "pgbench", &words),
            _ => shell::words("pgbench", words.iter().skip(1).copied()),
        };
        command.env("PGPASSWORD", stage.login_password());
        // The other paths have no TLS to offer; Weir's would be used by default.
        command.env("PGSSLMODE", if path.ends_with("TLS") { "require" } else { "disable" });
        self.pin(clients == "1")?;
        let mut pinned = shell::program("taskset");
        if clients == "1" {
            pinned.args(["-c", "0"]).arg(command.get_program()).args(command.get_args());
            for (name, value) in command.get_envs() {
                match value {
                    Some(value) => pinned.env(name, value),
                    None => pinned.env_remove(name),
                };
            }
            command = pinned;
        }
        let said = shell::capture(&mut command).with_context(|| format!("pgbench over {path}"))?;
        let tps = said.lines().find_map(|line| line.strip_prefix("tps = "));
        let tps = tps.and_then(|line| line.split_whitespace().next()?.parse().ok());
        let (p50_us, p99_us) = percentiles(&stage.dir)?;
        Ok(Sample { p50_us, p99_us, tps: tps.context("pgbench told no rate")? })
    }

    /// Puts all servers on one CPU, or lets them go.
    fn pin(&self, one: bool) -> Result<()> {
        let cpus = if one { "0" } else { "0-63" };
        let own = self.process.pids().into_iter().chain(self.disk.pids());
        let all = own.chain(self.proxies.iter().map(Child::id)).collect::<Vec<u32>>();
        for pid in all.iter().flat_map(|pid| tree(*pid)) {
            let pid = pid.to_string();
            let mut set = shell::words("taskset", ["-a", "-p", "-c", cpus, &pid]);
            // A backend may have ended since.
            let _ = shell::quietly(&mut set);
        }
        Ok(())
    }

    /// A large SELECT through Weir, with the gateway's memory while it flows.
    fn large_result(&self, megabytes: u32) -> Result<String> {
        let gateway = self.process.pid("gateway").context("the gateway is gone")?;
        let before = resident_kib(gateway)?;
        let rows = megabytes * 1024;
        let sql = format!("select repeat(md5(g::text), 32) from generate_series(1, {rows}) g");
        let words = [
            "psql",
            "-X",
            "-q",
            "-A",
            "-t",
            "-h",
            HOST,
            "-v",
            "FETCH_COUNT=0",
            "-o",
            "/dev/null",
            "-c",
            &sql,
        ];
        let begin = Instant::now();
        let mut psql = self.process.agent(&self.token, "psql", &words);
        let mut child = psql.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut most = before;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            most = most.max(resident_kib(gateway)?);
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        ensure!(status.success(), "the large SELECT failed: {status}");
        let seconds = begin.elapsed().as_secs_f64();
        let grown = (most - before) / 1024;
        Ok(format!(
            "{megabytes} MiB SELECT through Weir (process): {seconds:.1} s, {:.0} MiB/s; resident memory of a \
             gateway that has served nothing {} MiB, {grown} MiB more at most.",
            f64::from(megabytes) / seconds,
            before / 1024,
        ))
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

fn logs(dir: &Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(dir)?.flatten().map(|file| file.path());
    let is_log = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pgbench-log"))
    };
    Ok(files.filter(is_log).collect())
}

/// The median and the 99th percentile of pgbench's own log, whose third column is microseconds.
fn percentiles(dir: &Path) -> Result<(f64, f64)> {
    let mut times: Vec<f64> = Vec::new();
    for log in logs(dir)? {
        let text = fs::read_to_string(log)?;
        let third = |line: &str| line.split_whitespace().nth(2)?.parse::<f64>().ok();
        times.extend(text.lines().filter_map(third));
    }
    ensure!(!times.is_empty(), "pgbench logged nothing");
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok((at(0.5), at(0.99)))
}

fn haproxy(dir: &Path, stage: &Stage) -> Result<Child> {
    let path = dir.join("haproxy.cfg");
    let text = format!(
        "global\n nbthread 1\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n \
         timeout server 1h\nlisten pg\n bind 127.0.0.1:6401\n server pg {}:5432\n",
        stage.address
    );
    fs::write(&path, text)?;
    let mut command = shell::words("haproxy", ["-db", "-f"]);
    command.arg(path).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().context("starting haproxy")
}

fn pgbouncer(dir: &Path, stage: &Stage) -> Result<Child> {
    let (config, users) = (dir.join("pgbouncer.ini"), dir.join("users.txt"));
    fs::write(&users, format!("\"app\" \"{}\"\n", stage.login_password()))?;
    let text = format!(
        "[databases]\n* = host={} port=5432\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = 6402\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = session\n\
         max_client_conn = 200\ndefault_pool_size = 64\nunix_socket_dir =\nuser = nobody\n\
         logfile = /dev/null\n",
        stage.address,
        users.display()
    );
    fs::write(&config, text)?;
    let mut command = shell::program("pgbouncer");
    command.arg("-q").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().context("starting pgbouncer")
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn report(samples: &Samples, memory: &str, rounds: u32, seconds: u32) -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("?");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut text = format!(
        "# What Weir costs\n\nMade by `cargo xtask bench`: pgbench -S, scale 5, {rounds} interleaved \
         rounds of {seconds} s, medians.\nWith one client everything is pinned to one CPU. \
         No path has TLS but the one that says so.\n\
         Policy, classification and record are on. {cores} cores, {model}, Linux {}.\n",
        kernel.trim()
    );
    let cases: std::collections::BTreeSet<&String> = samples.keys().map(|(case, _)| case).collect();
    for case in cases {
        let of = |path: &'static str| samples.get(&(case.clone(), path)).map(Vec::as_slice);
        let direct = of("direct").unwrap_or_default();
        let bouncer = median(of("pgbouncer").unwrap_or_default(), |s| s.tps);
        text.push_str(&format!(
            "\n## {case} client(s)\n\n| path | p50 us | p99 us | added p50 | added p99 | tps | of \
             pgbouncer |\n|---|---|---|---|---|---|---|\n"
        ));
        for path in PATHS {
            let own = of(path).unwrap_or_default();
            let (p50, p99) = (median(own, |s| s.p50_us), median(own, |s| s.p99_us));
            let tps = median(own, |s| s.tps);
            let (base50, base99) = (median(direct, |s| s.p50_us), median(direct, |s| s.p99_us));
            text.push_str(&format!(
                "| {path} | {p50:.0} | {p99:.0} | {:+.0} | {:+.0} | {tps:.0} | {:.2} |\n",
                p50 - base50,
                p99 - base99,
                tps / bouncer
            ));
        }
    }
    text.push_str(&format!("\n## A large result\n\n{memory}\n"));
    Ok(text)
}
