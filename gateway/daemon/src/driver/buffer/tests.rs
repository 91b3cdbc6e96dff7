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
