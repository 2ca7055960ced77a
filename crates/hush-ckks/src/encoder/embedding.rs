//! The canonical embedding: between a real polynomial and its values at roots of unity.
//!
//! For `n` slots let `Y = X^(N/2n)` and `zeta = exp(2 pi i / 4n)`. Slot `j` of a real polynomial
//! `m(Y)` of degree below `2n` is `m(zeta^(5^j))` (Cheon, Kim, Kim and Song, "Homomorphic
//! Encryption for Arithmetic of Approximate Numbers", ePrint 2016/421; the order of powers of 5
//! makes `X -> X^5` a rotation by one slot). Since `zeta^(n 5^j) = i`, the complex numbers
//! `u_k = m_k + i m_(k+n)` satisfy `m(zeta^(5^j)) = sum_k u_k zeta^(k 5^j)`: an evaluation at the
//! `n` roots of `Y^n - i`. That splits in halves like a negacyclic transform,
//! `Y^2h - w^2 = (Y^h - w)(Y^h + w)`, with even `j` on the left and odd `j` on the right; so the
//! leaves come in bit-reversed order, and the roots at depth `d` do not depend on `n`.

use std::f64::consts::TAU;

/// Roots for every power-of-two slot count up to a maximum.
///
/// `O(n log n)` per transform; 16 bytes per slot.
pub(crate) struct Embedding {
    /// At `2^d + b`: cosine and sine of the root that splits node `b` of depth `d`.
    cosines: Vec<f64>,
    sines: Vec<f64>,
}

impl Embedding {
    /// Roots for up to `max_slots` slots, a power of two.
    pub(crate) fn new(max_slots: usize) -> Self {
        debug_assert!(max_slots.is_power_of_two());
        let (mut cosines, mut sines) = (vec![0.0; max_slots], vec![0.0; max_slots]);
        for depth in 0..max_slots.trailing_zeros() {
            let order = 8usize << depth;
            let mut power_of_five = 1;
            for j in 0..1usize << depth {
                let node = (1 << depth) + reverse_bits(j, depth);
                (cosines[node], sines[node]) = root_of_unity(power_of_five, order);
                power_of_five = power_of_five * 5 % order;
            }
        }
        Self { cosines, sines }
    }

    /// From the complex coefficients `u_0, ..., u_(n-1)` to the slots in natural order, in place.
    pub(crate) fn slots_from_coefficients(&self, real: &mut [f64], imaginary: &mut [f64]) {
        let slots = real.len();
        debug_assert!(slots.is_power_of_two() && imaginary.len() == slots);
        let mut half = slots / 2;
        let mut nodes = 1;
        while half > 0 {
            let blocks = real
                .chunks_exact_mut(2 * half)
                .zip(imaginary.chunks_exact_mut(2 * half));
            for (node, (real, imaginary)) in (nodes..2 * nodes).zip(blocks) {
                let (cosine, sine) = (self.cosines[node], self.sines[node]);
                let (re_low, re_high) = real.split_at_mut(half);
                let (im_low, im_high) = imaginary.split_at_mut(half);
                let high = re_high.iter_mut().zip(im_high);
                for ((a, b), (c, d)) in re_low.iter_mut().zip(im_low).zip(high) {
                    let turned_re = *c * cosine - *d * sine;
                    let turned_im = *c * sine + *d * cosine;
                    (*a, *c) = (*a + turned_re, *a - turned_re);
                    (*b, *d) = (*b + turned_im, *b - turned_im);
                }
            }
            half /= 2;
            nodes *= 2;
        }
        bit_reverse(real);
        bit_reverse(imaginary);
    }

