//! Points in time as expressions write them: `GMT 2026 Mar 5 10h 30m`. What is not said leaves them open, so that `GMT 2026` is a
//! whole year.

use std::time::SystemTime;

/// Names of months.
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Years that can be written.
const YEARS: std::ops::RangeInclusive<i64> = 1970..=9999;
const DAY: i64 = 86_400;

/// A point in time, or a time from one to another: seconds since 1970, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) first: i64,
    pub(super) last: i64,
}

/// Why a text is no point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAMoment {
    /// It is none.
    Shape,
    /// It is meant in the time of a place, and the gateway knows none.
    Local,
}

impl Moment {
    pub(super) fn parse(text: &str) -> Result<Self, NotAMoment> {
        let mut words = text.split_whitespace().peekable();
        match words.next() {
            Some(word) if word.eq_ignore_ascii_case("GMT") => {}
            Some(word) if word.eq_ignore_ascii_case("LOCAL") => return Err(NotAMoment::Local),
            Some(_) | None => return Err(NotAMoment::Shape),
        }
        Self::fields(words).ok_or(NotAMoment::Shape)
    }

    fn fields<'t>(mut words: std::iter::Peekable<impl Iterator<Item = &'t str>>) -> Option<Self> {
        let year = number(words.next()?, "").filter(|year| YEARS.contains(year))?;
        let year_end = days(year + 1, 1, 1) * DAY - 1;
        let Some(word) = words.next() else { return Some(Self { first: days(year, 1, 1) * DAY, last: year_end }) };
        let month = 1 + i64::try_from(MONTHS.iter().position(|name| name.eq_ignore_ascii_case(word))?).ok()?;
        let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let month_end = days(next_year, next_month, 1) * DAY - 1;
        // A month may be followed by a day, and that by a time.
        let Some(word) = words.next() else { return Some(Self { first: days(year, month, 1) * DAY, last: month_end }) };
        let day = number(word, "").filter(|day| *day >= 1)?;
        let begin = days(year, month, day) * DAY;
        if begin > month_end {
            return None;
        }
        let (mut first, mut last) = (begin, begin + DAY - 1);
        for (unit, most, seconds) in [("h", 23, 3600), ("m", 59, 60), ("s", 59, 1)] {
            let Some(word) = words.next() else { break };
            first += number(word, unit).filter(|n| *n <= most)? * seconds;
            last = first + seconds - 1;
        }
        words.next().is_none().then_some(Self { first, last })
    }
}

/// Digits with a letter behind them.
fn number(word: &str, unit: &str) -> Option<i64> {
    let digits = word.strip_suffix(unit)?;
    let right = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if right { digits.parse().ok() } else { None }
}

/// Days from 1 January 1970 to a day of the Gregorian calendar. Years that begin in March end with the leap day.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Whole seconds since 1970; those before are negative.
pub(super) fn seconds(time: SystemTime) -> i64 {
    let clamp = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => clamp(since.as_secs()),
        Err(before) => {
            let before = before.duration();
            -clamp(before.as_secs() + u64::from(before.subsec_nanos() > 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::time::Utc;

    #[test]
    fn what_is_not_said_is_open() {
        for (text, first, last) in [
            ("GMT 1970", 0, 365 * DAY - 1),
            ("gmt 2024 feb", 1_706_745_600, 1_709_251_199),
            ("GMT 2024 Dec", 1_733_011_200, 1_735_689_599),
            ("GMT 2026 Nov 29", 1_795_910_400, 1_795_996_799),
            ("GMT 2026 Nov 29 16h", 1_795_968_000, 1_795_971_599),
            ("GMT 2026 Nov 29 16h 30m 05s", 1_795_969_805, 1_795_969_805),
        ] {
            assert_eq!(Moment::parse(text), Ok(Moment { first, last }), "{text}");
        }
        assert_eq!(Moment::parse("LOCAL 2026"), Err(NotAMoment::Local));
        for text in [
            "",
            "2026",
            "GMT",
            "GMT Nov",
            "GMT 26",
            "GMT 2026 Feb 30",
            "GMT 2026 Feb 0",
            "GMT 2026 Nov 29 24h",
            "GMT 2026 Nov 29 30m",
            "GMT 2026 Nov 29 1h 1m 1s 1",
        ] {
            assert_eq!(Moment::parse(text), Err(NotAMoment::Shape), "{text}");
        }
    }

    proptest! {
        #[test]
        fn days_are_those_of_the_calendar(since in 0_u64..250_000_000_000) {
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(since);
            let (year, month, day) = Utc::from(time).date();
            let [year, month, day] = [year, month, day].map(|n| i64::try_from(n).unwrap());
            prop_assert_eq!(days(year, month, day), seconds(time) / DAY);
        }

        #[test]
        fn no_text_breaks_it(text in "(GMT |LOCAL )?[0-9]{0,5}( [A-Za-z]{3})?( [0-9]{1,5}[hms]?){0,5}") {
            let _ = Moment::parse(&text);
        }
    }
}
