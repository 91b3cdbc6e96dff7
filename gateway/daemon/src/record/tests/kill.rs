//! A process that records is killed at random moments; nothing that it was promised is lost.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

const DIR: &str = "WEIR_TEST_KILL_DIR";
const ROUNDS: u64 = 8;

/// Not a test of its own: what the killed process runs.
#[test]
fn victim() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let config = Config { seal_seconds: 1, ..config(Path::new(&dir)) };
    let (recorder, _) = Recorder::open(&config, "h").unwrap();
    let mut out = std::io::stdout();
    for number in 0.. {
        let index = put(&recorder, &event(number, 700));
        // Past the test's own capturing.
        writeln!(out, "ack {index} {number}").unwrap();
    }
}

#[test]
fn kill_9_at_any_moment_loses_nothing_acknowledged() {
    let dir = TempDir::new().unwrap();
    let mut acknowledged = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "record::tests::kill::victim", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(victim.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let lines = out.lines().map_while(Result::ok);
            lines.filter_map(|line| ack(&line)).collect::<Vec<_>>()
        });
        std::thread::sleep(Duration::from_millis(60 + (round * 397) % 1700));
        victim.kill().unwrap();
        victim.wait().unwrap();
        acknowledged.extend(reader.join().unwrap());
        if acknowledged.is_empty() {
            // A busy machine: it was killed before it had a record.
            continue;
        }
        // A reader needs no recovery.
        let found = numbers(dir.path());
        assert!(acknowledged.iter().all(|(index, number)| found.get(index) == Some(number)));
    }
    assert!(acknowledged.len() > 1000, "only {} entries", acknowledged.len());
    let (recorder, recovery) = open(dir.path());
    assert_eq!(recovery.missing, 0);
    recorder.seal_blocking().unwrap();
    let found = numbers(dir.path());
    assert!(acknowledged.iter().all(|(index, number)| found.get(index) == Some(number)));
}

fn ack(line: &str) -> Option<(u64, u64)> {
    // The killed process may have been writing the last line.
    let (index, number) = line.strip_prefix("ack ")?.split_once(' ')?;
    Some((index.parse().ok()?, number.parse().ok()?))
}
