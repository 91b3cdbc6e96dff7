//! A record changes hands while it is written to.

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use weir_ledger::FlowRow;
use weir_model::entry::{FlowClosed, FlowOpened};
use weir_model::{Process, Protocol, Target};

use super::*;

fn flow(number: u128) -> FlowId {
    FlowId::from_parts(0, number)
}

fn flow_opened(number: u128) -> Entry {
    let target = Target {
        name: "t".to_owned(),
        protocol: Protocol::Tcp,
        host: String::new(),
        address: String::new(),
        port: 1,
        environment: String::new(),
        known: false,
    };
    Entry::FlowOpened(FlowOpened {
        flow: flow(number),
        session: None,
        at_us: 1,
        process: Arc::new(Process::default()),
        target: Arc::new(target),
        server_name: None,
        tls: false,
        database: None,
        client_user: None,
        upstream_user: None,
    })
}

fn flow_closed(number: u128) -> Entry {
    let reason = "client closed".to_owned();
    Entry::FlowClosed(FlowClosed {
        flow: flow(number),
        at_us: 2,
        reason,
        bytes_in: 0,
        bytes_out: 0,
    })
}

/// Hands a record over; the new writer serves the old one's `open` flows.
fn hand_over(old: &Recorder, dir: &Path, open: BTreeSet<FlowId>) -> (Recorder, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let released = old.release().unwrap();
    let handed = released.handed().unwrap();
    let (new, _) = Recorder::inherit(&config(dir), "h/1", handed).unwrap();
    let cut = theirs.try_clone().unwrap();
    new.admit(theirs, open).unwrap();
    released.entrust(ours).unwrap();
    (new, cut)
}

