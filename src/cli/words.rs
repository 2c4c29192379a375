//! Numbers, sizes and times as people read them.
//!
//! Used by the commands that print for people; programs read `--json`, where nothing is rounded.

pub(crate) use crate::http::words::{octets, thousands};

use crate::x509::UnixTime;
use std::time::Duration;

/// `1 entry`, `2 entries`
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// `3.1 ms`, `4.2 s`, `12 min 3 s`
pub(super) fn took(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{:.1} ms", duration.as_secs_f64() * 1000.0),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// `in 3 hours`, `2 days ago`, `now`: how far `time` is from `now`, in its largest unit, rounded down.
pub(super) fn away(time: UnixTime, now: UnixTime) -> String {
    let seconds = time.since(now);
    let distance = seconds.unsigned_abs();
    let (number, unit) = match distance {
        0 => return "now".into(),
        1..60 => (distance, "second"),
        60..3_600 => (distance / 60, "minute"),
        3_600..172_800 => (distance / 3_600, "hour"),
        _ => (distance / 86_400, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    let number = thousands(number);
    if seconds > 0 { format!("in {number} {unit}{plural}") } else { format!("{number} {unit}{plural} ago") }
}

/// Rows of a label and a value, the values below one another. A row without label continues the last.
pub(super) fn table(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or_default();
    rows.iter().map(|(label, value)| format!("{label:width$}  {value}\n")).collect()
}

/// Lower-case hexadecimal.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A big-endian unsigned number in decimal digits, as CRL numbers are written: 20 octets are 49 digits.
pub(crate) fn decimal(octets: &[u8]) -> String {
    let mut digits = vec![0u8];
    for &octet in octets {
        let mut carry = u32::from(octet);
        for digit in &mut digits {
            carry += u32::from(*digit) * 256;
            *digit = (carry % 10) as u8;
            carry /= 10;
        }
        while carry > 0 {
            digits.push((carry % 10) as u8);
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(12_345_678), "12,345,678");
        assert_eq!(count(1, "entry", "entries"), "1 entry");
        assert_eq!(count(0, "entry", "entries"), "0 entries");
    }

    #[test]
    fn sizes_have_one_digit_behind_the_point() {
        assert_eq!(octets(1023), "1023 B");
        assert_eq!(octets(1536), "1.5 KiB");
        assert_eq!(octets((1 << 30) - 1), "1023.9 MiB");
        assert_eq!(octets(u64::MAX), "16777215.9 TiB");
    }

    #[test]
    fn durations_and_distances_are_in_their_largest_unit() {
        assert_eq!(took(Duration::from_micros(3140)), "3.1 ms");
        assert_eq!(took(Duration::from_millis(4200)), "4.2 s");
        assert_eq!(took(Duration::from_secs(723)), "12 min 3 s");
        let now = UnixTime::from_seconds(1_000_000);
        assert_eq!(away(now, now), "now");
        assert_eq!(away(now.plus(1), now), "in 1 second");
        assert_eq!(away(now.plus(-3_600 * 5), now), "5 hours ago");
        assert_eq!(away(now.plus(86_400 * 2), now), "in 2 days");
        assert_eq!(away(now.plus(86_400), now), "in 24 hours");
    }

    #[test]
    fn s5_2_3_a_crl_number_of_twenty_octets_is_decimal() {
        assert_eq!(decimal(&[]), "0");
        assert_eq!(decimal(&[0, 1, 0]), "256");
        assert_eq!(decimal(&u64::MAX.to_be_bytes()), u64::MAX.to_string());
        assert_eq!(decimal(&[0xff; 20]), "1461501637330902918203684832716283019655932542975");
        assert_eq!(hex(&[0x0a, 0xff]), "0aff");
    }
}
