//! Sizes, durations and the like, as people write them.

use std::time::Duration;

/// Bytes: `512`, `64 KiB`, `1.5GiB`, `2 GB`.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 9] = [
        ("", 1),
        ("b", 1),
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("tib", 1 << 40),
        ("kb", 1000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
    ];
    scaled(text, &UNITS).ok_or_else(|| format!("`{text}` is no size; write one like `4 GiB`"))
}

/// A time: `500ms`, `30s`, `5m`, `24h`, `90d`; a number alone is seconds.
///
/// # Errors
/// As [`bytes`].
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 6] = [
        ("ms", 1),
        ("", 1000),
        ("s", 1000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ];
    scaled(text, &UNITS)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is no time; write one like `30s`"))
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let &(_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(scale);
    }
    let product = number.parse::<f64>().ok()? * scale as f64;
    (product < 2_f64.powi(63)).then_some(product as u64)
}

/// Bytes as [`bytes`] reads them, without loss.
pub(crate) fn write_bytes(bytes: u64) -> String {
    for (unit, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if bytes > 0 && bytes.is_multiple_of(1 << shift) {
            return format!("{} {unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// `true` or `false`.
///
/// # Errors
/// As [`bytes`].
pub(super) fn truth(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("`{text}` is neither `true` nor `false`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(bytes("512"), Ok(512));
        assert_eq!(bytes("64 KiB"), Ok(65536));
        assert_eq!(bytes("1.5GiB"), Ok(3 << 29));
        assert_eq!(bytes("2 GB"), Ok(2_000_000_000));
        for size in [0, 1, 1000, 1 << 10, 3 << 29, (5 << 40) + 1] {
            assert_eq!(bytes(&write_bytes(size)), Ok(size));
        }
        for broken in ["", "GiB", "-1", "1 XB", "99999999999999 TiB", "1.2.3"] {
            assert!(bytes(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("90d"), Ok(Duration::from_secs(90 * 86400)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert!(duration("soon").is_err());
    }
}
