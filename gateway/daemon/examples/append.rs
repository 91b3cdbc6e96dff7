//! What an append costs: `cargo run --release --example append -- DIR`. DIR becomes a record.
#![allow(clippy::print_stdout)] // it is a program for a terminal

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir::record::{Class, Config, RecordError, Recorder};
use weir_model::entry::{
    AnswerPart, Answered, Asked, Entry, FlowOpened, Judged, Kept, PartKind, Request, SessionOpened,
};
use weir_model::{
    Decision, ExchangeId, FlowId, Identity, Operation, Process, Protocol, SessionId, Target,
    Verdict,
};

const PROCESS: u128 = 200_000;
const DISK: u128 = 2_000;

fn main() -> Result<(), RecordError> {
    let dir = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "record".to_owned()));
    let config = Config { dir, min_free_bytes: 0, ..Config::default() };
    let (recorder, _) = Recorder::open(&config, "example")?;
    for entry in opened() {
        let _receipt = recorder.append_blocking(Class::Disk, &[(&entry, &[])])?;
    }
    let judged = judged();
    let put = |class, items: &[(&Entry, &[u8])]| {
        let begun = Instant::now();
        recorder.append_blocking(class, items).map(|_receipt| begun.elapsed())
    };
    measure("a request, process", 0..PROCESS, |id| {
        put(Class::Process, &[(&asked(id, &judged), &[])])
    })?;
    measure("an answer with one row, process", 0..PROCESS, |id| {
        let (part, body) = part(id);
        put(Class::Process, &[(&part, &body), (&answered(id), &[])])
    })?;
    measure("a request, disk", PROCESS..PROCESS + DISK, |id| {
        put(Class::Disk, &[(&asked(id, &judged), &[])])
    })?;
    let begun = Instant::now();
    let sealed = recorder.seal_blocking()?;
    println!("the last seal: {:?} for {:?}", begun.elapsed(), sealed.rows);
    recorder.close();
    Ok(())
}

fn measure(
    what: &str,
    ids: Range<u128>,
    run: impl FnMut(u128) -> Result<Duration, RecordError>,
) -> Result<(), RecordError> {
    let mut times = ids.map(run).collect::<Result<Vec<_>, _>>()?;
    times.sort();
    let at =
        |share: usize| times.get(times.len() * share / 1000).copied().unwrap_or(Duration::ZERO);
    println!("{what}: p50 {:?}, p99 {:?}, p99.9 {:?}", at(500), at(990), at(999));
    Ok(())
}

fn opened() -> [Entry; 2] {
    let (session, flow) = (SessionId::from_parts(1, 1), FlowId::from_parts(1, 2));
    let identity = Identity {
        issuer: "https://issuer.example".to_owned(),
        subject: "anna".to_owned(),
        email: Some("anna@example.com".to_owned()),
        groups: vec!["developers".to_owned()],
        agent: "example".to_owned(),
        on_behalf_of: None,
        token_id_hash: String::new(),
        expires_us: 0,
    };
    let target = Target {
        name: "shop".to_owned(),
        protocol: Protocol::Postgres,
        host: "db.example".to_owned(),
        address: "192.0.2.1".to_owned(),
        port: 5432,
        environment: "prod".to_owned(),
        known: true,
    };
    let session_opened = SessionOpened {
        session,
        at_us: 0,
        identity: Arc::new(identity),
        host: "example".to_owned(),
        cgroup: "/example".to_owned(),
        command: vec!["agent".to_owned()],
        uid: 1000,
        jail: vec!["seccomp".to_owned()],
        relaxed: Vec::new(),
    };
    let flow_opened = FlowOpened {
        flow,
        session: Some(session),
        at_us: 0,
        process: Arc::new(Process::default()),
        target: Arc::new(target),
        server_name: None,
        tls: false,
        database: Some("shop".to_owned()),
        client_user: None,
        upstream_user: Some("app".to_owned()),
    };
    [Entry::SessionOpened(session_opened), Entry::FlowOpened(flow_opened)]
}

fn judged() -> Arc<Judged> {
    let decision = Decision {
        verdict: Verdict::Allow,
        policies: vec!["reads".to_owned()],
        shadow: Vec::new(),
        policy_hash: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".into(),
    };
    Arc::new(Judged {
        statement: "select id, name, email from customers where id = $1".into(),
        fingerprint: Some(1),
        operation: Arc::new(Operation::unknown("select")),
        decision: Arc::new(decision),
        kept: Kept::default(),
    })
}

fn asked(id: u128, judged: &Arc<Judged>) -> Entry {
    let request = Request {
        exchange: ExchangeId::from_parts(2, id),
        flow: FlowId::from_parts(1, 2),
        seq: 0,
        asked_us: 0,
        decided_us: 0,
        prepares: false,
        parameters: vec![Some("42".to_owned())],
        hold: None,
        approver: None,
        forwarded: true,
        reason: None,
    };
    Entry::Asked(Asked { judged: judged.clone(), request })
}

fn part(id: u128) -> (Entry, Vec<u8>) {
    let part = AnswerPart {
        exchange: ExchangeId::from_parts(2, id),
        flow: FlowId::from_parts(1, 2),
        part: 0,
        at_us: 0,
        kind: PartKind::PostgresMessages,
        formats: Arc::default(),
    };
    let row = b"D\0\0\0\x1d\0\x03\0\0\0\x0242\0\0\0\x04Anna\0\0\0\x05a***a";
    let done = b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I";
    (Entry::AnswerPart(part), [&row[..], done].concat())
}

fn answered(id: u128) -> Entry {
    Entry::Answered(Answered {
        exchange: ExchangeId::from_parts(2, id),
        flow: FlowId::from_parts(1, 2),
        forwarded_us: Some(1),
        first_us: Some(2),
        done_us: 3,
        status: "ok".into(),
        error_code: None,
        rows: 1,
        affected: None,
        masked: BTreeMap::from([("email".to_owned(), 1)]),
    })
}
