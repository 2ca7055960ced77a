//! Circuits on real ciphertexts against the same arithmetic on floats.

use std::collections::BTreeMap;

use hush_circuits::{Basis, Diagonal, LinearTransform, Polynomial, sum_slots};
use hush_ckks::encoder::{decode_real, encode_real};
use hush_ckks::{Ciphertext, CkksError, EvaluationKeys, Evaluator, Level, Parameters, Scale};
use hush_keys::{KeyRequest, SecretKey};
use hush_testkit::{TestRng, insecure_with, largest_error, random_reals};

struct World {
    rng: TestRng,
    secret: SecretKey,
    keys: EvaluationKeys,
    evaluator: Evaluator,
    parameters: Parameters,
}

const SLOTS: usize = 128;

impl World {
    fn new(limbs: usize, special: usize, rotations: impl IntoIterator<Item = usize>) -> Self {
        let parameters = insecure_with(10, limbs, special);
        let mut rng = TestRng::new();
        let secret = SecretKey::generate(&parameters, &mut rng);
        let top = parameters.max_level();
        let request = KeyRequest {
            relinearization: Some(top),
            rotations: rotations.into_iter().map(|steps| (steps, top)).collect(),
            conjugation: Some(top),
        };
        let keys = secret.evaluation_keys(&request, &mut rng).unwrap();
        Self {
            evaluator: Evaluator::new(&parameters),
            rng,
            secret,
            keys,
            parameters,
        }
    }

    fn encrypt(&mut self, values: &[f64], level: Level, scale: Scale) -> Ciphertext {
        let plain = encode_real(&self.parameters, values, SLOTS, scale, level).unwrap();
        let fresh = self
            .secret
            .encrypt_symmetric(&plain, &mut self.rng)
            .unwrap();
        fresh.expand()
    }

    fn decrypt(&self, a: &Ciphertext) -> Vec<f64> {
        decode_real(&self.secret.decrypt(a).unwrap())
    }
}

fn rotated(values: &[f64], steps: usize) -> Vec<f64> {
    let mut values = values.to_vec();
    values.rotate_left(steps);
    values
}

fn scale() -> Scale {
    Scale::power_of_two(40)
}

#[test]
fn arithmetic_matches_floats() {
    let mut world = World::new(5, 2, [1, 5, 100]);
    let top = world.parameters.max_level();
    let x = random_reals(&mut world.rng, SLOTS, 1.0);
    let y = random_reals(&mut world.rng, SLOTS, 1.0);
    let a = world.encrypt(&x, top, scale());
    let b = world.encrypt(&y, top, scale());
    let close = |got: Vec<f64>, expected: &dyn Fn(usize) -> f64, what: &str| {
        let expected: Vec<f64> = (0..SLOTS).map(expected).collect();
        let error = largest_error(&got, &expected);
        assert!(error < 1e-7, "{what}: {error:e}");
    };
    let w = &world;
    let ev = &world.evaluator;
    close(w.decrypt(&ev.add(&a, &b).unwrap()), &|i| x[i] + y[i], "add");
    close(w.decrypt(&ev.sub(&a, &b).unwrap()), &|i| x[i] - y[i], "sub");
    close(w.decrypt(&ev.negate(&a).unwrap()), &|i| -x[i], "negate");
    close(
        w.decrypt(&ev.add_constant(&a, 0.75).unwrap()),
        &|i| x[i] + 0.75,
        "add_constant",
    );
    let product = ev.multiply(&a, &b).unwrap();
    close(w.decrypt(&product), &|i| x[i] * y[i], "three parts");
    let small = ev.relinearize(&product, &w.keys).unwrap();
    close(w.decrypt(&small), &|i| x[i] * y[i], "relinearize");
    let fused = ev.multiply_rescale(&a, &b, &w.keys).unwrap();
    close(w.decrypt(&fused), &|i| x[i] * y[i], "multiply_rescale");
    let apart = ev.rescale(&small).unwrap();
    close(w.decrypt(&apart), &|i| x[i] * y[i], "rescale");
    assert!(apart.scale().matches(fused.scale()));
    let constant = ev.multiply_constant(&a, -0.3, scale()).unwrap();
    close(w.decrypt(&constant), &|i| -0.3 * x[i], "multiply_constant");
    let adjusted = ev.adjust_scale(&a, Scale::power_of_two(38)).unwrap();
    assert_eq!(adjusted.scale(), Scale::power_of_two(38));
    close(w.decrypt(&adjusted), &|i| x[i], "adjust_scale");
    let dropped = ev.drop_to_level(&a, Level(0)).unwrap();
    close(w.decrypt(&dropped), &|i| x[i], "drop_to_level");
    for steps in [0, 1, 5, 100] {
        let moved = ev.rotate(&a, steps, &w.keys).unwrap();
        close(w.decrypt(&moved), &|i| x[(i + steps) % SLOTS], "rotate");
    }
    let low = ev.drop_to_level(&a, Level(1)).unwrap();
    let moved = ev.rotate_hoisted(&low, &[5, 0, 100], &w.keys).unwrap();
    for (moved, steps) in moved.iter().zip([5, 0, 100]) {
        close(w.decrypt(moved), &|i| x[(i + steps) % SLOTS], "hoisted");
    }
    let sum = ev.rotate_sum(&a, &[1, 5, 100], &w.keys).unwrap();
    close(
        w.decrypt(&sum),
        &|i| x[i] + x[(i + 1) % SLOTS] + x[(i + 5) % SLOTS] + x[(i + 100) % SLOTS],
        "rotate_sum",
    );
    let same = ev.conjugate(&a, &w.keys).unwrap();
    close(w.decrypt(&same), &|i| x[i], "conjugate");
    let plain = encode_real(&w.parameters, &y, SLOTS, scale(), top).unwrap();
    let shifted = ev.add_plain(&a, &plain).unwrap();
    close(w.decrypt(&shifted), &|i| x[i] + y[i], "add_plain");
    let scaled = ev.multiply_plain(&a, &plain).unwrap();
    close(w.decrypt(&scaled), &|i| x[i] * y[i], "multiply_plain");
}

