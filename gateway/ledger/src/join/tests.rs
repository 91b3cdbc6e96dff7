//! Entries become the same rows, wherever the log is cut.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use weir_model::entry::{AnswerPart, Asked, Judged, Kept, PartKind};
use weir_model::{
    Decision, ExchangeId, HoldId, Identity, Operation, Process, Protocol, Refusal, Target, Verdict,
};

use super::*;
use crate::frame::{Class, Step, encode, stamp, step};

fn session() -> SessionId {
    SessionId::from_parts(0, 1)
}

fn flow() -> FlowId {
    FlowId::from_parts(0, 2)
}

fn exchange(number: u128) -> ExchangeId {
    ExchangeId::from_parts(0, number)
}

fn opened() -> Vec<Entry> {
    let identity = Identity {
        issuer: "https://idp".to_owned(),
        subject: "anna".to_owned(),
        email: Some("anna@example.com".to_owned()),
        groups: vec!["dev".to_owned()],
        agent: "claude".to_owned(),
        on_behalf_of: None,
        token_id_hash: "00".to_owned(),
        expires_us: 9,
    };
    let target = Target {
        name: "shop".to_owned(),
        protocol: Protocol::Postgres,
        host: "db".to_owned(),
        address: "10.0.0.1".to_owned(),
        port: 5432,
        environment: "prod".to_owned(),
        known: true,
    };
    let session_opened = SessionOpened {
        session: session(),
        at_us: 10,
        identity: Arc::new(identity),
        host: "h1".to_owned(),
        cgroup: "/weir/1".to_owned(),
        command: vec!["agent".to_owned()],
        uid: 1000,
        jail: vec!["seccomp".to_owned()],
        relaxed: Vec::new(),
    };
    let flow_opened = FlowOpened {
        flow: flow(),
        session: Some(session()),
        at_us: 20,
        process: Arc::new(Process::default()),
        target: Arc::new(target),
        server_name: None,
        tls: false,
        database: Some("shop".to_owned()),
        client_user: Some("me".to_owned()),
        upstream_user: Some("app".to_owned()),
    };
    vec![Entry::SessionOpened(session_opened), Entry::FlowOpened(flow_opened)]
}

fn asked(number: u128, verdict: Verdict) -> Entry {
    let forwarded = verdict == Verdict::Allow;
    let decision = Decision {
        verdict,
        policies: vec!["p".to_owned()],
        shadow: Vec::new(),
        policy_hash: "ff".into(),
    };
    let judged = Judged {
        statement: "select 1".into(),
        fingerprint: Some(-1),
        operation: Arc::new(Operation::unknown("select")),
        decision: Arc::new(decision),
        kept: Kept::default(),
    };
    let request = Request {
        exchange: exchange(number),
        flow: flow(),
        seq: 0,
        asked_us: 30,
        decided_us: 31,
        prepares: false,
        parameters: vec![None],
        hold: None,
        approver: None,
        forwarded,
        reason: None,
    };
    Entry::Asked(Asked { judged: Arc::new(judged), request })
}

fn denial() -> Verdict {
    let text = |text: &str| text.to_owned();
    Verdict::Deny(Refusal { rule: text("p"), message: text("no"), instead: text("") })
}

fn answered(number: u128) -> Entry {
    Entry::Answered(Answered {
        exchange: exchange(number),
        flow: flow(),
        forwarded_us: Some(32),
        first_us: Some(33),
        done_us: 34,
        status: "ok".into(),
        error_code: None,
        rows: 1,
        affected: None,
        masked: BTreeMap::from([("email".to_owned(), 2)]),
    })
}

fn part(number: u128) -> Entry {
    Entry::AnswerPart(AnswerPart {
        exchange: exchange(number),
        flow: flow(),
        part: 0,
        at_us: 33,
        kind: PartKind::PostgresMessages,
        formats: Arc::default(),
    })
}

fn flow_closed() -> Entry {
    Entry::FlowClosed(FlowClosed {
        flow: flow(),
        at_us: 40,
        reason: "client closed".to_owned(),
        bytes_in: 1,
        bytes_out: 2,
    })
}

fn session_closed() -> Entry {
    Entry::SessionClosed(SessionClosed {
        session: session(),
        at_us: 50,
        reason: "exit".to_owned(),
        status: Some(0),
        counters: BTreeMap::new(),
    })
}

fn log(entries: &[Entry]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let body = match entry {
            Entry::AnswerPart(_) => &b"D\0\0\0\x0b\0\x01\0\0\0\x011"[..],
            _ => &[],
        };
        let mut frame = Vec::new();
        encode(&mut frame, Class::Disk, 0, 1, entry, body).unwrap();
        stamp(&mut frame, at as u64 + 1);
        frames.push(frame);
    }
    frames
}

