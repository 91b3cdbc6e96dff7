//! Microseconds since the Unix epoch, and their dates.

use serde::{Deserialize, Serialize};

const DAY_US: i64 = 86_400_000_000;

/// A moment: microseconds since the Unix epoch, UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Time(pub i64);

impl Time {
    /// The UTC day, `2026-11-22`.
    pub fn date(self) -> String {
        date_of_days(self.0.div_euclid(DAY_US))
    }

    /// The UTC time of day, `12:00:01.000250`.
    pub fn clock(self) -> String {
        let us = self.0.rem_euclid(DAY_US);
        let seconds = us / 1_000_000;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{hour:02}:{minute:02}:{second:02}.{:06}", us % 1_000_000)
    }

    /// The moment as RFC 3339, `2026-11-22T12:00:01.000250Z`.
    pub fn rfc3339(self) -> String {
        format!("{}T{}Z", self.date(), self.clock())
    }
}

/// The date of a day counted from 1970-01-01 (Howard Hinnant's `civil_from_days`).
pub(crate) fn date_of_days(days: i64) -> String {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_the_calendars() {
        for (us, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_795_348_801_000_250, "2026-11-22T12:00:01.000250Z"),
        ] {
            assert_eq!(Time(us).rfc3339(), expected);
        }
        for us in [i64::MIN, i64::MAX] {
            assert!(!Time(us).rfc3339().is_empty());
        }
    }
}