#[test]
fn combinations_of_ciphertexts_match_a_matrix() {
    let mut world = World::new(3, 1, []);
    let top = world.parameters.max_level();
    let (inputs, outputs) = (9, 4);
    let values: Vec<Vec<f64>> = (0..inputs)
        .map(|_| random_reals(&mut world.rng, SLOTS, 1.0))
        .collect();
    let weights: Vec<Vec<f64>> = (0..outputs)
        .map(|_| random_reals(&mut world.rng, inputs, 2.0))
        .collect();
    let encrypted: Vec<Ciphertext> = values
        .iter()
        .map(|values| world.encrypt(values, top, scale()))
        .collect();
    let views: Vec<&Ciphertext> = encrypted.iter().collect();
    let results = world
        .evaluator
        .linear_combinations(&views, &weights, scale())
        .unwrap();
    for (result, weights) in results.iter().zip(&weights) {
        let result = world.evaluator.rescale(result).unwrap();
        let expected: Vec<f64> = (0..SLOTS)
            .map(|i| weights.iter().zip(&values).map(|(w, v)| w * v[i]).sum())
            .collect();
        assert!(largest_error(&world.decrypt(&result), &expected) < 1e-7);
    }
}

#[test]
fn transforms_match_their_diagonals() {
    let rotations: Vec<usize> = vec![0, 1, 2, 3, 7, 8, 9, 16, 40, 127];
    for baby_step in [1, 4, 8, 128] {
        let split = rotations
            .iter()
            .flat_map(|&r| [r % baby_step, r - r % baby_step]);
        let mut world = World::new(4, 2, split.filter(|&r| r != 0));
        let top = world.parameters.max_level();
        let x: Vec<Vec<f64>> = (0..2)
            .map(|_| random_reals(&mut world.rng, SLOTS, 1.0))
            .collect();
        let mut weights = BTreeMap::new();
        for output in 0..2 {
            for input in 0..2 {
                for &rotation in &rotations[output..] {
                    let diagonal = random_reals(&mut world.rng, SLOTS, 1.0);
                    weights.insert((output, input, rotation), diagonal);
                }
            }
        }
        let diagonals: Vec<Diagonal<'_>> = weights
            .iter()
            .map(|(&(output, input, rotation), weights)| Diagonal {
                output,
                input,
                rotation,
                weights,
            })
            .collect();
        let out_scale = Scale::power_of_two(39);
        let transform = LinearTransform::new(
            &world.parameters,
            &diagonals,
            (2, 2),
            baby_step,
            SLOTS,
            (top, scale()),
            out_scale,
        )
        .unwrap();
        let encrypted: Vec<Ciphertext> = x.iter().map(|x| world.encrypt(x, top, scale())).collect();
        let views: Vec<&Ciphertext> = encrypted.iter().collect();
        let results = transform
            .apply(&world.evaluator, &views, &world.keys, &diagonals)
            .unwrap();
        for (output, result) in results.iter().enumerate() {
            assert_eq!(result.scale(), out_scale);
            assert_eq!(result.level().0, top.0 - 1);
            let mut expected = vec![0.0; SLOTS];
            for (&(o, input, rotation), weights) in &weights {
                if o == output {
                    let moved = rotated(&x[input], rotation);
                    for i in 0..SLOTS {
                        expected[i] += weights[i] * moved[i];
                    }
                }
            }
            let error = largest_error(&world.decrypt(result), &expected);
            assert!(error < 1e-7, "baby step {baby_step}: {error:e}");
        }
    }
}

