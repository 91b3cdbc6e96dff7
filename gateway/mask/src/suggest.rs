//! Which classes a column should have: by its name, by its type, and by what is in it.
//!
//! A proposal for humans to look through. No name is certain, and no detector.

mod names;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::detector::DETECTORS;
use names::{AFTERTHOUGHTS, NAMES};

/// What a column's values are like, as far as a name's meaning depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Any text, types of users' own included.
    Text,
    /// A number.
    Number,
    /// A date or a time.
    Time,
    /// Bytes, JSON, arrays, UUIDs: what a text may be in.
    Opaque,
    /// An address of the network or of its hardware.
    Address,
    /// Truth values, enumerations and the like, in which nothing is said.
    Flag,
}

impl Family {
    /// The family of one of PostgreSQL's types.
    pub fn of(type_oid: u32) -> Self {
        match type_oid {
            18 | 19 | 25 | 1042 | 1043 => Self::Text,
            20 | 21 | 23 | 700 | 701 | 790 | 1700 => Self::Number,
            1082 | 1083 | 1114 | 1184 | 1266 => Self::Time,
            650 | 774 | 829 | 869 => Self::Address,
            16 | 24 | 26 | 1186 | 2205..=2211 => Self::Flag,
            16_384.. => Self::Text,
            _ => Self::Opaque,
        }
    }
}

/// What a sample of a column's values showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// How many values there were, without NULLs and empty ones.
    pub values: u64,
    /// In how many of them each detector found something.
    pub found: BTreeMap<&'static str, u64>,
}

/// Fewer values than this say nothing by themselves.
const FEWEST: u64 = 3;

impl Sample {
    /// Looks at a value.
    pub fn look(&mut self, value: &str) {
        if value.trim().is_empty() {
            return;
        }
        self.values += 1;
        let mut findings = Vec::new();
        for detector in DETECTORS {
            findings.clear();
            detector.find(value, &mut findings);
            if !findings.is_empty() {
                *self.found.entry(detector.name()).or_default() += 1;
            }
        }
    }

    /// What was found in half of the values or more, with how many.
    fn mostly(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let enough = self.values >= FEWEST;
        let most = self.found.iter().filter(move |(_, count)| enough && **count * 2 >= self.values);
        most.map(|(name, count)| (*name, *count))
    }
}

/// What a column should be, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// Its classes: `pii` or `secret` first, then what it is.
    pub classes: Vec<String>,
    /// Why, a few words each.
    pub reasons: Vec<String>,
}

impl Suggestion {
    fn add(&mut self, class: &str, kind: &str, reason: String) {
        for one in [class, kind] {
            if !self.classes.iter().any(|own| own == one) {
                self.classes.push(one.to_owned());
            }
        }
        self.reasons.push(reason);
    }
}

/// What a column should be; `None` where nothing speaks for it.
pub fn suggest(column: &str, family: Family, sample: &Sample) -> Option<Suggestion> {
    let mut suggestion = Suggestion { classes: Vec::new(), reasons: Vec::new() };
    for (name, count) in sample.mostly() {
        let class = DETECTORS.iter().find(|d| d.name() == name).map_or("pii", |d| d.class());
        suggestion.add(class, name, format!("{name} in {count} of {} values", sample.values));
    }
    if let Some((class, kind)) = named(column, family) {
        suggestion.add(class, kind, "name".to_owned());
    }
    if family == Family::Address {
        suggestion.add("pii", "network_address", "type".to_owned());
    }
    // `pii` and `secret` before what it is.
    suggestion.classes.sort_by_key(|class| !matches!(class.as_str(), "pii" | "secret"));
    (!suggestion.classes.is_empty()).then_some(suggestion)
}

/// What a name says: its class, and what it is.
fn named(column: &str, family: Family) -> Option<(&'static str, &'static str)> {
    let words = words(column);
    if words.last().is_some_and(|last| AFTERTHOUGHTS.contains(&last.as_str())) {
        return None;
    }
    let spaced = format!(" {} ", words.join(" "));
    let joined = words.concat();
    // The parts of a name that is written in one word are told by the whole of it alone.
    let says =
        |name: &str| spaced.contains(&format!(" {name} ")) || joined == name.replace(' ', "");
    let found = NAMES
        .iter()
        .find(|rule| rule.families.contains(&family) && rule.names.split(", ").any(says))?;
    Some((found.class, found.kind))
}

/// The words of a name, in small ASCII letters: `userEMail2`, `user_e-mail` and `Straße`.
fn words(column: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    let mut letters = column.chars().peekable();
    while let Some(c) = letters.next() {
        let small_next = letters.peek().is_some_and(|next| next.is_lowercase());
        let begins =
            c.is_uppercase() && (before.is_lowercase() || (before.is_uppercase() && small_next));
        if begins || !c.is_alphabetic() {
            words.push(String::new());
        }
        if c.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            plain(c, word);
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A letter without its marks, as such names are spelt.
fn plain(c: char, word: &mut String) {
    for c in c.to_lowercase() {
        match c {
            'à'..='å' | 'ā' | 'ă' | 'ą' => word.push('a'),
            'ç' | 'ć' | 'č' => word.push('c'),
            'è'..='ë' | 'ē' | 'ę' | 'ě' => word.push('e'),
            'ì'..='ï' | 'ī' | 'ı' => word.push('i'),
            'ñ' | 'ń' | 'ň' => word.push('n'),
            'ò'..='ö' | 'ø' | 'ő' => word.push('o'),
            'ù'..='ü' | 'ū' | 'ů' | 'ű' => word.push('u'),
            'ý' | 'ÿ' => word.push('y'),
            'ł' => word.push('l'),
            'ś' | 'š' | 'ş' => word.push('s'),
            'ź' | 'ż' | 'ž' => word.push('z'),
            'ß' => word.push_str("ss"),
            _ => word.push(c),
        }
    }
}
