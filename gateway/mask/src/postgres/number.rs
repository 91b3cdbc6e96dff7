//! Integers, decimals and floating point numbers.

use weir_model::Transform;

use crate::key::Keyed;
use crate::postgres::{Manner, push};

const NEGATIVE: u16 = 0x4000;
/// Most digits after the point (`NUMERIC_DSCALE_MASK` in numeric.c).
const SCALE: usize = 0x3fff;
/// Most groups of four digits that are read.
const GROUPS: usize = 40_000;

/// An integer: 0, or its pseudonym.
pub(super) fn int(
    key: &Keyed,
    transform: Transform,
    binary: bool,
    width: usize,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let clear = match (binary, width) {
        (true, 2) => i64::from(i16::from_be_bytes(value.try_into().ok()?)),
        (true, 4) => i64::from(i32::from_be_bytes(value.try_into().ok()?)),
        (true, _) => i64::from_be_bytes(value.try_into().ok()?),
        (false, _) => std::str::from_utf8(value).ok()?.parse().ok()?,
    };
    let shown = match Manner::of(transform) {
        Manner::Keyed => token(key, clear),
        Manner::Coarse => coarse(clear),
        Manner::Constant => 0,
    };
    if binary {
        // The pseudonym fits wherever the value fits, so that only signs are cut off.
        push(out, &shown.to_be_bytes()[8 - width..])
    } else {
        push(out, shown.to_string().as_bytes())
    }
}

/// The pseudonym of an integer: the same for every width, with the same sign, as wide as the value,
/// never the value, and different for different values.
fn token(key: &Keyed, clear: i64) -> i64 {
    let (class, size) = if clear < 0 { ("negative", !clear) } else { ("integer", clear) };
    let size = size as u64;
    let shown = match size {
        0..0x8000 => key.permute(class, 16, size, |n| n < 0x8000),
        0x8000..0x8000_0000 => key.permute(class, 32, size, |n| (0x8000..0x8000_0000).contains(&n)),
        _ => key.permute(class, 64, size, |n| (0x8000_0000..1 << 63).contains(&n)),
    } as i64;
    if clear < 0 { !shown } else { shown }
}

/// The first of all digits, or 0 for what has but one.
fn coarse(clear: i64) -> i64 {
    let unit = match clear.unsigned_abs() {
        0..10 => return 0,
        size => 10i64.pow(size.ilog10()),
    };
    clear / unit * unit
}

/// The same of a number that may have digits after the point.
fn coarse_float(clear: f64) -> f64 {
    if !clear.is_finite() || clear.abs() < 10.0 {
        return 0.0;
    }
    let text = format!("{clear:e}");
    let exponent = text.split_once('e').map_or("0", |(_, exponent)| exponent);
    let first = text.find(|c: char| c.is_ascii_digit()).map_or("0", |at| &text[..=at]);
    format!("{first}e{exponent}").parse().unwrap_or(0.0)
}

/// A float of four bytes: 0, or a keyed whole number.
pub(super) fn float4(
    key: &Keyed,
    transform: Transform,
    binary: bool,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let clear = if binary {
        f32::from_be_bytes(value.try_into().ok()?)
    } else {
        std::str::from_utf8(value).ok()?.parse().ok()?
    };
    let bits = (clear + 0.0).to_be_bytes();
    let number = key.number("float4", &bits) >> (64 - f32::MANTISSA_DIGITS);
    let shown = match Manner::of(transform) {
        Manner::Keyed => number as f32,
        Manner::Coarse => coarse_float(f64::from(clear)) as f32,
        Manner::Constant => 0.0,
    };
    if binary { push(out, &shown.to_be_bytes()) } else { push(out, shown.to_string().as_bytes()) }
}

/// A float of eight bytes: 0, or a keyed whole number.
pub(super) fn float8(
    key: &Keyed,
    transform: Transform,
    binary: bool,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let clear = if binary {
        f64::from_be_bytes(value.try_into().ok()?)
    } else {
        std::str::from_utf8(value).ok()?.parse().ok()?
    };
    let bits = (clear + 0.0).to_be_bytes();
    let number = key.number("float8", &bits) >> (64 - f64::MANTISSA_DIGITS);
    let shown = match Manner::of(transform) {
        Manner::Keyed => number as f64,
        Manner::Coarse => coarse_float(clear),
        Manner::Constant => 0.0,
    };
    if binary { push(out, &shown.to_be_bytes()) } else { push(out, shown.to_string().as_bytes()) }
}

/// A decimal: 0, or its pseudonym, with as many digits after the point.
pub(super) fn numeric(
    key: &Keyed,
    transform: Transform,
    binary: bool,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let clear = if binary { Decimal::decode(value)? } else { Decimal::parse(value)? };
    let shown = match (clear, Manner::of(transform)) {
        (Some(clear), Manner::Keyed) => clear.token(key),
        (Some(clear), Manner::Coarse) => clear.coarse(),
        (Some(_) | None, _) => {
            Decimal { negative: false, whole: b"0".to_vec(), fraction: Vec::new() }
        }
    };
    if binary { shown.encode(out) } else { shown.write(out) }
}

/// A finite decimal, as ASCII digits before and after the point.
struct Decimal {
    negative: bool,
    /// Without leading zeros, but at least one digit.
    whole: Vec<u8>,
    fraction: Vec<u8>,
}

impl Decimal {
    fn new(negative: bool, whole: &[u8], fraction: &[u8]) -> Self {
        let zeros = whole.iter().take_while(|digit| **digit == b'0').count();
        let zeros = zeros.min(whole.len().saturating_sub(1));
        let whole = if whole.is_empty() { b"0" } else { &whole[zeros..] };
        Self { negative, whole: whole.to_vec(), fraction: fraction.to_vec() }
    }

