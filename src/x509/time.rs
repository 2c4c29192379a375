//! Points in time: `UTCTime` and `GeneralizedTime` as RFC 5280 4.1.2.5 allows them, in seconds.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "remainders of divisions by small numbers: never negative, never over 10,000"
)]

use crate::asn1::{DerError, Element, Reader, tag};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01T00:00:00Z, from year 0 to 9999, without leap seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

/// Octets of a `GeneralizedTime`'s content without fractions: `YYYYMMDDHHMMSSZ`.
pub const GENERALIZED_TIME_LEN: usize = 15;

const DAY: i64 = 86_400;

impl UnixTime {
    /// 0000-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_167_219_200);
    /// 9999-12-31T23:59:59Z, also RFC 5280's "no well-defined end" (4.1.2.5).
    pub const MAX: Self = Self(253_402_300_799);
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// `seconds` since 1970, brought into the range of a `GeneralizedTime`.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds.clamp(Self::MIN.0, Self::MAX.0))
    }

    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// This time and `seconds` more (or fewer), within range.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self::from_seconds(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this time; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// The current time of the machine's clock. Floor 1's clock calls this; the hot path never does.
    #[must_use]
    pub fn from_system(time: SystemTime) -> Self {
        let seconds = match time.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
        };
        Self::from_seconds(seconds)
    }

    /// As the standard library's time; before 1970 it is 1970.
    #[must_use]
    pub fn to_system(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(self.0).unwrap_or(0))
    }

    /// From a year, month, day, hour, minute and second of the proleptic Gregorian calendar.
    #[must_use]
    pub fn from_civil(year: i64, month: u32, day: u32, hour: u32, minute: u32, second: u32) -> Option<Self> {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let month_days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u32::from(leap),
            _ => return None,
        };
        let valid = (0..=9999).contains(&year)
            && (1..=month_days).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !valid {
            return None;
        }
        // Days since 1970 with the year starting in March, so that the leap day comes last.
        let shifted = if month <= 2 { year - 1 } else { year };
        let era = shifted.div_euclid(400);
        let year_of_era = shifted.rem_euclid(400);
        let day_of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5 + day - 1);
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        Some(Self(days * DAY + i64::from(hour * 3600 + minute * 60 + second)))
    }

    /// Year, month, day, hour, minute, second.
    #[must_use]
    pub fn to_civil(self) -> (i64, u32, u32, u32, u32, u32) {
        let days = self.0.div_euclid(DAY) + 719_468;
        let seconds = self.0.rem_euclid(DAY) as u32;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year, month, day, seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    /// The content of a `GeneralizedTime` without fractions (RFC 5280 4.1.2.5.2).
    #[must_use]
    pub fn to_generalized_time(self) -> [u8; GENERALIZED_TIME_LEN] {
        let (year, month, day, hour, minute, second) = self.to_civil();
        let mut text = *b"00000000000000Z";
        let mut put = |at: usize, digits: usize, mut value: u32| {
            for index in (at..at + digits).rev() {
                text[index] = b'0' + (value % 10) as u8;
                value /= 10;
            }
        };
        put(0, 4, year as u32);
        put(4, 2, month);
        put(6, 2, day);
        put(8, 2, hour);
        put(10, 2, minute);
        put(12, 2, second);
        text
    }

    /// From the content of a `UTCTime`, `YYMMDDHHMMSSZ`: 1950 to 2049 (RFC 5280 4.1.2.5.1).
    #[must_use]
    pub fn from_utc_time(content: &[u8]) -> Option<Self> {
        let (digits, b"Z") = content.split_first_chunk()? else { return None };
        Self::from_digits(digits, |year| if year < 50 { 2000 + year } else { 1900 + year })
    }

    /// From the content of a `GeneralizedTime`, `YYYYMMDDHHMMSSZ`: no fractions, no offset.
    #[must_use]
    pub fn from_generalized_time(content: &[u8]) -> Option<Self> {
        let ([a, b], content) = content.split_first_chunk()?;
        let (digits, b"Z") = content.split_first_chunk()? else { return None };
        let [century, ..] = pairs([*a, *b, b'0', b'0', b'0', b'0', b'0', b'0'])?;
        Self::from_digits(digits, |year| 100 * century + year)
    }

    /// From `YYMMDDHHMMSS`, and the year that its two digits stand for.
    fn from_digits(digits: &[u8; 12], year: impl Fn(i64) -> i64) -> Option<Self> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *digits;
        let [two_digits, month, day, hour] = pairs([a, b, c, d, e, f, g, h])?;
        let [minute, second, ..] = pairs([i, j, k, l, b'0', b'0', b'0', b'0'])?;
        let [month, day, hour, minute, second] = [month, day, hour, minute, second].map(|n| n as u32);
        Self::from_civil(year(two_digits), month, day, hour, minute, second)
    }

    /// From a `Time` element: a `UTCTime` or a `GeneralizedTime`. RFC 5280 wants `UTCTime` through
    /// 2049; a `GeneralizedTime` before that says the same thing and is accepted.
    ///
    /// # Errors
    /// [`DerError::Tag`] for another type, [`DerError::Value`] for another form.
    pub fn from_element(element: &Element<'_>) -> Result<Self, DerError> {
        match element.tag {
            tag::UTC_TIME => Self::from_utc_time(element.content).ok_or(DerError::Value),
            tag::GENERALIZED_TIME => Self::from_generalized_time(element.content).ok_or(DerError::Value),
            found => Err(DerError::Tag { expected: tag::UTC_TIME, found }),
        }
    }

    /// Whether the next element of `reader` is a `Time`.
    #[must_use]
    pub fn is_next(reader: &Reader<'_>) -> bool {
        matches!(reader.peek(), Some(tag::UTC_TIME | tag::GENERALIZED_TIME))
    }
}

