//! A machine: QEMU without any hardware's help, watched line by line until it is done or too late.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::emulator::Emulator;
use super::guest::MARK;
use super::packages::Image;

/// Lines that wait to be printed.
const LINES: usize = 1024;
/// How much of the kernel's log tells why it stopped.
const LAST_WORDS: usize = 40;
/// How its report begins.
const BAD: [&str; 4] = ["BUG:", "Oops", "Kernel panic", "------------[ cut here"];

/// What a machine is made of.
pub(super) struct Plan<'a> {
    /// For the reader.
    pub(super) name: String,
    pub(super) emulator: &'a Emulator,
    pub(super) image: &'a Image,
    pub(super) initramfs: PathBuf,
    pub(super) cmdline: String,
    /// The kernel's own words, kept if something fails.
    pub(super) log: PathBuf,
    pub(super) limit: Duration,
}

/// How a machine ended.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Each suite with its status and the runner's own summary.
    pub(super) suites: Vec<Ended>,
    /// Why not all of them ran.
    pub(super) broken: Option<String>,
}

/// A suite that ran.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) name: String,
    pub(super) status: i32,
    pub(super) result: String,
}

impl Outcome {
    pub(super) fn is_good(&self) -> bool {
        self.broken.is_none() && self.suites.iter().all(|suite| suite.status == 0)
    }
}

/// Boots it and prints what its tests print.
pub(super) fn run(plan: &Plan<'_>) -> Result<Outcome> {
    let mut child = command(plan).spawn().context("starting QEMU")?;
    let output = child.stdout.take().context("reading from QEMU")?;
    let outcome = watch(plan, &reader(output));
    end(&mut child);
    let outcome = outcome?;
    if outcome.is_good() {
        let _ = fs::remove_file(&plan.log);
    }
    Ok(outcome)
}

fn command(plan: &Plan<'_>) -> Command {
    let mut qemu = plan.emulator.command();
    // Two threads of the emulator at most: the machine that this runs on may have no more cores.
    qemu.args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2G"]);
    qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
    qemu.arg("-kernel").arg(&plan.image.vmlinuz).arg("-initrd").arg(&plan.initramfs);
    let fixed = "console=ttyS0 panic=-1 loglevel=5 mitigations=off tsc=reliable";
    qemu.arg("-append").arg(format!("{fixed} {}", plan.cmdline));
    qemu.arg("-serial").arg(format!("file:{}", plan.log.display())).args(["-serial", "stdio"]);
    let root = "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap";
    qemu.args(["-fsdev", root, "-device", "virtio-9p-pci,fsdev=root,mount_tag=root"]);
    qemu.stdout(Stdio::piped());
    qemu
}

/// The lines of the machine's second port, which ends with the machine.
fn reader(output: ChildStdout) -> Receiver<String> {
    let (to, lines) = sync_channel(LINES);
    std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if to.send(text).is_err() {
                return;
            }
        }
    });
    lines
}

fn watch(plan: &Plan<'_>, lines: &Receiver<String>) -> Result<Outcome> {
    let deadline = Instant::now() + plan.limit;
    let mut outcome = Outcome::default();
    let mut result = String::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = match lines.recv_timeout(left) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                let limit = plan.limit.as_secs();
                outcome.broken = Some(format!("it was not done after {limit} s"));
                return Ok(outcome);
            }
            Err(RecvTimeoutError::Disconnected) => {
                outcome.broken = Some(format!("it stopped: {}", last_words(&plan.log)));
                return Ok(outcome);
            }
        };
        let Some(mark) = line.strip_prefix(MARK) else {
            if line.starts_with("test result:") {
                result.clone_from(&line);
            }
            println!("{}| {line}", plan.name);
            continue;
        };
        let mut words = mark.split(' ');
        match words.next().unwrap_or_default() {
            "done" => return Ok(outcome),
            "end" => {
                let name = words.next().unwrap_or_default().to_owned();
                let status = words.next().and_then(|word| word.parse().ok()).unwrap_or(-1);
                let result = std::mem::take(&mut result);
                outcome.suites.push(Ended { name, status, result });
            }
            _ => println!("{}: {mark}", plan.name),
        }
    }
}

/// What the kernel said last, which is why it stopped: from where it says that something went wrong.
fn last_words(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.len().saturating_sub(LAST_WORDS);
    let begin = lines.iter().position(|line| BAD.iter().any(|word| line.contains(word)));
    let begin = begin.unwrap_or(last);
    lines[begin..].iter().take(LAST_WORDS).copied().collect::<Vec<_>>().join("\n  ")
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
