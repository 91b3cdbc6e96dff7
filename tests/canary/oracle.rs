//! Whether bytes show a planted value: as it is, and as functions that the generator uses make of it.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;

use crate::canaries::Canaries;
use crate::wire::Answer;

/// A piece of a text this long is no coincidence: 20 letters have 2.6e10 of them.
const PIECE: usize = 8;
/// The same for a number's digits.
const DIGITS: usize = 10;

/// What to look for, one pattern a line as hex, so that an agent's process can read it.
pub fn patterns(planted: &Canaries, ask: &dyn Fn(&str) -> String) -> Vec<Vec<u8>> {
    let mut all = BTreeSet::new();
    for text in &planted.texts {
        text_patterns(text, &mut all);
    }
    for number in planted.longs.iter().map(i64::to_string).chain(planted.decimals.iter().cloned()) {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        for form in [number, digits] {
            windows(form.as_bytes(), DIGITS, &mut all);
        }
    }
    for long in &planted.longs {
        all.insert(long.to_be_bytes().to_vec());
    }
    for uuid in &planted.uuids {
        let hex = uuid.replace('-', "");
        windows(hex.as_bytes(), 2 * PIECE, &mut all);
        all.insert(uuid.as_bytes()[19..].to_vec());
        all.insert(uuid.as_bytes()[..18].to_vec());
        windows(&unhex(&hex), PIECE, &mut all);
    }
    for hex in &planted.bytes {
        windows(hex.as_bytes(), 2 * PIECE, &mut all);
        windows(&unhex(hex), PIECE, &mut all);
        windows(&unhex(hex), 9, &mut all);
        for piece in unhex(hex).windows(9) {
            all.insert(base64(piece));
        }
    }
    // What the server itself makes of them.
    for row in ask(DERIVED).lines() {
        let (kind, value) = row.split_once(' ').expect("a kind and a value");
        match kind {
            "x" => drop(all.insert(unhex(value))),
            // Integers and dates of four bytes: with their length, which is always before them.
            "w" => drop(all.insert([&4_u32.to_be_bytes()[..], &unhex(value)].concat())),
            _ => drop(all.insert(value.as_bytes().to_vec())),
        }
    }
    all.retain(|pattern| pattern.len() >= PIECE);
    all.into_iter().collect()
}

fn text_patterns(text: &str, all: &mut BTreeSet<Vec<u8>>) {
    let lower = text.to_lowercase();
    let back: String = lower.chars().rev().collect();
    // The automaton does not tell upper from lower case, so only encodings need both.
    for form in [&lower, &back] {
        windows(form.as_bytes(), PIECE, all);
    }
    for form in [&lower, &back, &lower.to_uppercase(), &back.to_uppercase()] {
        for piece in form.as_bytes().windows(PIECE) {
            let hex: String = piece.iter().map(|byte| format!("{byte:02x}")).collect();
            all.insert(hex.into_bytes());
        }
        for piece in form.as_bytes().windows(9) {
            all.insert(base64(piece));
        }
    }
}

/// Every hash and number that a function of the generator's makes of a planted value: `x` is hex of
/// bytes, `w` of four bytes that have their length before them, `t` a text.
const DERIVED: &str = "
with texts as (select email::text as v from people union select alias from people
  union select unnest(tags) from people union select doc->>'name' from people
  union select doc->'list'->>0 from people union select raw->0->>'raw' from people
  union select (card).mail from people union select (card).phone from people
  union select badge from staff union select origin from events union select payload->'at'->>'from' from events),
 forms as (select v from texts union select upper(v) from texts union select reverse(v) from texts),
 hashes as (select decode(md5(v), 'hex') as h from forms union select sha256(v::bytea) from forms
  union select sha224(v::bytea) from forms union select sha512(v::bytea) from forms
  union select decode(md5(account::text), 'hex') from people union select decode(md5(serial::text), 'hex') from people
  union select sha256(blob) from people union select decode(md5(blob), 'hex') from people
  union select decode(md5(key::text), 'hex') from people union select decode(md5(born::text), 'hex') from people),
 numbers as (select account::int8 as n from people union select account + 1 from people union select account::int8 * 2 from people),
 days as (select born as d from people union select born + 1 from people),
 moments as (select seen as s from people union select seen + interval '1 day' from people)
