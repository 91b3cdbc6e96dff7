//! pgbench in all its modes: each run does all its transactions, and as many rows are left.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};

use crate::shell;

use super::place::{Place, Via};
use super::suites::{Outcome, Suite};

const DATABASE: &str = "pgbench";
const MODES: [&str; 3] = ["simple", "extended", "prepared"];
/// Clients, and transactions of each.
const CLIENTS: usize = 4;
const TRANSACTIONS: usize = 250;

pub(super) fn run(suite: Suite, place: &Place, via: Via) -> Result<Outcome> {
    place.database(DATABASE)?;
    let program = place.stage.programs()?.join("pgbench").display().to_string();
    let mut log = String::new();
    let mut outcome = Outcome::new();
    let mut all = |name: String, words: &[&str], done: &str| -> Result<()> {
        let words = [&[program.as_str()], words].concat();
        let output = place.command(via, &words).env("PGDATABASE", DATABASE).output();
        let output = output.context("running pgbench")?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let passed = output.status.success() && said.contains(done) && !said.contains("ERROR");
        let _ = writeln!(log, "{name}: {}\n{said}", output.status);
        outcome.insert(name, passed);
        Ok(())
    };
    for (name, steps) in
        [("partitions", "dtpg"), ("server-side", "dtGvpf"), ("client-side", "dtgvpf")]
    {
        let steps = format!("--init-steps={steps}");
        let partitions = if name == "partitions" { "--partitions=4" } else { "--partitions=0" };
        all(format!("initialize-{name}"), &["-i", "-s", "1", &steps, partitions], "done in")?;
    }
    let script = |name: &str| {
        shell::root().join("tests/conformance/pgbench").join(name).display().to_string()
    };
    let (pipeline, gset) = (script("pipeline.sql"), script("gset.sql"));
    let (clients, transactions) = (CLIENTS.to_string(), TRANSACTIONS.to_string());
    let whole = CLIENTS * TRANSACTIONS;
    let whole = format!("number of transactions actually processed: {whole}/{whole}");
    for mode in MODES {
        let base = ["-n", "-M", mode, "-c", &clients, "-j", "2", "-t", &transactions];
        let scripts: [(&str, &[&str]); 6] = [
            ("tpcb-like", &["-b", "tpcb-like"]),
            ("simple-update", &["-N"]),
            ("select-only", &["-S"]),
            ("gset", &["-f", &gset]),
            ("connect", &["-C", "-S"]),
            ("pipeline", &["-f", &pipeline]),
        ];
        for (name, own) in scripts {
            // Simple queries can't be sent as a pipeline, and several statements not otherwise.
            if (name == "pipeline" && mode == "simple") || (name == "gset" && mode != "simple") {
                continue;
            }
            all(format!("{mode}-{name}"), &[&base[..], own].concat(), &whole)?;
        }
    }
    fs::write(place.log(suite, via), &log)?;
    let rows = place.stage.sql(DATABASE, "select count(*) from pgbench_history")?;
    // tpcb-like and simple-update three times each, and the pipeline twice.
    let expected = 8 * CLIENTS * TRANSACTIONS;
    outcome.insert("history".to_owned(), rows.trim() == expected.to_string());
    Ok(outcome)
}
