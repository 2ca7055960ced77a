//! Transforms of every shape against floats, and every storage against the others.

use std::collections::BTreeSet;

use hush_circuits::{CircuitError, Diagonal, LinearTransform, Storage};
use hush_ckks::encoder::{decode_real, encode_real};
use hush_ckks::{Ciphertext, EvaluationKeys, Evaluator, Level, Parameters, Scale};
use hush_keys::{KeyRequest, SecretKey};
use hush_testkit::{TestRng, insecure_with, largest_error, random_reals};
use rand_core::RngCore;

/// (output, input, rotation, weights).
type Owned = (usize, usize, usize, Vec<f64>);

struct Case {
    slots: usize,
    shape: (usize, usize),
    baby_step: usize,
    diagonals: Vec<Owned>,
}

impl Case {
    fn views(&self) -> Vec<Diagonal<'_>> {
        self.diagonals
            .iter()
            .map(|(output, input, rotation, weights)| Diagonal {
                output: *output,
                input: *input,
                rotation: *rotation,
                weights,
            })
            .collect()
    }

    fn expected(&self, x: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let mut y = vec![vec![0.0; self.slots]; self.shape.1];
        for (output, input, rotation, weights) in &self.diagonals {
            for (i, weight) in weights.iter().enumerate() {
                y[*output][i] += weight * x[*input][(i + rotation) % self.slots];
            }
        }
        y
    }
}

fn scale() -> Scale {
    Scale::power_of_two(40)
}

fn transform(parameters: &Parameters, case: &Case, level: Level) -> LinearTransform {
    LinearTransform::new(
        parameters,
        &case.views(),
        case.shape,
        case.baby_step,
        case.slots,
        (level, scale()),
        scale(),
    )
    .unwrap()
}

/// Runs a case in every storage, and compares.
fn check(parameters: &Parameters, case: &Case, rng: &mut TestRng) {
    let level = parameters.max_level();
    let views = case.views();
    let rotations = transform(parameters, case, level).rotations();
    let secret = SecretKey::generate(parameters, rng);
    let request = KeyRequest {
        relinearization: None,
        rotations: rotations.into_iter().map(|steps| (steps, level)).collect(),
        conjugation: None,
    };
    let keys: EvaluationKeys = secret.evaluation_keys(&request, rng).unwrap();
    let evaluator = Evaluator::new(parameters);
    let x: Vec<Vec<f64>> = (0..case.shape.0)
        .map(|_| random_reals(rng, case.slots, 1.0))
        .collect();
    let encrypted: Vec<Ciphertext> = x
        .iter()
        .map(|x| {
            let plain = encode_real(parameters, x, case.slots, scale(), level).unwrap();
            secret.encrypt_symmetric(&plain, rng).unwrap().expand()
        })
        .collect();
    let inputs: Vec<&Ciphertext> = encrypted.iter().collect();
    let mut first: Option<Vec<Ciphertext>> = None;
    for storage in [Storage::Kept, Storage::Compact, Storage::Streamed] {
        let mut transform = transform(parameters, case, level);
        let bound = transform.bytes_in(parameters, &views, storage).unwrap();
        transform.hold(parameters, &views, storage).unwrap();
        assert_eq!(transform.storage(), storage);
        // Packed sequences end in a few words of slack.
        let slack = 64 * (case.diagonals.len() + parameters.ring().moduli().len());
        assert!(transform.bytes() <= bound + slack, "{storage:?}");
        let results = transform.apply(&evaluator, &inputs, &keys, &views).unwrap();
        for (result, expected) in results.iter().zip(case.expected(&x)) {
            assert_eq!(result.level().0, level.0 - 1);
            let got = decode_real(&secret.decrypt(result).unwrap());
            let error = largest_error(&got, &expected);
            assert!(error < 1e-6, "{storage:?}: {error:e}");
        }
        let Some(first) = &first else {
            first = Some(results);
            continue;
        };
        for (left, right) in first.iter().zip(&results) {
            assert!(left.parts() == right.parts(), "{storage:?} differs");
        }
    }
}

fn below(rng: &mut TestRng, bound: usize) -> usize {
    (rng.next_u64() % bound as u64) as usize
}

