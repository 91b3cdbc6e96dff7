//! Replays `tests/corpus` through the bodies of the fuzz targets.
#![allow(clippy::disallowed_methods)] // the corpus is files
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use weir_wire::fuzz;

type Body = fn(&[u8]);

#[test]
fn the_corpus_of_postgres_clients_holds() {
    replay("postgres_frontend", fuzz::postgres_frontend);
}

#[test]
fn the_corpus_of_postgres_targets_holds() {
    replay("postgres_backend", fuzz::postgres_backend);
}

#[test]
fn the_corpus_of_changed_conversations_holds() {
    replay("postgres_conversation", fuzz::conversation);
}

#[test]
fn the_corpus_of_talk_at_any_time_holds() {
    replay("postgres_talk", fuzz::talk);
}

#[test]
fn the_corpus_of_client_hellos_holds() {
    replay("client_hello", fuzz::client_hello);
}

/// Coverage-guided fuzzing wants another toolchain; small changes of the corpus are tried always.
#[test]
fn the_corpus_with_a_few_bytes_changed_holds() {
    let bodies: [(&str, Body); 4] = [
        ("postgres_talk", fuzz::talk),
        ("postgres_frontend", fuzz::postgres_frontend),
        ("postgres_backend", fuzz::postgres_backend),
        ("client_hello", fuzz::client_hello),
    ];
    for (name, body) in bodies {
        let seeds: Vec<_> = files(name).iter().map(|path| fs::read(path).unwrap()).collect();
        let change = (any::<prop::sample::Index>(), prop_oneof![any::<u8>(), Just(0), Just(255)]);
        let input = (prop::sample::select(seeds), vec(change, 0..6));
        proptest!(ProptestConfig::with_cases(512), |((mut bytes, changes) in input)| {
            for (at, value) in changes {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = value;
                }
            }
            body(&bytes);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn any_changes_of_a_conversation_hold(changes in vec(any::<u8>(), 0..120)) {
        fuzz::conversation(&changes);
    }

    #[test]
    fn any_talk_holds(
        steps in vec(prop_oneof![0..15_u8, 128..148_u8], 0..60),
        names in vec(any::<u8>(), 60),
    ) {
        let pairs = steps.iter().zip(&names).flat_map(|(who, what)| [*who, *what]);
        let bytes: Vec<u8> = std::iter::once(names[0]).chain(pairs).collect();
        fuzz::talk(&bytes);
    }

    #[test]
    fn any_bytes_hold(bytes in vec(any::<u8>(), 0..300)) {
        fuzz::postgres_frontend(&bytes);
        fuzz::postgres_backend(&bytes);
        fuzz::client_hello(&bytes);
    }

    #[test]
    fn any_bodies_behind_a_right_header_hold(
        tag in prop::sample::select(b"QPBDECSHFdcfpXRKvZTINA123ntsGWV".to_vec()),
        body in vec(prop_oneof![3 => Just(0), 1 => any::<u8>()], 0..60),
    ) {
        let mut message = vec![tag];
        message.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        message.extend_from_slice(&body);
        fuzz::postgres_frontend(&message);
        fuzz::postgres_backend(&message);
    }
}

fn replay(name: &str, body: Body) {
    for path in files(name) {
        let bytes = fs::read(&path).unwrap();
        let held = std::panic::catch_unwind(|| body(&bytes));
        assert!(held.is_ok(), "{} does not hold", path.display());
    }
}

fn files(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}
