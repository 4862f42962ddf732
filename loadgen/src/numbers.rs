//! Numbers for people: three digits and a unit.

/// Shown for a value that was not measured.
const NOTHING: &str = "–";

/// Units of time below a minute or two, in seconds.
const TIMES: [(f64, &str); 4] = [(1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s")];
/// Thousands.
const COUNTS: [(f64, &str); 5] = [(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T")];
/// Powers of 1024 bytes.
const BYTES: [(f64, &str); 5] =
    [(1.0, "B"), (1024.0, "KiB"), (1_048_576.0, "MiB"), (1_073_741_824.0, "GiB"), (1_099_511_627_776.0, "TiB")];

/// A time in seconds: `850 ns`, `12.3 µs`, `4.21 ms`, `1.50 s`, `2 min 5 s`, `3 h 20 min`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round();
    if whole < 120.0 || !seconds.is_finite() {
        return if seconds == 0.0 { "0 s".to_owned() } else { scaled(seconds, &TIMES) };
    }
    if whole < 7200.0 {
        return format!("{:.0} min {:.0} s", (whole / 60.0).floor(), whole % 60.0);
    }
    let minutes = (seconds / 60.0).round();
    format!("{:.0} h {:.0} min", (minutes / 60.0).floor(), minutes % 60.0)
}

/// A count: `950`, `20.0 k`, `1.25 M`.
#[must_use]
pub fn count(value: f64) -> String {
    if value.abs() < 1000.0 && value.fract() == 0.0 {
        return format!("{value:.0}");
    }
    scaled(value, &COUNTS)
}

/// A count per second: `950 /s`, `20.0 k/s`.
#[must_use]
pub fn rate(per_second: f64) -> String {
    let text = count(per_second);
    let space = if text.ends_with(|last: char| last.is_ascii_digit()) { " " } else { "" };
    format!("{text}{space}/s")
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
    if value.abs() < 1023.5 {
        return format!("{value:.0} B");
    }
    scaled(value, &BYTES)
}

/// A share: `99.8 %`. What is less than all is never written as all, nor what is more than nothing as nothing.
#[must_use]
pub fn share(value: f64) -> String {
    let percent = 100.0 * value;
    if !percent.is_finite() {
        return NOTHING.to_owned();
    }
    // Three tenths are 0.30000000000000004 where they were added up.
    if (percent - percent.round()).abs() < 1e-9 || percent.abs() >= 1000.0 {
        return format!("{percent:.0} %");
    }
    let hides = |text: &str| text.parse().is_ok_and(|shown: f64| shown == 0.0 || shown == 100.0);
    let mut text = format!("{percent:.1}");
    for digits in 2..=9 {
        if !hides(&text) {
            break;
        }
        text = format!("{percent:.digits$}");
    }
    format!("{text} %")
}

/// Three significant digits, in the smallest unit in which they stay below the next one.
fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    // What is compared is what is shown, so that 999.6 ns are 1.00 µs.
    let fits = units.windows(2).find(|pair| (rounded(value / pair[0].0) * pair[0].0).abs() < pair[1].0 * (1.0 - 1e-9));
    let (scale, unit) = fits.map(|pair| pair[0]).or(units.last().copied()).unwrap_or((1.0, ""));
    let number = rounded(value / scale);
    let text = format!("{number:.digits$}", digits = digits(number));
    if unit.is_empty() { text } else { format!("{text} {unit}") }
}

/// A number rounded to the digits that are shown.
fn rounded(number: f64) -> f64 {
    let scale = 10_f64.powi(digits(number) as i32);
    (number * scale).round() / scale
}

/// How many digits after the point make three significant ones, at most six.
fn digits(number: f64) -> usize {
    match number.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 || size == 0.0 => 2,
        size => (2 - size.log10().floor() as i32).clamp(2, 6) as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, count, duration, rate, share, whole};

    #[track_caller]
    fn shows<const N: usize>(show: fn(f64) -> String, values: [(f64, &str); N]) {
        for (value, text) in values {
            assert_eq!(show(value), text, "{value}");
        }
    }

    #[test]
    fn durations_have_three_digits_and_change_their_unit_at_its_border() {
        shows(duration, [(0.0, "0 s"), (8.5e-7, "850 ns"), (9.994e-7, "999 ns"), (9.996e-7, "1.00 µs")]);
        shows(duration, [(5e-10, "0.500 ns"), (9.994e-6, "9.99 µs"), (9.996e-6, "10.0 µs"), (9.996e-5, "100 µs")]);
        shows(duration, [(1.234e-5, "12.3 µs"), (0.00421, "4.21 ms"), (0.9994, "999 ms"), (0.9996, "1.00 s")]);
        shows(duration, [(1.5, "1.50 s"), (119.4, "119 s"), (119.6, "2 min 0 s"), (125.0, "2 min 5 s")]);
        shows(duration, [(179.7, "3 min 0 s"), (7199.4, "119 min 59 s"), (7199.6, "2 h 0 min")]);
        shows(duration, [(12_000.0, "3 h 20 min"), (-0.0012, "-1.20 ms"), (f64::NAN, "–"), (f64::INFINITY, "–")]);
    }

    #[test]
    fn counts_and_rates_have_three_digits() {
        shows(count, [(0.0, "0"), (5.0, "5"), (999.0, "999"), (0.5, "0.500"), (0.001_234, "0.00123")]);
        shows(count, [(999.4, "999"), (999.6, "1.00 k"), (20_000.0, "20.0 k"), (999_499.0, "999 k")]);
        shows(count, [(999_501.0, "1.00 M"), (1_250_000.0, "1.25 M"), (-4200.0, "-4.20 k"), (f64::NAN, "–")]);
        shows(rate, [(950.0, "950 /s"), (20_000.0, "20.0 k/s"), (1.5e6, "1.50 M/s"), (0.0, "0 /s")]);
        assert_eq!([0, 100, 1000, 1_234_567].map(whole), ["0", "100", "1,000", "1,234,567"]);
    }

    #[test]
    fn bytes_are_counted_in_powers_of_1024() {
        shows(bytes, [(0.0, "0 B"), (257.0, "257 B"), (1023.0, "1023 B"), (1023.6, "1.00 KiB"), (1536.0, "1.50 KiB")]);
        let mebi = 1_048_576.0;
        shows(bytes, [(1010.0 * 1024.0, "1010 KiB"), (1023.6 * 1024.0, "1.00 MiB"), (1.2 * mebi, "1.20 MiB")]);
        shows(bytes, [(960.0 * mebi, "960 MiB"), (2048.0 * mebi, "2.00 GiB"), (-1536.0, "-1.50 KiB")]);
    }

    #[test]
    fn shares_do_not_hide_what_is_missing() {
        shows(
            share,
            [(0.0, "0 %"), (1.0, "100 %"), (0.5, "50 %"), (0.1 + 0.2, "30 %"), (0.998, "99.8 %"), (2.5, "250 %")],
        );
        shows(share, [(0.999_96, "99.996 %"), (0.999_999_9, "99.99999 %"), (0.000_02, "0.002 %"), (f64::NAN, "–")]);
    }
}
