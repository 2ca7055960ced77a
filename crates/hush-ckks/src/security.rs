//! How large `log2(QP)` may be for a ring degree: the table that parameters are held against.
//!
//! Bossuat et al., "Security Guidelines for Implementing Homomorphic Encryption",
//! ePrint 2024/463, Table 5.2: uniform ternary secret, Gaussian error of standard deviation
//! 3.19, classical attacks. `QP` counts the special primes, since evaluation keys live there.

/// Smallest supported `log2(N)`.
pub const MIN_LOG_DEGREE: u32 = 10;
/// Largest supported `log2(N)`.
pub const MAX_LOG_DEGREE: u32 = 17;

/// One ring degree of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecurityRow {
    /// `log2(N)`.
    pub log_degree: u32,
    /// Largest `log2(QP)` for 128 bits of security.
    pub bits_128: u32,
    /// Largest `log2(QP)` for 192 bits, where the table has one.
    pub bits_192: Option<u32>,
    /// Largest `log2(QP)` for 256 bits, where the table has one.
    pub bits_256: Option<u32>,
}

const fn row(log_degree: u32, bits_128: u32, bits_192: u32, bits_256: u32) -> SecurityRow {
    SecurityRow {
        log_degree,
        bits_128,
        bits_192: Some(bits_192),
        bits_256: Some(bits_256),
    }
}

/// ePrint 2024/463, Table 5.2, rows `N = 2^10` to `2^17`.
pub const TABLE: [SecurityRow; 8] = [
    SecurityRow {
        log_degree: 10,
        bits_128: 26,
        bits_192: None,
        bits_256: None,
    },
    row(11, 53, 36, 27),
    row(12, 106, 73, 56),
    row(13, 214, 147, 114),
    row(14, 430, 297, 230),
    row(15, 868, 597, 462),
    row(16, 1747, 1199, 929),
    row(17, 3523, 2411, 1866),
];

/// A product of primes near `2^k` misses `2^(sum of k)` by a hair; the limits are whole bits, so
/// an excess below a thousandth of a bit is no difference in security.
const ROUNDING: f64 = 0.001;

/// The largest `log2(QP)` for `N = 2^log_degree` at 128, 192 or 256 `bits` of security; `None`
/// where the table says nothing.
#[must_use]
pub fn max_log_q_p(log_degree: u32, bits: u32) -> Option<u32> {
    let row = TABLE.iter().find(|row| row.log_degree == log_degree)?;
    match bits {
        128 => Some(row.bits_128),
        192 => row.bits_192,
        256 => row.bits_256,
        _ => None,
    }
}

/// The highest of 128, 192 and 256 that `N = 2^log_degree` reaches with this `log2(QP)`, or 0
/// when it reaches none.
#[must_use]
pub fn security_bits(log_degree: u32, log_q_p: f64) -> u32 {
    [256, 192, 128]
        .into_iter()
        .find(|&bits| {
            max_log_q_p(log_degree, bits).is_some_and(|max| log_q_p <= f64::from(max) + ROUNDING)
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_order() {
        for row in TABLE {
            assert!(row.bits_192.is_none_or(|bits| bits < row.bits_128));
            assert!(row.bits_256.is_none_or(|bits| Some(bits) < row.bits_192));
        }
        assert!(
            TABLE
                .windows(2)
                .all(|pair| pair[0].bits_128 * 2 <= pair[1].bits_128 + 8)
        );
    }

    #[test]
    fn highest_row_met() {
        assert_eq!(security_bits(14, 430.000_000_1), 128);
        assert_eq!(security_bits(14, 430.01), 0);
        assert_eq!(security_bits(14, 297.0), 192);
        assert_eq!(security_bits(14, 230.0), 256);
        assert_eq!(security_bits(10, 20.0), 128);
        assert_eq!(security_bits(18, 20.0), 0);
    }
}
