//! The recorder against real files: crashes, full disks, and what a reader sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod handover;
mod kill;
mod space;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use weir_ledger::{AnswerRow, EventRow, ExchangeRow};
use weir_model::entry::{AnswerPart, Answered, Asked, Event, Judged, Kept, PartKind, Request};
use weir_model::{Decision, ExchangeId, FlowId, Operation, Verdict};

use super::read::Snapshot;
use super::*;

fn config(dir: &Path) -> Config {
    Config {
        dir: dir.to_owned(),
        segment_bytes: 1 << 20,
        min_free_bytes: 0,
        seal_seconds: 3600,
        ..Config::default()
    }
}

fn open(dir: &Path) -> (Recorder, Recovery) {
    Recorder::open(&config(dir), "h/1").unwrap()
}

fn event(number: u64, bytes: usize) -> Entry {
    let message = format!("{number} {}", "x".repeat(bytes));
    Entry::Event(Event::info(0, "test", message))
}

fn asked(number: u64, forwarded: bool) -> Entry {
    let decision = Decision {
        verdict: Verdict::Allow,
        policies: Vec::new(),
        shadow: Vec::new(),
        policy_hash: "".into(),
    };
    let judged = Judged {
        statement: "select name from customers where id = $1".into(),
        fingerprint: None,
        operation: Arc::new(Operation::unknown("select")),
        decision: Arc::new(decision),
        kept: Kept::default(),
    };
    let request = Request {
        exchange: ExchangeId::from_parts(number, 0),
        flow: FlowId::from_parts(0, 0),
        seq: number,
        asked_us: 0,
        decided_us: 0,
        prepares: false,
        parameters: vec![Some("1".to_owned())],
        hold: None,
        approver: None,
        forwarded,
        reason: None,
    };
    Entry::Asked(Asked { judged: Arc::new(judged), request })
}

fn part(number: u64) -> Entry {
    Entry::AnswerPart(AnswerPart {
        exchange: ExchangeId::from_parts(number, 0),
        flow: FlowId::from_parts(0, 0),
        part: 0,
        at_us: 0,
        kind: PartKind::CopyIn,
        formats: Arc::default(),
    })
}

fn answered(number: u64) -> Entry {
    Entry::Answered(Answered {
        exchange: ExchangeId::from_parts(number, 0),
        flow: FlowId::from_parts(0, 0),
        forwarded_us: None,
        first_us: None,
        done_us: 0,
        status: "ok".into(),
        error_code: None,
        rows: 0,
        affected: None,
        masked: BTreeMap::new(),
    })
}

fn put(recorder: &Recorder, entry: &Entry) -> u64 {
    recorder.append_blocking(Class::Process, &[(entry, &[])]).unwrap().index()
}

/// The numbers of the events in the record, sealed or not, none of them twice.
fn numbers(dir: &Path) -> BTreeMap<u64, u64> {
    let mut numbers = BTreeMap::new();
    let snapshot = Snapshot::open(dir).unwrap();
    snapshot
        .each(|row: EventRow| {
            if row.kind == "test" {
                let number = row.message.split(' ').next().unwrap().parse().unwrap();
                let twice = numbers.insert(row.entry_index as u64, number);
                assert_eq!(twice, None, "entry {} is there twice", row.entry_index);
            }
        })
        .unwrap();
    numbers
}

fn files_below(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    files
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    recover::segments(&dir.join("wal")).unwrap()
}

#[test]
fn what_is_appended_is_read_before_and_after_sealing() {
    let dir = TempDir::new().unwrap();
    let (recorder, recovery) = open(dir.path());
    assert_eq!((recovery.entries, recovery.next_index), (0, 1));
    assert_eq!(put(&recorder, &event(1, 0)), 1);
    let items = [(&asked(1, true), &b""[..]), (&part(1), b"rows"), (&answered(1), b"")];
    let receipt = recorder.append_blocking(Class::Disk, &items).unwrap();
    assert_eq!((receipt.index(), receipt.class()), (4, Class::Disk));
    let check = || {
        let snapshot = Snapshot::open(dir.path()).unwrap();
        assert_eq!(snapshot.rows(|_: &ExchangeRow| true).unwrap()[0].status.as_ref(), "ok");
        let answers = snapshot.rows(|_: &AnswerRow| true).unwrap();
        assert_eq!(answers[0].bytes.as_deref(), Some(&b"rows"[..]));
        assert_eq!(answers.len(), 1);
    };
    check();
    let sealed = recorder.seal_blocking().unwrap();
    assert_eq!((sealed.first_index, sealed.last_index), (1, 4));
    assert_eq!(sealed.rows["exchanges"], 1);
    check();
    assert_eq!(put(&recorder, &event(2, 0)), 5);
    assert_eq!(numbers(dir.path()), BTreeMap::from([(1, 1), (5, 2)]));
    assert_eq!(recorder.seal_blocking().unwrap().first_index, 5);
    assert_eq!(recorder.seal_blocking().unwrap(), Sealed::default());
    assert_eq!(numbers(dir.path()), BTreeMap::from([(1, 1), (5, 2)]));
    recorder.clone().close();
    let late = recorder.append_blocking(Class::Process, &[(&event(3, 0), &[])]);
    assert!(matches!(late, Err(RecordError::Closed)));
}

