//! Moments as milliseconds, durations as protobuf writes them, and random names.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::TrackingError;

/// Now, in milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

/// Random bytes.
pub(crate) fn random<const COUNT: usize>() -> Result<[u8; COUNT], TrackingError> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes)
        .map_err(|error| TrackingError::internal("random numbers", &error))?;
    Ok(bytes)
}

/// 32 hexadecimal digits that nobody has seen.
pub(crate) fn id() -> Result<String, TrackingError> {
    Ok(random::<16>()?
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// A name for a run that has none.
pub(crate) fn name() -> Result<String, TrackingError> {
    const HOW: [&str; 24] = [
        "able", "amber", "bold", "brave", "bright", "calm", "clever", "crisp", "eager", "fair",
        "gentle", "golden", "keen", "lively", "lucid", "mellow", "nimble", "proud", "quiet",
        "rapid", "silent", "steady", "swift", "vivid",
    ];
    const WHAT: [&str; 24] = [
        "ant", "badger", "crane", "deer", "eagle", "finch", "fox", "goose", "hare", "heron",
        "ibis", "jay", "kite", "lark", "lynx", "mole", "newt", "otter", "owl", "quail", "robin",
        "seal", "swan", "wren",
    ];
    let [how, what, high, low] = random::<4>()?;
    let number = u16::from_be_bytes([high, low]) % 1000;
    Ok(format!(
        "{}-{}-{number}",
        HOW[usize::from(how) % HOW.len()],
        WHAT[usize::from(what) % WHAT.len()]
    ))
}

/// Milliseconds since 1970 in RFC 3339, as protobuf writes moments.
pub(crate) fn write_moment(milliseconds: i64) -> String {
    let (days, rest) = (
        milliseconds.div_euclid(86_400_000),
        milliseconds.rem_euclid(86_400_000),
    );
    let (year, month, day) = date(days);
    let (seconds, fraction) = (rest / 1000, rest % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = if fraction == 0 {
        String::new()
    } else {
        format!(".{fraction:03}")
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Reads RFC 3339.
pub(crate) fn parse_moment(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut fraction = 0;
    if let Some(digits) = rest.strip_prefix('.') {
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        fraction = format!("{:0<3}", &digits[..end]).get(..3)?.parse().ok()?;
        rest = &digits[end..];
    }
    let shift = match rest {
        "Z" | "z" | "" => 0,
        rest => {
            let sign = if rest.starts_with('-') { -1 } else { 1 };
            let hours: i64 = rest.get(1..3)?.parse().ok()?;
            let minutes: i64 = rest.get(rest.len() - 2..)?.parse().ok()?;
            sign * (hours * 60 + minutes)
        }
    };
    let days = days(year, month, day);
    Some((((days * 24 + hour) * 60 + minute - shift) * 60 + second) * 1000 + fraction)
}

/// Milliseconds as protobuf writes durations: `1.500s`.
pub(crate) fn write_duration(milliseconds: i64) -> String {
    let fraction = milliseconds % 1000;
    if fraction == 0 {
        format!("{}s", milliseconds / 1000)
    } else {
        format!("{}.{fraction:03}s", milliseconds / 1000)
    }
}

/// Reads what [`write_duration`] wrote.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    (seconds.abs() < 1e15).then(|| (seconds * 1000.0).round() as i64)
}

/// Year, month and day of a number of days since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_back() {
        assert_eq!(write_moment(0), "1970-01-01T00:00:00Z");
        assert_eq!(write_moment(1_709_210_096_789), "2024-02-29T12:34:56.789Z");
        for moment in [0, 1_709_210_096_789, 951_782_399_000, 4_102_444_800_001] {
            assert_eq!(parse_moment(&write_moment(moment)), Some(moment));
        }
        assert_eq!(
            parse_moment("2024-02-29T12:34:56.789123456Z"),
            Some(1_709_210_096_789)
        );
        assert_eq!(
            parse_moment("2024-02-29T14:34:56.789+02:00"),
            Some(1_709_210_096_789)
        );
        for wrong in ["", "2024", "2024-13-01T00:00:00Z", "x024-01-01T00:00:00Z"] {
            assert_eq!(parse_moment(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_come_back() {
        for duration in [0, 1, 1500, 60_000] {
            assert_eq!(parse_duration(&write_duration(duration)), Some(duration));
        }
    }
}
