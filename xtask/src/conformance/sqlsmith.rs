//! SQLsmith: statements that it makes up from PostgreSQL's regression database are asked both ways, and
//! each must give the same rows or the same error. What differs direct from one time to the next, as
//! what tells the time, is not judged.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::{shell, stage};

use super::place::{Place, Via};
use super::suites::{Outcome, Suite};
use super::{dump, python};

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    pub(super) seed: u64,
    /// For one way.
    pub(super) minutes: u64,
}

/// What stands between two statements.
const END: &str = ";\n";
/// More than a server answers in a second, so that time is the bound.
const PER_SECOND: u64 = 100;
/// A statement that runs into it direct is not judged, and it has more time through Weir.
const DIRECT_MILLISECONDS: u64 = 1_000;
const WEIR_MILLISECONDS: u64 = 30_000;
/// How often what differs is asked direct again.
const AGAIN: u32 = 20;
/// What shows the connection itself: its name, which carries the agent, and the suite's own timeouts.
const OWN: [&str; 4] =
    ["pg_settings", "pg_show_all_settings", "pg_stat_activity", "pg_stat_get_activity"];
/// A role that is no superuser, and a way back for what it changes all the same.
const ROLE: &str = "do $$begin create role fuzz; exception when duplicate_object then null; end$$; \
                    grant all on all tables in schema public to fuzz";

pub(super) fn prepare(place: &Place) -> Result<()> {
    python::environment(&place.folder)?;
    dump::prepare(place)
}

pub(super) fn run(suite: Suite, place: &Place, via: Via) -> Result<Outcome> {
    let statements = place.folder.join(format!("{suite}.sql"));
    let first = place.folder.join(format!("{suite}-first"));
    let again = place.folder.join(format!("{suite}-again"));
    if via == Via::Weir {
        let first = lines(&first)?;
        let weir = answers(suite, place, via, (&statements, &again), first.len())?;
        return settled(suite, place, &statements, (&first, &weir));
    }
    place.stage.sql(dump::SOURCE, ROLE)?;
    generate(place, &statements)?;
    let one = answers(suite, place, via, (&statements, &first), usize::MAX >> 1)?;
    let two = answers(suite, place, via, (&statements, &again), one.len())?;
    Ok(compared(&one, &two))
}

/// Compares what came through Weir, and asks what differs direct again: what is another answer at times (a
/// counter of the server's, a sample, the time) tells nothing of Weir.
fn settled(
    suite: Suite,
    place: &Place,
    statements: &Path,
    (first, weir): (&[String], &[String]),
) -> Result<Outcome> {
    let mut outcome = compared(first, weir);
    let text = fs::read_to_string(statements).context("reading the statements")?;
    let texts: Vec<&str> = text.split(END).collect();
    let mut differ: Vec<(usize, &str)> = Vec::new();
    for (number, line) in first.iter().enumerate() {
        let Some(text) = texts.get(number) else { continue };
        if weir.get(number).is_none_or(|other| other == line) {
            continue;
        }
        match OWN.iter().any(|own| text.contains(own)) {
            true => drop(outcome.insert(name(number), true)),
            false => differ.push((number, text)),
        }
    }
    let (once_more, into) =
        (place.folder.join(format!("{suite}-once-more.sql")), statements.with_extension("later"));
    for _ in 0..AGAIN {
        if differ.is_empty() {
            break;
        }
        let texts: Vec<&str> = differ.iter().map(|(_, text)| *text).collect();
        fs::write(&once_more, texts.join(END)).context("writing what differs")?;
        let later = answers(suite, place, Via::Direct, (&once_more, &into), differ.len())?;
        let mut later = later.iter();
        differ.retain(|(number, _)| {
            let same = later.next().is_none_or(|line| first.get(*number) == Some(line));
            if !same {
                outcome.insert(name(*number), true);
            }
            same
        });
    }
    Ok(outcome)
}

fn name(number: usize) -> String {
    format!("{:06}", number + 1)
}

/// Whether each of the answers is there again.
fn compared(first: &[String], again: &[String]) -> Outcome {
    let same = |(number, line): (usize, &String)| {
        // Cancelled for its time.
        let judged = !line.starts_with("error 57014");
        (name(number), judged && again.get(number) == Some(line))
    };
    first.iter().enumerate().map(same).collect()
}

fn lines(path: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Writes the statements that a seed gives.
fn generate(place: &Place, into: &Path) -> Result<()> {
    let Effort { seed, minutes } = place.effort;
    let target = format!(
        "host={} port=5432 user={} password={} dbname={}",
        place.stage.address,
        stage::SUPERUSER,
        place.stage.login_password(),
        dump::SOURCE
    );
    let mut command = shell::program("sqlsmith");
    command.arg("--dry-run").arg(format!("--target={target}")).arg(format!("--seed={seed}"));
    command.arg(format!("--max-queries={}", minutes * 60 * PER_SECOND));
    let file = fs::File::create(into)?;
    let errors = fs::File::create(into.with_extension("log"))?;
    let status = command.stdout(file).stderr(errors).status().context("running sqlsmith")?;
    ensure!(status.success(), "sqlsmith failed: {status}");
    Ok(())
}

fn answers(
    suite: Suite,
    place: &Place,
    via: Via,
    (statements, into): (&Path, &Path),
    count: usize,
) -> Result<Vec<String>> {
    let python = python::environment(&place.folder)?.join("bin/python").display().to_string();
    let script = shell::root().join("tests/conformance/sqlsmith/run.py").display().to_string();
    let minutes = place.effort.minutes;
    let (seconds, each) = match via {
        Via::Direct => (minutes * 60, DIRECT_MILLISECONDS),
        Via::Weir => (minutes * 60 * 20, WEIR_MILLISECONDS),
    };
    let (statements, answers) = (statements.display().to_string(), into.display().to_string());
    let [count, seconds, each] = [count.to_string(), seconds.to_string(), each.to_string()];
    let words = [&python, &script, &statements, &answers, dump::SOURCE, &count, &seconds, &each];
    place.capture(suite, via, &mut place.command(via, &words))?;
    lines(into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_or_took_too_long_is_not_the_same() {
        let lines = |all: [&str; 3]| all.map(str::to_owned);
        let first = lines(["SELECT 1 a", "error 57014 b", "SELECT 2 c"]);
        let again = lines(["SELECT 1 a", "error 57014 b", "SELECT 2 d"]);
        let passed: Vec<bool> = compared(&first, &again).into_values().collect();
        assert_eq!(passed, [true, false, false]);
        assert_eq!(compared(&first, &[]).into_values().filter(|same| *same).count(), 0);
    }
}
