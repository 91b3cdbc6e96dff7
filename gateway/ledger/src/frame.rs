//! One entry in the write-ahead log, as bytes.
//!
//! All integers are little endian.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | `len`: bytes that follow this field, checksum included; 0 ends the segment |
//! | 4 | 1 | `kind`: which entry, 1 to 10 in the order of `weir_model::Entry`; 11 is a repetition, 12 is coverage |
//! | 5 | 1 | `class`: 0 process, 1 disk |
//! | 6 | 2 | `flags`: none yet, 0 |
//! | 8 | 8 | `index`: contiguous from 1, never used twice |
//! | 16 | 8 | `ts_us`: when it was appended, microseconds since the Unix epoch |
//! | 24 | 4 | `entry_len` |
//! | 28 | `entry_len` | the entry, in postcard |
//! | 28 + `entry_len` | `len` - `entry_len` - 28 | the body |
//! | `len` | 4 | CRC-32C of all bytes before it, `len` included |
//!
//! A repetition is an `Asked` whose statement, meaning and verdict stand in an earlier `Asked` of the
//! same segment: instead of them it has that entry's index, as eight bytes before its `Request`.

use std::collections::HashMap;
use std::sync::Arc;

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};
use weir_model::entry::{Asked, Judged, Request};
use weir_model::{Entry, limits};

/// Bytes before the entry.
pub const HEAD_BYTES: usize = 28;
/// Bytes of the checksum.
pub const CRC_BYTES: usize = 4;
/// The most that an entry and its body take together.
pub const PAYLOAD_BYTES: usize = limits::MESSAGE_BYTES;
/// The most that a frame takes.
pub const FRAME_BYTES: usize = HEAD_BYTES + PAYLOAD_BYTES + CRC_BYTES;

const LEN_BYTES: usize = 4;
const REPETITION: u8 = 11;
/// At most so many fields were ever added to one entry.
const ADDED_BYTES: usize = 16;
const INDEX: std::ops::Range<usize> = 8..16;

/// What must have happened to an entry before its append returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// It is in the page cache: survives the death of the gateway, not of the machine.
    Process,
    /// It is on the disk: survives loss of power.
    #[default]
    Disk,
}

/// Why bytes are not a frame, or an entry does not become one.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The entry and its body are larger than `PAYLOAD_BYTES`.
    #[error("encoding an entry of {0} bytes, more than {PAYLOAD_BYTES}")]
    TooLarge(usize),
    /// The entry could not be written or read in postcard.
    #[error("coding an entry: {0}")]
    Coding(#[from] postcard::Error),
    /// It repeats an entry that is not before it in its segment.
    #[error("it repeats entry {0}, which is not there")]
    Repeats(u64),
}

/// One entry as it lies in the log.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// Its class.
    pub class: Class,
    /// Its place in the log.
    pub index: u64,
    /// When it was appended, microseconds since the Unix epoch.
    pub ts_us: i64,
    /// The entry in postcard, as hashed.
    pub entry_bytes: &'a [u8],
    /// The raw bytes that follow it.
    pub body: &'a [u8],
    repeats: bool,
}

/// What a frame holds.
#[derive(Debug, PartialEq)]
pub enum Logged {
    /// An entry in full.
    Entry(Entry),
    /// A request, and the index of the entry that it shares its judgement with.
    Repetition(u64, Request),
}

impl Frame<'_> {
    /// Decodes what it holds.
    pub fn logged(&self) -> Result<Logged, FrameError> {
        if !self.repeats {
            return Ok(Logged::Entry(whole(self.entry_bytes)?));
        }
        let Some((index, request)) = self.entry_bytes.split_first_chunk() else {
            return Err(FrameError::Coding(postcard::Error::DeserializeUnexpectedEnd));
        };
        Ok(Logged::Repetition(u64::from_le_bytes(*index), postcard::from_bytes(request)?))
    }
}

/// Decodes the frames of one segment, repetitions among them.
#[derive(Default)]
pub struct Entries(HashMap<u64, Arc<Judged>>);

impl Entries {
    /// The entry of the next frame, whole.
    pub fn entry(&mut self, frame: &Frame<'_>) -> Result<Entry, FrameError> {
        match frame.logged()? {
            Logged::Entry(entry) => {
                if let Entry::Asked(asked) = &entry {
                    self.0.insert(frame.index, asked.judged.clone());
                }
                Ok(entry)
            }
            Logged::Repetition(index, request) => {
                let judged = self.0.get(&index).cloned().ok_or(FrameError::Repeats(index))?;
                Ok(Entry::Asked(Asked { judged, request }))
            }
        }
    }
}

/// Decodes an entry in full.
///
/// Fields are only ever added at the end of an entry. One that was written before they were ends
/// earlier, and reads as if they were empty, which postcard writes as zeros.
fn whole(bytes: &[u8]) -> Result<Entry, FrameError> {
    match postcard::from_bytes(bytes) {
        Err(postcard::Error::DeserializeUnexpectedEnd) => {
            let mut longer = bytes.to_vec();
            longer.resize(longer.len() + ADDED_BYTES, 0);
            Ok(postcard::from_bytes(&longer)?)
        }
        read => Ok(read?),
    }
}

/// What stands at the beginning of some bytes.
pub enum Step<'a> {
    /// A whole frame, and how many bytes it took.
    Frame(Frame<'a>, usize),
    /// The beginning of a frame that takes so many bytes in all.
    More(usize),
    /// Nothing: the log ends here.
    End,
    /// Bytes that never were a whole frame.
    Torn,
}

