//! Numbers, times and sizes as people read them.

use maud::{Markup, html};

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    milliseconds(std::time::SystemTime::now())
}

/// Milliseconds since 1970 of a moment.
pub(crate) fn milliseconds(moment: std::time::SystemTime) -> i64 {
    let since = moment.duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar.
fn date(days: i64) -> (i64, i64, i64) {
    // Years begin in March here, so that the leap day is the last of one.
    let since = days + 719_468;
    let era = since.div_euclid(146_097);
    let day_of_era = since.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// `2026-01-31 13:05:09` in UTC.
pub(crate) fn moment(milliseconds: i64) -> String {
    let seconds = milliseconds.div_euclid(1000);
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// How long ago something was, with the moment behind it. Nothing for no time.
pub(crate) fn ago(milliseconds: i64) -> Markup {
    if milliseconds <= 0 {
        return html! { span.quiet { "–" } };
    }
    let exact = moment(milliseconds);
    let machine = format!("{}Z", exact.replace(' ', "T"));
    html! {
        time datetime=(machine) title=(format!("{exact} UTC")) { (distance(now() - milliseconds)) }
    }
}

fn distance(milliseconds: i64) -> String {
    let seconds = milliseconds.abs() / 1000;
    let (count, unit) = match seconds {
        0..5 => return "just now".into(),
        5..60 => (seconds, "s"),
        60..3600 => (seconds / 60, "min"),
        3600..86_400 => (seconds / 3600, "h"),
        86_400..2_592_000 => (seconds / 86_400, "d"),
        2_592_000..31_536_000 => (seconds / 2_592_000, "mo"),
        _ => (seconds / 31_536_000, "y"),
    };
    if milliseconds < 0 {
        format!("in {count} {unit}")
    } else {
        format!("{count} {unit} ago")
    }
}

/// How long something took: `1.4 s`, `3 min 20 s`.
pub(crate) fn duration(milliseconds: i64) -> String {
    let seconds = milliseconds / 1000;
    match milliseconds {
        i64::MIN..0 => "–".into(),
        0..1000 => format!("{milliseconds} ms"),
        1000..60_000 => format!("{:.1} s", milliseconds as f64 / 1000.0),
        60_000..3_600_000 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600_000..172_800_000 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Fractions of milliseconds, for latencies.
pub(crate) fn latency(milliseconds: f64) -> String {
    match milliseconds {
        value if !value.is_finite() => "–".into(),
        value if value < 1.0 => format!("{:.0} µs", value * 1000.0),
        value if value < 1000.0 => format!("{} ms", number(round_to(value, 3))),
        value if value < 60_000.0 => format!("{} s", number(round_to(value / 1000.0, 3))),
        value => duration(value as i64),
    }
}

fn round_to(value: f64, digits: i32) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let factor = 10f64.powi(digits - 1 - value.abs().log10().floor() as i32);
    (value * factor).round() / factor
}

/// A value of a metric: six significant digits, and as few characters as they need.
pub(crate) fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 {
            "∞".into()
        } else {
            "−∞".into()
        };
    }
    let size = value.abs();
    let text = if value == 0.0 {
        "0".into()
    } else if (1e-4..1e6).contains(&size) || value.fract() == 0.0 && size < 1e9 {
        let decimals = (5 - size.log10().floor() as i32).clamp(0, 9) as usize;
        let text = format!("{value:.decimals$}");
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    } else {
        let text = format!("{value:.4e}");
        match text.split_once('e') {
            Some((mantissa, exponent)) if mantissa.contains('.') => {
                format!(
                    "{}e{exponent}",
                    mantissa.trim_end_matches('0').trim_end_matches('.')
                )
            }
            _ => text,
        }
    };
    text.replace('-', "−")
}

/// A whole number with thin spaces between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && digits.len() > 4 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in the unit that fits.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KB", "MB", "GB", "TB", "PB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && value < 99.95);
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// The first characters of something long.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(moment(0), "1970-01-01 00:00:00");
        assert_eq!(moment(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(moment(1_767_225_599_999), "2025-12-31 23:59:59");
        assert_eq!(moment(4_107_542_400_000), "2100-03-01 00:00:00");
        assert_eq!(moment(-1), "1969-12-31 23:59:59");
    }

    #[test]
    fn numbers_keep_what_matters() {
        let said = |value: f64| number(value);
        assert_eq!(said(0.1 + 0.2), "0.3");
        assert_eq!(said(-12.5), "−12.5");
        assert_eq!(said(1_234.567_89), "1234.57");
        assert_eq!(said(0.000_012_345), "1.2345e−5");
        assert_eq!(said(3e20), "3e20");
        assert_eq!(said(10_000.0), "10000");
        assert_eq!(said(1_234_567.0), "1234567");
        assert_eq!(said(f64::NAN), "NaN");
        assert_eq!(said(f64::NEG_INFINITY), "−∞");
    }

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(
            (bytes(0), bytes(999), bytes(1_000)),
            ("0 B".into(), "999 B".into(), "1.0 KB".into())
        );
        assert_eq!(
            (bytes(245_000_000), bytes(999_999)),
            ("245 MB".into(), "1.0 MB".into())
        );
        assert_eq!(
            (duration(950), duration(1_400), duration(200_000)),
            ("950 ms".into(), "1.4 s".into(), "3 min 20 s".into())
        );
        assert_eq!(
            (latency(0.25), latency(12.345), latency(2_500.0)),
            ("250 µs".into(), "12.3 ms".into(), "2.5 s".into())
        );
        assert_eq!(
            (grouped(1024), grouped(16384)),
            ("1024".into(), "16\u{202f}384".into())
        );
        assert_eq!(
            (distance(3_000), distance(-7_200_000)),
            ("just now".into(), "in 2 h".into())
        );
    }
}