#[test]
fn a_statement_asked_again_is_told_in_full_in_every_segment() {
    let dir = TempDir::new().unwrap();
    let (recorder, _) = open(dir.path());
    let Entry::Asked(first) = asked(0, false) else { panic!("a request") };
    let sealing = std::thread::spawn({
        let recorder = recorder.clone();
        move || (0..10).for_each(|_| drop(recorder.seal_blocking().unwrap()))
    });
    for number in 0..4_000 {
        let mut again = first.clone();
        again.judged = first.judged.clone();
        again.request.exchange = ExchangeId::from_parts(number, 0);
        let filler = event(number, 1_000);
        let entry = Entry::Asked(again);
        let _receipt =
            recorder.append_blocking(Class::Process, &[(&entry, &[]), (&filler, &[])]).unwrap();
    }
    sealing.join().unwrap();
    let check = || {
        let snapshot = Snapshot::open(dir.path()).unwrap();
        let rows = snapshot.rows(|_: &ExchangeRow| true).unwrap();
        let ids: std::collections::BTreeSet<_> = rows.iter().map(|row| &row.exchange).collect();
        assert_eq!((rows.len(), ids.len()), (4_000, 4_000));
        assert!(rows.iter().all(|row| *row.statement == *first.judged.statement));
    };
    check();
    recorder.seal_blocking().unwrap();
    check();
    let entry = Entry::Asked(first);
    let written = |_: usize| {
        let before = recorder.health().unsealed_bytes;
        let _receipt = recorder.append_blocking(Class::Process, &[(&entry, &[])]).unwrap();
        recorder.health().unsealed_bytes - before
    };
    let [whole, again, once_more] = std::array::from_fn(written);
    assert!(again < whole && again == once_more, "{whole} {again} {once_more}");
}

#[test]
fn a_record_has_one_writer() {
    let dir = TempDir::new().unwrap();
    let (recorder, _) = open(dir.path());
    let second = Recorder::open(&config(dir.path()), "h");
    assert!(matches!(second, Err(RecordError::Locked(_))));
    drop(recorder);
    open(dir.path());
}

#[test]
fn a_torn_tail_is_cut_kept_and_told() {
    let dir = TempDir::new().unwrap();
    let (recorder, _) = open(dir.path());
    for number in 1..=3 {
        put(&recorder, &event(number, 10));
    }
    recorder.close();
    let path = segments(dir.path()).pop().unwrap();
    let (_, mut frames) = frames::Frames::open(&path).unwrap().unwrap();
    let mut starts = Vec::new();
    while frames.next().unwrap().is_some() {
        starts.push(frames.offset());
    }
    let mut bytes = std::fs::read(&path).unwrap();
    // The last frame lost its end; what follows a lost page may be there.
    bytes[starts[1] as usize + 40..starts[2] as usize].fill(0);
    bytes[starts[2] as usize + 5000] = 7;
    std::fs::write(&path, &bytes).unwrap();
    let (recorder, recovery) = open(dir.path());
    assert_eq!((recovery.entries, recovery.next_index), (2, 3));
    assert_eq!(recovery.dropped_bytes, starts[2] + 5001 - starts[1]);
    let torn = files_below(&dir.path().join("torn"));
    assert_eq!(torn.values().next().unwrap().len() as u64, recovery.dropped_bytes);
    assert_eq!(put(&recorder, &event(4, 0)), 4);
    recorder.seal_blocking().unwrap();
    assert_eq!(numbers(dir.path()), BTreeMap::from([(1, 1), (2, 2), (4, 4)]));
    let events = Snapshot::open(dir.path()).unwrap();
    let told = events.rows(|row: &EventRow| row.kind == "record.recovered").unwrap();
    assert_eq!((told.len(), told[0].entry_index), (1, 3));
}

