//! How fast a line between parties is, as people write it.

/// Reads a time like `20ms`, `150us` or `0.1s`; seconds.
pub(super) fn latency(text: &str) -> Result<f64, String> {
    let units = [("us", 1e6), ("µs", 1e6), ("ms", 1e3), ("s", 1.0)];
    quantity(text, &units, |number, a_second| number / a_second)
        .ok_or_else(|| format!("`{text}` is no time; write it like 20ms"))
}

/// Reads a rate like `100Mbit`, `1Gbit` or `12MB`; bytes a second.
pub(super) fn bandwidth(text: &str) -> Result<f64, String> {
    let text = text.trim_end_matches("/s");
    let units = [
        ("kbit", 125.0),
        ("Mbit", 125e3),
        ("Gbit", 125e6),
        ("kB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
    ];
    quantity(text, &units, |number, bytes| number * bytes)
        .filter(|&rate| rate > 0.0)
        .ok_or_else(|| format!("`{text}` is no rate; write it like 100Mbit"))
}

fn quantity(text: &str, units: &[(&str, f64)], scale: fn(f64, f64) -> f64) -> Option<f64> {
    units.iter().find_map(|(unit, factor)| {
        let number: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        (number.is_finite() && number >= 0.0).then(|| scale(number, *factor))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_rates_are_read() {
        assert_eq!(latency("20ms"), Ok(0.02));
        assert_eq!(latency("1.5 s"), Ok(1.5));
        assert_eq!(latency("100us"), Ok(1e-4));
        assert_eq!(bandwidth("100Mbit"), Ok(12.5e6));
        assert_eq!(bandwidth("1Gbit/s"), Ok(125e6));
        assert!(latency("fast").is_err() && latency("-1s").is_err() && bandwidth("0MB").is_err());
    }
}
