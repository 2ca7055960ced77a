//! The encoder against its definition, and the homomorphism that CKKS rests on.

use std::f64::consts::TAU;

use hush_ckks::encoder::{
    CompactPlaintext, Complex64, constant_residues, decode_complex, decode_real, encode_complex,
    encode_constant, encode_real,
};
use hush_ckks::{CkksError, GaloisElement, Level, Parameters, Plaintext, Scale};
use hush_ring::Basis;
use hush_testkit::{
    ParameterSet, TestRng, insecure_small, insecure_with, largest_error, random_complex,
    random_reals,
};

fn apart(left: &[Complex64], right: &[Complex64]) -> f64 {
    assert_eq!(left.len(), right.len());
    left.iter()
        .zip(right)
        .map(|(a, b)| (a - b).norm())
        .fold(0.0, f64::max)
}

/// The centred coefficients of a plaintext whose coefficients fit its first limb.
fn coefficients(parameters: &Parameters, plaintext: &Plaintext) -> Vec<i64> {
    let modulus = parameters.moduli()[0] as i64;
    let poly = parameters.ring().inverse(plaintext.poly().clone());
    poly.limb(0)
        .iter()
        .map(|&residue| residue as i64)
        .map(|residue| {
            if residue > modulus / 2 {
                residue - modulus
            } else {
                residue
            }
        })
        .collect()
}

#[test]
fn encoding_is_the_canonical_embedding() -> Result<(), CkksError> {
    let parameters = insecure_small();
    let (degree, scale) = (parameters.degree(), Scale::power_of_two(40));
    let mut rng = TestRng::new();
    for slots in [1, 2, 8, 128, 512] {
        let message = random_complex(&mut rng, slots, 1.0);
        let plaintext = encode_complex(&parameters, &message, slots, scale, Level(0))?;
        let coefficients = coefficients(&parameters, &plaintext);
        // Slot j of the full ring is the polynomial at exp(2 pi i 5^j / 2N); messages repeat.
        let mut power = 1;
        for j in 0..degree / 2 {
            let value: Complex64 = coefficients
                .iter()
                .enumerate()
                .map(|(k, &coefficient)| {
                    let turn = (k * power % (2 * degree)) as f64 / (2 * degree) as f64;
                    Complex64::from_polar(coefficient as f64, TAU * turn)
                })
                .sum();
            let error = (value / scale.value() - message[j % slots]).norm();
            assert!(error < 2f64.powi(-33), "slots {slots}, slot {j}: {error:e}");
            power = power * 5 % (2 * degree);
        }
    }
    Ok(())
}

#[test]
fn every_slot_count_round_trips() -> Result<(), CkksError> {
    let parameters = insecure_small();
    let mut rng = TestRng::new();
    for log_slots in 0..parameters.log_degree() {
        let slots = 1 << log_slots;
        for level in [Level(0), Level(3), parameters.max_level()] {
            let message = random_complex(&mut rng, slots, 100.0);
            let scale = Scale::power_of_two(40);
            let plaintext = encode_complex(&parameters, &message, slots, scale, level)?;
            assert_eq!(plaintext.level(), level);
            let error = apart(&decode_complex(&plaintext), &message);
            assert!(
                error < 2f64.powi(-33),
                "slots {slots}, level {level}: {error:e}"
            );
        }
    }
    Ok(())
}

#[test]
fn precise_at_thirty_limbs_and_any_scale() -> Result<(), CkksError> {
    let parameters = insecure_with(12, 30, 2);
    let mut rng = TestRng::new();
    let slots = parameters.max_slots();
    let message = random_reals(&mut rng, slots, 1.0);
    for (log_scale, bits) in [
        (20, 13),
        (40, 33),
        (60, 43),
        (100, 43),
        (150, 43),
        (700, 43),
    ] {
        let scale = Scale::power_of_two(log_scale);
        let plaintext = encode_real(&parameters, &message, slots, scale, Level(29))?;
        let error = largest_error(&decode_real(&plaintext), &message);
        assert!(error < 2f64.powi(-bits), "scale {scale}: {error:e}");
    }
    Ok(())
}

