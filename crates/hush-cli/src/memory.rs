//! Amounts of memory: how people write them, what the machine has, what this process took.

use std::fs::read_to_string;

/// Reads `512MiB`, `2GB`, `1.5GiB` or a number of bytes.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "kib" | "k" => 1024.0,
        "mib" | "m" => 1024f64.powi(2),
        "gib" | "g" => 1024f64.powi(3),
        "tib" | "t" => 1024f64.powi(4),
        _ => return Err("write an amount like 512MiB, 2GB or 1500000000".into()),
    };
    match number.parse::<f64>() {
        Ok(number) => Ok((number * factor) as u64),
        Err(_) => Err("write an amount like 512MiB, 2GB or 1500000000".into()),
    }
}

/// A quarter of the machine's memory, where the system tells.
pub(crate) fn quarter() -> Option<u64> {
    kilobytes("/proc/meminfo", "MemTotal:").map(|total| total * 1024 / 4)
}

/// The most memory that this process has held, where the system tells.
pub(crate) fn peak() -> Option<u64> {
    kilobytes("/proc/self/status", "VmHWM:").map(|peak| peak * 1024)
}

fn kilobytes(path: &str, name: &str) -> Option<u64> {
    let text = read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        assert_eq!(parse("512MiB"), Ok(512 << 20));
        assert_eq!(parse("2GB"), Ok(2_000_000_000));
        assert_eq!(parse("1.5 GiB"), Ok(3 << 29));
        assert_eq!(parse("123"), Ok(123));
        for wrong in ["", "GB", "2 parsecs", "-1", "1.2.3"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
