//! Switching keys against their definition, through storage, and at work.

use std::collections::BTreeMap;

use hush_ckks::encoder::{Complex64, decode_complex, encode_complex};
use hush_ckks::{CkksError, EvaluationKeys, Evaluator, GaloisElement, Level, Parameters, Scale};
use hush_keys::{KeyRequest, KeysError, SecretKey};
use hush_testkit::{TestRng, insecure_small, insecure_with, random_complex};
use hush_wire::{SwitchV1, SwitchingKeyShapeV1};

fn request(level: Level) -> KeyRequest {
    KeyRequest {
        relinearization: Some(level),
        rotations: BTreeMap::from([(1, level), (3, Level(2)), (511, level), (512, level)]),
        conjugation: Some(level),
    }
}

fn apart(left: &[Complex64], right: &[Complex64]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(a, b)| (a - b).norm())
        .fold(0.0, f64::max)
}

/// Rotates, conjugates and multiplies with every key, and compares with the slots.
fn exercise(
    parameters: &Parameters,
    key: &SecretKey,
    keys: &EvaluationKeys,
    rng: &mut TestRng,
) -> Result<(), KeysError> {
    let evaluator = Evaluator::new(parameters);
    let slots = parameters.max_slots();
    let scale = Scale::power_of_two(40);
    for level in [Level(2), Level(1)] {
        let values = random_complex(rng, slots, 1.0);
        let plaintext = encode_complex(parameters, &values, slots, scale, level)?;
        let ciphertext = key.encrypt_symmetric(&plaintext, rng)?.expand();
        for steps in [1, 3, slots - 1] {
            let rotated = evaluator.rotate(&ciphertext, steps, keys)?;
            let mut expected = values.clone();
            expected.rotate_left(steps);
            let error = apart(&decode_complex(&key.decrypt(&rotated)?), &expected);
            assert!(
                error < 2f64.powi(-25),
                "level {level}, {steps} steps: {error:e}"
            );
        }
        let conjugated = evaluator.conjugate(&ciphertext, keys)?;
        let expected: Vec<_> = values.iter().map(Complex64::conj).collect();
        let error = apart(&decode_complex(&key.decrypt(&conjugated)?), &expected);
        assert!(
            error < 2f64.powi(-25),
            "level {level}, conjugate: {error:e}"
        );
        let square = evaluator.multiply_rescale(&ciphertext, &ciphertext, keys)?;
        let expected: Vec<_> = values.iter().map(|value| value * value).collect();
        let error = apart(&decode_complex(&key.decrypt(&square)?), &expected);
        assert!(error < 2f64.powi(-24), "level {level}, square: {error:e}");
    }
    Ok(())
}

#[test]
fn every_key_works() -> Result<(), KeysError> {
    let mut rng = TestRng::new();
    for parameters in [
        insecure_small(),
        insecure_with(10, 3, 1),
        insecure_with(10, 7, 3),
    ] {
        let key = SecretKey::generate(&parameters, &mut rng);
        let keys = key.evaluation_keys(&request(parameters.max_level()), &mut rng)?;
        exercise(&parameters, &key, &keys, &mut rng)?;
    }
    Ok(())
}

#[test]
fn stored_keys_expand_to_the_same() -> Result<(), KeysError> {
    let mut rng = TestRng::new();
    let parameters = insecure_small();
    let key = SecretKey::generate(&parameters, &mut rng);
    let request = request(Level(4));
    let keys = key.evaluation_keys(&request, &mut rng)?;
    let header = keys.wire_header();
    assert_eq!(header.keys, request.shapes(&parameters)?);
    header.check()?;
    let mut read = EvaluationKeys::empty(&parameters, key.key_id());
    for (switch, key) in keys.iter() {
        read = read.with_wire(&key.to_wire(switch))?;
    }
    for ((_, left), (_, right)) in keys.iter().zip(read.iter()) {
        assert_eq!(left.level(), right.level());
        for limb in 0..left.level().limbs() + parameters.special_moduli().len() {
            assert!(left.limb(limb) == right.limb(limb));
        }
    }
    exercise(&parameters, &key, &read, &mut rng)
}

#[test]
fn uniform_halves_do_not_depend_on_the_level() -> Result<(), KeysError> {
    // So a key cut to a lower level expands from the same seed.
    let mut rng = TestRng::new();
    let parameters = insecure_small();
    let key = SecretKey::generate(&parameters, &mut rng);
    let mut stored = key
        .relinearization_key(Level(5), &mut rng)?
        .to_wire(SwitchV1::Relinearization);
    let high = hush_ckks::SwitchingKey::from_wire(&parameters, &stored)?;
    stored.shape.limbs = 2;
    stored.residues = vec![0; 4 * parameters.degree()];
    let low = hush_ckks::SwitchingKey::from_wire(&parameters, &stored)?;
    for (low_limb, high_limb) in [(0, 0), (1, 1), (2, 6), (3, 7)] {
        assert!(low.halves(low_limb, 0).1 == high.halves(high_limb, 0).1);
    }
    Ok(())
}

#[test]
fn missing_keys_are_named() -> Result<(), KeysError> {
    let mut rng = TestRng::new();
    let parameters = insecure_small();
    let key = SecretKey::generate(&parameters, &mut rng);
    let keys = key.evaluation_keys(&request(Level(2)), &mut rng)?;
    assert!(keys.rotation(1, Level(2)).is_ok());
    assert!(matches!(
        keys.rotation(1, Level(3)),
        Err(CkksError::MissingRotationKey {
            steps: 1,
            level: Level(3)
        })
    ));
    assert!(matches!(
        keys.rotation(2, Level(0)),
        Err(CkksError::MissingRotationKey {
            steps: 2,
            level: Level(0)
        })
    ));
    assert!(keys.conjugation(Level(3)).is_err());
    assert!(keys.relinearization(Level(3)).is_err());
    assert!(key.evaluation_keys(&request(Level(6)), &mut rng).is_err());
    assert!(request(Level(6)).shapes(&parameters).is_err());
    Ok(())
}

#[test]
fn bad_stored_keys_are_refused() -> Result<(), KeysError> {
    let mut rng = TestRng::new();
    let parameters = insecure_small();
    let key = SecretKey::generate(&parameters, &mut rng);
    let element = GaloisElement::rotation(&parameters, 1);
    let stored = key
        .galois_key(element, Level(1), &mut rng)?
        .to_wire(element.into());
    let refused = |change: fn(&mut hush_wire::SwitchingKeyV1)| {
        let mut stored = stored.clone();
        change(&mut stored);
        EvaluationKeys::empty(&parameters, key.key_id())
            .with_wire(&stored)
            .is_err()
    };
    assert!(!refused(|_| ()));
    assert!(refused(|stored| stored.shape.limbs = 0));
    assert!(refused(|stored| stored.shape.limbs = 7));
    assert!(refused(|stored| stored.residues.truncate(5)));
    assert!(refused(|stored| stored.residues[17] = u64::MAX));
    assert!(refused(
        |stored| stored.shape.switch = SwitchV1::Galois { element: 2 }
    ));
    let shape = SwitchingKeyShapeV1 {
        switch: SwitchV1::Galois { element: 4 },
        limbs: 1,
    };
    assert!(key.switching_key(shape, &mut rng).is_err());
    Ok(())
}
