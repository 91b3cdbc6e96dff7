//! `weir bindings`: what is pinned in the kernel, read there and not from a gateway.

use std::process::ExitCode;

use anyhow::Context as _;

use super::Common;
use super::output::{Paint, Table, json};
use crate::config::Config;
use crate::intercept::{self, Instance, Options, Pinned};

/// List bindings and their programs as the kernel has them, of all gateways of this host.
#[derive(clap::Args)]
pub struct Args {
    /// End an instance whose gateway is gone: kill what is below its slice, remove slice and pins.
    #[arg(long, value_name = "INSTANCE")]
    retire: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// The kernel or the permissions don't allow it.
pub fn run(args: &Args, common: &Common) -> anyhow::Result<ExitCode> {
    let bpffs = Config::load_or_default(&common.config)?.gateway.bpffs;
    if let Some(instance) = &args.retire {
        let options = Options { instance: instance.clone(), bpffs };
        intercept::retire(&options).with_context(|| format!("retiring {instance}"))?;
        if !common.json {
            println!("{instance}: ended, and its pins are removed");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let instances = intercept::instances(bpffs.as_deref()).context("listing what is pinned")?;
    if common.json {
        println!("{}", json(&instances)?);
    } else {
        println!("{}", table(&instances));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(instances: &[Instance]) -> String {
    let headings =
        ["INSTANCE", "GATEWAY", "BINDING", "LEAF", "PROCESSES", "PROGRAMS", "LAYOUT", "PROBLEM"];
    let mut table = Table::new(&headings);
    for instance in instances {
        let (paint, gateway) = match (instance.running, instance.kept) {
            (true, _) => (Paint::Green, "running"),
            (false, true) => (Paint::Yellow, "gone, attached"),
            (false, false) => (Paint::Red, "gone"),
        };
        let mut begin = vec![(Paint::Plain, instance.name.clone()), (paint, gateway.to_owned())];
        if instance.bindings.is_empty() {
            begin.resize(headings.len(), (Paint::Plain, String::new()));
            table.row(begin);
            continue;
        }
        for binding in &instance.bindings {
            table.row([begin.clone(), cells(binding)].concat());
        }
    }
    table.text(super::output::has_colour())
}

fn cells(binding: &Pinned) -> Vec<(Paint, String)> {
    let plain = |text: String| (Paint::Plain, text);
    let processes = binding.processes.map_or_else(|| "-".to_owned(), |count| count.to_string());
    vec![
        plain(format!("{:x}", binding.id)),
        plain(binding.leaf.clone()),
        plain(processes),
        plain(binding.links.len().to_string()),
        (Paint::Dim, binding.layout.clone()),
        (Paint::Red, binding.problem.clone().unwrap_or_default()),
    ]
}