fn feed(joiner: &mut Joiner, frames: &[Vec<u8>]) {
    for bytes in frames {
        let Step::Frame(frame, _) = step(bytes) else { panic!("not a frame") };
        joiner.feed(&frame).unwrap();
    }
}

fn join(entries: &[Entry]) -> (Joiner, Rows) {
    let mut joiner = Joiner::new(Carry::default());
    joiner.segment(1, "h1");
    feed(&mut joiner, &log(entries));
    let rows = joiner.take();
    (joiner, rows)
}

fn whole() -> Vec<Entry> {
    let mut entries = opened();
    entries.extend([asked(5, Verdict::Allow), part(5), answered(5), asked(6, denial())]);
    entries.extend([flow_closed(), session_closed()]);
    entries
}

#[test]
fn an_exchange_is_made_from_its_request_answer_and_end() {
    let (joiner, rows) = join(&whole());
    assert!(joiner.carry().is_empty());
    let [one, two] = &rows.exchanges[..] else { panic!("two exchanges") };
    assert_eq!((one.status.as_ref(), one.rows, one.verdict.as_ref()), ("ok", Some(1), "allow"));
    assert_eq!((one.email.as_deref(), one.agent.as_ref()), (Some("anna@example.com"), "claude"));
    assert_eq!((one.target.as_ref(), one.environment.as_ref()), ("shop", "prod"));
    assert_eq!((one.masked.as_ref(), one.entry_index), ("{\"email\":2}", 3));
    assert_eq!(one.entry_hash.len(), 64);
    assert_eq!(one.done_at, Some(Time(34)));
    assert_eq!((two.status.as_ref(), two.reason.as_deref()), ("refused", Some("no")));
    let answer = &rows.answers[0];
    assert_eq!(answer.rows, [[Some("1".to_owned())]]);
    assert_eq!((answer.subject.as_ref(), &answer.exchange), ("anna", &one.exchange));
    assert_eq!(rows.flows[0].bytes_out, Some(2));
    let session = &rows.sessions[0];
    assert_eq!((session.flows, session.exchanges, session.denied, session.masked), (1, 2, 1, 2));
}

#[test]
fn however_the_log_is_cut_up_the_rows_are_the_same() {
    let frames = log(&whole());
    let (_, expected) = join(&whole());
    for cut in 0..frames.len() {
        let mut rows = Rows::default();
        let mut carry = Carry::default();
        for piece in [&frames[..cut], &frames[cut..]] {
            // As it comes back from its file.
            let json = serde_json::to_string(&carry).unwrap();
            let mut joiner = Joiner::new(serde_json::from_str(&json).unwrap());
            joiner.segment(1, "h1");
            feed(&mut joiner, piece);
            rows.append(joiner.take());
            carry = joiner.carry().clone();
        }
        assert!(rows.exchanges == expected.exchanges && rows.answers == expected.answers);
        assert!(rows.sessions == expected.sessions && rows.flows == expected.flows);
    }
}

/// The same statement asked three times, the second time only prepared.
fn repeated() -> Vec<Entry> {
    let Entry::Asked(first) = asked(5, denial()) else { panic!("a request") };
    let again = |number, prepares| {
        let mut again = first.clone();
        (again.request.exchange, again.request.prepares) = (exchange(number), prepares);
        Entry::Asked(again)
    };
    let mut entries = opened();
    entries.extend([again(5, false), again(6, true), again(7, false), flow_closed()]);
    entries
}

#[test]
fn a_repetition_gives_the_row_that_the_whole_entry_gives() {
    let entries = repeated();
    let (_, expected) = join(&entries);
    let Entry::Asked(first) = &entries[2] else { panic!("a request") };
    first.judged.kept.at(3);
    let mut frames = log(&entries[..2]);
    // The first one is whole in any segment that begins behind the mark.
    let mut whole = Vec::new();
    encode(&mut whole, Class::Disk, 0, u64::MAX, &entries[2], &[]).unwrap();
    stamp(&mut whole, 3);
    frames.push(whole);
    frames.extend(log(&entries).into_iter().skip(3));
    assert!(frames[3].len() < frames[2].len());
    let mut joiner = Joiner::new(Carry::default());
    joiner.segment(1, "h1");
    feed(&mut joiner, &frames);
    let rows = joiner.take().exchanges;
    assert!(rows == expected.exchanges);
    let verbs: Vec<_> = rows.iter().map(|row| row.verbs.join(" ")).collect();
    assert_eq!(verbs, ["select", "prepare select", "select"]);
    assert!(rows[0].entry_hash != rows[1].entry_hash && rows[0].statement == rows[1].statement);

    // In another segment it refers to nothing.
    let mut joiner = Joiner::new(Carry::default());
    joiner.segment(1, "h1");
    let Step::Frame(frame, _) = step(&frames[3]) else { panic!("not a frame") };
    let error = joiner.feed(&frame).unwrap_err();
    assert!(matches!(error, JoinError::Entry { source: FrameError::Repeats(3), .. }), "{error}");
}