#[test]
fn sealing_again_after_a_crash_makes_the_same_files() {
    let dir = TempDir::new().unwrap();
    let (recorder, _) = open(dir.path());
    for number in 1..=200 {
        let items = [(&asked(number, true), &b""[..]), (&answered(number), b"")];
        let _receipt = recorder.append_blocking(Class::Process, &items).unwrap();
    }
    put(&recorder, &asked(300, true));
    recorder.close();
    let path = segments(dir.path()).pop().unwrap();
    let log = std::fs::read(&path).unwrap();
    let (recorder, _) = open(dir.path());
    recorder.seal_blocking().unwrap();
    recorder.close();
    let sealed = files_below(&dir.path().join("v1"));
    // As it was when the gateway died between the files and the carry.
    std::fs::remove_file(dir.path().join("carry.json")).unwrap();
    segments(dir.path()).iter().for_each(|path| std::fs::remove_file(path).unwrap());
    std::fs::write(&path, &log).unwrap();
    let (recorder, recovery) = open(dir.path());
    assert_eq!(recovery.entries, 401);
    recorder.seal_blocking().unwrap();
    recorder.close();
    let again = files_below(&dir.path().join("v1"));
    assert!(sealed.keys().eq(again.keys()));
    assert!(sealed == again);
    // And as it was when it died between the carry and the recycling.
    std::fs::write(&path, &log).unwrap();
    let (_recorder, recovery) = open(dir.path());
    assert_eq!((recovery.entries, recovery.next_index), (0, 402));
}

#[test]
fn full_segments_are_sealed_and_used_again() {
    let dir = TempDir::new().unwrap();
    let (recorder, _) = open(dir.path());
    for number in 1..=500 {
        put(&recorder, &event(number, 20_000));
    }
    recorder.seal_blocking().unwrap();
    assert_eq!(segments(dir.path()).len(), 1);
    assert!(std::fs::read_dir(dir.path().join("wal")).unwrap().count() <= 5);
    let all: Vec<u64> = numbers(dir.path()).into_values().collect();
    assert_eq!(all, (1..=500).collect::<Vec<_>>());
    let health = recorder.health();
    assert_eq!((health.next_index, health.unsealed_bytes), (501, 0));
    assert_eq!((health.failed, health.seal_error), (None, None));
}

#[test]
fn an_entry_larger_than_a_segment_is_recorded() {
    let dir = TempDir::new().unwrap();
    let (recorder, _) = open(dir.path());
    let body = vec![7; 5 << 20];
    for number in 1..=3 {
        let items = [(&asked(number, true), &b""[..]), (&part(number), &body)];
        let _receipt = recorder.append_blocking(Class::Disk, &items).unwrap();
        put(&recorder, &answered(number));
    }
    recorder.close();
    let (recorder, recovery) = open(dir.path());
    // Full segments may have been sealed already.
    assert_eq!((recovery.next_index, recovery.dropped_bytes), (10, 0));
    recorder.seal_blocking().unwrap();
    let snapshot = Snapshot::open(dir.path()).unwrap();
    let answers = snapshot.rows(|_: &AnswerRow| true).unwrap();
    assert_eq!(answers.len(), 3);
    assert!(answers.iter().all(|answer| answer.bytes.as_deref() == Some(&body)));
}

#[test]
fn one_commit_serves_tasks_of_several_runtimes() {
    let dir = TempDir::new().unwrap();
    let (recorder, _) = open(dir.path());
    let work = |of: u64, recorder: Recorder| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async move {
            let mut tasks = tokio::task::JoinSet::new();
            for task in 0..4 {
                let recorder = recorder.clone();
                tasks.spawn(async move {
                    for number in 0..50 {
                        let entry = event(of * 1000 + task * 100 + number, 3000);
                        let items = [(&entry, &b""[..])];
                        let _receipt = recorder.append(Class::Disk, &items).await.unwrap();
                    }
                });
            }
            tasks.join_all().await;
        });
    };
    std::thread::scope(|scope| {
        for of in 0..4 {
            let recorder = recorder.clone();
            scope.spawn(move || work(of, recorder));
        }
    });
    assert_eq!(numbers(dir.path()).len(), 800);
}

#[test]
fn a_failed_sync_stops_the_record_for_good() {
    let dir = TempDir::new().unwrap();
    let fail = |_: &File| Err(std::io::Error::other("the disk is gone"));
    let (shared, recovery) = recover::open(&config(dir.path()), "h", fail, None).unwrap();
    let (recorder, _) = Recorder::start(shared, recovery).unwrap();
    put(&recorder, &event(1, 0));
    for class in [Class::Disk, Class::Process, Class::Disk] {
        let result = recorder.append_blocking(class, &[(&event(2, 0), &[])]);
        assert!(matches!(result, Err(RecordError::Failed(_))), "{result:?}");
    }
    assert!(recorder.health().failed.unwrap().contains("the disk is gone"));
}

#[test]
fn the_views_name_every_table() {
    let sql = views::sql(Path::new("/it's/here"));
    assert!(sql.contains("'/it''s/here/v1/exchanges/**/*.parquet'"));
}
