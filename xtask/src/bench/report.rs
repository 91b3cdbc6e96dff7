//! The results as a text that is committed.

use std::fs;

use anyhow::Result;

use super::short::{PATHS, Sample, Samples};
use super::{Extent, median};

/// What was measured where.
pub fn head(extent: Extent) -> Result<String> {
    let Extent { rounds, seconds, .. } = extent;
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("?");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(format!(
        "# What Weir costs\n\nMade by `cargo xtask bench`: {rounds} interleaved rounds, of {seconds} s \
         where pgbench runs, medians.\nNo path has TLS but the one that says so. Policy, classification, \
         masking and record are on.\n{cores} cores, {model}, Linux {}.\n",
        kernel.trim()
    ))
}

/// pgbench's samples.
pub fn short(samples: &Samples) -> String {
    let mut text =
        "\n# Short statements\n\npgbench -S, scale 5. With one client everything is pinned \
         to one CPU.\n"
            .to_owned();
    let cases: std::collections::BTreeSet<&String> = samples.keys().map(|(case, _)| case).collect();
    for case in cases {
        let of = |path: &'static str, value: fn(&Sample) -> f64| {
            let samples = samples.get(&(case.clone(), path)).map(Vec::as_slice);
            median(samples.unwrap_or_default().iter().map(value).collect())
        };
        let (p50, p99, tps) = (|s: &Sample| s.p50_us, |s: &Sample| s.p99_us, |s: &Sample| s.tps);
        text.push_str(&format!(
            "\n## {case} client(s)\n\n| path | p50 us | p99 us | added p50 | added p99 | tps | of \
             pgbouncer |\n|---|---|---|---|---|---|---|\n"
        ));
        for path in PATHS {
            text.push_str(&format!(
                "| {path} | {:.0} | {:.0} | {:+.0} | {:+.0} | {:.0} | {:.2} |\n",
                of(path, p50),
                of(path, p99),
                of(path, p50) - of("direct", p50),
                of(path, p99) - of("direct", p99),
                of(path, tps),
                of(path, tps) / of("pgbouncer", tps)
            ));
        }
    }
    text
}
