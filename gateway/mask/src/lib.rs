//! Hides values in answers: whole columns by policy, and what detectors find in the rest.
//!
//! A masked cell is valid for its column's type and format, or NULL; it is never the clear value.
//! Detectors look at text, JSON, arrays, byte strings and types that are not known, not at numbers,
//! dates, UUIDs and the like, which can only be hidden by column.

mod content;
mod detector;
mod eight;
mod generalise;
mod json;
mod key;
mod memory;
mod plan;
mod postgres;
mod replace;
#[cfg(test)]
mod samples;
mod scan;
mod suggest;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

pub use crate::detector::{DETECTORS, Detector, Finding, index_of};
pub use crate::key::Key;
pub use crate::memory::{Known, Memory, Realm};
pub use crate::plan::{Action, Column, ContentRules, Counts, Plan};
pub use crate::suggest::{Family, Sample, Suggestion, suggest};
pub use weir_model::Transform;

use crate::key::Keyed;
use crate::postgres::Hand;
use crate::scan::Prefilter;

/// What became of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing has to be hidden: the cell goes on as it is.
    Unchanged,
    /// The replacement was appended to the output.
    Replaced,
    /// The cell must become SQL NULL.
    Null,
}

/// Hides values. Cheap to clone; clones share key and prefilter.
#[derive(Clone)]
pub struct Masker(Arc<Inner>);

struct Inner {
    key: Keyed,
    prefilter: Prefilter,
}

impl Masker {
    /// A masker whose pseudonyms depend on nothing but the key and the value.
    pub fn new(key: Key) -> Self {
        Self(Arc::new(Inner { key: Keyed::new(&key), prefilter: Prefilter::new() }))
    }

    /// Whether certainly no detector finds anything in any cell of a row. `row` may be the body of
    /// a `DataRow` of at most `limits::MESSAGE_BYTES`, a single cell or any text.
    pub fn row_is_clean(&self, row: &[u8]) -> bool {
        self.0.prefilter.is_clean(row)
    }

    /// Hides what has to be hidden in a cell that is not NULL. `out` is appended to if and only if
    /// the outcome is `Replaced`.
    pub fn cell(
        &self,
        column: &Column,
        rules: &ContentRules,
        value: &[u8],
        out: &mut Vec<u8>,
        counts: &mut Counts,
    ) -> Outcome {
        let from = out.len();
        let hand = Hand { masker: self, rules };
        let outcome = match &column.action {
            Action::Clear => Outcome::Unchanged,
            Action::Content => {
                if self.row_is_clean(value) {
                    return Outcome::Unchanged;
                }
                hand.content(column.type_oid, column.format, value, out, counts)
            }
            Action::Apply { transform, policy } => {
                count(counts, policy);
                hand.apply(*transform, column.type_oid, column.format, value, out)
            }
        };
        if outcome != Outcome::Replaced {
            out.truncate(from);
        }
        outcome
    }

    /// A text with its findings hidden, or `None` where there are none: for statement parameters,
    /// error and notice texts.
    pub fn text(&self, rules: &ContentRules, text: &str) -> Option<String> {
        if self.row_is_clean(text.as_bytes()) {
            return None;
        }
        self.rewrite(rules, text, &mut Counts::new())
    }

    /// The pseudonym of a value, in the shape of the class (a detector's name) where it has that
    /// shape, else opaque. The same as the `token` transform makes of a text.
    pub fn token(&self, class: &str, value: &[u8]) -> String {
        let text = String::from_utf8_lossy(value);
        match (&text, replace::Shape::named(class, &text)) {
            (Cow::Borrowed(text), shape) => self.0.key.token(shape, text),
            (Cow::Owned(_), _) => self.0.key.opaque(value),
        }
    }
}

/// Counts one more.
fn count(counts: &mut Counts, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}
