//! Points in time as text: for logs, the audit log and the head of a saved file. Told what time it is, as everything here.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Names of days, the first of January 1970 being a Thursday.
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A point in time in UTC, taken apart. Times before 1970 are taken for 1 January 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    since: Duration,
}

impl From<SystemTime> for Utc {
    fn from(time: SystemTime) -> Self {
        Self { since: time.duration_since(UNIX_EPOCH).unwrap_or_default() }
    }
}

/// As RFC 3339 writes it, with microseconds: `2026-11-22T23:59:59.123456Z`.
impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let (hour, minute, second) = self.time();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z", self.since.subsec_micros())
    }
}

impl Utc {
    /// As C's `ctime` writes it: `Sun Nov 22 23:59:59 2026`.
    #[must_use]
    pub fn ctime(&self) -> String {
        let (year, month, day) = self.date();
        let (hour, minute, second) = self.time();
        let name = |names: &[&'static str], at: u64| usize::try_from(at).ok().and_then(|at| names.get(at).copied()).unwrap_or("");
        let weekday = name(&DAYS, self.days() % 7);
        format!("{weekday} {} {day:2} {hour:02}:{minute:02}:{second:02} {year}", name(&MONTHS, month - 1))
    }

    /// Day of the week; Sunday is 0, and the first of January 1970 was a Thursday.
    pub(crate) const fn weekday(self) -> u64 {
        (self.days() + 4) % 7
    }

    const fn days(self) -> u64 {
        self.since.as_secs() / 86_400
    }

    /// Hour, minute and second of the day.
    pub(crate) const fn time(self) -> (u64, u64, u64) {
        let second = self.since.as_secs() % 86_400;
        (second / 3600, second / 60 % 60, second % 60)
    }

    /// Year, month and day in the Gregorian calendar: years that begin in March end with the leap day, and 400 of them have
    /// 146,097 days.
    pub(crate) const fn date(self) -> (u64, u64, u64) {
        let since = self.days() + 719_468;
        let (era, of_era) = (since / 146_097, since % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        (year, month, day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(seconds: u64) -> Utc {
        Utc::from(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_779, (2026, 11, 22)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(utc(days * 86_400 + 86_399).date(), expected, "{days}");
        }
    }

    #[test]
    fn looks_as_documented() {
        let time = Utc::from(UNIX_EPOCH + Duration::from_micros(1_795_391_999_123_456));
        assert_eq!(time.to_string(), "2026-11-22T23:59:59.123456Z");
        assert_eq!(time.ctime(), "Sun Nov 22 23:59:59 2026");
        assert_eq!(utc(0).ctime(), "Thu Jan  1 00:00:00 1970");
        assert_eq!(Utc::from(UNIX_EPOCH - Duration::from_secs(1)), utc(0));
    }
}