#[test]
fn what_an_earlier_life_left_open_is_unknown() {
    let mut entries = opened();
    entries.extend([asked(5, Verdict::Allow), asked(6, denial())]);
    let (mut joiner, rows) = join(&entries);
    assert!(rows.is_empty());
    let open = joiner.open_rows();
    assert_eq!(open.exchanges[0].status.as_ref(), "open");
    joiner.segment(2, "h1");
    let rows = joiner.take();
    let statuses: Vec<_> = rows.exchanges.iter().map(|row| row.status.as_ref()).collect();
    assert_eq!(statuses, ["unknown", "refused"]);
    assert_eq!(rows.flows[0].close_reason.as_deref(), Some("unknown"));
    assert_eq!((rows.sessions[0].ended_at, rows.sessions[0].exchanges), (None, 2));
    assert!(joiner.carry().is_empty());
}

#[test]
fn a_request_whose_flow_ends_without_an_answer_is_unknown() {
    let mut entries = opened();
    entries.extend([asked(5, Verdict::Allow), flow_closed(), answered(5)]);
    let (_, rows) = join(&entries);
    assert_eq!(rows.exchanges[0].status.as_ref(), "unknown");
    assert_eq!(rows.events[0].kind, "record.orphan");
}

#[test]
fn what_is_delivered_behind_an_end_is_told_all_the_same() {
    let mut entries = opened();
    entries.extend([asked(5, Verdict::Allow), answered(5), part(5)]);
    let (_, rows) = join(&entries);
    assert_eq!(rows.events[0].kind, "record.orphan");
    let [answer] = rows.answers.as_slice() else { panic!("{rows:?}") };
    let of = &rows.exchanges[0];
    assert_eq!((&answer.exchange, &answer.flow), (&of.exchange, &of.flow));
    assert_eq!((&answer.session, answer.actor()), (&of.session, of.actor()));
}

#[test]
fn an_approval_that_is_used_later_has_two_rows() {
    let settled = |at_us, outcome: &str, approver: Option<&str>| {
        Entry::HoldSettled(HoldSettled {
            hold: HoldId("H-1".to_owned()),
            at_us,
            outcome: outcome.to_owned(),
            approver: approver.map(str::to_owned),
            comment: None,
        })
    };
    let mut entries = opened();
    entries.push(Entry::HoldOpened(HoldOpened {
        hold: HoldId("H-1".to_owned()),
        exchange: exchange(5),
        flow: flow(),
        session: session(),
        at_us: 30,
        until_us: 90,
        statement: "delete".into(),
        binding: "b".to_owned(),
        approve_groups: vec!["dba".to_owned()],
        quorum: 1,
        policies: vec!["p".to_owned()],
    }));
    entries.extend([settled(40, "approved", Some("bob")), settled(50, "consumed", None)]);
    let (joiner, rows) = join(&entries);
    let seen: Vec<_> =
        rows.holds.iter().map(|row| (row.outcome.as_str(), row.approver.as_deref())).collect();
    assert_eq!(seen, [("approved", Some("bob")), ("consumed", Some("bob"))]);
    assert_eq!((rows.holds[0].target.as_ref(), rows.holds[0].subject.as_ref()), ("shop", "anna"));
    assert!(joiner.open_rows().holds.is_empty());
}

#[test]
fn an_entry_is_not_joined_twice() {
    let frames = log(&opened());
    let mut joiner = Joiner::new(Carry::default());
    feed(&mut joiner, &frames);
    let Step::Frame(frame, _) = step(&frames[0]) else { panic!("not a frame") };
    assert!(matches!(joiner.feed(&frame), Err(JoinError::Order { last: 2, found: 1 })));
}

#[test]
fn an_id_that_comes_twice_hides_nothing() {
    let mut entries = opened();
    entries.extend([asked(5, Verdict::Allow), asked(5, denial()), answered(5)]);
    entries.extend(opened());
    let (_, rows) = join(&entries);
    let seen: Vec<_> =
        rows.exchanges.iter().map(|row| (row.verdict.as_ref(), row.status.as_ref())).collect();
    assert_eq!(seen, [("allow", "unknown"), ("deny", "ok")]);
    assert_eq!((rows.sessions.len(), rows.flows.len()), (1, 1));
}
