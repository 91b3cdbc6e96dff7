//! `weir replay`: play a session as it happened.

pub(super) mod grid;
mod timeline;

use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;
use std::time::Duration;

use weir_ledger::{SessionRow, Time};

use super::audit::place::Place;
use super::sessions::filters::Filters;
use super::sessions::terminal;
use crate::record::read::Snapshot;
use timeline::Moment;

/// A pause is never longer than this.
const PAUSE: Duration = Duration::from_secs(5);

/// Arguments of `weir replay`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// The session, or enough of its id's beginning.
    session: String,
    #[command(flatten)]
    filters: Filters,
    /// How many times as fast as it happened.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// Without pauses; so it is anyhow where the output is no terminal.
    #[arg(long, conflicts_with = "speed")]
    instant: bool,
}

/// Runs the command.
pub fn run(args: Args, common: &super::Common) -> anyhow::Result<ExitCode> {
    let snapshot = Snapshot::open(&args.place.dir(common)?)?;
    let session = session(&snapshot, &args.session.to_uppercase())?;
    let snapshot = snapshot.since(session.started_at);
    let moments = timeline::of(&snapshot, &session, &args.filters)?;
    let pauses = !args.instant && !common.json && std::io::stdout().is_terminal();
    let speed = pauses.then_some(args.speed);
    terminal::print(|screen| {
        if common.json {
            return moments
                .iter()
                .try_for_each(|moment| Ok(writeln!(screen, "{}", moment.json())?));
        }
        play(screen, &moments, speed)
    })
}

fn play(screen: &mut dyn Write, moments: &[Moment], speed: Option<f64>) -> anyhow::Result<()> {
    let colour = terminal::colour();
    let mut last: Option<Time> = None;
    for moment in moments {
        if let (Some(speed), Some(last)) = (speed, last) {
            screen.flush()?;
            let us = u64::try_from(moment.at.0.saturating_sub(last.0)).unwrap_or(0);
            std::thread::sleep(PAUSE.min(Duration::from_micros(us).div_f64(speed)));
        }
        last = Some(moment.at);
        moment.write(screen, colour)?;
    }
    Ok(())
}

/// The one session whose id begins with `wanted`.
fn session(snapshot: &Snapshot, wanted: &str) -> anyhow::Result<SessionRow> {
    let mut found = snapshot.rows(|row: &SessionRow| row.session.starts_with(wanted))?;
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (Some(_), others) => anyhow::bail!("looking for {wanted}: {} ids begin so", others + 1),
        (None, _) => anyhow::bail!("looking for {wanted}: no recorded session has such an id"),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed: &f64| (0.001..=1e6).contains(speed));
    speed.ok_or_else(|| "not a number from 0.001 to 1000000".to_owned())
}