/// Whether `encode` would write an entry as a repetition in a segment that begins with the index
/// `since`.
pub fn repeats(entry: &Entry, since: u64) -> bool {
    matches!(entry, Entry::Asked(asked) if asked.judged.kept.index() >= since)
}

/// Appends a frame without its index and checksum, which `stamp` adds. What an entry of the segment
/// that begins with the index `since` has in full is not written again.
///
/// On an error `into` is as it was.
pub fn encode(
    into: &mut Vec<u8>,
    class: Class,
    ts_us: i64,
    since: u64,
    entry: &Entry,
    body: &[u8],
) -> Result<(), FrameError> {
    let start = into.len();
    into.extend_from_slice(&[0; HEAD_BYTES]);
    let result = put(into, since, entry).and_then(|kind| {
        let entry_len = into.len() - start - HEAD_BYTES;
        let payload = entry_len.saturating_add(body.len());
        if payload > PAYLOAD_BYTES {
            return Err(FrameError::TooLarge(payload));
        }
        into.extend_from_slice(body);
        into.extend_from_slice(&[0; CRC_BYTES]);
        let len = into.len() - start - LEN_BYTES;
        let head = &mut into[start..start + HEAD_BYTES];
        head[..4].copy_from_slice(&(len as u32).to_le_bytes());
        head[4] = kind;
        head[5] = match class {
            Class::Process => 0,
            Class::Disk => 1,
        };
        head[16..24].copy_from_slice(&ts_us.to_le_bytes());
        head[24..28].copy_from_slice(&(entry_len as u32).to_le_bytes());
        Ok(())
    });
    if result.is_err() {
        into.truncate(start);
    }
    result
}

/// Writes an entry; answers with its kind.
fn put(into: &mut Vec<u8>, since: u64, entry: &Entry) -> Result<u8, FrameError> {
    if let Entry::Asked(asked) = entry
        && repeats(entry, since)
    {
        into.extend_from_slice(&asked.judged.kept.index().to_le_bytes());
        postcard::serialize_with_flavor(&asked.request, Tail(into))?;
        return Ok(REPETITION);
    }
    postcard::serialize_with_flavor(entry, Tail(into))?;
    Ok(kind(entry))
}

/// Gives the frames in `bytes`, made by `encode`, their indices from `first`.
///
/// Answers with the index that follows.
pub fn stamp(bytes: &mut [u8], first: u64) -> u64 {
    let mut rest = bytes;
    let mut index = first;
    while let Some(len) = word(rest, 0) {
        let (frame, after) = rest.split_at_mut(LEN_BYTES + len as usize);
        frame[INDEX].copy_from_slice(&index.to_le_bytes());
        let end = frame.len() - CRC_BYTES;
        let crc = crc32c::crc32c(&frame[..end]);
        frame[end..].copy_from_slice(&crc.to_le_bytes());
        index += 1;
        rest = after;
    }
    index
}

/// How many bytes must be there before `step` has an answer other than `More`.
pub fn needed(bytes: &[u8]) -> usize {
    match word(bytes, 0) {
        None => LEN_BYTES,
        Some(len) => Some(LEN_BYTES + len as usize).filter(|len| *len <= FRAME_BYTES).unwrap_or(0),
    }
}

/// Reads what stands at the beginning of `bytes`.
pub fn step(bytes: &[u8]) -> Step<'_> {
    let Some(len) = word(bytes, 0) else {
        return Step::More(LEN_BYTES);
    };
    let whole = LEN_BYTES + len as usize;
    if len == 0 {
        return Step::End;
    }
    if !(HEAD_BYTES + CRC_BYTES..=FRAME_BYTES).contains(&whole) {
        return Step::Torn;
    }
    match bytes.get(..whole) {
        None => Step::More(whole),
        Some(frame) => parse(frame).map_or(Step::Torn, |frame| Step::Frame(frame, whole)),
    }
}

fn parse(frame: &[u8]) -> Option<Frame<'_>> {
    let (checked, crc) = frame.split_last_chunk::<CRC_BYTES>()?;
    if crc32c::crc32c(checked) != u32::from_le_bytes(*crc) {
        return None;
    }
    let class = match checked.get(5)? {
        0 => Class::Process,
        1 => Class::Disk,
        _ => return None,
    };
    let payload = checked.get(HEAD_BYTES..)?;
    let (entry_bytes, body) = payload.split_at_checked(word(checked, 24)? as usize)?;
    let index = u64::from_le_bytes(checked.get(INDEX)?.try_into().ok()?);
    let ts_us = i64::from_le_bytes(checked.get(16..24)?.try_into().ok()?);
    let repeats = *checked.get(4)? == REPETITION;
    Some(Frame { class, index, ts_us, entry_bytes, body, repeats })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn kind(entry: &Entry) -> u8 {
    match entry {
        Entry::SessionOpened(_) => 1,
        Entry::SessionClosed(_) => 2,
        Entry::FlowOpened(_) => 3,
        Entry::FlowClosed(_) => 4,
        Entry::Asked(_) => 5,
        Entry::AnswerPart(_) => 6,
        Entry::Answered(_) => 7,
        Entry::HoldOpened(_) => 8,
        Entry::HoldSettled(_) => 9,
        Entry::Event(_) => 10,
        Entry::Coverage(_) => 12,
    }
}

/// Writes postcard at the end of a vector, in runs rather than byte by byte.
struct Tail<'a>(&'a mut Vec<u8>);

impl Flavor for Tail<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
