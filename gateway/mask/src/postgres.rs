//! Cells of PostgreSQL's types, in text and binary format.

mod address;
mod array;
mod bytea;
mod moment;
mod number;

#[cfg(test)]
mod tests;

pub(crate) use address::network;
use weir_model::Transform;

use crate::content::Hidden;
use crate::detector::DETECTORS;
use crate::json::{self, Rewritten};
use crate::plan::{ContentRules, Counts};
use crate::replace::REDACTED;
use crate::{Masker, Outcome, count};

/// The first OID that is not PostgreSQL's own (`FirstNormalObjectId` in transam.h).
const FIRST_USER_OID: u32 = 16_384;
const TEXT: i16 = 0;
const BINARY: i16 = 1;

/// Array types and their elements' types, from pg_type.dat.
const ARRAYS: &[(u32, u32)] = &[
    (199, 114),
    (143, 142),
    (1000, 16),
    (1001, 17),
    (1002, 18),
    (1003, 19),
    (1005, 21),
    (1007, 23),
    (1009, 25),
    (1014, 1042),
    (1015, 1043),
    (1016, 20),
    (1021, 700),
    (1022, 701),
    (1028, 26),
    (1040, 829),
    (1041, 869),
    (651, 650),
    (775, 774),
    (1115, 1114),
    (1182, 1082),
    (1183, 1083),
    (1185, 1184),
    (1187, 1186),
    (1231, 1700),
    (1263, 2275),
    (1270, 1266),
    (2951, 2950),
    (3807, 3802),
];

/// What a type's values are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text, the same bytes in both formats.
    Text,
    /// One byte.
    Char,
    Json,
    Jsonb,
    Bytea,
    /// A signed integer of so many bytes.
    Int(usize),
    /// A number that the server gives to objects.
    Oid,
    Numeric,
    Float4,
    Float8,
    Money,
    Bool,
    Date,
    Timestamp,
    Timestamptz,
    Time,
    Timetz,
    Interval,
    Uuid,
    Inet,
    Cidr,
    /// A hardware address of so many bytes.
    Mac(usize),
    /// An array of elements of a type.
    Array(u32),
    /// An anonymous composite.
    Record,
    /// A type that this server's users made: a text, an enumeration, a composite, anything.
    User,
    /// A type of PostgreSQL's own that we don't write.
    Other,
}

impl Kind {
    pub(crate) fn of(oid: u32) -> Self {
        match oid {
            19 | 25 | 142 | 705 | 1042 | 1043 | 1790 | 2275 => Self::Text,
            18 => Self::Char,
            114 => Self::Json,
            3802 => Self::Jsonb,
            17 => Self::Bytea,
            21 => Self::Int(2),
            23 => Self::Int(4),
            20 => Self::Int(8),
            26 | 28 | 29 => Self::Oid,
            1700 => Self::Numeric,
            700 => Self::Float4,
            701 => Self::Float8,
            790 => Self::Money,
            16 => Self::Bool,
            1082 => Self::Date,
            1114 => Self::Timestamp,
            1184 => Self::Timestamptz,
            1083 => Self::Time,
            1266 => Self::Timetz,
            1186 => Self::Interval,
            2950 => Self::Uuid,
            869 => Self::Inet,
            650 => Self::Cidr,
            829 => Self::Mac(6),
            774 => Self::Mac(8),
            2249 | 2287 => Self::Record,
            FIRST_USER_OID.. => Self::User,
            _ => match ARRAYS.iter().find(|(array, _)| *array == oid) {
                Some((_, element)) => Self::Array(*element),
                None => Self::Other,
            },
        }
    }

    /// Whether values can hold a text, so that detectors look at them.
    pub(crate) fn holds_text(self) -> bool {
        match self {
            Self::Text | Self::Json | Self::Jsonb | Self::Bytea => true,
            Self::Record | Self::User | Self::Other => true,
            Self::Array(element) => Self::of(element).holds_text(),
            Self::Char | Self::Int(_) | Self::Oid | Self::Numeric | Self::Float4 => false,
            Self::Float8 | Self::Money | Self::Bool | Self::Date | Self::Timestamp => false,
            Self::Timestamptz | Self::Time | Self::Timetz | Self::Interval => false,
            Self::Uuid | Self::Inet | Self::Cidr | Self::Mac(_) => false,
        }
    }
}

/// What stands for a value of a type other than text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// A constant.
    Constant,
    /// A pseudonym.
    Keyed,
    /// A coarser value.
    Coarse,
}

