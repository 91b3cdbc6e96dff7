//! `weir audit`: seal the record, write views for DuckDB, report.

mod coverage;
pub(super) mod place;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use weir_model::Entry;
use weir_model::entry::Event;

use super::sessions::terminal;
use crate::record::{Class, Config, RecordError, Recorder, Sealed, views};
use place::Place;

/// Arguments of `weir audit`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Seal all that is recorded so far into Parquet.
    Seal {
        #[command(flatten)]
        place: Place,
    },
    /// Write views for DuckDB: who did what, denied, held, masked, by agent, by table, coverage.
    Views {
        #[command(flatten)]
        place: Place,
        /// Where to write them (default: views.sql in the record).
        #[arg(long, conflicts_with = "stdout")]
        out: Option<PathBuf>,
        /// Print them instead.
        #[arg(long)]
        stdout: bool,
    },
    /// Say in words what the record shows.
    Report {
        #[command(subcommand)]
        about: Report,
    },
}

#[derive(Subcommand)]
enum Report {
    /// What was covered and what was not, whether every count agrees, and whether the rows that say so
    /// are all there and signed. Exits with 2 where something is not.
    Coverage(coverage::Args),
}

/// Runs the command.
pub fn run(args: Args, common: &super::Common) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Seal { place } => seal(&place.dir(common)?, common),
        Command::Report { about: Report::Coverage(args) } => coverage::run(&args, common),
        Command::Views { place, out, stdout } => {
            let dir = std::path::absolute(place.dir(common)?)?;
            let sql = views::sql(&dir);
            if stdout {
                return terminal::print(|screen| Ok(screen.write_all(sql.as_bytes())?));
            }
            let out = out.unwrap_or_else(|| dir.join("views.sql"));
            std::fs::write(&out, sql).with_context(|| format!("writing {}", out.display()))?;
            terminal::print(|screen| Ok(writeln!(screen, "{}", out.display())?))
        }
    }
}

fn seal(dir: &std::path::Path, common: &super::Common) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(dir.join("wal").is_dir(), "opening {}: there is no record", dir.display());
    let sealed = match seal_stopped(dir) {
        Err(RecordError::Locked(_)) => return seal_running(common),
        sealed => sealed?,
    };
    terminal::print(|screen| {
        if common.json {
            return Ok(writeln!(screen, "{}", serde_json::to_string(&sealed)?)?);
        }
        writeln!(screen, "sealed entries {} to {}", sealed.first_index, sealed.last_index)?;
        for (table, rows) in &sealed.rows {
            writeln!(screen, "{rows:>10} {table}")?;
        }
        Ok(())
    })
}

/// Has the gateway that writes the record seal it.
fn seal_running(common: &super::Common) -> anyhow::Result<ExitCode> {
    let sealed = crate::control::seal(common)?;
    terminal::print(|screen| {
        if common.json {
            return Ok(writeln!(screen, "{}", serde_json::to_string(&sealed)?)?);
        }
        Ok(writeln!(screen, "sealed {} rows in {} files", sealed.rows, sealed.files.len())?)
    })
}

/// Seals a record that no gateway writes. That this was done is an entry too, and with it begins a
/// new life of the record, so that what the last one left open is told as such.
fn seal_stopped(dir: &std::path::Path) -> Result<Sealed, RecordError> {
    let config = Config { dir: dir.to_owned(), min_free_bytes: 0, ..Config::default() };
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let (recorder, _) = Recorder::open(&config, host.trim())?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now_us = i64::try_from(now.unwrap_or_default().as_micros()).unwrap_or(i64::MAX);
    let message = "the record was sealed while no gateway was running".to_owned();
    let event = Entry::Event(Event::info(now_us, "record.sealed", message));
    let _receipt = recorder.append_blocking(Class::Disk, &[(&event, &[])])?;
    let sealed = recorder.seal_blocking();
    recorder.close();
    sealed
}
