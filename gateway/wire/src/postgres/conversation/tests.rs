//! Conversations as real clients and hostile ones hold them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::postgres::{backend, build, frontend};

type Talk = Conversation<&'static str, u32, &'static str>;

/// Builds one message and hands it to the conversation.
fn client(talk: &mut Talk, write: impl FnOnce(&mut Vec<u8>)) -> Result<String, WireError> {
    let mut message = Vec::new();
    write(&mut message);
    let parsed = frontend::parse(&message).unwrap();
    Ok(match talk.client(&parsed, 0)? {
        ClientStep::Pass => "pass".to_owned(),
        ClientStep::Drop => "drop".to_owned(),
        ClientStep::CopyIn(exchange) => format!("copy in {exchange}"),
        ClientStep::Query(text) => format!("query {}", String::from_utf8_lossy(text)),
        ClientStep::Parse { name, .. } => format!("parse {}", String::from_utf8_lossy(name)),
        ClientStep::Bind { prepared, .. } => format!("bind {}", prepared.statement),
        ClientStep::BindUnknown(_) => "bind unknown".to_owned(),
        ClientStep::Execute { inject, .. } => format!("execute inject={inject}"),
        ClientStep::ExecuteUnknown(_) => "execute unknown".to_owned(),
        ClientStep::Function(_) => "function".to_owned(),
        ClientStep::Terminate => "terminate".to_owned(),
    })
}

fn target(talk: &mut Talk, write: impl FnOnce(&mut Vec<u8>)) -> Result<String, WireError> {
    let mut message = Vec::new();
    write(&mut message);
    let parsed = backend::parse(&message).unwrap();
    Ok(match talk.target(&parsed)? {
        TargetStep::Aside => "aside".to_owned(),
        TargetStep::Swallow => "swallow".to_owned(),
        TargetStep::Shape { of, exchange, swallow } => {
            if let Some(of) = &of {
                of.keep("shape");
            }
            format!("shape of={} rows={exchange:?} swallow={swallow}", of.is_some())
        }
        TargetStep::Row(exchange) => format!("row {exchange}"),
        TargetStep::PortalRow(portal) => {
            format!("portal row {} {:?}", portal.exchange, portal.description())
        }
        TargetStep::Part(exchange) => format!("part {exchange}"),
        TargetStep::Suspended(exchange) => format!("suspended {exchange}"),
        TargetStep::Ended(exchange) => format!("ended {exchange}"),
        TargetStep::Done(exchange) => format!("done {exchange}"),
        TargetStep::Failed { exchange, refused, skipped } => {
            format!("failed {exchange:?} refused={refused} skipped={skipped:?}")
        }
        TargetStep::Ready(exchange) => format!("ready {exchange:?}"),
    })
}

fn raw(tag: u8, body: &'static [u8]) -> impl FnOnce(&mut Vec<u8>) {
    move |out| {
        out.push(tag);
        out.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        out.extend_from_slice(body);
    }
}

fn error(out: &mut Vec<u8>) {
    let fields = build::ErrorFields {
        severity: build::Severity::Error,
        code: "42601",
        message: "no".to_owned(),
        detail: None,
        hint: None,
    };
    build::error_response(&fields, out);
}

fn shape(out: &mut Vec<u8>) {
    raw(b'T', &[0, 0])(out);
}

fn row(out: &mut Vec<u8>) {
    raw(b'D', &[0, 0])(out);
}

fn complete(out: &mut Vec<u8>) {
    build::command_complete(b"SELECT 1", out).unwrap();
}

fn ready(out: &mut Vec<u8>) {
    build::ready_for_query(Transaction::Idle, out);
}

fn prepare(talk: &mut Talk, name: &[u8], statement: &'static str, exchange: u32) {
    let step = client(talk, |out| build::parse(name, b"select 1", [], out).unwrap()).unwrap();
    assert!(step.starts_with("parse"));
    talk.forward_parse(name, statement, Vec::new(), exchange).unwrap();
}