/// Four numbers of two digits each. All at once: a large CRL has ten million times in it, and digit by digit
/// they cost more than all the rest of an entry.
fn pairs(digits: [u8; 8]) -> Option<[i64; 4]> {
    const HIGH: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    let all = u64::from_le_bytes(digits);
    // Digits are 30 to 39, and stay below 40 with six more.
    let is_all_digits =
        all & HIGH == 0x3030_3030_3030_3030 && (all.wrapping_add(0x0606_0606_0606_0606)) & HIGH == all & HIGH;
    let ones = all & !HIGH;
    let [a, _, b, _, c, _, d, _] = (10 * ones + (ones >> 8)).to_le_bytes();
    is_all_digits.then_some([a, b, c, d].map(i64::from))
}

/// `2026-11-22T17:35:00Z`
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour, minute, second) = self.to_civil();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_1_2_5_utc_time_turns_over_in_2050() {
        let seconds = |text: &str| UnixTime::from_utc_time(text.as_bytes()).map(|time| time.to_string());
        assert_eq!(seconds("491231235959Z").as_deref(), Some("2049-12-31T23:59:59Z"));
        assert_eq!(seconds("500101000000Z").as_deref(), Some("1950-01-01T00:00:00Z"));
        assert_eq!(
            UnixTime::from_civil(2050, 1, 1, 0, 0, 0).unwrap().to_generalized_time(),
            *b"20500101000000Z"
        );
    }

    #[test]
    fn f38_other_forms_of_time_are_refused() {
        for text in ["2611221735Z", "261122173500+0900", "261122173500", "26112217350aZ", "261322173500Z", ""]
        {
            assert_eq!(UnixTime::from_utc_time(text.as_bytes()), None, "{text}");
        }
        for text in ["20261122173500.5Z", "20260230000000Z", "20261122240000Z", "20261122173560Z"] {
            assert_eq!(UnixTime::from_generalized_time(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn civil_dates_come_back_from_every_corner_of_the_range() {
        for seconds in [UnixTime::MIN.0, -1, 0, 951_782_400, 4_107_542_400, UnixTime::MAX.0] {
            let time = UnixTime(seconds);
            let (year, month, day, hour, minute, second) = time.to_civil();
            assert_eq!(UnixTime::from_civil(year, month, day, hour, minute, second), Some(time));
            assert_eq!(UnixTime::from_generalized_time(&time.to_generalized_time()), Some(time));
        }
        assert_eq!(UnixTime::MIN.to_string(), "0000-01-01T00:00:00Z");
        assert_eq!(UnixTime::MAX.to_string(), "9999-12-31T23:59:59Z");
    }
}
