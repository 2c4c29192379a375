//! Calendar days, as bills have them.

use crate::x509::UnixTime;
use std::fmt;
use std::str::FromStr;

/// Seconds.
const LENGTH: i64 = 86_400;

/// A day, by a calendar whose midnight is some hours away from that of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(
    /// Days since 1970-01-01.
    pub u32,
);

/// Text that is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a day: write it like 2026-11-22")]
pub struct NotADay(String);

impl Day {
    /// The day of `time` where clocks are `offset` seconds ahead of UTC.
    #[must_use]
    pub fn of(time: UnixTime, offset: i64) -> Self {
        let days = (time.seconds() + offset).div_euclid(LENGTH);
        Self(u32::try_from(days).unwrap_or(0))
    }

    /// `days` earlier, or the first of all.
    #[must_use]
    pub fn before(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// Midnight, as UTC has it.
    #[must_use]
    pub fn start(self) -> UnixTime {
        UnixTime::from_seconds(i64::from(self.0) * LENGTH)
    }
}

impl FromStr for Day {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        let wrong = || NotADay(text.to_owned());
        let parts: Vec<&str> = text.split('-').collect();
        let [year, month, day] = parts[..] else { return Err(wrong()) };
        let lengths = (year.len(), month.len(), day.len());
        if lengths != (4, 2, 2) || !text.bytes().all(|octet| octet == b'-' || octet.is_ascii_digit()) {
            return Err(wrong());
        }
        let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
        let (year, month, day) = (number(year)?, number(month)?, number(day)?);
        let time = UnixTime::from_civil(i64::from(year), month, day, 0, 0, 0).ok_or_else(wrong)?;
        if time < UnixTime::EPOCH { Err(wrong()) } else { Ok(Self::of(time, 0)) }
    }
}

/// `2026-11-22`
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, ..) = self.start().to_civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_where_the_operator_lives() {
        let before_midnight = UnixTime::from_civil(2026, 11, 22, 14, 59, 59).unwrap();
        assert_eq!(Day::of(before_midnight, 9 * 3600).to_string(), "2026-11-22");
        assert_eq!(Day::of(before_midnight.plus(1), 9 * 3600).to_string(), "2026-11-23");
        assert_eq!(Day::of(before_midnight, -15 * 3600).to_string(), "2026-11-21");
        assert_eq!(Day::of(UnixTime::EPOCH, -1), Day(0), "nothing was counted before 1970");
    }

    #[test]
    fn days_are_read_as_they_are_written() {
        for text in ["1970-01-01", "2024-02-29", "2026-11-22"] {
            assert_eq!(text.parse::<Day>().unwrap().to_string(), text);
        }
        for text in
            ["", "2026-11", "2026-11-31", "26-11-22", "2026-1-2", "2026-+1-02", "1969-12-31", "2026-11-22Z"]
        {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
        assert_eq!("2026-11-22".parse::<Day>().unwrap().before(22).to_string(), "2026-10-31");
    }
}