#[test]
fn polynomials_of_every_degree_hit_level_and_scale() {
    let mut world = World::new(8, 2, []);
    let top = world.parameters.max_level();
    let (low, high) = (-1.5, 3.0);
    for degree in (1..=20).chain([31, 32, 47, 63]) {
        for basis in [Basis::Power, Basis::Chebyshev { low, high }] {
            let mut coefficients = random_reals(&mut world.rng, degree + 1, 1.0);
            coefficients[degree] += 1.5;
            if degree % 3 == 0 {
                // Sparse and odd polynomials take other paths.
                for c in coefficients
                    .iter_mut()
                    .take(degree)
                    .skip(degree % 2)
                    .step_by(2)
                {
                    *c = 0.0;
                }
            }
            let polynomial = Polynomial::new(coefficients, basis).unwrap();
            let x: Vec<f64> = random_reals(&mut world.rng, SLOTS, 1.0)
                .iter()
                .map(|x| match basis {
                    Basis::Power => *x,
                    _ => (low + high) / 2.0 + x * (high - low) / 2.0,
                })
                .collect();
            let a = world.encrypt(&x, top, scale());
            let wanted = Scale::power_of_two(40);
            let y = polynomial
                .evaluate(&world.evaluator, &a, wanted, &world.keys)
                .unwrap();
            assert_eq!(y.scale(), wanted);
            assert_eq!(y.level().0, top.0 - polynomial.levels());
            let expected: Vec<f64> = x.iter().map(|&x| polynomial.value(x)).collect();
            let error = largest_error(&world.decrypt(&y), &expected);
            assert!(error < 1e-5, "degree {degree} {basis:?}: {error:e}");
        }
    }
}

#[test]
fn slots_are_summed() {
    let mut world = World::new(2, 1, [16, 32, 64]);
    let x = random_reals(&mut world.rng, SLOTS, 1.0);
    let a = world.encrypt(&x, Level(1), scale());
    let y = sum_slots(&world.evaluator, &a, 8, 16, &world.keys).unwrap();
    let expected: Vec<f64> = (0..SLOTS)
        .map(|i| (0..8).map(|k| x[(i + 16 * k) % SLOTS]).sum())
        .collect();
    assert!(largest_error(&world.decrypt(&y), &expected) < 1e-7);
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut world = World::new(3, 1, [1]);
    let top = world.parameters.max_level();
    let x = random_reals(&mut world.rng, SLOTS, 1.0);
    let a = world.encrypt(&x, top, scale());
    let other_scale = world.encrypt(&x, top, Scale::power_of_two(39));
    let other_level = world.encrypt(&x, Level(1), scale());
    let ev = &world.evaluator;
    assert!(matches!(
        ev.add(&a, &other_scale),
        Err(CkksError::ScaleMismatch { .. })
    ));
    assert!(matches!(
        ev.add(&a, &other_level),
        Err(CkksError::LevelMismatch { .. })
    ));
    assert!(matches!(
        ev.rotate(&a, 2, &world.keys),
        Err(CkksError::MissingRotationKey { steps: 2, .. })
    ));
    let ground = ev.drop_to_level(&a, Level(0)).unwrap();
    assert!(matches!(
        ev.rescale(&ground),
        Err(CkksError::LevelTooLow { .. })
    ));
    let mut stranger = World::new(3, 1, [1]);
    let foreign = stranger.encrypt(&x, top, scale());
    assert!(matches!(
        ev.add(&a, &foreign),
        Err(CkksError::KeyMismatch { .. })
    ));
    assert!(matches!(
        ev.rotate(&foreign, 1, &world.keys),
        Err(CkksError::KeyMismatch { .. })
    ));
    let cubic = Polynomial::new(vec![0.0, 0.0, 0.0, 1.0], Basis::Power).unwrap();
    assert!(
        cubic
            .evaluate(ev, &other_level, scale(), &world.keys)
            .is_err()
    );
}
