//! Where the gateway's time goes: samples of its stacks while short statements or much data run through
//! it, as a table by stage and as a flame graph.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Bench, Extent, bulk};
use crate::shell;

const SECONDS: u32 = 10;
/// Debian's libdevel-nytprof-perl brings Brendan Gregg's script.
const FLAMEGRAPH: &str = "/usr/share/perl5/Devel/NYTProf/flamegraph.pl";
/// A sample belongs to the stage whose function is nearest to where it was taken.
const STAGES: [(&str, &str); 12] = [
    ("weir_pgtree::", "classify: parse"),
    ("weir_classify::", "classify: walk"),
    ("weir_policy::", "decide"),
    ("weir::record::", "record"),
    ("weir_ledger::", "record"),
    ("weir_mask::", "mask"),
    ("poll_read", "read from sockets"),
    ("poll_write", "write to sockets"),
    ("epoll_wait", "wait for sockets"),
    ("postgres::answer::", "answers"),
    ("postgres::request::", "requests"),
    ("tokio::", "runtime"),
];
const OTHER: &str = "other";

/// Profiles `weir process` with one client: short statements, prepared and with texts of their own, and
/// much data.
pub fn run(bench: &Bench, out: &Path, extent: Extent) -> Result<()> {
    let mut report = format!(
        "# Where the time goes\n\nMade by `cargo xtask bench --profile`: pgbench -S for {SECONDS} s and psql with \
         much data, one client, class `process`.\nThe time is the gateway's own, in the kernel too. With short \
         statements everything is on one CPU.\n"
    );
    for mode in ["prepared", "simple"] {
        let (stacks, cpu_us) = sample(bench, || {
            let sample = super::short::pgbench(bench, "weir process", mode, 1, SECONDS)?;
            Ok(sample.tps * f64::from(SECONDS))
        })?;
        report.push_str(&part(out, mode, "statement", (&stacks, cpu_us))?);
    }
    let bulk = bulk::Bulk::new(bench, extent)?;
    bench.pin(false)?;
    for work in bulk.works() {
        let (stacks, cpu_us) = sample(bench, || bulk.run(bench, work))?;
        report.push_str(&part(out, work.name, "MiB", (&stacks, cpu_us))?);
    }
    println!("{report}");
    let path = out.join("profile.md");
    fs::write(&path, report).with_context(|| format!("writing {}", path.display()))
}

/// What is told of one kind of work, and its flame graph.
fn part(out: &Path, name: &str, of: &str, (stacks, cpu_us): (&Stacks, f64)) -> Result<String> {
    let file = format!("flame-{}.svg", name.to_lowercase().replace(' ', "-"));
    draw(name, stacks, &out.join(&file))?;
    let title = format!("{name}: {cpu_us:.1} us of CPU per {of}");
    Ok(format!("{}\n[Flame graph]({file})\n", table(&title, stacks, cpu_us)))
}

/// Stacks, `outer;inner`, with how often they were seen.
type Stacks = BTreeMap<String, u64>;

/// The gateway's stacks during some work, and its time in microseconds for each of what the work counts.
fn sample(bench: &Bench, work: impl FnOnce() -> Result<f64>) -> Result<(Stacks, f64)> {
    let gateway = bench.process.pid("gateway").context("the gateway is gone")?;
    let data = bench.process.dir.join("perf.data").display().to_string();
    let mut perf = perf(gateway, &data)?;
    let before = cpu_seconds(gateway)?;
    let done = work()?;
    let cpu = cpu_seconds(gateway)? - before;
    // It writes what it has and ends.
    kill(Pid::from_raw(perf.id().cast_signed()), Signal::SIGINT).context("stopping perf")?;
    perf.wait().context("waiting for perf")?;
    let mut script = shell::words("perf", ["script", "--no-inline", "-F", "comm,ip,sym", "-i"]);
    let stacks = fold(&shell::capture(script.arg(&data))?);
    fs::remove_file(&data)?;
    ensure!(!stacks.is_empty(), "perf saw nothing of the gateway");
    Ok((stacks, cpu * 1e6 / done))
}

fn perf(gateway: u32, data: &str) -> Result<Child> {
    let mut perf =
        shell::words("perf", ["record", "-q", "-F", "1999", "--call-graph", "dwarf,16384"]);
    perf.args(["-o", data, "-p", &gateway.to_string()]);
    perf.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("starting perf")
}

/// User and system time of a process so far, by proc(5): fields 14 and 15 of `stat`, in ticks of 10 ms.
fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("a stat without a name")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}

/// `perf script`'s stacks, innermost first and a blank line after each, as `outer;inner` and count.
fn fold(text: &str) -> Stacks {
    let mut counts = Stacks::new();
    for sample in text.split("\n\n") {
        let mut frames: Vec<&str> = sample.lines().skip(1).filter_map(symbol).collect();
        frames.reverse();
        if !frames.is_empty() {
            *counts.entry(frames.join(";")).or_default() += 1;
        }
    }
    counts
}

/// The function of a line `address name::hash`.
fn symbol(line: &str) -> Option<&str> {
    let (_, name) = line.trim().split_once(' ')?;
    match name.rsplit_once("::h") {
        Some((short, hash)) if hash.len() == 16 => Some(short),
        _ => Some(name),
    }
}

fn stage(stack: &str) -> &'static str {
    let frames = stack.rsplit(';');
    let of = |frame: &str| STAGES.iter().find(|(part, _)| frame.contains(part));
    frames.filter_map(of).map(|(_, stage)| *stage).next().unwrap_or(OTHER)
}

fn table(title: &str, stacks: &Stacks, cpu_us: f64) -> String {
    let mut stages: BTreeMap<&str, u64> = BTreeMap::new();
    for (stack, count) in stacks {
        *stages.entry(stage(stack)).or_default() += count;
    }
    let all: u64 = stages.values().sum();
    let mut rows: Vec<(&str, u64)> = stages.into_iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut text = format!("\n## {title}\n\n| stage | share | us |\n|---|---|---|\n");
    for (stage, count) in rows {
        let share = count as f64 / all as f64;
        text.push_str(&format!("| {stage} | {:.0} % | {:.1} |\n", share * 100.0, share * cpu_us));
    }
    text
}

fn draw(name: &str, stacks: &Stacks, path: &Path) -> Result<()> {
    let folded = path.with_extension("folded");
    let lines = stacks.iter().map(|(stack, count)| format!("{stack} {count}\n"));
    fs::write(&folded, lines.collect::<String>())?;
    let title = format!("weir gateway, {name}, 1 client");
    let mut perl = shell::words("perl", [FLAMEGRAPH, "--minwidth", "2", "--title", &title]);
    let svg = shell::capture(perl.arg(&folded))?;
    fs::remove_file(&folded)?;
    fs::write(path, svg).with_context(|| format!("writing {}", path.display()))
}
