//! What a buffer keeps, and what it takes.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::*;
use crate::flow::memory::Memory;

#[test]
fn bytes_come_out_in_the_order_they_went_in() {
    let mut buffer = Buffer::default();
    let mut expected = Vec::new();
    let mut taken = Vec::new();
    for round in 0..2_000usize {
        let chunk: Vec<u8> = (0..round % 300).map(|i| (i + round) as u8).collect();
        put(&mut buffer, &chunk);
        expected.extend_from_slice(&chunk);
        let take = buffer.unread().len() / 2;
        taken.extend_from_slice(&buffer.unread()[..take]);
        buffer.consume(take);
    }
    taken.extend_from_slice(buffer.unread());
    assert_eq!(taken, expected);
}

#[test]
fn a_large_message_does_not_keep_its_memory() {
    let (session, all) = (Arc::new(Memory::of_session()), Arc::new(Memory::of_all()));
    let mut buffer = Buffer::default();
    buffer.charge(Share::new(&session, &all));
    for _ in 0..2 * limits::LARGE_BYTES_PER_SESSION / (10 << 20) {
        put(&mut buffer, &vec![1; 10 << 20]);
        buffer.consume(10 << 20);
        assert!(buffer.data.capacity() <= limits::READ_BYTES);
    }
}

#[test]
fn one_that_waits_keeps_what_is_unread_and_no_more() {
    let mut buffer = Buffer::default();
    for unread in [0, 1, KEPT_BYTES, 1, 0] {
        put(&mut buffer, &vec![1; 20_000]);
        put(&mut buffer, &vec![2; unread]);
        buffer.consume(20_000);
        assert!(buffer.poll_fill(1, |_| Poll::Pending).is_pending());
        assert_eq!((buffer.unread(), buffer.data.len()), (&vec![2; unread][..], unread));
        put(&mut buffer, &[3; 5]);
        assert_eq!(buffer.unread(), [vec![2; unread], vec![3; 5]].concat());
        buffer.consume(unread + 5);
    }
    put(&mut buffer, &vec![1; KEPT_BYTES + 1]);
    assert!(buffer.poll_fill(1, |_| Poll::Pending).is_pending());
    assert_eq!((buffer.unread().len(), buffer.data.len()), (KEPT_BYTES + 1, limits::READ_BYTES));
}

#[test]
fn what_was_taken_is_wiped_and_the_rest_stays() {
    let mut buffer = Buffer::default();
    put(&mut buffer, b"password");
    put(&mut buffer, b"query");
    buffer.consume(8);
    buffer.wipe();
    assert_eq!(buffer.unread(), b"query");
    buffer.consume(5);
    buffer.wipe();
    assert!(buffer.data.iter().all(|byte| *byte == 0));
    Buffer::default().wipe();
}

#[test]
fn a_thread_lends_the_same_memory_again() {
    let lent = || {
        let mut buffer = Buffer::default();
        put(&mut buffer, b"x");
        buffer.data.as_ptr() as usize
    };
    assert_eq!(lent(), lent());
    assert_eq!(FREE.with_borrow(Vec::len), 1);
    let many: Vec<Buffer> = (0..2 * LENT)
        .map(|_| {
            let mut buffer = Buffer::default();
            put(&mut buffer, b"x");
            buffer
        })
        .collect();
    drop(many);
    assert_eq!(FREE.with_borrow(Vec::len), LENT);
}

#[test]
fn what_is_announced_takes_no_memory_before_it_comes() {
    let mut buffer = Buffer::default();
    put(&mut buffer, &[0; 5]);
    buffer.room(limits::MESSAGE_BYTES).unwrap();
    assert!(buffer.data.len() <= limits::READ_BYTES);
    put(&mut buffer, &vec![0; 1 << 20]);
    assert!(buffer.data.len() <= 4 << 20);
}

#[test]
fn large_messages_of_a_session_share_its_memory() {
    let (session, all) = (Arc::new(Memory::of_session()), Arc::new(Memory::of_all()));
    let mut full = Vec::new();
    let refused = loop {
        let mut buffer = Buffer::default();
        buffer.charge(Share::new(&session, &all));
        match fill(&mut buffer, &vec![0; 40 << 20]) {
            Ok(()) => full.push(buffer),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory);
    assert!((3..=6).contains(&full.len()), "{}", full.len());
    full.clear();
    let mut buffer = Buffer::default();
    buffer.charge(Share::new(&session, &all));
    put(&mut buffer, &vec![0; 40 << 20]);
}

fn put(buffer: &mut Buffer, bytes: &[u8]) {
    fill(buffer, bytes).unwrap();
}

fn fill(buffer: &mut Buffer, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let room = buffer.room(bytes.len())?;
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        buffer.filled(count);
        bytes = &bytes[count..];
    }
    Ok(())
}
