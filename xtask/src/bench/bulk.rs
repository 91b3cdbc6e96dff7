//! Much data: COPY in and out, and a large result, also with a masked column.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::{Bench, Extent, median, resident_kib, short};

/// Those of short statements, but not what a disk or TLS adds.
const PATHS: [&str; 7] = match short::PATHS {
    [paths @ .., _, _] => paths,
};
/// About 110 bytes a row.
const TABLES: &str = "create table bulk as select g as id, md5(g::text) as a, md5((g + 1)::text) as b, \
    repeat('x', 32) as c from generate_series(1, ROWS) g; create unlogged table sink (like bulk); \
    create table people as select g as id, 'person' || g || '@example.com' as email, repeat(md5(g::text), 2) as note \
    from generate_series(1, ROWS) g; grant all on bulk, sink, people to app; vacuum analyze bulk, people";

/// What is done, and the mebibytes of it.
pub(super) struct Work {
    pub(super) name: &'static str,
    sql: String,
    mebibytes: f64,
    takes_input: bool,
}

/// What is worked on, and in which ways.
pub(super) struct Bulk {
    works: [Work; 4],
    /// What COPY reads.
    file: PathBuf,
}

impl Bulk {
    /// Makes the tables and the file.
    pub(super) fn new(bench: &Bench, extent: Extent) -> Result<Self> {
        let stage = &bench.process;
        let rows = extent.megabytes * 2_000;
        for statement in TABLES.replace("ROWS", &rows.to_string()).split("; ") {
            stage.sql(&stage.database, statement)?;
        }
        let file = stage.dir.join("bulk.copy");
        run(bench.client("direct", "psql", &psql("copy bulk to stdout")), None, Some(&file))?;
        let size = file.metadata()?.len() as f64 / f64::from(1 << 20);
        Ok(Self { works: works(extent, rows, size), file })
    }

    pub(super) fn works(&self) -> &[Work] {
        &self.works
    }

    /// Does it once through Weir; returns the mebibytes of it.
    pub(super) fn run(&self, bench: &Bench, work: &Work) -> Result<f64> {
        let (command, input) = self.command(bench, "weir process", work)?;
        run(command, input, None)?;
        Ok(work.mebibytes)
    }

    fn command(&self, bench: &Bench, path: &str, work: &Work) -> Result<(Command, Option<&Path>)> {
        bench.process.sql(&bench.process.database, "truncate sink")?;
        let input = work.takes_input.then_some(self.file.as_path());
        Ok((bench.client(path, "psql", &psql(&work.sql)), input))
    }
}

impl Drop for Bulk {
    fn drop(&mut self) {
        // It is large, and made anew where it is needed.
        let _ = std::fs::remove_file(&self.file);
    }
}

/// The rates of all paths, and the memory that Weir took for it.
pub(super) fn measure(bench: &Bench, extent: Extent) -> Result<String> {
    let bulk = Bulk::new(bench, extent)?;
    bench.pin(false)?;
    let before = resident_kib(bench.gateway()?)?;
    let mut times: BTreeMap<(usize, &str), Vec<f64>> = BTreeMap::new();
    let mut most = before;
    for round in 1..=extent.rounds {
        for (place, work) in bulk.works.iter().enumerate() {
            for path in PATHS {
                eprint!("\rround {round}: {}, {path}                ", work.name);
                let (command, input) = bulk.command(bench, path, work)?;
                let (seconds, resident) = watched(bench, command, input)?;
                most = most.max(resident);
                times.entry((place, path)).or_default().push(seconds);
            }
        }
    }
    eprintln!();
    Ok(report(&bulk.works, &times, before, most))
}

fn works(extent: Extent, rows: u32, size: f64) -> [Work; 4] {
    let large = extent.megabytes * 1024;
    let reads = |name, sql: String, mebibytes| Work { name, sql, mebibytes, takes_input: false };
    [
        reads("COPY out", "copy bulk to stdout".to_owned(), size),
        Work {
            name: "COPY in",
            sql: "copy sink from stdin".to_owned(),
            mebibytes: size,
            takes_input: true,
        },
        reads(
            "SELECT of rows of 1 KiB",
            format!("select repeat(md5(g::text), 32) from generate_series(1, {large}) g"),
            f64::from(extent.megabytes),
        ),
        // `person1000000@example.com`, `id` and 64 bytes of note.
        reads(
            "SELECT with a masked column",
            "select id, email, note from people".to_owned(),
            f64::from(rows) * 96.0 / f64::from(1 << 20),
        ),
    ]
}

fn psql(sql: &str) -> [&str; 8] {
    ["-X", "-q", "-A", "-t", "-v", "FETCH_COUNT=0", "-c", sql]
}

fn run(mut command: Command, input: Option<&Path>, output: Option<&Path>) -> Result<()> {
    with_files(&mut command, input, output)?;
    let status = command.status().context("running psql")?;
    ensure!(status.success(), "psql failed: {status}");
    Ok(())
}

fn with_files(command: &mut Command, input: Option<&Path>, output: Option<&Path>) -> Result<()> {
    let read = input.map(File::open).transpose()?;
    let write = output.map(File::create).transpose()?;
    command.stdin(read.map_or_else(Stdio::null, Stdio::from));
    command.stdout(write.map_or_else(Stdio::null, Stdio::from));
    Ok(())
}

/// How long a command takes, and how much memory the gateway had at most meanwhile, in KiB.
fn watched(bench: &Bench, mut command: Command, input: Option<&Path>) -> Result<(f64, u64)> {
    let gateway = bench.gateway()?;
    with_files(&mut command, input, None)?;
    let begin = Instant::now();
    let mut child = command.spawn().context("starting psql")?;
    let mut most = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        most = most.max(resident_kib(gateway)?);
        std::thread::sleep(Duration::from_millis(20));
    };
    ensure!(status.success(), "psql failed: {status}");
    Ok((begin.elapsed().as_secs_f64(), most))
}

fn report(
    works: &[Work],
    times: &BTreeMap<(usize, &str), Vec<f64>>,
    before: u64,
    most: u64,
) -> String {
    let mut text =
        "\n# Much data\n\npsql, times with its start; MiB/s by the size of the data as text.\n\n\
         | what | path | seconds | MiB/s | of haproxy |\n|---|---|---|---|---|\n"
            .to_owned();
    for (place, work) in works.iter().enumerate() {
        let of = |path| median(times.get(&(place, path)).cloned().unwrap_or_default());
        for path in PATHS {
            text.push_str(&format!(
                "| {}, {:.0} MiB | {path} | {:.2} | {:.0} | {:.2} |\n",
                work.name,
                work.mebibytes,
                of(path),
                work.mebibytes / of(path),
                of("haproxy") / of(path)
            ));
        }
    }
    let (before, grown) = (before / 1024, (most.saturating_sub(before)) / 1024);
    text.push_str(&format!(
        "\nResident memory of a gateway that has served nothing: {before} MiB; {grown} MiB more at most.\n"
    ));
    text
}
