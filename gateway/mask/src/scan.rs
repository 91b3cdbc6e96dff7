//! The prefilter: one cheap look at raw bytes that tells which detectors can find anything.
//!
//! It sees whole rows, framing and all, so it must not rely on what stands before a value: a length
//! byte may look like a letter. It therefore asks the detectors' own checks without their word
//! boundaries, and suspects any escape that could hide an ASCII letter (`\u0040`, `\x40`).

use std::ops::ControlFlow;

use crate::detector::{Suspects, is_word};

mod literals;
mod marks;
mod shapes;
#[cfg(test)]
mod tests;

use literals::Literals;
use shapes::Shapes;

/// Is told of suspects as they are met, and may end the search.
type Sink<'a> = &'a mut dyn FnMut(Suspects) -> ControlFlow<()>;

/// Bytes of a length that may look like a part of the word behind them: no message is so long that all
/// four could.
const FRAMING: usize = 3;

/// Whether a word may begin at `at`, whatever frames it. An escape's letter (`\n`) is less than a length.
fn may_start_word(bytes: &[u8], at: usize) -> bool {
    match at.checked_sub(FRAMING + 1) {
        Some(from) => bytes[from..at].iter().any(|byte| !is_word(*byte)),
        None => true,
    }
}

/// The compiled prefilter.
pub(crate) struct Prefilter {
    /// `None` where it could not be built, in which case everything is suspected.
    literals: Option<Literals>,
    shapes: Shapes,
}

impl Prefilter {
    pub(crate) fn new() -> Self {
        Self { literals: Literals::new(), shapes: Shapes::new() }
    }

    /// Whether certainly no detector finds anything in these bytes or in any part of them.
    pub(crate) fn is_clean(&self, bytes: &[u8]) -> bool {
        let Some(literals) = &self.literals else { return false };
        let stop: Sink<'_> = &mut |_| ControlFlow::Break(());
        self.shapes.search(bytes, true, stop).is_continue()
            && literals.search(bytes, stop).is_continue()
    }

    /// The detectors that may find something in a text as it is, whose escapes mean nothing.
    pub(crate) fn suspects(&self, text: &str) -> Suspects {
        let Some(literals) = &self.literals else { return Suspects::MAX };
        let mut all = 0;
        let gather: Sink<'_> = &mut |suspects| {
            all |= suspects;
            ControlFlow::Continue(())
        };
        // Neither ends before its time, so there is no break to tell.
        let _ = self.shapes.search(text.as_bytes(), false, gather);
        let _ = literals.search(text.as_bytes(), gather);
        all
    }
}
