//! Public uniform randomness. Secret distributions live with the secret key.

use hush_simd::Modulus;
use rand_core::RngCore;

use crate::poly::{Basis, Ntt, Poly};
use crate::ring::Ring;

/// Fills `words` with uniform residues by rejection: the draws of the generator are
/// public, so their number may be too. Uses 8 bytes a draw, least significant first.
pub fn uniform_residues(q: &Modulus, rng: &mut impl RngCore, words: &mut [u64]) {
    let mask = q.value().next_power_of_two() - 1;
    for word in words {
        *word = loop {
            let candidate = rng.next_u64() & mask;
            if candidate < q.value() {
                break candidate;
            }
        };
    }
}

/// A uniform polynomial; uniform in one representation is uniform in the other.
pub fn uniform(ring: &Ring, basis: Basis, rng: &mut impl RngCore) -> Poly<Ntt> {
    let mut poly = Poly::unspecified(ring, basis);
    for limb in 0..ring.limbs(basis) {
        uniform_residues(ring.modulus_of(basis, limb), rng, poly.limb_mut(limb));
    }
    poly
}
