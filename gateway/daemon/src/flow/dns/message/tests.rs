//! Queries and answers, whole, broken and false.

#![allow(clippy::unwrap_used)]

use super::*;

/// A query with flags, question and the rest.
fn raw(flags: u16, counts: [u16; 4], rest: &[u8]) -> Vec<u8> {
    let mut bytes = [0xab, 0xcd].to_vec();
    bytes.extend(flags.to_be_bytes());
    counts.iter().for_each(|count| bytes.extend(count.to_be_bytes()));
    bytes.extend(rest);
    bytes
}

const QUESTION: &[u8] = b"\x02Db\x04tEst\x00\x00\x01\x00\x01";
const OPT: &[u8] = b"\x00\x00\x29\x05\xdc\x00\x00\x80\x00\x00\x00"; // 1500, DNSSEC OK

fn asked() -> Question {
    let bytes = raw(0x0100, [1, 0, 0, 1], &[QUESTION, OPT].concat());
    Question::read(&bytes).ok().unwrap()
}

fn code(bytes: &[u8]) -> Option<u8> {
    Question::read(bytes).err().unwrap().map(|refusal| {
        assert_eq!((&refusal[..2], refusal[2] & 0x80), ([0xab, 0xcd].as_slice(), 0x80));
        refusal[3] & 0x0f
    })
}

#[test]
fn a_query_goes_on_with_its_question_alone() {
    let question = asked();
    assert_eq!((question.name.as_str(), question.kind), ("db.test", RecordType::A));
    let cookie = b"\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x08secret!!";
    let bytes = raw(0x0130, [1, 0, 0, 1], &[QUESTION, cookie].concat());
    for question in [question, Question::read(&bytes).ok().unwrap()] {
        let sent = question.upstream(0x1234).unwrap();
        assert_eq!(sent[..2], [0x12, 0x34]);
        assert_eq!(&sent[12..23], b"\x02db\x04test\x00\x00\x01");
        assert!(!sent.windows(6).any(|part| part == b"secret"));
    }
}

#[test]
fn what_is_no_plain_query_is_refused() {
    let form = Some(1);
    assert_eq!(code(b"\xab"), None);
    assert_eq!(code(&raw(0x8100, [1, 0, 0, 0], QUESTION)), None); // an answer
    assert_eq!(code(&raw(0x2800, [1, 0, 0, 0], QUESTION)), Some(4)); // an update
    assert_eq!(code(&raw(0x0100, [0, 0, 0, 0], b"")), form);
    assert_eq!(code(&raw(0x0100, [2, 0, 0, 0], &[QUESTION, QUESTION].concat())), form);
    assert_eq!(code(&raw(0x0100, [1, 0, 0, 0], &QUESTION[..9])), form);
    assert_eq!(code(&raw(0x0100, [1, 0, 0, 0], b"\xc0\x0c\x00\x01\x00\x01")), form); // a loop
    assert_eq!(code(&raw(0x0100, [1, 0, 0, 0], b"\xc0\x04\x00\x01\x00\x01")), form);
    assert_eq!(code(&raw(0x0100, [1, 0, 0, 1], &[QUESTION, b"\x00\x00\x29"].concat())), form);
    let smuggled = [QUESTION, b"\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x00\x00\x02\x01x"].concat();
    assert_eq!(code(&raw(0x0100, [1, 1, 0, 0], &smuggled)), form);
    let chaos = b"\x07version\x04bind\x00\x00\x10\x00\x03";
    assert_eq!(code(&raw(0x0100, [1, 0, 0, 0], chaos)), Some(5));
    let transfer = b"\x04test\x00\x00\xfc\x00\x01";
    assert_eq!(code(&raw(0x0100, [1, 0, 0, 0], transfer)), Some(5));
}

/// An answer to `asked` as a resolver writes it.
fn answer(id: u16, question: &[u8], records: &[u8], count: u16) -> Vec<u8> {
    let mut bytes = raw(0x8180, [1, count, 0, 0], &[question, records].concat());
    bytes[..2].copy_from_slice(&id.to_be_bytes());
    bytes
}

const LOWER: &[u8] = b"\x02db\x04test\x00\x00\x01\x00\x01";

#[test]
fn only_the_answer_to_the_question_is_taken() {
    let question = asked();
    assert!(question.is_answered_by(&answer(7, LOWER, b"", 0), 7));
    assert!(!question.is_answered_by(&answer(8, LOWER, b"", 0), 7));
    assert!(!question.is_answered_by(&answer(7, b"\x02dc\x04test\x00\x00\x01\x00\x01", b"", 0), 7));
    assert!(!question.is_answered_by(&answer(7, b"\x02db\x04test\x00\x00\x1c\x00\x01", b"", 0), 7));
    assert!(!question.is_answered_by(&answer(7, b"\x02db\x04test\x00\x00\x01\x00\x21", b"", 0), 7));
    assert!(!question.is_answered_by(&raw(0x0180, [1, 0, 0, 0], LOWER), 0xabcd)); // a query
    assert!(!question.is_answered_by(&raw(0x8180, [0, 0, 0, 0], LOWER), 0xabcd));
    assert!(!question.is_answered_by(b"\x00\x07", 7));
}

#[test]
fn an_answer_is_delivered_in_the_clients_own_words() {
    let record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x07";
    let delivered = asked().deliver(answer(7, LOWER, record, 1), false).unwrap();
    assert_eq!(delivered[..2], [0xab, 0xcd]);
    assert_eq!(&delivered[12..12 + QUESTION.len()], QUESTION);
    assert!(delivered.ends_with(record));
}

#[test]
fn an_answer_that_is_too_long_says_so() {
    let record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x07";
    let long = answer(7, LOWER, &record.repeat(120), 120);
    let question = asked();
    let cut = question.deliver(long.clone(), false).unwrap();
    let read = Message::from_vec(&cut).unwrap();
    assert!(read.metadata.truncation && read.answers.is_empty() && read.edns.is_some());
    assert_eq!(question.deliver(long, true).unwrap().len(), 12 + LOWER.len() + 1920);
    let plain = Question::read(&raw(0x0100, [1, 0, 0, 0], QUESTION)).ok().unwrap();
    let addresses: Vec<IpAddr> = (0..60).map(|n| IpAddr::from([192, 0, 2, n])).collect();
    let own = Message::from_vec(&plain.addresses(&addresses, 30, false).unwrap()).unwrap();
    assert!(own.metadata.truncation && own.edns.is_none());
    let own = Message::from_vec(&question.addresses(&addresses, 30, false).unwrap()).unwrap();
    assert!(!own.metadata.truncation && own.answers.len() == 60);
    let none = question.addresses(&["::1".parse().unwrap()], 30, false).unwrap();
    assert!(Message::from_vec(&none).unwrap().answers.is_empty());
}

#[test]
fn an_answer_teaches_the_name_that_was_asked_for_and_no_other() {
    let question = asked();
    let alias = b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01b\xc0\x0f";
    let aliased = b"\x01b\x04test\x00\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x07";
    let stranger = b"\x04bank\x00\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x09";
    let reply = answer(7, LOWER, &[alias.as_slice(), aliased, stranger].concat(), 3);
    assert_eq!(question.taught(&reply), [(IpAddr::from([192, 0, 2, 7]), 60)]);
    let circle = b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x0c";
    assert_eq!(question.taught(&answer(7, LOWER, circle, 1)), []);
    assert_eq!(question.taught(b"rubbish"), []);
}
