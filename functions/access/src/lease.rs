//! Time as the domain knows it: seconds since the Unix epoch, handed in by the caller, and windows
//! that always end.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A moment: whole seconds since the Unix epoch, UTC.
///
/// Seconds, because Slack signs in seconds and a lease is accurate to about a second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `seconds` after the Unix epoch.
    pub const fn from_unix(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since the Unix epoch.
    pub const fn unix(self) -> u64 {
        self.0
    }

    /// The moment `seconds` later.
    pub const fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// The moment `seconds` earlier; the epoch at the earliest.
    pub const fn minus(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }

    /// Seconds from `earlier` to this moment; 0 when it is not earlier.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    /// `2026-03-12 19:03:00 UTC`, for people and descriptions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0 / 86_400, self.0 % 86_400);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
    }
}

/// Not a moment as [`Timestamp`] writes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a moment like 2026-03-12 19:03:00 UTC")]
pub struct NotAMoment;

impl FromStr for Timestamp {
    type Err = NotAMoment;
    /// Exactly what `Display` writes.
    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let field = |from: usize, to: usize| {
            text.get(from..to).and_then(|part| part.parse::<u64>().ok()).ok_or(NotAMoment)
        };
        let days = days(field(0, 4)?, field(5, 7)?, field(8, 10)?).ok_or(NotAMoment)?;
        let seconds = field(11, 13)? * 3600 + field(14, 16)? * 60 + field(17, 19)?;
        let moment = Self(days * 86_400 + seconds);
        // What is written otherwise, or is no moment, is not written back the same.
        if moment.to_string() == text { Ok(moment) } else { Err(NotAMoment) }
    }
}

/// Days since 1970-01-01 to a civil date of the proleptic Gregorian calendar, counted in eras of
/// 400 years that begin on the first of March.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// The inverse of [`civil`]; `None` before 1970. What is no date becomes another one.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let shifted = (month + 9) % 12;
    let of_year = (153 * shifted + 2) / 5 + day.checked_sub(1)?;
    let year_of_era = year % 400;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    (year / 400 * 146_097 + of_era).checked_sub(719_468)
}

/// How long a grant lasts, in whole minutes: 1 minute to 24 hours.
///
/// Azure's own Just in Time access begins at an hour; people ask for less.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Ttl(u32);

impl Ttl {
    /// The shortest.
    pub const MIN: Self = Self(1);
    /// The longest.
    pub const MAX: Self = Self(24 * 60);

    /// A duration of `minutes`, or `None` outside 1 minute to 24 hours.
    pub const fn from_minutes(minutes: u32) -> Option<Self> {
        if minutes >= Self::MIN.0 && minutes <= Self::MAX.0 { Some(Self(minutes)) } else { None }
    }

    /// What is left from `now` to `until`, begun minutes counted as whole ones: the end itself says when it is over.
    /// `None` where that is less than the shortest.
    pub fn left(now: Timestamp, until: Timestamp) -> Option<Self> {
        let seconds = until.since(now);
        let minutes = u32::try_from(seconds.div_ceil(60)).unwrap_or(u32::MAX);
        Self::from_minutes(minutes.min(Self::MAX.0)).filter(|_| seconds >= Self::MIN.seconds())
    }

    /// In minutes.
    pub const fn minutes(self) -> u32 {
        self.0
    }

    /// In seconds.
    pub const fn seconds(self) -> u64 {
        self.0 as u64 * 60
    }
}

impl TryFrom<u32> for Ttl {
    type Error = String;
    fn try_from(minutes: u32) -> Result<Self, String> {
        Self::from_minutes(minutes)
            .ok_or_else(|| format!("{minutes} minutes is not between 1 minute and 24 hours"))
    }
}

impl From<Ttl> for u32 {
    fn from(ttl: Ttl) -> u32 {
        ttl.0
    }
}

impl fmt::Display for Ttl {
    /// `30 minutes`, `1 hour`, `1 hour 30 minutes`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: u32, unit: &str| format!("{n} {unit}{}", if n == 1 { "" } else { "s" });
        match (self.0 / 60, self.0 % 60) {
            (0, minutes) => f.write_str(&plural(minutes, "minute")),
            (hours, 0) => f.write_str(&plural(hours, "hour")),
            (hours, minutes) => write!(f, "{} {}", plural(hours, "hour"), plural(minutes, "minute")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_as_people_write_them() {
        for (unix, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_773_342_180, "2026-03-12 19:03:00 UTC"),
            (4_102_444_800, "2100-01-01 00:00:00 UTC"),
        ] {
            assert_eq!(Timestamp::from_unix(unix).to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp::from_unix(unix)));
        }
        for other in [
            "",
            "2026-03-12 19:03:00",
            "2026-03-12T19:03:00Z",
            "2026-02-30 19:03:00 UTC",
            "2026-13-12 19:03:00 UTC",
            "2026-00-12 19:03:00 UTC",
            "2026-03-00 19:03:00 UTC",
            "2026-03-12 25:03:00 UTC",
            "1969-12-31 23:59:59 UTC",
            "0000-01-01 00:00:00 UTC",
            "2026-03-1\u{e9} 19:03:00 UTC",
            "+026-03-12 19:03:00 UTC",
        ] {
            assert_eq!(other.parse::<Timestamp>(), Err(NotAMoment), "{other}");
        }
    }

    #[test]
    fn a_ttl_is_between_a_minute_and_a_day() {
        assert_eq!(Ttl::from_minutes(0), None);
        assert_eq!(Ttl::from_minutes(1441), None);
        for (minutes, text) in [
            (1, "1 minute"),
            (30, "30 minutes"),
            (60, "1 hour"),
            (90, "1 hour 30 minutes"),
            (1440, "24 hours"),
        ] {
            assert_eq!(Ttl::from_minutes(minutes).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_left_counts_begun_minutes_and_is_a_minute_at_least() {
        let left = |now, until| Ttl::left(Timestamp::from_unix(now), Timestamp::from_unix(until));
        for (until, minutes) in [(60, Some(1)), (61, Some(2)), (1800, Some(30)), (59, None), (0, None)] {
            assert_eq!(left(1000, 1000 + until), minutes.and_then(Ttl::from_minutes), "{until}");
        }
        assert_eq!(left(1000, 900), None, "it is over");
    }
}
