//! Short texts that come again and again, kept once.

use std::collections::HashSet;

use crate::value::Text;

/// So many are kept.
const WORDS: usize = 256;

/// The texts seen.
#[derive(Default)]
pub(super) struct Words(HashSet<Text>);

impl Words {
    /// A text as it is kept.
    pub(super) fn text(&mut self, word: &str) -> Text {
        if let Some(known) = self.0.get(word) {
            return known.clone();
        }
        let text = Text::from(word);
        if self.0.len() < WORDS {
            self.0.insert(text.clone());
        }
        text
    }
}
