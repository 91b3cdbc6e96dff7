//! What tells itself by digits and signs: addresses, numbers, escapes.

use std::ops::ControlFlow;

use super::Sink;
use crate::detector::{NATIONAL, Suspects, card, email, iban, index_of, national, phone};
use crate::eight;

/// Digit runs longer than this are suspected unread.
const DIGITS: usize = 64;

const PLAIN: u8 = 0;
const DIGIT: u8 = 1;
const AT: u8 = 2;
const PLUS: u8 = 3;
const ESCAPE: u8 = 4;

const CLASSES: [u8; 256] = {
    let mut classes = [PLAIN; 256];
    let mut digit = b'0';
    while digit <= b'9' {
        classes[digit as usize] = DIGIT;
        digit += 1;
    }
    classes[b'@' as usize] = AT;
    classes[b'+' as usize] = PLUS;
    classes[b'\\' as usize] = ESCAPE;
    classes
};

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
        let mut at = 0;
        while let Some(met) = next(bytes, at) {
            at = met;
            match CLASSES[usize::from(bytes[at])] {
                DIGIT => at = self.digits(bytes, at, sink)?,
                AT => {
                    if email::suspect(bytes, at) {
                        sink(self.email)?;
                    }
                }
                PLUS => {
                    if phone::number(bytes, at).is_some() {
                        sink(self.phone)?;
                    }
                }
                _ => match bytes.get(at + 1) {
                    // Escapes that stand for characters which are part of no finding's beginning.
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') | None => {}
                    Some(_) if escapes => sink(Suspects::MAX)?,
                    Some(_) => {}
                },
            }
            at += 1;
        }
        ControlFlow::Continue(())
    }

    /// Looks at the run of digits and single separators at `start`; its last byte.
    fn digits(&self, bytes: &[u8], start: usize, sink: Sink<'_>) -> ControlFlow<(), usize> {
        // Together, since one alone tells little where hex digits are many.
        let letter = |back: usize| {
            let byte = bytes.get(start.wrapping_sub(back));
            byte.copied().unwrap_or_default().is_ascii_alphabetic()
        };
        let two = bytes.get(start + 1).copied().unwrap_or_default().is_ascii_digit();
        if (letter(1) & letter(2) & two) && iban::number(bytes, start - 2).is_some() {
            sink(self.iban)?;
        }
        let mut count = 0;
        let mut at = start;
        loop {
            let end = at + eight::run_of_digits(bytes, at);
            let mut suspects = 0;
            national::suspect(bytes, at, end, |row| suspects |= 1 << (NATIONAL + row));
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

/// How many plain bytes make more of them likely, and how many are then passed over together.
const NEAR: usize = 16;
const CHUNK: usize = 32;

/// Where the next byte stands that isn't plain.
#[inline]
fn next(bytes: &[u8], from: usize) -> Option<usize> {
    let near = bytes.get(..from + NEAR).unwrap_or(bytes);
    match next_by_eights(near, from) {
        Some(met) => Some(met),
        None => next_by_eights(bytes, after_plain_chunks(bytes, near.len())),
    }
}

#[inline]
fn next_by_eights(bytes: &[u8], mut from: usize) -> Option<usize> {
    while let Some(eight) = eight::at(bytes, from) {
        let signs = [b'@', b'+', b'\\'].map(|sign| eight::equal(eight, sign));
        let met = eight::digits(eight) | signs[0] | signs[1] | signs[2];
        if met != 0 {
            return Some(from + eight::first(met));
        }
        from += 8;
    }
    let rest = bytes.get(from..)?;
    rest.iter().position(|byte| CLASSES[usize::from(*byte)] != PLAIN).map(|skipped| from + skipped)
}

/// Where the first chunk from `from` on begins that isn't plain all through: comparisons that the
/// compiler makes for many bytes at once.
fn after_plain_chunks(bytes: &[u8], from: usize) -> usize {
    let is_plain = |byte: &u8| {
        (byte.wrapping_sub(b'0') > 9) & (*byte != b'@') & (*byte != b'+') & (*byte != b'\\')
    };
    let plain = |chunk: &&[u8; CHUNK]| chunk.iter().fold(true, |all, byte| all & is_plain(byte));
    let (chunks, _) = bytes.get(from..).unwrap_or_default().as_chunks::<CHUNK>();
    from + CHUNK * chunks.iter().take_while(plain).count()
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