#[test]
fn short_messages_are_padded_with_zeros() -> Result<(), CkksError> {
    let parameters = insecure_small();
    let scale = Scale::power_of_two(40);
    let plaintext = encode_real(&parameters, &[1.0, -2.0], 8, scale, Level(1))?;
    let decoded = decode_real(&plaintext);
    assert!(largest_error(&decoded, &[1.0, -2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]) < 1e-9);
    Ok(())
}

#[test]
fn products_of_polynomials_are_products_of_slots() -> Result<(), CkksError> {
    let parameters = insecure_small();
    let (ring, scale, level) = (parameters.ring(), Scale::power_of_two(40), Level(2));
    let mut rng = TestRng::new();
    for slots in [4, 64, 512] {
        let left = random_complex(&mut rng, slots, 1.0);
        let right = random_complex(&mut rng, slots, 1.0);
        let a = encode_complex(&parameters, &left, slots, scale, level)?;
        let b = encode_complex(&parameters, &right, slots, scale, level)?;
        let mut product = a.into_poly();
        ring.multiply_assign(&mut product, b.poly());
        let product = Plaintext::new(&parameters, product, scale.times(scale)?, slots)?;
        let expected: Vec<_> = left.iter().zip(&right).map(|(a, b)| a * b).collect();
        let error = apart(&decode_complex(&product), &expected);
        assert!(error < 2f64.powi(-30), "slots {slots}: {error:e}");
    }
    Ok(())
}

#[test]
fn automorphisms_rotate_left_and_conjugate() -> Result<(), CkksError> {
    let parameters = insecure_small();
    let (scale, level) = (Scale::power_of_two(40), Level(1));
    let mut rng = TestRng::new();
    for slots in [1, 8, 512] {
        let message = random_complex(&mut rng, slots, 1.0);
        let plaintext = encode_complex(&parameters, &message, slots, scale, level)?;
        let apply = |element: GaloisElement| {
            let poly = parameters
                .ring()
                .automorphism(plaintext.poly(), element.value() as usize);
            let moved = Plaintext::new(&parameters, poly, scale, slots)?;
            Ok::<_, CkksError>(decode_complex(&moved))
        };
        for steps in [0, 1, 3, slots - 1, slots] {
            let mut expected = message.clone();
            expected.rotate_left(steps % slots);
            let rotated = apply(GaloisElement::rotation(&parameters, steps))?;
            assert!(
                apart(&rotated, &expected) < 2f64.powi(-33),
                "slots {slots}, steps {steps}"
            );
        }
        let expected: Vec<_> = message.iter().map(Complex64::conj).collect();
        let conjugated = apply(GaloisElement::conjugation(&parameters))?;
        assert!(
            apart(&conjugated, &expected) < 2f64.powi(-33),
            "slots {slots}"
        );
    }
    Ok(())
}

#[test]
fn inverse_automorphisms() {
    let parameters = insecure_small();
    let order = 2 * parameters.degree() as u64;
    let conjugation = GaloisElement::conjugation(&parameters);
    let rotations = (0..20).map(|steps| GaloisElement::rotation(&parameters, steps));
    for element in rotations.chain([conjugation]) {
        assert_eq!(
            element.value() * element.inverse(&parameters).value() % order,
            1
        );
    }
    assert!(GaloisElement::new(&parameters, 4).is_err());
    assert!(GaloisElement::new(&parameters, order + 1).is_err());
}

