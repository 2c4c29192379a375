//! Numbers, sizes and times as people read them, on pages and in what commands print.

/// `12,345,678`
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.5 MiB`, rounded down to one digit behind the point.
pub(crate) fn octets(number: u64) -> String {
    let units = [(1u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(size, _)| number >= *size) {
        None => format!("{number} B"),
        Some((size, unit)) => {
            let tenths = u128::from(number) * 10 / u128::from(size);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
    }
}

/// `5 d 3 h`, `6 h 12 min`, `41 min`, `12 s`: the two largest units, rounded down.
pub(super) fn span(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        86_400..8_640_000 => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
        _ => format!("{} d", thousands(seconds / 86_400)),
    }
}

/// `0`, `0.4`, `12.3`, `1,234`: a rate a second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are small and not negative"
)]
pub(super) fn rate(number: f64) -> String {
    match number {
        number if number >= 99.95 => thousands(number.round() as u64),
        number if number >= 0.05 => format!("{number:.1}"),
        number if number > 0.0 => format!("{number:.2}"),
        _ => "0".to_owned(),
    }
}

/// `23 µs`, `1.2 ms`, `3.4 s`
pub(super) fn short_time(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 0.001 => format!("{:.0} µs", seconds * 1e6),
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{seconds:.1} s"),
    }
}

/// `0 %`, `0.3 %`, `41 %`
pub(super) fn percent(part: f64) -> String {
    match part * 100.0 {
        percent if percent >= 10.0 || percent <= 0.0 => format!("{percent:.0} %"),
        percent if percent >= 0.1 => format!("{percent:.1} %"),
        percent => format!("{percent:.2} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_rates_and_parts_read_as_people_say_them() {
        let spans = [5, 61, 3_600, 90_061, -7_200, 31_536_000].map(span);
        assert_eq!(spans, ["5 s", "1 min", "1 h 0 min", "1 d 1 h", "2 h 0 min", "365 d"]);
        assert_eq!([0.0, 0.004, 0.42, 12.34, 5_000.4].map(rate), ["0", "0.00", "0.4", "12.3", "5,000"]);
        assert_eq!([0.000_023_4, 0.001_25, 3.42].map(short_time), ["23 µs", "1.2 ms", "3.4 s"]);
        assert_eq!(
            [0.0, 0.000_4, 0.003, 0.41, 1.0].map(percent),
            ["0 %", "0.04 %", "0.3 %", "41 %", "100 %"]
        );
    }
}
