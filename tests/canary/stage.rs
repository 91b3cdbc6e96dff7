//! The gateway, the database with what is planted in it, and the agent that asks.

use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use weir_tests::postgres::{PASSWORD, Version};
use weir_tests::{Gateway, Postgres, Setup, root};

use crate::canaries::{Canaries, RULES};
use crate::generate::script;
use crate::oracle::{self, Oracle};
use crate::player::{Fate, Leak, Player, Said};

use crate::report::{Counts, Report, Rules};
use crate::wire::Client;

/// Arguments of `run`.
#[derive(clap::Args, Clone)]
pub struct Args {
    /// How many scripts to play.
    #[arg(long, default_value_t = 2000)]
    pub queries: u64,
    /// Which ones; printed where none is given.
    #[arg(long)]
    pub seed: Option<u64>,
    /// The number of the first, to play one again: `--first N --queries 1`.
    #[arg(long, default_value_t = 0)]
    pub first: u64,
    /// PostgreSQL 13 to 18.
    #[arg(long, default_value_t = 15)]
    pub server: u32,
    /// Report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the task.
pub fn run(args: &Args) -> Result<()> {
    let version = Version::of(args.server).context("13 to 18 are the servers that there are")?;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    eprintln!("canary: seed {seed}, PostgreSQL {}", args.server);
    let planted = Canaries::plant();
    let gateway = Gateway::start(&Setup { version, extra: configuration(), ..Setup::default() });
    let control = Postgres::start(version);
    for database in [&gateway.postgres, &control] {
        plant(database, &planted);
    }
    let patterns = oracle::patterns(&planted, &|sql| control.direct(sql));
    let begin = Instant::now();
    let oracle = Oracle::new(&patterns);
    let (fates, leaks, rules) = std::thread::scope(|scope| -> Result<_> {
        let direct = scope.spawn(|| directly(args, seed, &control, &oracle));
        let through = through(args, seed, &gateway, &planted, &patterns);
        let seen = direct.join().expect("no panic")?;
        let (fates, leaks, rules) = through?;
        ensure!(fates.len() == seen.len() || !leaks.is_empty(), "the agent stopped early");
        Ok((fates.into_iter().zip(seen).collect::<Vec<_>>(), leaks, rules))
    })?;
    let counts = Counts::of(&fates);
    let report = Report {
        seed,
        server: args.server,
        patterns: patterns.len(),
        seconds: begin.elapsed().as_secs(),
        counts,
        refused_by: rules,
        leaks,
    };
    report.print(args.json)?;
    report.holds(args.queries)
}

/// The rules of what is masked, and the policy.
fn configuration() -> String {
    let rule = |(table, columns, class): &(&str, &[&str], &str)| {
        format!(
            "[[column]]\ntarget = \"orders\"\ntable = \"{table}\"\ncolumns = {columns:?}\nclasses = [\"{class}\"]\n"
        )
    };
    let rules: String = RULES.iter().map(rule).collect();
    format!(
        "{rules}[policy]\nfiles = [\"{}\"]\n",
        root().join("tests/canary/policy.cedar").display()
    )
}

fn plant(database: &Postgres, planted: &Canaries) {
    database.direct(&format!(
        "alter role app set statement_timeout = '250ms'; alter role app set lock_timeout = '200ms';
         alter role app set max_parallel_workers_per_gather = 0; alter role app set jit = off;
         alter role app set work_mem = '8MB'; set role app; {}; {}",
        include_str!("schema.sql"),
        planted.sql
    ));
}

/// The same scripts past Weir, of many every tenth: whether a planted value is seen in them.
fn directly(
    args: &Args,
    seed: u64,
    control: &Postgres,
    oracle: &Oracle,
) -> Result<Vec<Option<bool>>> {
    let every = if args.queries > 10_000 { 10 } else { 1 };
    let address = format!("{}:5432", control.address);
    let connect = || Client::connect(&address, "app", &control.database, PASSWORD);
    let mut player = Player::new(&connect, oracle);
    let numbers = args.first..args.first + args.queries;
    let mut play = |number: u64| -> Result<Option<bool>> {
        if !number.is_multiple_of(every) {
            return Ok(None);
        }
        Ok(Some(player.play(&script(seed, number))?.seen.is_some()))
    };
    numbers.map(&mut play).collect()
}

/// An agent plays the scripts through Weir.
fn through(
    args: &Args,
    seed: u64,
    gateway: &Gateway,
    planted: &Canaries,
    patterns: &[Vec<u8>],
) -> Result<(Vec<Fate>, Vec<Leak>, Rules)> {
    let wanted = gateway.dir.join("wanted");
    let hex = |bytes: &Vec<u8>| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("planted {hex}\n")
    };
    let decoys = planted.decoys.iter().map(|word| format!("decoy {word}\n"));
    let text: String = patterns.iter().map(hex).chain(decoys).collect();
    std::fs::write(&wanted, text).context("what to look for")?;
    let own = std::env::current_exe()?.display().to_string();
    let (seed, first, queries) =
        (seed.to_string(), args.first.to_string(), args.queries.to_string());
    let wanted = wanted.display().to_string();
    let arguments = [
        "agent",
        "--host",
        &gateway.host,
        "--seed",
        &seed,
        "--first",
        &first,
        "--queries",
        &queries,
        "--wanted",
        &wanted,
    ];
    let mut child = gateway
        .agent()
        .command(&own, &arguments)
        .stdout(Stdio::piped())
        .spawn()
        .context("weir run")?;
    let (mut fates, mut leaks, mut ended) = (Vec::new(), Vec::new(), false);
    let mut rules = Rules::new();
    for line in BufReader::new(child.stdout.take().context("its output")?).lines() {
        match serde_json::from_str(&line?).context("what the agent says")? {
            Said::Played { number, fate, rule } => {
                fates.push(fate);
                if fate == Fate::Lost {
                    eprintln!("canary: query {number} lost its connection");
                }
                if let Some(rule) = rule {
                    *rules.entry(rule).or_default() += 1;
                }
            }
            Said::Leaked(leak) => {
                eprintln!("canary: {} of {}: {:?}", leak.seen, leak.number, leak.steps);
                leaks.push(leak);
            }
            Said::Ended => ended = true,
        }
        if fates.len().is_multiple_of(100) && std::io::stderr().is_terminal() {
            eprint!("\rcanary: {} of {}, {} leaks ", fates.len(), args.queries, leaks.len());
        } else if fates.len().is_multiple_of(10_000) {
            eprintln!("canary: {} of {}, {} leaks", fates.len(), args.queries, leaks.len());
        }
    }
    let status = child.wait()?;
    ensure!(ended && status.success(), "the agent ended with {status}\n{}", gateway.log());
    Ok((fates, leaks, rules))
}
