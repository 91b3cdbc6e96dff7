//! The bodies of the fuzz targets, shared with the test that replays the corpus.
//!
//! Each takes any bytes, and fails by an assertion. What they hold: nothing panics; what parses has
//! one encoding, which is the bytes it was read from; no beginning of a message parses.

mod conversation;
mod talk;

use crate::postgres::{Authentication, Backend, Side, Startup, backend, build, frame, frontend};
use crate::postgres::{Frontend, RowWriter, refuse, sasl, startup};
use crate::{detect, tls};

pub use conversation::conversation;
pub use talk::talk;

/// A stream of the client: packets without a type byte as long as there are some, then messages.
pub fn postgres_frontend(data: &[u8]) {
    let _ = detect::detect(data);
    let mut rest = data;
    while let Ok(Some(len)) = frame::untagged(rest) {
        let Some((packet, after)) = rest.split_at_checked(len) else {
            break;
        };
        start_up(packet);
        rest = after;
    }
    messages(rest, Side::Client, one);
    messages(data, Side::Client, one);
}

/// A stream of the target.
pub fn postgres_backend(data: &[u8]) {
    messages(data, Side::Target, one);
}

/// The first bytes of a TLS client.
pub fn client_hello(data: &[u8]) {
    let _ = detect::detect(data);
    let Ok(Some(hello)) = tls::client_hello(data) else {
        return;
    };
    assert_eq!(detect::detect(data), detect::Detected::Tls);
    if let Some(name) = &hello.server_name {
        assert!(!name.is_empty() && name.is_ascii());
        assert_eq!(name.to_ascii_lowercase(), *name);
    }
    // How the bytes are cut into reads changes nothing: an earlier look waits, or sees the same.
    let whole = Ok(Some(hello));
    for cut in (0..data.len()).step_by(data.len() / 64 + 1) {
        let seen = tls::client_hello(data.get(..cut).unwrap_or_default());
        assert!(seen == Ok(None) || seen == whole, "cut at {cut}");
    }
}

fn start_up(packet: &[u8]) {
    let Ok(parsed) = startup::parse(packet) else {
        return;
    };
    let mut again = Vec::new();
    let written = match parsed {
        Startup::Ssl => {
            startup::encode_ssl(&mut again);
            Ok(())
        }
        Startup::GssEnc => {
            startup::encode_gssenc(&mut again);
            Ok(())
        }
        Startup::Cancel { pid, key } => startup::encode_cancel(pid, key, &mut again),
        Startup::Start { minor, parameters } => {
            startup::encode_start(minor, parameters, &mut again)
        }
    };
    assert_eq!(written, Ok(()));
    assert!(again == packet, "a start-up packet has two encodings");
    assert_eq!(detect::detect(packet), detect::Detected::Postgres);
}

/// Frames and reads messages up to the first error or the end; returns how many there were.
fn messages(data: &[u8], side: Side, each: impl Fn(&[u8], Side)) -> usize {
    let mut rest = data;
    let mut count = 0;
    while let Ok(Some(frame)) = frame::peek(rest, side) {
        let Some((message, after)) = rest.split_at_checked(frame.len) else {
            break;
        };
        each(message, side);
        rest = after;
        count += 1;
    }
    count
}

fn one(message: &[u8], side: Side) {
    if round_trips(message, side) {
        truncations(message, side);
    }
}

/// Writes what a message says again, if it can be read.
fn round_trips(message: &[u8], side: Side) -> bool {
    let mut again = Vec::new();
    let (written, canonical) = match side {
        Side::Client => match frontend::parse(message) {
            Ok(parsed) => {
                if let Frontend::Password(body) = &parsed {
                    proof(body);
                }
                (build::frontend(&parsed, &mut again), true)
            }
            Err(_) => return false,
        },
        Side::Target => match backend::parse(message) {
            Ok(parsed) => {
                target(&parsed);
                let lossy = matches!(parsed, Backend::Authentication(Authentication::Other(_)));
                (build::backend(&parsed, &mut again), !lossy)
            }
            Err(_) => return false,
        },
    };
    assert_eq!(written, Ok(()));
    assert!(!canonical || again == message, "a message has two encodings");
    true
}

/// What is cut out of a client's proof is what was there.
fn proof(body: &[u8]) {
    let mut again = Vec::new();
    if let Ok(password) = sasl::password(body) {
        assert_eq!(build::password(password, &mut again), Ok(()));
        assert!(again.get(5..) == Some(body), "a password has two encodings");
    }
    if let Ok(last) = sasl::client_final(body) {
        let whole = format!("{},p={}", last.without_proof, last.proof);
        assert!(whole.as_bytes() == body, "a proof is not whole");
    }
    let Ok(sasl::Initial { mechanism, data: Some(data) }) = sasl::initial(body) else {
        return;
    };
    again.clear();
    assert_eq!(build::sasl_initial(mechanism, data, &mut again), Ok(()));
    assert!(again.get(5..) == Some(body), "a first answer has two encodings");
    if let Ok(first) = sasl::client_first(data) {
        let whole = format!("{}{}", first.header, first.bare);
        assert!(whole.as_bytes() == data && first.bare.contains(first.nonce));
    }
}

/// Beginnings of a message are no message, and don't change where it ends.
fn truncations(message: &[u8], side: Side) {
    let whole = frame::peek(message, side);
    for cut in (0..message.len()).step_by(message.len() / 16 + 1) {
        let part = message.get(..cut).unwrap_or_default();
        let seen = frame::peek(part, side);
        assert!(seen == Ok(None) || seen == whole);
        assert!(match side {
            Side::Client => frontend::parse(part).is_err(),
            Side::Target => backend::parse(part).is_err(),
        });
    }
}

/// What is done to answers on their way to the client gives answers again.
fn target(parsed: &Backend<'_>) {
    match parsed {
        Backend::DataRow(cells) => {
            let mut out = Vec::new();
            let mut row = RowWriter::begin(&mut out);
            let hidden = cells.iter().map(|cell| cell.map(|_| b"***".as_slice()));
            let written = hidden.clone().try_for_each(|cell| row.push(cell));
            assert_eq!(written.and_then(|()| row.finish()), Ok(()));
            let Ok(Backend::DataRow(masked)) = backend::parse(&out) else {
                assert!(out.is_empty(), "a masked row is no row");
                return;
            };
            assert!(masked.iter().eq(hidden), "a masked row has other cells");
        }
        Backend::Error(fields) => {
            let refusal = weir_model::Refusal {
                rule: "fuzz".to_owned(),
                message: "no".to_owned(),
                instead: String::new(),
            };
            let mut out = Vec::new();
            build::rewrite_error(fields, &refuse::refusal(&refusal, ""), &mut out);
            let rewritten = backend::parse(&out);
            assert!(matches!(rewritten, Ok(Backend::Error(_))), "a rewritten error is no error");
            if let Ok(Backend::Error(rewritten)) = rewritten {
                assert_eq!(rewritten.get(b'C'), Some(refuse::CODE.as_bytes()));
                assert_eq!(rewritten.get(b'P'), None);
            }
        }
        Backend::CommandComplete(tag) => {
            let (verb, _) = backend::command_tag(tag);
            assert!(tag.starts_with(verb));
        }
        _ => {}
    }
}
