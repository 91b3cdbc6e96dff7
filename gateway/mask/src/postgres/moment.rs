//! Dates and timestamps. The text format is ISO; any other date style can't be written and is NULL.

use weir_model::Transform;

use crate::key::Keyed;
use crate::postgres::{Manner, push};

/// From 0000-03-01, where the calendar's cycles begin, to 2000-01-01.
const EPOCH_DAYS: i64 = 730_425;
const DAY_US: i64 = 86_400_000_000;
/// Pseudonyms of dates lie this many days around 2000, as do the dates that have one of their own.
const WINDOW: i64 = 1 << 15;
/// Dates that are generalised: 0001-01-01 to 9999-12-31, which every client reads.
const EARLIEST: i64 = -730_119;
const LATEST: i64 = 2_921_940;
/// Bits of a timestamp's pseudonym: 71 years from 2000 on.
const TIMESTAMP_BITS: u32 = 51;

/// A date: 2000-01-01, a keyed one, or the first of the month.
pub(super) fn date(
    key: &Keyed,
    transform: Transform,
    binary: bool,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let clear = if binary {
        Clear::At(i64::from(i32::from_be_bytes(value.try_into().ok()?)))
    } else {
        parse(value, false)?
    };
    let shown = match (clear, Manner::of(transform)) {
        (Clear::At(days), Manner::Keyed) if (-WINDOW..WINDOW).contains(&days) => {
            key.permute("date", 16, (days + WINDOW) as u64, |_| true) as i64 - WINDOW
        }
        // The ends of the range are the infinite ones.
        (Clear::At(days), Manner::Coarse) if (EARLIEST..LATEST).contains(&days) => month(days),
        (Clear::At(_) | Clear::Far, _) => 0,
    };
    if binary { push(out, &(shown as i32).to_be_bytes()) } else { push(out, day(shown).as_bytes()) }
}

/// A timestamp: 2000-01-01 00:00:00, a keyed one, or the month's first (UTC); equal instants have equal ones.
pub(super) fn timestamp(
    key: &Keyed,
    transform: Transform,
    binary: bool,
    zoned: bool,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let clear = if binary {
        Clear::At(i64::from_be_bytes(value.try_into().ok()?))
    } else {
        parse(value, true)?
    };
    let shown = match (clear, Manner::of(transform)) {
        (Clear::At(us), Manner::Keyed) => {
            key.number("timestamp", &us.to_be_bytes()) as i64 & ((1 << TIMESTAMP_BITS) - 1)
        }
        (Clear::At(us), Manner::Coarse) => match us.div_euclid(DAY_US) {
            days @ EARLIEST..LATEST => month(days) * DAY_US,
            _ => 0,
        },
        (Clear::At(_) | Clear::Far, _) => 0,
    };
    if binary {
        return push(out, &shown.to_be_bytes());
    }
    let (days, us) = (shown.div_euclid(DAY_US), shown.rem_euclid(DAY_US));
    let (seconds, fraction) = (us / 1_000_000, us % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{} {hours:02}:{minutes:02}:{seconds:02}", day(days));
    if fraction != 0 {
        text.push_str(&format!(".{fraction:06}"));
    }
    if zoned {
        text.push_str("+00");
    }
    push(out, text.as_bytes())
}

/// When a clear value is.
enum Clear {
    /// Days or microseconds from 2000-01-01 on.
    At(i64),
    /// Infinite or before Christ.
    Far,
}

/// Reads `2024-01-15`, or `2024-01-15 10:20:30.123456+01:30`.
fn parse(value: &[u8], timed: bool) -> Option<Clear> {
    let text = std::str::from_utf8(value).ok()?;
    if matches!(text, "infinity" | "-infinity") || text.ends_with(" BC") {
        return Some(Clear::Far);
    }
    let (date, time) = match timed {
        true => text.split_once(' ')?,
        false => (text, ""),
    };
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let shaped = (4..=6).contains(&year.len()) && month.len() == 2 && day.len() == 2;
    if !shaped || parts.next().is_some() {
        return None;
    }
    let (year, month, day) = (digits(year)?, digits(month)?, digits(day)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days(year, month, day);
    if !timed {
        return Some(Clear::At(days));
    }
    Some(Clear::At(days.checked_mul(DAY_US)?.checked_add(micros(time)?)?))
}

/// Microseconds of a time of day, less its zone's offset.
fn micros(text: &str) -> Option<i64> {
    let zone = text.find(['+', '-']).unwrap_or(text.len());
    let (time, zone) = text.split_at(zone);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    if fraction.len() > 6 {
        return None;
    }
    let us = digits(fraction)? * 10i64.pow(6 - fraction.len() as u32);
    let offset = match (zone.get(1..), zone.starts_with('-')) {
        (Some(zone), true) => -seconds(zone)?,
        (Some(zone), false) => seconds(zone)?,
        (None, _) => 0,
    };
    Some((seconds(time)? - offset) * 1_000_000 + us)
}

/// Seconds of `HH`, `HH:MM` or `HH:MM:SS`.
fn seconds(text: &str) -> Option<i64> {
    let mut total = 0;
    let mut unit = 3600;
    for part in text.split(':') {
        if part.len() != 2 || unit == 0 {
            return None;
        }
        total += digits(part)? * unit;
        unit /= 60;
    }
    Some(total)
}

fn digits(text: &str) -> Option<i64> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

/// Days from 2000-01-01 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let cycle = year.div_euclid(400);
    let year = year.rem_euclid(400);
    let days = 365 * year + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1;
    cycle * 146_097 + days - EPOCH_DAYS
}

/// The date so many days after 2000-01-01, for years of four digits.
pub(super) fn day(days: i64) -> String {
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The first day of a day's month.
fn month(day: i64) -> i64 {
    day - civil(day).2 + 1
}

/// Year, month and day of the date so many days after 2000-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let cycle = days.div_euclid(146_097);
    let rest = days.rem_euclid(146_097);
    let year = (rest - rest / 1_460 + rest / 36_524 - rest / 146_096) / 365;
    let rest = rest - (365 * year + year / 4 - year / 100);
    let shifted = (5 * rest + 2) / 153;
    let day = rest - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + cycle * 400 + i64::from(month <= 2), month, day)
}
