//! What tells itself by a literal: keys, tokens, whatever has a mark.
//!
//! Three bytes that no literal begins with are passed over by two hashes; where they are
//! there, an automaton tells which literal it is, and the detector's own check whether it matters.

use std::ops::ControlFlow;

use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind, StartKind};

use super::Sink;
use crate::detector::{
    INFIX, Suspects, TOKEN, aws_key, basic_auth, bitcoin_address, connection_uri, index_of,
    infix_token, jwt, passport, run, token,
};

/// What to check where a literal stands.
#[derive(Clone, Copy)]
enum Check {
    /// Nothing: the literal is rare enough.
    Nothing,
    /// Two dots after base64url.
    Jwt,
    /// An access key identifier's upper-case rest.
    AwsId,
    /// Forty characters anywhere after it.
    AwsSecret,
    /// A password in an authority.
    Connection,
    /// A few characters of base 64.
    Basic,
    /// A line of a passport.
    Passport,
    /// An address with a good checksum.
    Bitcoin,
    /// The body of a token.
    Token(&'static token::Token),
    /// What stands around the mark.
    Infix(&'static infix_token::InfixToken),
}

/// A literal: of which detector, and what to check.
struct Literal {
    text: &'static str,
    suspects: Suspects,
    check: Check,
}

/// The literals that are in no table.
const SINGLE: &[(&str, Check, &[&str])] = &[
    ("jwt", Check::Jwt, &["eyJ"]),
    ("private_key", Check::Nothing, &["-----BEGIN ", "AGE-SECRET-KEY-1"]),
    ("aws_key", Check::AwsId, &["AKIA", "ASIA", "ABIA", "ACCA"]),
    ("aws_key", Check::AwsSecret, &["aws", "Aws", "AWS", "secret", "Secret", "SECRET"]),
    // JSON may escape a slash.
    ("connection_password", Check::Connection, &[connection_uri::MARK, r":\/\/", r":/\/", r":\//"]),
    ("basic_auth", Check::Basic, &basic_auth::MARKS),
    ("passport_mrz", Check::Passport, &[passport::MARK]),
    ("bitcoin_address", Check::Bitcoin, &[bitcoin_address::MARK]),
];

/// Every literal; none may be the beginning of another.
fn all() -> Vec<Literal> {
    let single = SINGLE.iter().flat_map(|(name, check, texts)| {
        // One that isn't in the list stands for all of them.
        let suspects = index_of(name).map_or(Suspects::MAX, |index| 1 << index);
        texts.iter().map(move |text| Literal { text, suspects, check: *check })
    });
    let tokens = token::TABLE.iter().enumerate().flat_map(|(row, token)| {
        let (suspects, check) = (1 << (TOKEN + row), Check::Token(token));
        token.marks.iter().map(move |text| Literal { text, suspects, check })
    });
    let infixes = infix_token::TABLE.iter().enumerate().map(|(row, token)| {
        let (suspects, check) = (1 << (INFIX + row), Check::Infix(token));
        Literal { text: token.mark, suspects, check }
    });
    single.chain(tokens).chain(infixes).collect()
}

/// The compiled literals.
pub(super) struct Literals {
    automaton: AhoCorasick,
    literals: Vec<Literal>,
    beginnings: Beginnings,
}

impl Literals {
    pub(super) fn new() -> Option<Self> {
        let literals = all();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .start_kind(StartKind::Anchored)
            .build(literals.iter().map(|literal| literal.text))
            .ok()?;
        let mut beginnings = Beginnings::new();
        for literal in &literals {
            beginnings.add(literal);
        }
        Some(Self { automaton, literals, beginnings })
    }

    /// Tells of every literal that stands where its detector may find something.
    pub(super) fn search(&self, bytes: &[u8], sink: Sink<'_>) -> ControlFlow<()> {
        let mut state = State::default();
        let mut from = 0;
        while let Some(at) = self.beginnings.next(bytes, from) {
            from = at + 1;
            let input = Input::new(bytes).range(at..).anchored(Anchored::Yes);
            match self.automaton.try_find(input) {
                Ok(Some(found)) => {
                    let literal = &self.literals[found.pattern().as_usize()];
                    if state.suspect(literal.check, bytes, at, found.end()) {
                        sink(literal.suspects)?;
                    }
                }
                Ok(None) => {}
                Err(_) => sink(Suspects::MAX)?,
            }
        }
        ControlFlow::Continue(())
    }
}

/// What is known of the bytes before.
#[derive(Default)]
struct State {
    no_token_before: usize,
    no_secret: bool,
}

impl State {
    /// Whether the literal at `at..end` stands where its detector may find something.
    fn suspect(&mut self, check: Check, bytes: &[u8], at: usize, end: usize) -> bool {
        match check {
            Check::Nothing => true,
            Check::Jwt if at < self.no_token_before => false,
            Check::Jwt => {
                let dot = at + run(bytes, at, jwt::is_base64url);
                self.no_token_before = dot;
                jwt::parts(bytes, dot).is_some()
            }
            Check::AwsId => {
                let upper = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
                let rest = &bytes[end..bytes.len().min(end + aws_key::ID_REST)];
                run(rest, 0, upper) == aws_key::ID_REST
            }
            Check::AwsSecret if self.no_secret => false,
            Check::AwsSecret => {
                self.no_secret = !has_secret(&bytes[at..]);
                !self.no_secret
            }
            Check::Connection => connection_uri::password(bytes, end).is_some(),
            Check::Basic => {
                let rest = &bytes[end..bytes.len().min(end + basic_auth::SHORTEST)];
                let encoded = |b: u8| basic_auth::is_base64(b) || b == b'\\';
                run(rest, 0, encoded) == basic_auth::SHORTEST
            }
            Check::Passport => passport::suspect(bytes, at),
            Check::Bitcoin => bitcoin_address::end(bytes, end).is_some(),
            Check::Token(token) => token.suspect(bytes, end),
            Check::Infix(token) => token.suspect(bytes, at),
        }
    }
}

/// Whether there is a run as long as a secret; the escape of a slash doesn't end it.
fn has_secret(bytes: &[u8]) -> bool {
    let mut at = 0;
    while at + aws_key::SECRET <= bytes.len() {
        let length = run(bytes, at, |b| aws_key::is_secret_byte(b) || b == b'\\');
        if length >= aws_key::SECRET {
            return true;
        }
        at += length + 1;
    }
    false
}

/// Bits of the hash that is looked at for each byte: its table has to stay in the nearest cache.
const COARSE: u32 = 14;
/// Bits of the hash that is looked at where the other says so.
const FINE: u32 = 16;
/// How many places are looked at together: as many as eight bytes have three bytes.
const STRIDE: usize = 6;

/// Three bytes that literals begin with, as a Bloom filter with two hashes.
struct Beginnings {
    coarse: Box<[u8; 1 << COARSE]>,
    fine: Box<[u64; 1 << (FINE - 6)]>,
}

impl Beginnings {
    fn new() -> Self {
        Self { coarse: Box::new([0; 1 << COARSE]), fine: Box::new([0; 1 << (FINE - 6)]) }
    }

    /// Adds how a literal begins. One of two bytes goes on with whatever its detector takes there.
    fn add(&mut self, literal: &Literal) {
        let goes_on = |byte: u8| match literal.check {
            Check::Token(token) => (token.class)(byte),
            Check::Infix(token) => (token.after.0)(byte),
            Check::Passport => byte.is_ascii_uppercase() || byte == b'<',
            _ => true,
        };
        match *literal.text.as_bytes() {
            [one, two, three, ..] => self.set([one, two, three]),
            [one, two] => {
                (0..=u8::MAX).filter(|b| goes_on(*b)).for_each(|three| self.set([one, two, three]));
            }
            // There is none so short; were there one, everything would have to be looked at.
            _ => {
                self.coarse.fill(1);
                self.fine.fill(u64::MAX);
            }
        }
    }

    fn set(&mut self, [one, two, three]: [u8; 3]) {
        let key = u32::from_le_bytes([0, one, two, three]);
        let hash = fine(key);
        self.coarse[coarse(key)] = 1;
        self.fine[hash >> 6] |= 1 << (hash & 63);
    }

    /// Where the next three bytes stand that may begin a literal.
    fn next(&self, bytes: &[u8], mut from: usize) -> Option<usize> {
        while let Some(eight) = bytes.get(from..).and_then(|rest| rest.first_chunk::<8>()) {
            let eight = u64::from_le_bytes(*eight);
            let key = |place: usize| ((eight >> (8 * place)) as u32) << 8;
            let any = (0..STRIDE).fold(0, |any, place| any | self.coarse[coarse(key(place))]);
            if any != 0 {
                let place = (0..STRIDE).find(|place| self.is_one(key(*place)));
                if let Some(place) = place {
                    return Some(from + place);
                }
            }
            from += STRIDE;
        }
        let rest = bytes.get(from..)?;
        rest.windows(3)
            .position(|w| self.is_one(u32::from_le_bytes([0, w[0], w[1], w[2]])))
            .map(|place| from + place)
    }

    fn is_one(&self, key: u32) -> bool {
        let hash = fine(key);
        self.coarse[coarse(key)] != 0 && self.fine[hash >> 6] >> (hash & 63) & 1 == 1
    }
}

/// Hashes of three bytes, which are the upper ones of the key: the upper bits of products with odd
/// numbers.
fn coarse(key: u32) -> usize {
    (key.wrapping_mul(0x9e37_79b1) >> (u32::BITS - COARSE)) as usize
}

fn fine(key: u32) -> usize {
    (key.wrapping_mul(0x85eb_ca6b) >> (u32::BITS - FINE)) as usize
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn no_literal_begins_another() {
        let texts: Vec<&str> = all().iter().map(|literal| literal.text).collect();
        for (place, one) in texts.iter().enumerate() {
            assert!(one.len() >= 2, "{one}");
            for other in &texts[place + 1..] {
                assert!(!one.starts_with(other) && !other.starts_with(one), "{one} {other}");
            }
        }
    }

    #[test]
    fn every_literal_is_met_wherever_it_stands() {
        let literals = Literals::new().expect("literals that can be compiled");
        for literal in all() {
            // One of two bytes needs a third to be met.
            let text = format!("{}a<A", literal.text);
            for before in 0..9 {
                let text = [" ".repeat(before), text.clone()].concat();
                let text = if literal.text == "<<" { text.replace("a<A", "A<A") } else { text };
                let met = literals.beginnings.next(text.as_bytes(), 0);
                assert_eq!(met, Some(before), "{text}");
            }
        }
    }
}