    /// The inverse of [`Embedding::slots_from_coefficients`], in place.
    pub(crate) fn coefficients_from_slots(&self, real: &mut [f64], imaginary: &mut [f64]) {
        let slots = real.len();
        debug_assert!(slots.is_power_of_two() && imaginary.len() == slots);
        bit_reverse(real);
        bit_reverse(imaginary);
        let mut half = 1;
        let mut nodes = slots / 2;
        while nodes > 0 {
            let blocks = real
                .chunks_exact_mut(2 * half)
                .zip(imaginary.chunks_exact_mut(2 * half));
            for (node, (real, imaginary)) in (nodes..2 * nodes).zip(blocks) {
                let (cosine, sine) = (self.cosines[node], self.sines[node]);
                let (re_low, re_high) = real.split_at_mut(half);
                let (im_low, im_high) = imaginary.split_at_mut(half);
                let high = re_high.iter_mut().zip(im_high);
                for ((a, b), (c, d)) in re_low.iter_mut().zip(im_low).zip(high) {
                    let (difference_re, difference_im) = (*a - *c, *b - *d);
                    (*a, *b) = (*a + *c, *b + *d);
                    *c = difference_re * cosine + difference_im * sine;
                    *d = difference_im * cosine - difference_re * sine;
                }
            }
            half *= 2;
            nodes /= 2;
        }
        // A power of two: exact.
        let inverse = 1.0 / slots as f64;
        real.iter_mut()
            .chain(imaginary)
            .for_each(|value| *value *= inverse);
    }
}

fn reverse_bits(value: usize, bits: u32) -> usize {
    if bits == 0 {
        0
    } else {
        value.reverse_bits() >> (usize::BITS - bits)
    }
}

fn bit_reverse(values: &mut [f64]) {
    let bits = values.len().trailing_zeros();
    for index in 0..values.len() {
        let reversed = reverse_bits(index, bits);
        if index < reversed {
            values.swap(index, reversed);
        }
    }
}

/// Cosine and sine of `2 pi exponent / order` for a multiple of 8 `order`, computed in the first
/// octant so that symmetric roots have symmetric values.
fn root_of_unity(exponent: usize, order: usize) -> (f64, f64) {
    let quarter = order / 4;
    let (quadrant, rest) = (exponent / quarter % 4, exponent % quarter);
    let angle = |steps: usize| TAU * (steps as f64 / order as f64);
    let (sine, cosine) = if rest <= quarter / 2 {
        angle(rest).sin_cos()
    } else {
        let (sine, cosine) = angle(quarter - rest).sin_cos();
        (cosine, sine)
    };
    match quadrant {
        0 => (cosine, sine),
        1 => (-sine, cosine),
        2 => (-cosine, -sine),
        _ => (sine, -cosine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slot `j` by the definition, in `O(n)`.
    fn evaluate(real: &[f64], imaginary: &[f64], j: usize) -> (f64, f64) {
        let order = 4 * real.len();
        let exponent = (0..j).fold(1, |power, _| power * 5 % order);
        // Coefficients m_0..m_(2n-1), the second half held as imaginary parts.
        real.iter()
            .chain(imaginary)
            .enumerate()
            .fold((0.0, 0.0), |(re, im), (k, m)| {
                let angle = TAU * (k * exponent % order) as f64 / order as f64;
                (re + m * angle.cos(), im + m * angle.sin())
            })
    }

    fn numbers(count: usize, seed: u64) -> Vec<f64> {
        let mut state = seed;
        (0..count)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
            })
            .collect()
    }

    #[test]
    fn agrees_with_the_definition() {
        let embedding = Embedding::new(512);
        for log_slots in 0..=9 {
            let slots = 1 << log_slots;
            let (real, imaginary) = (numbers(slots, 1), numbers(slots, 2));
            let (mut re, mut im) = (real.clone(), imaginary.clone());
            embedding.slots_from_coefficients(&mut re, &mut im);
            for j in 0..slots {
                let (expected_re, expected_im) = evaluate(&real, &imaginary, j);
                assert!((re[j] - expected_re).abs() < 1e-11, "{slots} {j}");
                assert!((im[j] - expected_im).abs() < 1e-11, "{slots} {j}");
            }
            embedding.coefficients_from_slots(&mut re, &mut im);
            for k in 0..slots {
                assert!((re[k] - real[k]).abs() < 1e-14 && (im[k] - imaginary[k]).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn round_trip_keeps_fifty_bits_at_full_size() {
        let slots = 1 << 16;
        let embedding = Embedding::new(slots);
        let (real, imaginary) = (numbers(slots, 3), numbers(slots, 4));
        let (mut re, mut im) = (real.clone(), imaginary.clone());
        embedding.coefficients_from_slots(&mut re, &mut im);
        embedding.slots_from_coefficients(&mut re, &mut im);
        let worst = (0..slots)
            .map(|j| (re[j] - real[j]).abs().max((im[j] - imaginary[j]).abs()))
            .fold(0.0, f64::max);
        assert!(worst < 2f64.powi(-48), "{worst:e}");
    }
}
