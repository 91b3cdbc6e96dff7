//! pgbench -S: the time of a short statement, and how many there are in a second.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::{Bench, Extent};
use crate::shell;

pub const PATHS: [&str; 9] = [
    "direct",
    "haproxy",
    "pgbouncer",
    "pgbouncer, sid",
    "odyssey, sid",
    "pgagroal, sid",
    "weir process",
    "weir disk",
    "weir process, TLS",
];

/// One measurement of one path.
#[derive(Clone, Copy, Default)]
pub struct Sample {
    pub p50_us: f64,
    pub p99_us: f64,
    pub tps: f64,
}

/// By case and path, one sample for each round.
pub type Samples = BTreeMap<(String, &'static str), Vec<Sample>>;

pub fn measure(bench: &Bench, extent: Extent) -> Result<Samples> {
    let rounds = extent.rounds;
    let mut samples = Samples::new();
    for round in 1..=rounds {
        for (mode, clients) in [("prepared", 1), ("simple", 1), ("prepared", 4), ("prepared", 16)] {
            for path in PATHS {
                eprint!("\rround {round} of {rounds}: {mode}, {clients} clients, {path}          ");
                let sample = pgbench(bench, path, mode, clients, extent.seconds)?;
                samples.entry((format!("{mode} {clients}"), path)).or_default().push(sample);
            }
        }
    }
    eprintln!();
    Ok(samples)
}

/// pgbench -S on a path. With one client everything stays on one CPU.
pub fn pgbench(
    bench: &Bench,
    path: &str,
    mode: &str,
    clients: u32,
    seconds: u32,
) -> Result<Sample> {
    let stage = &bench.process;
    let log = stage.dir.join("pgbench-log");
    for old in logs(&stage.dir)? {
        fs::remove_file(old)?;
    }
    let (clients, seconds) = (clients.to_string(), seconds.to_string());
    let jobs = if clients == "1" { "1" } else { "2" };
    let prefix = log.display().to_string();
    let words = ["-n", "-S", "-M", mode, "-c", &clients, "-j", jobs, "-T", &seconds, "-l"];
    let mut command =
        bench.client(path, "pgbench", &[&words[..], &["--log-prefix", &prefix]].concat());
    bench.pin(clients == "1")?;
    if clients == "1" {
        let mut pinned = shell::program("taskset");
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
