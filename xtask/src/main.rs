//! What people do with this repository, one file per task: `cargo xtask --help`.

mod apt;
mod bench;
mod canary;
mod conformance;
mod demo;
mod differential;
mod ebpf;
mod fuzz;
mod pgtree;
mod setup;
mod shell;
mod stage;
mod test;
mod tidy;
mod vm;

use clap::{Parser, Subcommand};

/// Tasks of the Weir repository.
#[derive(Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what building and testing need; quick when all is there. Needs root and Debian.
    Setup(setup::Args),
    /// Show Weir at work: a database, an issuer, an agent, an approver, an auditor.
    Demo(demo::Args),
    /// Run every test there is.
    Test(test::Args),
    /// Check the rules that no compiler checks; prints every problem with its line.
    Tidy,
    /// Build the eBPF object that is committed.
    Ebpf {
        /// Compare the built object with the committed one instead of replacing it.
        #[arg(long)]
        check: bool,
    },
    /// Write where the nodes of PostgreSQL's parser have their fields.
    Pgtree {
        /// Compare with the committed file instead of replacing it.
        #[arg(long)]
        check: bool,
    },
    /// Measure what Weir costs, beside direct connections and other proxies.
    Bench(bench::Args),
    /// Look for a query that shows a masked value, among random ones.
    Canary(canary::Args),
    /// Run the suites of PostgreSQL and its drivers, direct and through Weir, and compare.
    Conformance(conformance::Args),
    /// Run statements at random and PostgreSQL's own, and compare what the server did with what the
    /// classifier said.
    Differential(differential::Args),
    /// Fuzz what reads bytes of agents and targets, guided by coverage.
    Fuzz(fuzz::Args),
    /// Run the eBPF suites on other kernels, in machines that QEMU emulates.
    Vm(vm::Args),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Setup(args) => setup::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Test(args) => test::run(&args),
        Task::Tidy => tidy::run(),
        Task::Ebpf { check } => ebpf::run(check),
        Task::Pgtree { check } => pgtree::run(check),
        Task::Bench(args) => bench::run(&args),
        Task::Canary(args) => canary::run(&args),
        Task::Conformance(args) => conformance::run(&args),
        Task::Differential(args) => differential::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Vm(args) => vm::run(&args),
    }
}
