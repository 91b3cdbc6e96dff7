//! What tells itself by digits and signs: addresses, numbers, escapes.

use std::ops::ControlFlow;

use super::marks::{BLOCK, Marks};
use super::{Sink, may_start_word};
use crate::detector::{NATIONAL, Suspects, card, email, iban, index_of, national, phone};
use crate::eight;

/// Digit runs longer than this are suspected unread.
const DIGITS: usize = 64;

/// Who is suspected of what.
pub(super) struct Shapes {
    email: Suspects,
    card: Suspects,
    iban: Suspects,
    phone: Suspects,
}

impl Shapes {
    pub(super) fn new() -> Self {
        // One that isn't in the list stands for all of them.
        let one = |name| index_of(name).map_or(Suspects::MAX, |index| 1 << index);
        Self { email: one("email"), card: one("card"), iban: one("iban"), phone: one("phone") }
    }

    /// Tells of whatever has the shape of an address, a number or, if they count, an escape.
    pub(super) fn search(&self, bytes: &[u8], escapes: bool, sink: Sink<'_>) -> ControlFlow<()> {
        let mut marks = Marks::new();
        let mut done = 0;
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        for (number, block) in blocks.iter().enumerate() {
            let met = marks.of(block);
            done = self.look(bytes, number * BLOCK, met, done, escapes, sink)?;
        }
        if !rest.is_empty() {
            // Zeros are neither digits nor signs.
            let mut block = [0; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            let met = marks.of(&block);
            self.look(bytes, blocks.len() * BLOCK, met, done, escapes, sink)?;
        }
        ControlFlow::Continue(())
    }

    /// Looks at the places that were met in the block at `from`, unless they lie before `done`; where
    /// the last one ends that was looked at.
    fn look(
        &self,
        bytes: &[u8],
        from: usize,
        mut met: u64,
        mut done: usize,
        escapes: bool,
        sink: Sink<'_>,
    ) -> ControlFlow<(), usize> {
        while met != 0 {
            let at = from + met.trailing_zeros() as usize;
            met &= met - 1;
            if at < done {
                continue;
            }
            match bytes[at] {
                b'@' => {
                    if email::suspect(bytes, at) {
                        sink(self.email)?;
                    }
                }
                b'+' => {
                    if phone::number(bytes, at).is_some() {
                        sink(self.phone)?;
                    }
                }
                b'\\' => match bytes.get(at + 1) {
                    // Escapes that stand for characters which are part of no finding's beginning.
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') | None => {}
                    Some(_) if escapes => sink(Suspects::MAX)?,
                    Some(_) => {}
                },
                _ => done = self.digits(bytes, at, sink)? + 1,
            }
        }
        ControlFlow::Continue(done)
    }

    /// Looks at the run of digits and single separators at `start`; its last byte.
    fn digits(&self, bytes: &[u8], start: usize, sink: Sink<'_>) -> ControlFlow<(), usize> {
        // Together, since one alone tells little where hex digits are many.
        let letter = |back: usize| {
            let byte = bytes.get(start.wrapping_sub(back));
            byte.copied().unwrap_or_default().is_ascii_alphabetic()
        };
        let two = bytes.get(start + 1).copied().unwrap_or_default().is_ascii_digit();
        if (letter(1) & letter(2) & two)
            && may_start_word(bytes, start - 2)
            && iban::number(bytes, start - 2).is_some()
        {
            sink(self.iban)?;
        }
        let mut count = 0;
        let mut at = start;
        loop {
            let end = at + eight::run_of_digits(bytes, at);
            let mut suspects = 0;
            national::suspect(bytes, at, end, |row, from| {
                if may_start_word(bytes, from) {
                    suspects |= 1 << (NATIONAL + row);
                }
            });
            if suspects != 0 {
                sink(suspects)?;
            }
            count += end - at;
            at = end;
            if !matches!(bytes.get(at), Some(b' ' | b'-'))
                || !bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
            {
                break;
            }
            at += 1;
        }
        if count >= card::SHORTEST && (count > DIGITS || has_card(&bytes[start..at])) {
            sink(self.card)?;
        }
        ControlFlow::Continue(at - 1)
    }
}

/// Whether any groups of a run of digits and separators are a card number. The first may have a
/// length's last bytes before it, three at most: no message is so long that the first byte is a
/// digit.
fn has_card(run: &[u8]) -> bool {
    let mut held = [0u8; DIGITS];
    let mut count = 0;
    // Bit n: a group of digits begins (or ended, if n > 0) at the n-th digit.
    let mut groups = 1u64;
    for byte in run {
        match (byte, held.get_mut(count)) {
            (b'0'..=b'9', Some(place)) => {
                *place = *byte;
                count += 1;
            }
            (b'0'..=b'9', None) => return true,
            // Nothing ends with the last digit that is held but the run itself.
            (_, _) => groups |= 1u64.checked_shl(count as u32).unwrap_or(0),
        }
    }
    let digits = &held[..count];
    let begins = |at: usize| groups >> at & 1 == 1;
    let framed = |at: usize| (at.saturating_sub(3)..=at).any(begins);
    (card::SHORTEST..=count).any(|end| {
        let ends = end == count || begins(end);
        let longest = end.saturating_sub(card::LONGEST);
        ends && (longest..=end - card::SHORTEST)
            .any(|start| framed(start) && card::is_card(&digits[start..end]))
    })
}
