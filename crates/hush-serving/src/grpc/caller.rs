//! What comes with a call besides its message: who asks, and until when the answer is of use.

use std::time::{Duration, Instant};

use tonic::metadata::MetadataMap;
use tonic::{Extensions, Status};

use crate::Identity;

/// Who asks.
///
/// # Errors
/// UNAUTHENTICATED if nobody found that out, which is a fault of the program around this crate.
pub(super) fn identity(extensions: &Extensions) -> Result<Identity, Status> {
    extensions
        .get::<Identity>()
        .cloned()
        .ok_or_else(|| Status::unauthenticated("the request carries no identity"))
}

/// When the caller gives up: `grpc-timeout` from now.
pub(super) fn deadline(metadata: &MetadataMap) -> Option<Instant> {
    let value = metadata.get("grpc-timeout")?.to_str().ok()?;
    Instant::now().checked_add(timeout(value)?)
}

/// Up to eight digits and a unit.
fn timeout(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts() {
        assert_eq!(timeout("100m"), Some(Duration::from_millis(100)));
        assert_eq!(timeout("2H"), Some(Duration::from_secs(7200)));
        for broken in ["", "S", "1", "-1S", "123456789S", "1x", "1é", "é"] {
            assert_eq!(timeout(broken), None, "{broken}");
        }
    }
}