fn bind(talk: &mut Talk, name: &[u8], exchange: u32) {
    let message = raw_bind(name);
    let parsed = frontend::parse(&message).unwrap();
    let ClientStep::Bind { prepared, portal, .. } = talk.client(&parsed, 0).unwrap() else {
        panic!("a bind of a known name")
    };
    let portal = portal.to_vec();
    talk.forward_bind(&portal, Portal::new(prepared, exchange, Vec::new(), 0)).unwrap();
}

fn raw_bind(statement: &[u8]) -> Vec<u8> {
    let mut body = vec![0];
    body.extend_from_slice(statement);
    body.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0]);
    let mut message = vec![b'B'];
    message.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    message.extend_from_slice(&body);
    message
}

fn execute(talk: &mut Talk) -> bool {
    let mut message = Vec::new();
    build::execute(b"", 0, &mut message).unwrap();
    let parsed = frontend::parse(&message).unwrap();
    let ClientStep::Execute { portal, inject } = talk.client(&parsed, 0).unwrap() else {
        panic!("an execute of a known portal")
    };
    talk.forward_execute(portal, inject, false).unwrap();
    inject
}

#[test]
fn a_simple_query_is_answered_up_to_ready() {
    let talk = &mut Talk::default();
    let step = client(talk, |out| build::query(b"select 1", out).unwrap());
    assert_eq!(step.unwrap(), "query select 1");
    talk.forward_query(7, false).unwrap();
    assert_eq!(target(talk, shape).unwrap(), "shape of=false rows=Some(7) swallow=false");
    assert_eq!(target(talk, row).unwrap(), "row 7");
    assert_eq!(target(talk, complete).unwrap(), "ended 7");
    assert_eq!(target(talk, ready).unwrap(), "ready Some(7)");
    assert!(talk.is_quiet());
}

#[test]
fn a_re_executed_statement_that_nobody_described_is_described_by_weir() {
    let talk = &mut Talk::default();
    prepare(talk, b"s", "S", 1);
    assert_eq!(target(talk, raw(b'1', b"")).unwrap(), "done 1");
    bind(talk, b"s", 2);
    assert!(execute(talk), "a describe must be injected");
    assert_eq!(target(talk, raw(b'2', b"")).unwrap(), "aside");
    assert_eq!(target(talk, shape).unwrap(), "shape of=true rows=None swallow=true");
    assert_eq!(target(talk, row).unwrap(), "portal row 2 Some(\"shape\")");
    assert_eq!(target(talk, complete).unwrap(), "done 2");
}

#[test]
fn a_description_of_another_age_is_not_used() {
    let talk = &mut Talk::default();
    prepare(talk, b"s", "S", 1);
    target(talk, raw(b'1', b"")).unwrap();
    let mut describe = Vec::new();
    build::describe(frontend::Kind::Statement, b"s", &mut describe).unwrap();
    talk.client(&frontend::parse(&describe).unwrap(), 5).unwrap();
    target(talk, raw(b't', &[0, 0])).unwrap();
    target(talk, shape).unwrap();
    bind(talk, b"s", 2);
    assert!(execute(talk), "described at age 5, run at age 0");
}

#[test]
fn an_error_skips_what_was_pipelined_behind_it() {
    let talk = &mut Talk::default();
    prepare(talk, b"", "S", 1);
    bind(talk, b"", 2);
    execute(talk);
    assert_eq!(
        target(talk, error).unwrap(),
        "failed Some(1) refused=false skipped=[2, 2]".to_owned()
    );
    assert_eq!(client(talk, |out| build::query(b"x", out).unwrap()).unwrap(), "drop");
    assert_eq!(client(talk, build::sync).unwrap(), "pass");
    assert_eq!(target(talk, ready).unwrap(), "ready None");
    let message = raw_bind(b"");
    let parsed = frontend::parse(&message).unwrap();
    assert!(matches!(talk.client(&parsed, 0).unwrap(), ClientStep::BindUnknown(_)));
}

