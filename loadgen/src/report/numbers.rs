//! Numbers for people: three digits and a unit.

/// A time in seconds: `850 ns`, `12.3 µs`, `4.21 ms`, `1.50 s`, `2 min 5 s`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    let units = [(1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s")];
    if seconds >= 120.0 {
        return format!("{} min {:.0} s", (seconds / 60.0) as u64, seconds % 60.0);
    }
    scaled(seconds, &units)
}

/// A count or a rate: `950`, `20.0 k`, `1.25 M`.
#[must_use]
pub fn count(value: f64) -> String {
    if value.abs() < 1000.0 && value.fract() == 0.0 {
        return format!("{value:.0}");
    }
    scaled(value, &[(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")])
}

/// A number in full, with commas: `1,234,567`.
#[must_use]
pub fn whole(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or("")).collect();
    groups.join(",")
}

/// Bytes: `257 B`, `1.20 MiB`.
#[must_use]
pub fn bytes(value: f64) -> String {
    if value.abs() < 1024.0 {
        return format!("{value:.0} B");
    }
    scaled(value, &[(1024.0, "KiB"), (1_048_576.0, "MiB"), (1_073_741_824.0, "GiB"), (1_099_511_627_776.0, "TiB")])
}

/// A share: `99.8 %`.
#[must_use]
pub fn share(value: f64) -> String {
    let percent = 100.0 * value;
    if percent == percent.round() || percent.abs() >= 1000.0 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// Three significant digits of the largest unit that is not more than the value.
fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    // Rounded first, so that 999.6 ns are 1.00 µs.
    let rounded = significant(value);
    let fits = units.iter().rev().find(|(scale, _)| rounded.abs() >= *scale * (1.0 - 1e-9));
    let (scale, unit) = fits.or(units.first()).copied().unwrap_or((1.0, ""));
    let number = rounded / scale;
    let text = match number.abs() {
        size if size >= 99.95 => format!("{number:.0}"),
        size if size >= 9.995 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    };
    if unit.is_empty() { text } else { format!("{text} {unit}") }
}

fn significant(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powf(2.0 - value.abs().log10().floor());
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::{bytes, count, duration, share, whole};

    #[test]
    fn numbers_have_three_digits_and_the_right_unit() {
        let durations: Vec<String> =
            [0.0, 8.5e-7, 9.996e-7, 1.234e-5, 0.00421, 0.9999, 1.5, 119.0, 125.0].map(duration).to_vec();
        assert_eq!(
            durations,
            ["0.00 ns", "850 ns", "1.00 µs", "12.3 µs", "4.21 ms", "1.00 s", "1.50 s", "119 s", "2 min 5 s"]
        );
        let counts: Vec<String> = [0.0, 5.0, 999.0, 0.5, 20_000.0, 1_250_000.0, 999_999.0].map(count).to_vec();
        assert_eq!(counts, ["0", "5", "999", "0.50", "20.0 k", "1.25 M", "1.00 M"]);
        assert_eq!(
            (bytes(257.0), bytes(1536.0), bytes(1.2 * 1_048_576.0)),
            ("257 B".to_owned(), "1.50 KiB".to_owned(), "1.20 MiB".to_owned())
        );
        assert_eq!(
            (whole(0), whole(1_234_567), whole(100)),
            ("0".to_owned(), "1,234,567".to_owned(), "100".to_owned())
        );
        assert_eq!(
            (share(1.0), share(0.998), share(0.5)),
            ("100 %".to_owned(), "99.8 %".to_owned(), "50 %".to_owned())
        );
    }
}
