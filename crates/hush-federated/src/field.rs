//! The field of 2^16 elements, sixteen elements at a time and without branches on them.
//!
//! Elements are polynomials over GF(2) modulo x^16 + x^12 + x^3 + x + 1.

/// Elements handled together: a secret of 32 bytes.
pub(crate) const LANES: usize = 16;

/// Sixteen field elements.
pub(crate) type Lanes = [u16; LANES];

const REDUCTION: u16 = 0x100B;

/// Adds `b` to `a`.
pub(crate) fn add(a: &mut Lanes, b: &Lanes) {
    for (a, b) in a.iter_mut().zip(b) {
        *a ^= b;
    }
}

/// Multiplies each element of `a` by `x`. Time depends on nothing.
pub(crate) fn multiply(a: &mut Lanes, x: u16) {
    let mut product = [0u16; LANES];
    for bit in (0..16).rev() {
        let chosen = ((x >> bit) & 1).wrapping_neg();
        for (p, a) in product.iter_mut().zip(a.iter()) {
            let carry = (*p >> 15).wrapping_neg();
            *p = ((*p << 1) ^ (carry & REDUCTION)) ^ (a & chosen);
        }
    }
    *a = product;
}

/// The product of two elements.
pub(crate) fn product(a: u16, b: u16) -> u16 {
    let mut lanes = [0; LANES];
    lanes[0] = a;
    multiply(&mut lanes, b);
    lanes[0]
}

/// The inverse of an element that is not zero; zero for zero.
pub(crate) fn inverse(a: u16) -> u16 {
    // a^(2^16 - 2) = a^2 * a^4 * ... * a^(2^15)
    let (mut square, mut result) = (a, 1);
    for _ in 1..16 {
        square = product(square, square);
        result = product(result, square);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_but_zero_has_an_inverse() {
        for a in 1..=u16::MAX {
            assert_eq!(product(a, inverse(a)), 1, "{a}");
        }
        assert_eq!(inverse(0), 0);
    }

    #[test]
    fn multiplication_is_that_of_polynomials() {
        // An independent way: carry-less product in 32 bits, then long division.
        let slow = |a: u16, b: u16| {
            let mut wide = (0..16)
                .filter(|i| b >> i & 1 == 1)
                .fold(0u32, |wide, i| wide ^ (u32::from(a) << i));
            for i in (16..32).rev() {
                if wide >> i & 1 == 1 {
                    wide ^= 0x1100B << (i - 16);
                }
            }
            wide as u16
        };
        for i in 0..20_000u32 {
            let a = (i.wrapping_mul(40_503) >> 3) as u16;
            let b = (i.wrapping_mul(30_011) >> 1) as u16;
            assert_eq!(product(a, b), slow(a, b), "{a} {b}");
        }
    }
}
