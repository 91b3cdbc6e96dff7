//! Plays scripts on a connection and looks at all that comes back.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::generate::{Script, script};
use crate::oracle::{Oracle, unhex};
use crate::wire::{Client, Outcome, Way};

/// Arguments of `agent`.
#[derive(clap::Args)]
pub struct Args {
    #[arg(long)]
    host: String,
    #[arg(long)]
    seed: u64,
    #[arg(long)]
    first: u64,
    #[arg(long)]
    queries: u64,
    /// What to look for, and what has to arrive.
    #[arg(long)]
    wanted: PathBuf,
}

/// What became of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    Rows,
    Done,
    Refused,
    Failed,
    Lost,
}

/// A planted value that was seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Leak {
    pub number: u64,
    /// The least of its script that shows it, each step with the way that it was sent.
    pub steps: Vec<String>,
    /// The bytes around it.
    pub seen: String,
}

/// What the agent says, a line each.
#[derive(Debug, Serialize, Deserialize)]
pub enum Said {
    Played { number: u64, fate: Fate, rule: Option<String> },
    Leaked(Leak),
    Ended,
}

/// What came of a script.
pub struct Played {
    pub fate: Fate,
    /// The rule that refused a part of it.
    pub rule: Option<String>,
    /// The planted value that was seen, with what is around it.
    pub seen: Option<String>,
}

/// How many scripts a connection serves.
const CONNECTION: u64 = 100;
/// More leaks than this say nothing new.
const LEAKS: usize = 40;

/// Plays scripts one after the other.
pub struct Player<'a> {
    connect: &'a dyn Fn() -> Result<Client>,
    oracle: &'a Oracle,
    client: Option<Client>,
    served: u64,
}

impl<'a> Player<'a> {
    pub fn new(connect: &'a dyn Fn() -> Result<Client>, oracle: &'a Oracle) -> Self {
        Self { connect, oracle, client: None, served: 0 }
    }

    /// Plays one.
    pub fn play(&mut self, script: &Script) -> Result<Played> {
        if self.served.is_multiple_of(CONNECTION) {
            self.client = None;
        }
        self.served += 1;
        let mut client = match self.client.take() {
            Some(client) => client,
            None => (self.connect)()?,
        };
        let mut played = Played { fate: Fate::Done, rule: None, seen: None };
        let mut state = b'I';
        let undo = ("rollback".to_owned(), Way::Simple);
        for (sql, way) in script.steps.iter().chain([&undo]) {
            if std::ptr::eq(sql, &undo.0) && state == b'I' {
                break;
            }
            let answer = client.ask(sql, *way);
            played.fate = worst(played.fate, answer.outcome);
            played.seen = played.seen.or_else(|| self.oracle.sees_in(&answer));
            if answer.outcome == Outcome::Refused {
                played.rule = answer.rule();
            }
            if answer.outcome == Outcome::Lost {
                return Ok(played);
            }
            state = answer.bytes.last().copied().unwrap_or(b'I');
        }
        self.client = Some(client);
        Ok(played)
    }

    /// Leaves out steps as long as something is seen.
    fn shrink(&mut self, mut script: Script) -> Result<Script> {
        let mut at = 0;
        while at < script.steps.len() && script.steps.len() > 1 {
            // Without these, what the others change would stay.
            if matches!(script.steps[at].0.as_str(), "begin" | "rollback") {
                at += 1;
                continue;
            }
            let mut steps = script.steps.clone();
            steps.remove(at);
            let shorter = Script { steps };
            self.client = None;
            if self.play(&shorter)?.seen.is_some() {
                script = shorter;
            } else {
                at += 1;
            }
        }
        self.client = None;
        Ok(script)
    }
}

/// Rows outdo everything; a refusal outdoes what failed after it.
fn worst(fate: Fate, outcome: Outcome) -> Fate {
    match (fate, outcome) {
        (_, Outcome::Lost) => Fate::Lost,
        (Fate::Rows, _) | (_, Outcome::Rows) => Fate::Rows,
        (Fate::Refused, _) | (_, Outcome::Refused) => Fate::Refused,
        (Fate::Failed, _) | (_, Outcome::Failed) => Fate::Failed,
        _ => Fate::Done,
    }
}

fn tell(said: &Said) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, said)?;
    out.write_all(b"\n").context("telling")
}

/// Runs the agent's part.
pub fn run(args: &Args) -> Result<()> {
    let wanted = std::fs::read_to_string(&args.wanted).context("what to look for")?;
    let (mut patterns, mut decoys) = (Vec::new(), Vec::new());
    for line in wanted.lines() {
        match line.split_once(' ') {
            Some(("decoy", word)) => decoys.push(word.to_owned()),
            Some((_, hex)) => patterns.push(unhex(hex)),
            None => {}
        }
    }
    let oracle = Oracle::new(&patterns);
    let address = format!("{}:5432", args.host);
    let connect = || Client::connect(&address, "agent", "agent", "");
    arrive(&connect, &decoys)?;
    let mut player = Player::new(&connect, &oracle);
    let mut leaks = 0;
    for number in args.first..args.first + args.queries {
        let script = script(args.seed, number);
        let Played { fate, rule, seen } = player.play(&script)?;
        if let Some(seen) = seen {
            leaks += 1;
            let shown = |(sql, way): &(String, Way)| format!("{way:?}: {sql}");
            let steps = player.shrink(script)?.steps.iter().map(shown).collect();
            tell(&Said::Leaked(Leak { number, steps, seen }))?;
        }
        tell(&Said::Played { number, fate, rule })?;
        if leaks >= LEAKS {
            break;
        }
    }
    tell(&Said::Ended)
}

/// Values of the same form that are not masked arrive as they are: no detector knows them.
fn arrive(connect: &dyn Fn() -> Result<Client>, decoys: &[String]) -> Result<()> {
    let answer = connect()?.ask("select word, number from decoys", Way::Simple);
    let text = String::from_utf8_lossy(&answer.bytes);
    ensure!(!decoys.is_empty() && decoys.iter().all(|word| text.contains(word)), "decoys: {text}");
    Ok(())
}
