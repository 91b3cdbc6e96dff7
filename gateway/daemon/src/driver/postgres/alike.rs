//! Statements that were judged before but for integers that mean nothing: what was found of one is
//! what would be found of the other, so it is not parsed again.

use std::collections::HashMap;
use std::rc::Rc;

use weir_classify::{Skeleton, skeleton};

use super::lane::Judged;

/// Skeletons remembered per connection.
const KEPT: usize = 256;
/// Longer texts are rather generated than typed; what is kept of them should be little.
const LONGEST: usize = 4_096;

/// What was judged, by its skeleton.
#[derive(Default)]
pub struct Alike(HashMap<Vec<u8>, Kept>);

struct Kept {
    judged: Rc<Judged>,
    /// Which integers mean something, by their place among all, and their digits.
    fixed: Vec<(usize, Box<[u8]>)>,
}

/// A text's skeleton, where it has one that is worth while.
pub fn of(text: &[u8]) -> Option<Skeleton> {
    let found = (text.len() <= LONGEST).then(|| skeleton(text)).flatten()?;
    (!found.integers.is_empty()).then_some(found)
}

impl Alike {
    /// A statement that differs from this text in nothing that means anything.
    pub fn find(&self, text: &[u8], skeleton: &Skeleton) -> Option<&Rc<Judged>> {
        let kept = self.0.get(&skeleton.key)?;
        let is_same = |(place, digits): &(usize, Box<[u8]>)| {
            let here = skeleton.integers.get(*place).and_then(|range| text.get(range.clone()));
            here == Some(digits)
        };
        kept.fixed.iter().all(is_same).then_some(&kept.judged)
    }

    /// Remembers a statement, if others may be like it.
    pub fn keep(&mut self, judged: &Rc<Judged>, skeleton: Skeleton) {
        let free = &judged.facts.free;
        if free.is_empty() {
            return;
        }
        if self.0.len() >= KEPT {
            self.0.clear();
        }
        let integers = skeleton.integers.iter().enumerate();
        let fixed = integers.filter(|(_, range)| free.binary_search(&range.start).is_err());
        let digits =
            |range: &std::ops::Range<usize>| judged.bytes.get(range.clone()).map(Box::from);
        let fixed = fixed.map(|(place, range)| digits(range).map(|digits| (place, digits)));
        if let Some(fixed) = fixed.collect() {
            self.0.insert(skeleton.key, Kept { judged: judged.clone(), fixed });
        }
    }
}
