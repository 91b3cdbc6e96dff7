//! Which rows are wanted: by person, agent, target, verdict, time and text.

use weir_ledger::{ExchangeRow, Time};

/// Which rows are wanted.
#[derive(clap::Args)]
pub(crate) struct Filters {
    /// The person: subject or email.
    #[arg(long)]
    pub(in crate::cli) subject: Option<String>,
    /// The agent.
    #[arg(long)]
    pub(in crate::cli) agent: Option<String>,
    /// The target.
    #[arg(long)]
    pub(in crate::cli) target: Option<String>,
    /// The verdict: allow, deny or hold.
    #[arg(long, value_parser = ["allow", "deny", "hold"])]
    pub(in crate::cli) verdict: Option<String>,
    /// A text that the statement contains, in whatever case.
    #[arg(long)]
    pub(in crate::cli) text: Option<String>,
    /// From when: 2026-11-22, 2026-11-22T12:00:00Z, or 30m, 2h, 7d ago.
    #[arg(long, value_parser = moment)]
    pub(in crate::cli) since: Option<Time>,
    /// Until when, in the same way.
    #[arg(long, value_parser = moment)]
    pub(in crate::cli) until: Option<Time>,
}

impl Filters {
    /// Whether the person and agent are wanted.
    pub(in crate::cli) fn actor(&self, subject: &str, email: Option<&str>, agent: &str) -> bool {
        let person = |wanted: &str| wanted == subject || Some(wanted) == email;
        self.subject.as_deref().is_none_or(person)
            && self.agent.as_deref().is_none_or(|wanted| wanted == agent)
    }

    /// Whether something that went on from `from` to `to` is wanted.
    pub(in crate::cli) fn time(&self, from: Time, to: Option<Time>) -> bool {
        self.until.is_none_or(|until| from <= until)
            && self.since.is_none_or(|since| to.is_none_or(|to| to >= since))
    }

    /// Whether an exchange is wanted.
    pub(in crate::cli) fn exchange(&self, row: &ExchangeRow) -> bool {
        let contains = |text: &str| row.statement.to_lowercase().contains(&text.to_lowercase());
        self.actor(&row.subject, row.email.as_deref(), &row.agent)
            && self.target.as_deref().is_none_or(|target| target == row.target.as_ref())
            && self.verdict.as_deref().is_none_or(|verdict| verdict == row.verdict.as_ref())
            && self.text.as_deref().is_none_or(contains)
            && self.time(row.asked_at, Some(row.done_at.unwrap_or(row.decided_at)))
    }

    /// Whether anything is asked for that only exchanges know.
    pub(in crate::cli) fn needs_exchanges(&self) -> bool {
        self.target.is_some() || self.verdict.is_some() || self.text.is_some()
    }
}

/// A moment as a person writes it.
pub(in crate::cli) fn moment(text: &str) -> Result<Time, String> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now_us = i64::try_from(now.unwrap_or_default().as_micros()).unwrap_or(i64::MAX);
    moment_at(text, now_us).ok_or_else(|| "not a date, a time (UTC) or 30m, 2h, 7d".to_owned())
}

fn moment_at(text: &str, now_us: i64) -> Option<Time> {
    if let Some(unit @ ('s' | 'm' | 'h' | 'd')) = text.chars().last() {
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => 86_400,
        };
        let count: i64 = text[..text.len() - 1].parse().ok()?;
        return Some(Time(now_us.checked_sub(count.checked_mul(seconds * 1_000_000)?)?));
    }
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, clock) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let date: Vec<i64> = numbers(date, '-')?;
    let clock: Vec<i64> = numbers(clock, ':')?;
    let ([year, month @ 1..=12, day @ 1..=31], [hour @ 0..24, minute @ 0..60, rest @ ..]) =
        (&date[..], &clock[..])
    else {
        return None;
    };
    let second = match rest {
        [] => 0,
        [second @ 0..=60] => *second,
        _ => return None,
    };
    let seconds = days(*year, *month, *day) * 86_400 + hour * 3600 + minute * 60 + second;
    seconds.checked_mul(1_000_000).map(Time)
}

fn numbers(text: &str, between: char) -> Option<Vec<i64>> {
    text.split(between)
        .map(|part| part.parse().ok().filter(|of| (0..10_000).contains(of)))
        .collect()
}

/// Days since 1970-01-01 (Howard Hinnant's `days_from_civil`), for years from 0.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates_times_and_ages() {
        let now = 1_795_348_801_000_000; // 2026-11-22T12:00:01Z
        for (text, expected) in [
            ("2026-11-22", Some(1_795_305_600_000_000)),
            ("2026-11-22T12:00:01Z", Some(now)),
            ("2026-11-22 12:00", Some(now - 1_000_000)),
            ("1m", Some(now - 60_000_000)),
            ("7d", Some(now - 7 * 86_400_000_000)),
            ("2000-02-29", Some(951_782_400_000_000)),
            ("2026-13-01", None),
            ("yesterday", None),
            ("99999999999999999d", None),
            ("\u{fc}", None),
            ("", None),
        ] {
            assert_eq!(moment_at(text, now), expected.map(Time), "{text}");
        }
    }
}
