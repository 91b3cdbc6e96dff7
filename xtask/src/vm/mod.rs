//! Runs the eBPF suites on other kernels: boots Debian's under QEMU, with this machine's root below.
//!
//! The test programs are those that run here; nothing is copied into an image. Without KVM a machine is
//! some ten times slower than this one, so CI runs a part (`--smoke`).

mod emulator;
mod guest;
mod initramfs;
mod kernels;
mod machine;
mod packages;
mod suites;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::setup::{self, Part};
use crate::shell;
use emulator::Emulator;
use guest::Order;
use kernels::{Kernel, Kernels, Run};
use machine::{Outcome, Plan};
use packages::Image;
use suites::Suite;

/// How long a machine may take.
const LIMIT: Duration = Duration::from_secs(30 * 60);
const SMOKE_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Arguments of `vm`.
#[derive(clap::Args)]
pub struct Args {
    /// Kernels of vagrant/kernels.toml (default: all).
    kernels: Vec<String>,
    /// Only the tests that kernels.toml keeps for it.
    #[arg(long)]
    smoke: bool,
    /// Only this way of booting: a [[run]] of kernels.toml.
    #[arg(long)]
    run: Option<String>,
    /// Only this suite or scenario.
    #[arg(long)]
    suite: Option<String>,
    /// Look for newer packages than those that were fetched before.
    #[arg(long)]
    update: bool,
    /// For the test programs, after `--`: a filter, or options.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Runs the task.
pub fn run(args: &Args) -> Result<()> {
    ensure!(shell::is_root(), "a machine has this one's root below it: run as root");
    let list = Kernels::read()?;
    let kernels = list.chosen(&args.kernels)?;
    let runs = chosen_runs(&list.runs, args)?;
    setup::install(&[Part::Vm])?;
    let names: BTreeSet<String> = runs.iter().flat_map(|run| run.suites.clone()).collect();
    let suites = suites::build(&Vec::from_iter(names))?;
    let folder = shell::build_dir().join("vm");
    let emulator = Emulator::get(&folder, args.update).context("fetching QEMU")?;
    let mut ended = Vec::new();
    for kernel in &kernels {
        let image = packages::image(kernel, &folder, args.update)
            .with_context(|| format!("fetching the kernel {}", kernel.name))?;
        for run in &runs {
            let begin = Instant::now();
            let outcome = boot(&emulator, kernel, &image, run, &suites, args, &folder)?;
            let name = format!("{} {} ({})", kernel.name, run.name, image.release);
            ended.push((name, outcome, begin.elapsed()));
        }
    }
    summary(&ended, &folder)
}

fn chosen_runs(runs: &[Run], args: &Args) -> Result<Vec<Run>> {
    let mut chosen: Vec<Run> = runs.to_vec();
    if let Some(name) = &args.run {
        chosen.retain(|run| run.name == *name);
    }
    if let Some(name) = &args.suite {
        for run in &mut chosen {
            run.suites.retain(|suite| suite == name);
            run.scenarios.retain(|path| path.contains(name.as_str()));
        }
        chosen.retain(|run| !run.suites.is_empty() || !run.scenarios.is_empty());
    }
    ensure!(!chosen.is_empty(), "kernels.toml has no such run or suite");
    Ok(chosen)
}

fn boot(
    emulator: &Emulator,
    kernel: &Kernel,
    image: &Image,
    run: &Run,
    suites: &[Suite],
    args: &Args,
    folder: &Path,
) -> Result<Outcome> {
    let name = format!("{}-{}", kernel.name, run.name);
    let own = folder.join("machines").join(&name);
    fs::create_dir_all(&own).with_context(|| format!("making {}", own.display()))?;
    let limit = if args.smoke { SMOKE_LIMIT } else { LIMIT };
    let mut orders: Vec<Order> = suites
        .iter()
        .filter(|suite| run.suites.contains(&suite.name))
        .map(|suite| Order { suite: suite.clone(), arguments: arguments(run, suite, args) })
        .collect();
    orders.extend(run.scenarios.iter().map(|path| scenario(path)));
    let script = own.join("guest.sh");
    fs::write(&script, guest::script(&image.modules, &orders, limit.as_secs()))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let initramfs = own.join("initramfs");
    initramfs::write(image, &script, &initramfs)?;
    let cmdline = run.cmdline.clone();
    let plan =
        Plan { name, emulator, image, initramfs, cmdline, log: own.join("serial.log"), limit };
    let mut outcome = machine::run(&plan)?;
    if outcome.broken.is_none() && outcome.suites.len() != orders.len() {
        outcome.broken = Some("not all suites ran".to_owned());
    }
    Ok(outcome)
}

fn scenario(path: &str) -> Order {
    let program = shell::root().join(path);
    let name = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let arguments = vec![suites::weir().display().to_string()];
    Order { suite: Suite { name, program }, arguments }
}

fn arguments(run: &Run, suite: &Suite, args: &Args) -> Vec<String> {
    let mut arguments = vec!["--test-threads=4".to_owned()];
    if args.smoke {
        arguments.extend(run.smoke.get(&suite.name).cloned().unwrap_or_default());
    }
    arguments.extend(args.rest.iter().cloned());
    arguments
}

fn summary(ended: &[(String, Outcome, Duration)], folder: &Path) -> Result<()> {
    println!();
    let mut bad = 0;
    for (name, outcome, took) in ended {
        let word = if outcome.is_good() { "ok" } else { "FAILED" };
        println!("vm {name}: {word}, {} s", took.as_secs());
        for suite in &outcome.suites {
            println!("  {}: {}", suite.name, result(suite));
        }
        if let Some(why) = &outcome.broken {
            println!("  {why}");
        }
        bad += usize::from(!outcome.is_good());
    }
    if bad > 0 {
        let logs = folder.join("machines");
        bail!("{bad} of {} failed; the kernels' logs are in {}", ended.len(), logs.display());
    }
    Ok(())
}

fn result(suite: &machine::Ended) -> String {
    match (suite.status, suite.result.as_str()) {
        (0, "") => "ok".to_owned(),
        (0, result) => result.to_owned(),
        (124 | 137, _) => "took too long".to_owned(),
        (status, "") => format!("no result, status {status}"),
        (_, result) => result.to_owned(),
    }
}