#[test]
fn a_refused_simple_query_ends_with_ready() {
    let talk = &mut Talk::default();
    talk.forward_refused(3, true).unwrap();
    assert_eq!(target(talk, error).unwrap(), "failed Some(3) refused=true skipped=[]");
    assert_eq!(target(talk, ready).unwrap(), "ready Some(3)");
}

#[test]
fn nothing_overtakes_a_copy_and_a_sync_in_it_gets_no_answer() {
    let talk = &mut Talk::default();
    talk.forward_query(1, true).unwrap();
    assert!(talk.must_wait());
    assert_eq!(target(talk, raw(b'G', &[0, 0, 0])).unwrap(), "part 1");
    assert!(!talk.must_wait());
    assert_eq!(client(talk, raw(b'd', b"row")).unwrap(), "copy in 1");
    assert_eq!(client(talk, build::sync).unwrap(), "drop");
    assert!(client(talk, |out| build::query(b"drop table t", out).unwrap()).is_err());
    assert_eq!(client(talk, raw(b'c', b"")).unwrap(), "pass");
    assert!(talk.must_wait(), "the query may copy again");
    assert_eq!(target(talk, complete).unwrap(), "ended 1");
    assert_eq!(target(talk, ready).unwrap(), "ready Some(1)");
    assert!(!talk.must_wait());
}

#[test]
fn a_copy_that_was_not_announced_is_a_lie() {
    let talk = &mut Talk::default();
    talk.forward_query(1, false).unwrap();
    assert!(target(talk, raw(b'G', &[0, 0, 0])).is_err());
}

#[test]
fn answers_that_nobody_asked_for_are_refused() {
    for message in [row as fn(&mut Vec<u8>), shape, complete, ready] {
        assert!(target(&mut Talk::default(), message).is_err());
    }
    assert!(target(&mut Talk::default(), raw(b'R', &[0, 0, 0, 0])).is_err());
    assert!(target(&mut Talk::default(), raw(b'1', b"")).is_err());
}

#[test]
fn names_from_sql_mean_nothing_here() {
    let talk = &mut Talk::default();
    prepare(talk, b"p", "S", 1);
    target(talk, raw(b'1', b"")).unwrap();
    talk.undefine(Some(b"p"));
    let message = raw_bind(b"p");
    let parsed = frontend::parse(&message).unwrap();
    assert!(matches!(talk.client(&parsed, 0).unwrap(), ClientStep::BindUnknown(_)));
}

#[test]
fn a_flood_of_requests_is_bounded() {
    let talk = &mut Talk::default();
    for count in 0..limits::PIPELINE {
        // Who waits when told to never meets the bound.
        assert_eq!(talk.must_wait(), count + 2 > limits::PIPELINE);
        client(talk, build::sync).unwrap();
    }
    assert!(client(talk, build::sync).is_err());
}

#[test]
fn a_query_with_parameters_is_answered_like_a_simple_one() {
    let talk = &mut Talk::default();
    talk.forward_query_with(7).unwrap();
    for tag in [b'3', b'1', b'2'] {
        assert_eq!(target(talk, raw(tag, b"")).unwrap(), "swallow");
    }
    assert_eq!(target(talk, shape).unwrap(), "shape of=false rows=Some(7) swallow=false");
    assert_eq!(target(talk, row).unwrap(), "row 7");
    assert_eq!(target(talk, complete).unwrap(), "ended 7");
    assert_eq!(target(talk, raw(b'3', b"")).unwrap(), "swallow");
    assert_eq!(target(talk, ready).unwrap(), "ready Some(7)");
    // It fails like one, too: what is skipped ends with its own Sync.
    talk.forward_query_with(8).unwrap();
    assert_eq!(target(talk, raw(b'3', b"")).unwrap(), "swallow");
    assert_eq!(target(talk, error).unwrap(), "failed Some(8) refused=false skipped=[]");
    assert_eq!(target(talk, ready).unwrap(), "ready Some(8)");
    // Not while anything is under way.
    client(talk, build::sync).unwrap();
    assert!(talk.forward_query_with(9).is_err());
}