#[test]
fn constants_agree_with_full_encoding() -> Result<(), CkksError> {
    let parameters = insecure_small();
    for (value, log_scale) in [(0.0, 40), (1.0, 40), (-0.3, 50), (1.5e7, 80), (-1e-9, 40)] {
        let (scale, level) = (Scale::power_of_two(log_scale), Level(3));
        let constant = encode_constant(&parameters, value, 8, scale, level)?;
        let full = encode_real(&parameters, &[value; 8], 8, scale, level)?;
        assert!(constant.poly() == full.poly(), "{value}");
        let residues = constant_residues(&parameters, value, scale, level)?;
        for (index, residue) in residues.into_iter().enumerate() {
            assert_eq!(constant.poly().limb(index)[5], residue);
        }
    }
    Ok(())
}

#[test]
fn compact_plaintexts_expand_to_every_basis() -> Result<(), CkksError> {
    let parameters = insecure_small();
    let message = random_reals(&mut TestRng::new(), 32, 1.0);
    let scale = Scale::power_of_two(40);
    let compact = CompactPlaintext::real(&parameters, &message, 32, scale, Level(0))?;
    let extended = compact.poly(&parameters, Basis::extended(2));
    let plain = encode_real(&parameters, &message, 32, scale, Level(1))?;
    assert!(extended.restricted(parameters.ring(), Basis::chain(2)) == *plain.poly());
    let special = parameters.ring().inverse(extended);
    let modulus = parameters.special_moduli()[0] as i64;
    let expected = coefficients(&parameters, &plain);
    for (&residue, expected) in special.limb(2).iter().zip(expected) {
        assert_eq!(residue as i64, expected.rem_euclid(modulus));
    }
    Ok(())
}

#[test]
fn refuses_what_it_cannot_hold() {
    let parameters = insecure_small();
    let scale = Scale::power_of_two(40);
    let refusal = |values: &[f64], slots, scale, level| {
        encode_real(&parameters, values, slots, scale, level)
            .err()
            .map(|error| error.to_string())
    };
    for (refusal, expected) in [
        (
            refusal(&[1.0], 3, scale, Level(0)),
            "3 slots: not a power of two in 1..=512",
        ),
        (refusal(&[1.0], 1024, scale, Level(0)), "1024 slots"),
        (
            refusal(&[1.0; 5], 4, scale, Level(0)),
            "5 values do not fit 4 slots",
        ),
        (
            refusal(&[0.0, f64::NAN], 4, scale, Level(0)),
            "value 1 of the message is not finite",
        ),
        (
            refusal(&[f64::INFINITY], 4, scale, Level(0)),
            "value 0 of the message is not finite",
        ),
        (
            refusal(&[1.0], 4, scale, Level(6)),
            "level 6 is above the highest level 5",
        ),
        (
            refusal(&[513.0], 1, scale, Level(0)),
            "holds less than 2^49.00",
        ),
        (
            refusal(&[f64::MAX; 4], 4, scale, Level(5)),
            "needs coefficients of 2^inf",
        ),
    ] {
        let refusal = refusal.expect("an error");
        assert!(refusal.contains(expected), "{refusal:?} lacks {expected:?}");
    }
    assert!(encode_constant(&parameters, f64::NAN, 1, scale, Level(0)).is_err());
    assert!(encode_constant(&parameters, -513.0, 1, scale, Level(0)).is_err());
    assert!(encode_real(&parameters, &[511.0], 1, scale, Level(0)).is_ok());
}

#[test]
fn secure_sets_round_trip() -> Result<(), CkksError> {
    for set in [ParameterSet::N13_7_1, ParameterSet::N14_8_2] {
        let parameters = set.parameters();
        let slots = parameters.max_slots();
        let message = random_reals(&mut TestRng::new(), slots, 8.0);
        let scale = Scale::power_of_two(set.scale_bits as i32);
        let plaintext = encode_real(&parameters, &message, slots, scale, parameters.max_level())?;
        let error = largest_error(&decode_real(&plaintext), &message);
        assert!(
            error < 2f64.powi(9 - set.scale_bits as i32),
            "{}: {error:e}",
            set.name
        );
    }
    Ok(())
}
