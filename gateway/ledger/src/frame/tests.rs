//! Frames keep what they hold, and torn ones are noticed.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use weir_model::entry::Event;

use super::*;

fn event(message: String) -> Entry {
    Entry::Event(Event::info(5, "test", message).with("k", 1))
}

type Read = (u64, Class, Entry, Vec<u8>);

fn read_all(mut bytes: &[u8]) -> (Vec<Read>, bool) {
    let (mut frames, mut entries) = (Vec::new(), Entries::default());
    loop {
        match step(bytes) {
            Step::Frame(frame, len) => {
                let entry = entries.entry(&frame).unwrap();
                frames.push((frame.index, frame.class, entry, frame.body.to_vec()));
                bytes = &bytes[len..];
            }
            Step::End => return (frames, true),
            Step::More(_) | Step::Torn => return (frames, false),
        }
    }
}

fn log(items: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (message, body) in items {
        encode(&mut bytes, Class::Disk, -3, 1, &event(message.clone()), body).unwrap();
    }
    assert_eq!(stamp(&mut bytes, 7), 7 + items.len() as u64);
    bytes
}

fn items() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    prop::collection::vec((".{0,20}", prop::collection::vec(any::<u8>(), 0..40)), 1..6)
}

proptest! {
    #[test]
    fn frames_survive_the_round_trip(items in items()) {
        let mut bytes = log(&items);
        bytes.extend_from_slice(&[0; 64]);
        let (frames, clean) = read_all(&bytes);
        prop_assert!(clean);
        prop_assert_eq!(frames.len(), items.len());
        for (at, (frame, item)) in frames.iter().zip(&items).enumerate() {
            let expected = (7 + at as u64, Class::Disk, event(item.0.clone()), item.1.clone());
            prop_assert_eq!(frame, &expected);
        }
    }

    #[test]
    fn a_log_cut_anywhere_gives_its_whole_frames(items in items()) {
        let bytes = log(&items);
        let (whole, _) = read_all(&bytes);
        for cut in 0..bytes.len() {
            // What was cut off reads as zeros, or the file ends there.
            let mut zeroed = bytes.clone();
            zeroed[cut..].fill(0);
            for torn in [&bytes[..cut], &zeroed[..]] {
                let (frames, _) = read_all(torn);
                prop_assert!(frames.len() <= whole.len());
                prop_assert_eq!(&frames[..], &whole[..frames.len()]);
            }
            let (frames, _) = read_all(&bytes[..cut]);
            prop_assert!(frames.len() < whole.len());
        }
    }

    #[test]
    fn no_bytes_panic_and_none_are_claimed_beyond_the_bound(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        prop_assert!(needed(&bytes) <= FRAME_BYTES);
        if let Step::More(more) = step(&bytes) {
            prop_assert!(more <= FRAME_BYTES);
        }
    }

    #[test]
    fn a_flipped_bit_is_seen(message in ".{1,20}", bit in any::<prop::sample::Index>()) {
        let mut bytes = log(&[(message, vec![1, 2, 3])]);
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!matches!(step(&bytes), Step::Frame(..)));
    }
}

#[test]
fn the_layout_is_the_documented_one() {
    let bytes = log(&[("x".to_owned(), b"body".to_vec())]);
    let entry = postcard::to_stdvec(&event("x".to_owned())).unwrap();
    let len = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
    assert_eq!(len, bytes.len() - 4);
    assert_eq!(bytes[4..8], [10, 1, 0, 0]);
    assert_eq!(bytes[8..16], 7_u64.to_le_bytes());
    assert_eq!(bytes[16..24], (-3_i64).to_le_bytes());
    assert_eq!(bytes[24..28], (entry.len() as u32).to_le_bytes());
    assert_eq!(bytes[28..28 + entry.len()], entry[..]);
    assert_eq!(&bytes[28 + entry.len()..len], b"body");
    assert_eq!(bytes[len..], crc32c::crc32c(&bytes[..len]).to_le_bytes());
}

#[test]
fn an_entry_beyond_the_bound_is_refused_and_leaves_nothing() {
    let mut bytes = b"before".to_vec();
    let body = vec![0; PAYLOAD_BYTES];
    let result = encode(&mut bytes, Class::Disk, 0, 1, &event(String::new()), &body);
    assert!(matches!(result, Err(FrameError::TooLarge(_))));
    assert_eq!(bytes, b"before");
}

#[test]
fn an_entry_from_before_a_field_was_added_is_read() {
    let identity = weir_model::Identity {
        issuer: "https://idp".to_owned(),
        subject: "anna".to_owned(),
        email: None,
        groups: Vec::new(),
        agent: "claude".to_owned(),
        on_behalf_of: None,
        token_id_hash: "00".to_owned(),
        expires_us: 9,
    };
    let entry = Entry::SessionOpened(weir_model::entry::SessionOpened {
        session: weir_model::SessionId::from_parts(0, 1),
        at_us: 10,
        identity: identity.into(),
        host: "h1".to_owned(),
        cgroup: "/weir/1".to_owned(),
        command: vec!["agent".to_owned()],
        uid: 1000,
        jail: Vec::new(),
        relaxed: Vec::new(),
    });
    let mut bytes = Vec::new();
    encode(&mut bytes, Class::Disk, 0, 1, &entry, &[]).unwrap();
    stamp(&mut bytes, 1);
    let Step::Frame(frame, _) = step(&bytes) else { panic!("a whole frame") };
    // Both fields are empty lists, of one byte each.
    let before = &frame.entry_bytes[..frame.entry_bytes.len() - 2];
    let read = Frame { entry_bytes: before, ..frame }.logged().unwrap();
    assert_eq!(read, Logged::Entry(entry));
    let torn = &frame.entry_bytes[..3];
    assert!(Frame { entry_bytes: torn, ..frame }.logged().is_err());
}