    /// Reads the text format; `Some(None)` is a number that is not finite.
    fn parse(value: &[u8]) -> Option<Option<Self>> {
        if matches!(value, b"NaN" | b"Infinity" | b"-Infinity") {
            return Some(None);
        }
        let (negative, digits) = match value.strip_prefix(b"-") {
            Some(digits) => (true, digits),
            None => (false, value),
        };
        let mut parts = digits.splitn(2, |byte| *byte == b'.');
        let (whole, fraction) = (parts.next()?, parts.next().unwrap_or_default());
        let all = whole.iter().chain(fraction).all(u8::is_ascii_digit);
        let short = whole.len() <= 4 * GROUPS && fraction.len() <= SCALE;
        (all && short && !whole.is_empty()).then(|| Some(Self::new(negative, whole, fraction)))
    }

    /// Reads the binary format; `Some(None)` is a number that is not finite.
    fn decode(value: &[u8]) -> Option<Option<Self>> {
        let (head, body) = value.split_first_chunk::<8>()?;
        let field = |place: usize| u16::from_be_bytes([head[place], head[place + 1]]);
        let (count, sign, scale) = (field(0) as usize, field(4), usize::from(field(6)));
        let weight = field(2) as i16;
        let (groups, rest) = body.as_chunks::<2>();
        if count != groups.len() || !rest.is_empty() || scale > SCALE {
            return None;
        }
        if !matches!(sign, 0 | NEGATIVE) {
            return Some(None);
        }
        let mut digits = Vec::with_capacity(count * 4);
        for group in groups {
            let group = u16::from_be_bytes(*group);
            if group > 9999 {
                return None;
            }
            digits.extend_from_slice(format!("{group:04}").as_bytes());
        }
        // The point stands after the group of weight 0.
        let point = (i64::from(weight) + 1) * 4;
        let lead = usize::try_from(-point).unwrap_or(0);
        let mut all = vec![b'0'; lead];
        all.append(&mut digits);
        let point = usize::try_from(point).unwrap_or(0);
        all.resize(all.len().max(point + scale), b'0');
        let (whole, fraction) = all.split_at(point);
        Some(Some(Self::new(sign == NEGATIVE, whole, &fraction[..scale])))
    }

    /// A whole number has the pseudonym that it has as an integer.
    fn token(&self, key: &Keyed) -> Self {
        let significant =
            self.fraction.iter().rposition(|digit| *digit != b'0').map_or(0, |n| n + 1);
        let scale = self.fraction.len();
        let sign = if self.negative { "-" } else { "" };
        let number = format!("{sign}{}", String::from_utf8_lossy(&self.whole));
        if let (0, Ok(number)) = (significant, number.parse()) {
            let shown = token(key, number);
            let whole = shown.unsigned_abs().to_string();
            return Self::new(shown < 0, whole.as_bytes(), &vec![b'0'; scale]);
        }
        let digits = [&self.whole[..], &self.fraction[..significant]].concat();
        let mut shown = if digits.len() <= 18 {
            key.permute_digits(&digits)
        } else {
            key.digits("numeric", &[&digits[..], &[significant as u8]].concat(), digits.len())
        };
        shown.resize(self.whole.len() + scale, b'0');
        let (whole, fraction) = shown.split_at(self.whole.len());
        Self::new(self.negative, whole, fraction)
    }

    /// The first of all digits, or 0 for what has but one before the point.
    fn coarse(&self) -> Self {
        let mut whole = vec![b'0'; self.whole.len()];
        if whole.len() > 1 {
            whole[0] = self.whole[0];
        }
        let negative = self.negative && whole.len() > 1;
        Self::new(negative, &whole, &vec![b'0'; self.fraction.len()])
    }

    fn write(&self, out: &mut Vec<u8>) -> Option<()> {
        if self.negative {
            out.push(b'-');
        }
        out.extend_from_slice(&self.whole);
        if !self.fraction.is_empty() {
            out.push(b'.');
            out.extend_from_slice(&self.fraction);
        }
        Some(())
    }

    fn encode(&self, out: &mut Vec<u8>) -> Option<()> {
        let lead = self.whole.len().next_multiple_of(4) - self.whole.len();
        let mut digits = vec![b'0'; lead];
        digits.extend_from_slice(&self.whole);
        let mut weight = i16::try_from(digits.len() / 4).ok()? - 1;
        digits.extend_from_slice(&self.fraction);
        digits.resize(digits.len().next_multiple_of(4), b'0');
        let (groups, _) = digits.as_chunks::<4>();
        let mut groups: Vec<u16> = groups
            .iter()
            .map(|group| group.iter().fold(0, |n, digit| n * 10 + u16::from(digit - b'0')))
            .collect();
        while groups.last() == Some(&0) {
            groups.pop();
        }
        let zeros = groups.iter().take_while(|group| **group == 0).count();
        groups.drain(..zeros);
        weight =
            if groups.is_empty() { 0 } else { weight.checked_sub(i16::try_from(zeros).ok()?)? };
        let sign = if self.negative && !groups.is_empty() { NEGATIVE } else { 0 };
        out.extend_from_slice(&u16::try_from(groups.len()).ok()?.to_be_bytes());
        out.extend_from_slice(&weight.to_be_bytes());
        out.extend_from_slice(&sign.to_be_bytes());
        out.extend_from_slice(&u16::try_from(self.fraction.len()).ok()?.to_be_bytes());
        groups.iter().for_each(|group| out.extend_from_slice(&group.to_be_bytes()));
        Some(())
    }
}
