//! The ring against arithmetic on coefficients, for random polynomials.

use hush_ring::{Basis, Coeff, Extension, Isa, Job, Poly, Ring, extend_together};
use proptest::prelude::*;

const DEGREE: usize = 256;
/// Primes that are 1 modulo 2^18: two of the chain, one special.
const CHAIN: [u64; 2] = [1_125_899_902_124_033, 1_125_899_886_395_393];
const SPECIAL: [u64; 1] = [1_125_899_884_036_097];

fn ring(isa: Isa) -> Ring {
    Ring::with_isa(isa, 8, &CHAIN, &SPECIAL).expect("primes that are 1 modulo 2N")
}

fn coefficients() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(-(1i64 << 40)..(1 << 40), DEGREE)
}

/// a(X^element) by the definition.
fn substituted(a: &[i64], element: usize) -> Vec<i64> {
    let mut out = vec![0; a.len()];
    for (i, &c) in a.iter().enumerate() {
        let power = i * element % (2 * a.len());
        out[power % a.len()] = if power < a.len() { c } else { -c };
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn transforms_are_linear_and_invertible(a in coefficients(), b in coefficients()) {
        for isa in Isa::available() {
            let ring = ring(isa);
            let basis = Basis::extended(2);
            let mut x = ring.forward(ring.from_signed(&a, basis));
            let y = ring.forward(ring.from_signed(&b, basis));
            ring.add_assign(&mut x, &y);
            let sum: Vec<i64> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
            prop_assert!(ring.inverse(x.clone()) == ring.from_signed(&sum, basis));
            ring.sub_assign(&mut x, &y);
            ring.negate_assign(&mut x);
            let minus: Vec<i64> = a.iter().map(|a| -a).collect();
            prop_assert!(ring.inverse(x) == ring.from_signed(&minus, basis));
        }
    }

    #[test]
    fn automorphisms_substitute_a_power(a in coefficients(), half in 0..DEGREE) {
        let element = 2 * half + 1;
        let ring = ring(Isa::active());
        let x = ring.forward(ring.from_signed(&a, Basis::chain(2)));
        let image = ring.inverse(ring.automorphism(&x, element));
        let expected = ring.from_signed(&substituted(&a, element), Basis::chain(2));
        prop_assert!(image == expected);
    }

    #[test]
    fn extension_keeps_the_centred_integer(a in coefficients()) {
        let ring = ring(Isa::active());
        let x = ring.forward(ring.from_signed(&a, Basis::chain(2)));
        let extension = Extension::new(&ring, &[0, 1]);
        let write = |_: usize, i: usize, out: &mut [u64]| out.copy_from_slice(x.limb(i));
        let rows = Extension::rows(&ring, &[&extension], write).remove(0);
        let expected: Poly<Coeff> = ring.from_signed(&a, Basis::extended(0));
        let mut alone = vec![0; DEGREE];
        extension.extend(&ring, 2, &rows, &mut alone);
        prop_assert_eq!(&alone[..], expected.limb(0));
        let mut together = vec![0; 2 * DEGREE];
        let jobs = together.chunks_exact_mut(DEGREE).map(|out| Job {
            extension: &extension,
            rows: &rows,
            target: 2,
            out,
        });
        extend_together(&ring, jobs.collect());
        // Those extended together are transformed as well.
        ring.table(2).forward(&mut alone);
        prop_assert!(together.chunks_exact(DEGREE).all(|out| out == alone));
    }
}

#[test]
fn products_are_negacyclic() {
    let ring = ring(Isa::active());
    let mut a = vec![0; DEGREE];
    a[DEGREE - 1] = 3;
    let mut b = vec![0; DEGREE];
    b[2] = 5;
    let mut x = ring.forward(ring.from_signed(&a, Basis::chain(1)));
    let y = ring.forward(ring.from_signed(&b, Basis::chain(1)));
    ring.multiply_assign(&mut x, &y);
    let mut expected = vec![0; DEGREE];
    expected[1] = -15;
    assert!(ring.inverse(x) == ring.from_signed(&expected, Basis::chain(1)));
}