impl Manner {
    /// Types other than text know no parts and no hex: there `partial` hides all, and `hash` is a
    /// pseudonym too.
    pub(crate) fn of(transform: Transform) -> Self {
        match transform {
            Transform::Token | Transform::Hash => Self::Keyed,
            Transform::Generalise => Self::Coarse,
            Transform::Partial | Transform::Redact | Transform::Null => Self::Constant,
        }
    }
}

/// A masker at work on the cells of one result.
pub(crate) struct Hand<'a> {
    pub(crate) masker: &'a Masker,
    pub(crate) rules: &'a ContentRules,
}

impl Hand<'_> {
    /// Hides a cell whole.
    pub(crate) fn apply(
        &self,
        transform: Transform,
        oid: u32,
        format: i16,
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> Outcome {
        if transform == Transform::Null || (format != TEXT && format != BINARY) {
            return Outcome::Null;
        }
        let key = &self.masker.0.key;
        let binary = format == BINARY;
        let kind = Kind::of(oid);
        let written = match kind {
            Kind::Text => {
                // A padded value is the same value (`character(n)`).
                let padded = if oid == 1042 { value.trim_ascii_end() } else { value };
                self.apply_text(transform, padded, out)
            }
            Kind::User if binary || is_bracketed(value) => None,
            Kind::User => self.apply_text(transform, value, out),
            Kind::Char => push(out, b"x"),
            Kind::Json => self.apply_json(transform, value, out),
            Kind::Jsonb if binary => match value.split_first() {
                Some((1, text)) => {
                    out.push(1);
                    self.apply_json(transform, text, out)
                }
                Some(_) | None => None,
            },
            Kind::Jsonb => self.apply_json(transform, value, out),
            Kind::Bytea => bytea::apply(key, transform, binary, value, out),
            Kind::Int(width) => number::int(key, transform, binary, width, value, out),
            Kind::Oid => push(out, if binary { &[0; 4] } else { b"0" }),
            Kind::Numeric => number::numeric(key, transform, binary, value, out),
            Kind::Float4 => number::float4(key, transform, binary, value, out),
            Kind::Float8 => number::float8(key, transform, binary, value, out),
            Kind::Money if binary => push(out, &[0; 8]),
            Kind::Bool => push(out, if binary { &[0] } else { b"f" }),
            Kind::Date => moment::date(key, transform, binary, value, out),
            Kind::Timestamp => moment::timestamp(key, transform, binary, false, value, out),
            Kind::Timestamptz => moment::timestamp(key, transform, binary, true, value, out),
            Kind::Time => push(out, if binary { &[0; 8] } else { b"00:00:00" }),
            Kind::Timetz => push(out, if binary { &[0; 12] } else { b"00:00:00+00" }),
            Kind::Interval => push(out, if binary { &[0; 16] } else { b"00:00:00" }),
            Kind::Uuid => address::uuid(key, transform, binary, value, out),
            Kind::Inet => address::inet(key, transform, binary, false, value, out),
            Kind::Cidr => address::inet(key, transform, binary, true, value, out),
            Kind::Mac(width) => address::mac(key, transform, binary, width, value, out),
            Kind::Array(element) => {
                let mut each = |element_value: &[u8], out: &mut Vec<u8>| {
                    self.apply(transform, element, format, element_value, out)
                };
                return array::walk(binary, element, value, &mut each, out, true);
            }
            Kind::Money | Kind::Record | Kind::Other => None,
        };
        if written.is_some() { Outcome::Replaced } else { Outcome::Null }
    }

    fn apply_text(&self, transform: Transform, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let key = &self.masker.0.key;
        let mut text = String::with_capacity(64);
        match (std::str::from_utf8(value), transform) {
            (Ok(value), _) => key.whole(transform, value, &mut text),
            (Err(_), Transform::Redact | Transform::Partial) => text.push_str(REDACTED),
            (Err(_), Transform::Generalise | Transform::Null) => text.push_str(REDACTED),
            (Err(_), Transform::Token) => text = key.opaque(value),
            (Err(_), Transform::Hash) => text = key.hash(value),
        }
        push(out, text.as_bytes())
    }

    /// A string becomes what it would as a text; any other value is hidden completely.
    fn apply_json(&self, transform: Transform, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let key = &self.masker.0.key;
        let text = std::str::from_utf8(value).ok().map(str::trim);
        let string = text.and_then(json::unquote);
        let shown = match (string, transform) {
            (Some(string), _) => {
                let mut shown = String::new();
                key.whole(transform, &string, &mut shown);
                json::quote(&shown)
            }
            (None, Transform::Redact | Transform::Partial) => json::redacted(),
            (None, Transform::Generalise | Transform::Null) => json::redacted(),
            (None, Transform::Token) => json::quote(&key.opaque(value)),
            (None, Transform::Hash) => json::quote(&key.hash(value)),
        };
        push(out, shown.as_bytes())
    }

    /// Hides what detectors find in a cell.
    pub(crate) fn content(
        &self,
        oid: u32,
        format: i16,
        value: &[u8],
        out: &mut Vec<u8>,
        counts: &mut Counts,
    ) -> Outcome {
        let kind = Kind::of(oid);
        if !kind.holds_text() {
            return Outcome::Unchanged;
        }
        match (kind, format) {
            (Kind::Text, _) | (Kind::User | Kind::Record, TEXT) => {
                self.content_text(value, out, counts)
            }
            (Kind::Json, TEXT | BINARY) | (Kind::Jsonb, TEXT) => {
                self.content_json(value, out, counts)
            }
            (Kind::Jsonb, BINARY) => match value.split_first() {
                Some((1, text)) => {
                    out.push(1);
                    self.content_json(text, out, counts)
                }
                Some(_) | None => self.opaque(value, counts),
            },
            (Kind::Bytea, TEXT) => match bytea::decode(value) {
                Some(bytes) => self.opaque(&bytes, counts),
                None => self.opaque(value, counts),
            },
            (Kind::Array(element), TEXT | BINARY) => {
                let mut each = |element_value: &[u8], out: &mut Vec<u8>| {
                    if self.masker.row_is_clean(element_value) {
                        return Outcome::Unchanged;
                    }
                    self.content(element, format, element_value, out, counts)
                };
                let from = out.len();
                let binary = format == BINARY;
                let outcome = array::walk(binary, element, value, &mut each, out, false);
                if outcome == Outcome::Null {
                    out.truncate(from);
                    return self.opaque(value, counts);
                }
                outcome
            }
            _ => self.opaque(value, counts),
        }
    }

    fn content_text(&self, value: &[u8], out: &mut Vec<u8>, counts: &mut Counts) -> Outcome {
        match std::str::from_utf8(value) {
            Ok(text) => {
                let spans = self.masker.hidden(self.rules, text);
                match self.masker.hide(text, 0, &spans, counts) {
                    Some(_) if spans.iter().any(Hidden::is_null) => Outcome::Null,
                    Some(text) => {
                        out.extend_from_slice(text.as_bytes());
                        Outcome::Replaced
                    }
                    None => Outcome::Unchanged,
                }
            }
            // Where characters begin and end is not known, so that a part can't be cut out.
            Err(_) => match self.opaque(value, counts) {
                Outcome::Null => {
                    out.extend_from_slice(REDACTED.as_bytes());
                    Outcome::Replaced
                }
                Outcome::Unchanged | Outcome::Replaced => Outcome::Unchanged,
            },
        }
    }

    fn content_json(&self, value: &[u8], out: &mut Vec<u8>, counts: &mut Counts) -> Outcome {
        let Ok(text) = std::str::from_utf8(value) else { return self.opaque(value, counts) };
        match self.masker.rewrite_json(self.rules, text, counts) {
            Rewritten::Unchanged => Outcome::Unchanged,
            Rewritten::Replaced(text) => {
                out.extend_from_slice(text.as_bytes());
                Outcome::Replaced
            }
            Rewritten::Null => Outcome::Null,
            Rewritten::Broken => self.opaque(value, counts),
        }
    }

    /// NULL if anything is found in bytes that can't be taken apart.
    fn opaque(&self, value: &[u8], counts: &mut Counts) -> Outcome {
        if self.masker.row_is_clean(value) {
            return Outcome::Unchanged;
        }
        let is_control = |b: &u8| *b < b' ' && !b.is_ascii_whitespace();
        for piece in value.split(is_control) {
            // Up to three bytes may be a length's, and look like a letter before the value.
            for skipped in 0..piece.len().min(4) {
                let text = String::from_utf8_lossy(&piece[skipped..]);
                if let Some(span) = self.masker.hidden(self.rules, &text).first() {
                    count(counts, DETECTORS[span.detector].name());
                    return Outcome::Null;
                }
            }
        }
        Outcome::Unchanged
    }
}

/// Whether a value of a type that we don't know looks like a composite's or an array's.
fn is_bracketed(value: &[u8]) -> bool {
    matches!((value.first(), value.last()), (Some(b'('), Some(b')')) | (Some(b'{'), Some(b'}')))
}

fn push(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    out.extend_from_slice(bytes);
    Some(())
}