select 'x ' || encode(h, 'hex') from hashes union all select 't ' || encode(h, 'hex') from hashes
union all select 't ' || translate(v, 'ghijklm', '0123456') from texts
union all select 't ' || reverse(translate(v, 'ghijklm', '0123456')) from texts
union all select 't ' || hashtextextended(v, 0) from forms
union all select 't ' || n from numbers union all select 't ' || reverse(n::text) from numbers
union all select 't ' || to_hex(n) from numbers where n < 2147483648
union all select 'w ' || encode(int4send(n::int), 'hex') from numbers where n < 2147483648
union all select 'x ' || encode(int8send(n), 'hex') from numbers
union all select 'x ' || encode(substr(numeric_send(salary), 9, 10), 'hex') from people
union all select 'x ' || encode(float8send(n::float8), 'hex') from numbers
union all select 'x ' || encode(float8send(serial), 'hex') from people
union all select 'x ' || encode(float8send(salary::float8), 'hex') from people
union all select 't ' || serial::float8 from people union all select 't ' || salary::float8 from people
union all select 't ' || to_hex(serial) from people
union all select 't ' || (serial + 1) from people union all select 'x ' || encode(int8send(serial + 1), 'hex') from people
union all select 't ' || reverse(serial::text) from people union all select 't ' || reverse(salary::text) from people
union all select 't ' || d from days union all select 'w ' || encode(date_send(d), 'hex') from days
union all select 't ' || to_char(d, 'DD.MM.YYYY') from days union all select 't ' || to_char(d, 'YYYYMMDD') from days
union all select 't ' || reverse(d::text) from days
union all select 't ' || extract(epoch from d) from days
union all select 't ' || s from moments union all select 't ' || replace(s::text, ' ', 'T') from moments
union all select 't ' || extract(epoch from s) from moments union all select 'x ' || encode(timestamp_send(s), 'hex') from moments
union all select 't ' || reverse(key::text) from people
union all select 't ' || replace(encode(blob, 'escape'), E'\\n', '') from people
union all select 't ' || reverse(encode(blob, 'hex')) from people";

fn windows(bytes: &[u8], size: usize, all: &mut BTreeSet<Vec<u8>>) {
    all.extend(bytes.windows(size).map(<[u8]>::to_vec));
}

pub fn unhex(text: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len() / 2).map(|at| pair(2 * at)).collect()
}

/// Of a whole number of groups, so that nothing depends on what follows.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift) as usize & 63])
    };
    bytes.chunks_exact(3).flat_map(group).collect()
}

/// Looks for planted values.
pub struct Oracle {
    automaton: AhoCorasick,
}

impl Oracle {
    pub fn new(patterns: &[Vec<u8>]) -> Self {
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(patterns);
        Self { automaton: automaton.expect("an automaton") }
    }

    /// What shows in bytes, with a few bytes around it.
    pub fn sees(&self, bytes: &[u8]) -> Option<String> {
        let found = self.automaton.find(bytes)?;
        let around = found.start().saturating_sub(60)..(found.end() + 60).min(bytes.len());
        Some(String::from_utf8_lossy(&bytes[around]).into_owned())
    }

    /// What shows in everything that came, or in a column read downwards, for functions that spell a
    /// value over many rows, or in the letters of it alone.
    pub fn sees_in(&self, answer: &Answer) -> Option<String> {
        self.sees(&answer.bytes).or_else(|| {
            let mut columns = answer.columns();
            for column in &mut columns {
                column.retain(u8::is_ascii_alphanumeric);
            }
            columns.iter().find_map(|column| self.sees(column))
        })
    }
}