#[test]
fn copy_data_comes_between_its_announcement_and_its_end() {
    let begin = || raw(b'H', &[0, 0, 0]);
    for (messages, fails_at) in [
        (vec![b'H', b'd', b'c', b'C', b'H', b'c', b'C'], None),
        (vec![b'd'], Some(0)),
        (vec![b'c'], Some(0)),
        (vec![b'H', b'H'], Some(1)),
        (vec![b'H', b'c', b'd'], Some(2)),
        (vec![b'H', b'd', b'C', b'd'], Some(3)),
    ] {
        let talk = &mut Talk::default();
        talk.forward_query(1, false).unwrap();
        for (place, tag) in messages.iter().enumerate() {
            let step = match tag {
                b'H' => target(talk, begin()),
                b'C' => target(talk, complete),
                tag => target(talk, raw(*tag, b"")),
            };
            assert_eq!(step.is_err(), fails_at == Some(place), "{messages:?} at {place}");
        }
    }
}

#[test]
fn a_replication_stream_goes_both_ways_until_both_have_ended_it() {
    let both = || raw(b'W', &[0, 0, 0]);
    let talk = &mut Talk::default();
    talk.forward_query(1, true).unwrap();
    assert!(target(talk, both()).is_err(), "nobody asked for one");
    let talk = &mut Talk::default();
    talk.replicate();
    talk.forward_query(1, true).unwrap();
    assert_eq!(target(talk, both()).unwrap(), "part 1");
    assert!(target(talk, both()).is_err());
    assert_eq!(client(talk, raw(b'd', b"status")).unwrap(), "copy in 1");
    assert_eq!(target(talk, raw(b'd', b"log")).unwrap(), "part 1");
    assert_eq!(client(talk, raw(b'c', b"")).unwrap(), "pass");
    assert!(talk.must_wait());
    assert_eq!(target(talk, raw(b'd', b"log")).unwrap(), "part 1");
    assert_eq!(target(talk, raw(b'c', b"")).unwrap(), "part 1");
    // Where the timeline ended, the next one's place follows.
    assert_eq!(target(talk, shape).unwrap(), "shape of=false rows=Some(1) swallow=false");
    assert_eq!(target(talk, row).unwrap(), "row 1");
    assert_eq!(target(talk, complete).unwrap(), "ended 1");
    assert_eq!(target(talk, ready).unwrap(), "ready Some(1)");
    assert!(!talk.must_wait());
}

#[test]
fn of_an_unknown_name_the_target_speaks_first() {
    let talk = &mut Talk::default();
    let parameters = || raw(b't', &[0, 0]);
    // It does not know the name either.
    talk.forward_unknown(1).unwrap();
    client(talk, build::sync).unwrap();
    assert_eq!(target(talk, error).unwrap(), "failed Some(1) refused=false skipped=[]");
    assert_eq!(target(talk, ready).unwrap(), "ready None");
    // It has the name from SQL: what it says of it is not told, and what follows is the refusal's.
    for described in [shape as fn(&mut Vec<u8>), |out| raw(b'n', b"")(out)] {
        talk.forward_unknown(2).unwrap();
        client(talk, build::sync).unwrap();
        assert_eq!(target(talk, parameters()).unwrap(), "swallow");
        assert_eq!(target(talk, described).unwrap(), "swallow");
        assert!(target(talk, row).is_err());
        assert_eq!(target(talk, error).unwrap(), "failed Some(2) refused=true skipped=[]");
        assert_eq!(target(talk, ready).unwrap(), "ready None");
    }
}
