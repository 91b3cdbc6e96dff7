//! A cell as text, and the bounds-checked reading of PostgreSQL's integers and strings.

use crate::time::Time;
use crate::value::hex;

/// Bytes not yet read.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A text that ends with a zero.
    pub(super) fn text(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.take(end)?;
        self.take(1)?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// A value with its length before it; `Some(None)` is NULL.
    pub(super) fn value(&mut self) -> Option<Option<&'a [u8]>> {
        let len = self.u32()?;
        if len == u32::MAX { Some(None) } else { self.take(len as usize).map(Some) }
    }
}

/// A value as text; what has none is `\x` and hex.
pub(super) fn text(value: &[u8], oid: u32, format: i16) -> String {
    let text = if format == 0 {
        std::str::from_utf8(value).ok().map(str::to_owned)
    } else {
        binary(value, oid)
    };
    text.unwrap_or_else(|| format!("\\x{}", hex(value)))
}

/// The types of `pg_type.dat` whose binary form is read.
fn binary(value: &[u8], oid: u32) -> Option<String> {
    const DAYS_TO_2000: i64 = 10_957;
    const US_TO_2000: i64 = DAYS_TO_2000 * 86_400_000_000;
    let utf8 = |bytes| std::str::from_utf8(bytes).ok().map(str::to_owned);
    match oid {
        16 => match value {
            [0] => Some("f".to_owned()),
            [1] => Some("t".to_owned()),
            _ => None,
        },
        20 => value.try_into().ok().map(|bytes| i64::from_be_bytes(bytes).to_string()),
        21 => value.try_into().ok().map(|bytes| i16::from_be_bytes(bytes).to_string()),
        23 => value.try_into().ok().map(|bytes| i32::from_be_bytes(bytes).to_string()),
        26 => value.try_into().ok().map(|bytes| u32::from_be_bytes(bytes).to_string()),
        700 => value.try_into().ok().map(|bytes| f32::from_be_bytes(bytes).to_string()),
        701 => value.try_into().ok().map(|bytes| f64::from_be_bytes(bytes).to_string()),
        // "char", name, text, json, xml, unknown, bpchar, varchar
        18 | 19 | 25 | 114 | 142 | 705 | 1042 | 1043 => utf8(value),
        // jsonb: a version, then text
        3802 => value.strip_prefix(&[1]).and_then(utf8),
        1082 => {
            let days = i64::from(i32::from_be_bytes(value.try_into().ok()?));
            // The ends of the range are PostgreSQL's infinities.
            let finite = days > i64::from(i32::MIN) && days < i64::from(i32::MAX);
            finite.then(|| crate::time::date_of_days(days + DAYS_TO_2000))
        }
        1114 | 1184 => {
            let us = i64::from_be_bytes(value.try_into().ok()?);
            let time = Time(us.checked_add(US_TO_2000).filter(|_| us != i64::MIN)?);
            let zone = if oid == 1184 { "+00" } else { "" };
            Some(format!("{} {}{zone}", time.date(), time.clock()))
        }
        2950 => {
            let bytes: [u8; 16] = value.try_into().ok()?;
            let hex = hex(&bytes);
            let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
            Some(parts.join("-"))
        }
        _ => None,
    }
}