#[test]
fn random_transforms_match_floats_in_every_storage() {
    let parameters = insecure_with(10, 3, 2);
    let mut rng = TestRng::new();
    for _ in 0..12 {
        let slots = 1usize << below(&mut rng, 10);
        let shape = (1 + below(&mut rng, 3), 1 + below(&mut rng, 3));
        let baby_step = 1 << below(&mut rng, slots.ilog2() as usize + 1);
        let mut diagonals: Vec<Owned> = Vec::new();
        for output in 0..shape.1 {
            for input in 0..shape.0 {
                let mut rotations = BTreeSet::from([below(&mut rng, slots)]);
                for _ in 0..below(&mut rng, 8) {
                    rotations.insert(below(&mut rng, slots));
                }
                for rotation in rotations {
                    // Full, short, repeating, constant, zero, and the same as the one before.
                    let weights = match (below(&mut rng, 6), diagonals.last()) {
                        (0, _) => random_reals(&mut rng, slots.div_ceil(3), 1.0),
                        (1, _) => random_reals(&mut rng, slots.div_ceil(4), 1.0).repeat(4)[..slots]
                            .to_vec(),
                        (2, _) => vec![0.25; slots],
                        (3, _) => vec![0.0; slots],
                        (4, Some((_, _, _, before))) => before.clone(),
                        _ => random_reals(&mut rng, slots, 1.0),
                    };
                    diagonals.push((output, input, rotation, weights));
                }
            }
        }
        let case = Case {
            slots,
            shape,
            baby_step,
            diagonals,
        };
        check(&parameters, &case, &mut rng);
    }
}

#[test]
fn many_giant_steps() {
    let parameters = insecure_with(10, 3, 1);
    let mut rng = TestRng::new();
    let diagonals = (0..64)
        .map(|rotation| (rotation % 2, 0, rotation, random_reals(&mut rng, 64, 0.1)))
        .collect();
    let case = Case {
        slots: 64,
        shape: (1, 2),
        baby_step: 1,
        diagonals,
    };
    check(&parameters, &case, &mut rng);
}

#[test]
fn equal_and_repeating_plaintexts_are_held_once() {
    let parameters = insecure_with(10, 3, 1);
    let mut rng = TestRng::new();
    let held = |diagonals: Vec<Owned>| {
        let case = Case {
            slots: 512,
            shape: (1, 1),
            baby_step: 512,
            diagonals,
        };
        let mut transform = transform(&parameters, &case, Level(2));
        let held = transform.hold(&parameters, &case.views(), Storage::Kept);
        held.unwrap();
        transform.bytes()
    };
    let full = random_reals(&mut rng, 512, 1.0);
    let quarter = random_reals(&mut rng, 128, 1.0).repeat(4);
    let one = held(vec![(0, 0, 1, full.clone())]);
    let twice = held(vec![(0, 0, 1, full.clone()), (0, 0, 2, full.clone())]);
    assert_eq!(one, twice);
    let zeros = held(vec![(0, 0, 1, full), (0, 0, 2, vec![0.0; 512])]);
    assert_eq!(one, zeros);
    let repeating = held(vec![(0, 0, 1, quarter)]);
    assert!(repeating < one / 3, "{repeating} of {one}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let parameters = insecure_with(10, 3, 1);
    let mut rng = TestRng::new();
    let weights = random_reals(&mut rng, 8, 1.0);
    let diagonal = |output, input, weights| Diagonal {
        output,
        input,
        rotation: 1,
        weights,
    };
    let make = |diagonals: &[Diagonal<'_>], baby_step| {
        let encoding = (Level(2), scale());
        LinearTransform::new(
            &parameters,
            diagonals,
            (1, 1),
            baby_step,
            8,
            encoding,
            scale(),
        )
    };
    assert!(matches!(
        make(&[], 1).err(),
        Some(CircuitError::EmptyOutput { output: 0 })
    ));
    assert!(matches!(
        make(&[diagonal(1, 0, &weights)], 1).err(),
        Some(CircuitError::BlockOutOfRange { output: 1, .. })
    ));
    assert!(matches!(
        make(&[diagonal(0, 0, &weights)], 0).err(),
        Some(CircuitError::ZeroBabyStep)
    ));
    assert!(make(&[diagonal(0, 0, &[f64::NAN])], 1).is_err());
    assert!(make(&[diagonal(0, 0, &[1.0; 9])], 1).is_err());
    let mut made = make(&[diagonal(0, 0, &weights)], 1).unwrap();
    assert!(matches!(
        made.hold(&parameters, &[], Storage::Kept).err(),
        Some(CircuitError::OtherDiagonals)
    ));
}
