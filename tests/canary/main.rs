//! The canary property of masking: whatever is asked, no planted value of a masked column arrives.
//!
//! `weir-canary run` plants them in a database behind a gateway, lets an agent ask random queries,
//! and asks the same ones directly, to know how many of them would have shown a planted value.

mod canaries;
mod generate;
mod oracle;
mod player;
mod report;
mod stage;
mod wire;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "weir-canary", about = "Looks for a query that shows a masked value")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Ask many random queries and report; fails where one shows a planted value.
    Run(stage::Args),
    /// The part that the agent runs.
    #[command(hide = true)]
    Agent(player::Args),
    /// Print the script of a number.
    Show {
        /// Of the run.
        #[arg(long)]
        seed: u64,
        /// Of the script.
        number: u64,
    },
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Run(args) => stage::run(&args),
        Task::Agent(args) => player::run(&args),
        Task::Show { seed, number } => {
            for (sql, way) in generate::script(seed, number).steps {
                println!("{way:?}: {sql}");
            }
            Ok(())
        }
    }
}
