//! What a run found, and whether it was worth anything.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::player::{Fate, Leak};

/// How many scripts each rule refused a part of.
pub type Rules = BTreeMap<String, u64>;

/// How many scripts met which fate.
#[derive(Default, Serialize)]
pub struct Counts {
    pub played: u64,
    /// Rows, or COPY data, arrived.
    pub rows: u64,
    /// Ran without rows.
    pub done: u64,
    /// By Weir.
    pub refused: u64,
    /// By the server.
    pub failed: u64,
    pub lost: u64,
    /// Those that were asked directly too.
    pub controlled: u64,
    /// A planted value was seen in them.
    pub seen: u64,
    /// Those of them whose rows arrived through Weir, and in how many of those one was seen.
    pub controlled_rows: u64,
    pub seen_in_rows: u64,
    /// The same of those that failed at the server.
    pub controlled_failures: u64,
    pub seen_in_failures: u64,
}

impl Counts {
    pub fn of(fates: &[(Fate, Option<bool>)]) -> Self {
        let mut counts = Self::default();
        for (fate, seen) in fates {
            counts.played += 1;
            *match fate {
                Fate::Rows => &mut counts.rows,
                Fate::Done => &mut counts.done,
                Fate::Refused => &mut counts.refused,
                Fate::Failed => &mut counts.failed,
                Fate::Lost => &mut counts.lost,
            } += 1;
            let Some(seen) = seen.map(u64::from) else { continue };
            counts.controlled += 1;
            counts.seen += seen;
            match fate {
                Fate::Rows => {
                    counts.controlled_rows += 1;
                    counts.seen_in_rows += seen;
                }
                Fate::Failed => {
                    counts.controlled_failures += 1;
                    counts.seen_in_failures += seen;
                }
                Fate::Done | Fate::Refused | Fate::Lost => {}
            }
        }
        counts
    }
}

/// What a run found.
#[derive(Serialize)]
pub struct Report {
    pub seed: u64,
    pub server: u32,
    pub patterns: usize,
    pub seconds: u64,
    pub counts: Counts,
    pub refused_by: Rules,
    pub leaks: Vec<Leak>,
}

impl Report {
    pub fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        let of = &self.counts;
        println!(
            "{} queries in {} s, seed {}, PostgreSQL {}, {} patterns\n\
             rows {}, done {}, refused {}, failed {}, lost {}\n\
             asked directly, too: {}, of which {} show a planted value; \
             of {} whose rows arrived {} do, of {} that failed {}",
            of.played,
            self.seconds,
            self.seed,
            self.server,
            self.patterns,
            of.rows,
            of.done,
            of.refused,
            of.failed,
            of.lost,
            of.controlled,
            of.seen,
            of.controlled_rows,
            of.seen_in_rows,
            of.controlled_failures,
            of.seen_in_failures,
        );
        println!("refused by {:?}", self.refused_by);
        for leak in &self.leaks {
            println!("\nLEAK, query {}: {}", leak.number, leak.seen);
            leak.steps.iter().for_each(|step| println!("    {step}"));
        }
        println!("{} leaks", self.leaks.len());
        Ok(())
    }

    /// Fails where something leaked, or where too little was asked to show anything.
    pub fn holds(&self, queries: u64) -> Result<()> {
        let of = &self.counts;
        ensure!(self.leaks.is_empty(), "{} queries showed a planted value", self.leaks.len());
        // A few queries say nothing of shares.
        if queries < 500 {
            return Ok(());
        }
        ensure!(
            2 * (of.refused + of.lost) <= of.played,
            "more than half of the queries were refused"
        );
        ensure!(4 * of.rows >= of.played, "fewer than a quarter of the queries had rows");
        ensure!(50 * of.refused >= of.played, "fewer than 2 % were refused");
        ensure!(
            4 * of.seen_in_rows >= of.controlled_rows,
            "fewer than a quarter would have shown anything"
        );
        ensure!(100 * of.lost <= of.played, "more than 1 % lost their connection");
        Ok(())
    }
}