fn ends(dir: &Path) -> BTreeMap<String, String> {
    let snapshot = Snapshot::open(dir).unwrap();
    let rows = snapshot.rows(|_: &FlowRow| true).unwrap();
    let ends =
        rows.into_iter().map(|row| (row.flow.to_string(), row.close_reason.unwrap_or_default()));
    let count = ends.len();
    let ends: BTreeMap<String, String> = ends.collect();
    assert_eq!(ends.len(), count, "a flow is there twice");
    ends
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(std::time::Instant::now() < end, "waiting for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_record_that_changes_hands_under_load_loses_and_repeats_nothing() {
    let dir = TempDir::new().unwrap();
    let (old, _) = open(dir.path());
    put(&old, &flow_opened(1));
    let written = AtomicUsize::new(0);
    let work = |of: u64| {
        for number in 0..600 {
            let class = if number % 2 == 0 { Class::Disk } else { Class::Process };
            let entry = event(of * 1000 + number, 200);
            let _receipt = old.append_blocking(class, &[(&entry, &[])]).unwrap();
            written.fetch_add(1, Ordering::Relaxed);
        }
    };
    let new = std::thread::scope(|scope| {
        for of in 0..4 {
            scope.spawn(move || work(of));
        }
        wait_for("some entries", || written.load(Ordering::Relaxed) > 200);
        let (new, _) = hand_over(&old, dir.path(), BTreeSet::from([flow(1)]));
        for number in 0..600 {
            put(&new, &event(4000 + number, 200));
        }
        new
    });
    put(&old, &flow_closed(1));
    let found = numbers(dir.path());
    let seen: BTreeSet<u64> = found.values().copied().collect();
    assert_eq!((found.len(), seen.len()), (3000, 3000));
    // Two flow entries beside them, and no gap.
    assert_eq!(new.health().next_index, 3003);
    assert_eq!(ends(dir.path())[&flow(1).to_string()], "client closed");
    new.seal_blocking().unwrap();
    assert_eq!(numbers(dir.path()).len(), 3000);
}

#[test]
fn a_record_that_is_taken_back_goes_on() {
    let dir = TempDir::new().unwrap();
    let (old, _) = open(dir.path());
    put(&old, &flow_opened(1));
    let released = old.release().unwrap();
    let handed = released.handed().unwrap();
    let waits = std::thread::spawn({
        let old = old.clone();
        move || old.append_blocking(Class::Disk, &[(&event(2, 0), &[])]).unwrap().index()
    });
    // The next one writes, and dies before it has said anything.
    let (new, _) = Recorder::inherit(&config(dir.path()), "h/1", handed).unwrap();
    assert_eq!(put(&new, &event(1, 0)), 2);
    new.close();
    released.take_back().unwrap();
    assert_eq!(waits.join().unwrap(), 3);
    put(&old, &flow_closed(1));
    assert_eq!(numbers(dir.path()), BTreeMap::from([(2, 1), (3, 2)]));
    assert_eq!(ends(dir.path())[&flow(1).to_string()], "client closed");
    // The lock was held all along, and still is.
    assert!(matches!(Recorder::open(&config(dir.path()), "h"), Err(RecordError::Locked(_))));
}

#[test]
fn without_the_new_writer_the_old_one_records_nothing() {
    let dir = TempDir::new().unwrap();
    let (old, _) = open(dir.path());
    let (new, cut) = hand_over(&old, dir.path(), BTreeSet::new());
    assert_eq!(put(&old, &event(1, 0)), 1);
    assert_eq!(old.health().failed, None);
    cut.shutdown(std::net::Shutdown::Both).unwrap();
    for class in [Class::Disk, Class::Process] {
        let refused = old.append_blocking(class, &[(&event(2, 0), &[])]);
        assert!(matches!(refused, Err(RecordError::Failed(_))), "{refused:?}");
    }
    assert!(old.health().failed.is_some());
    assert!(old.seal_blocking().is_err() && old.release().is_err());
    put(&new, &event(3, 0));
    assert_eq!(numbers(dir.path()).values().copied().collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn flows_of_a_gateway_that_died_are_closed_on_record() {
    let dir = TempDir::new().unwrap();
    let (old, _) = open(dir.path());
    for number in 1..=3 {
        put(&old, &flow_opened(number));
    }
    let (_new, cut) = hand_over(&old, dir.path(), (1..=3).map(flow).collect());
    put(&old, &flow_closed(2));
    put(&old, &flow_opened(4));
    cut.shutdown(std::net::Shutdown::Both).unwrap();
    let lost = "the gateway that served it ended";
    let told = |number| ends(dir.path()).get(&flow(number).to_string()).cloned();
    wait_for("the ends of its flows", || told(4).as_deref() == Some(lost));
    assert_eq!(told(1).as_deref(), Some(lost));
    assert_eq!(told(2).as_deref(), Some("client closed"));
    assert_eq!(told(3).as_deref(), Some(lost));
}

#[test]
fn an_entry_that_is_not_whole_is_refused_and_the_others_are_not() {
    use std::io::{Read as _, Write as _};
    let dir = TempDir::new().unwrap();
    let (old, _) = open(dir.path());
    let (new, _cut) = hand_over(&old, dir.path(), BTreeSet::new());
    let (mut liar, theirs) = UnixStream::pair().unwrap();
    new.admit(theirs, BTreeSet::new()).unwrap();
    let request = [&7_u64.to_le_bytes()[..], &[0], &5_u32.to_le_bytes(), b"nonse"].concat();
    liar.write_all(&request).unwrap();
    let mut answer = [0; super::super::remote::ANSWER_HEAD];
    liar.read_exact(&mut answer).unwrap();
    assert_eq!((answer[0], &answer[8..16]), (7, &[0; 8][..]));
    assert_eq!(put(&old, &event(1, 0)), 1);
    // What is no request at all ends the connection.
    liar.write_all(&[0xff; 64]).unwrap();
    let mut rest = Vec::new();
    liar.read_to_end(&mut rest).unwrap();
    assert_eq!(numbers(dir.path()).len(), 1);
}
