//! Key switching gives the same bytes whatever the number of threads and the instruction set.

use hush_ckks::encoder::encode_real;
use hush_ckks::{Ciphertext, EvaluationKeys, Evaluator, Level, Parameters, Scale};
use hush_keys::{KeyRequest, SecretKey};
use hush_testkit::{TestRng, insecure_with, random_reals};

const STEPS: [usize; 3] = [1, 5, 100];
const SLOTS: usize = 128;

struct World {
    evaluator: Evaluator,
    keys: EvaluationKeys,
    inputs: [Ciphertext; 2],
}

impl World {
    fn new(parameters: &Parameters, steps: &[usize]) -> Self {
        let mut rng = TestRng::from_seed(20);
        let secret = SecretKey::generate(parameters, &mut rng);
        let top = parameters.max_level();
        let request = KeyRequest {
            relinearization: Some(top),
            rotations: steps.iter().map(|&steps| (steps, top)).collect(),
            conjugation: None,
        };
        let keys = secret.evaluation_keys(&request, &mut rng).unwrap();
        let inputs = [0; 2].map(|_| {
            let values = random_reals(&mut rng, SLOTS, 1.0);
            let scale = Scale::power_of_two(40);
            let plain = encode_real(parameters, &values, SLOTS, scale, top).unwrap();
            secret.encrypt_symmetric(&plain, &mut rng).unwrap().expand()
        });
        Self {
            evaluator: Evaluator::new(parameters),
            keys,
            inputs,
        }
    }

    /// Every operation that switches keys, at `level`.
    fn results(&self, level: Level, steps: &[usize]) -> Vec<Ciphertext> {
        let (ev, keys) = (&self.evaluator, &self.keys);
        let [x, y] = self
            .inputs
            .each_ref()
            .map(|input| ev.drop_to_level(input, level).unwrap());
        let mut results = ev.rotate_hoisted(&x, steps, keys).unwrap();
        for (&steps, hoisted) in steps.iter().zip(&results) {
            let rotated = ev.rotate(&x, steps, keys).unwrap();
            assert!(rotated.parts() == hoisted.parts(), "hoisted or not");
        }
        let mut sum = results[0].clone();
        ev.add_assign(&mut sum, &x).unwrap();
        let folded = ev.rotate_sum(&x, &steps[..1], keys).unwrap();
        assert!(folded.parts() == sum.parts(), "added in one pass or in two");
        results.push(folded);
        results.push(ev.rotate_sum(&x, steps, keys).unwrap());
        let product = ev.multiply(&x, &y).unwrap();
        results.push(ev.relinearize(&product, keys).unwrap());
        if level > Level(0) {
            results.push(ev.relinearize_rescale(&product, keys).unwrap());
            results.push(ev.rescale(&product).unwrap());
        }
        results
    }
}

fn pool(threads: usize) -> rayon::ThreadPool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap()
}

/// FNV-1a over the words.
fn digest(results: &[Ciphertext]) -> u64 {
    let words = results
        .iter()
        .flat_map(|result| result.parts().iter().flat_map(|part| part.words()));
    words.fold(0xcbf2_9ce4_8422_2325, |hash, word| {
        (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// All of `levels` with one, two, three and five threads.
fn check(parameters: &Parameters, levels: &[usize], steps: &[usize]) -> u64 {
    let world = World::new(parameters, steps);
    let mut hash = 0;
    for &level in levels {
        let level = Level(level);
        let expected = pool(1).install(|| world.results(level, steps));
        for threads in [2, 3, 5] {
            let got = pool(threads).install(|| world.results(level, steps));
            let same = expected
                .iter()
                .zip(&got)
                .all(|(a, b)| a.parts() == b.parts());
            assert!(same, "{threads} threads at level {}", level.0);
        }
        hash ^= digest(&expected).rotate_left(level.0 as u32);
    }
    hash
}

#[test]
fn threads_that_share_limbs_change_nothing() {
    let digests = [(6, 2), (7, 3), (5, 5)].map(|(limbs, special)| {
        let levels: Vec<usize> = (0..limbs).collect();
        check(&insecure_with(10, limbs, special), &levels, &STEPS)
    });
    // The same on every instruction set.
    assert_eq!(
        digests,
        [
            12_100_324_798_395_845_784,
            16_656_595_241_365_305_063,
            5_663_903_349_895_466_576
        ]
    );
}

#[test]
fn threads_that_share_groups_of_limbs_change_nothing() {
    // Rows too large for the caches.
    let digest = check(&insecure_with(16, 13, 7), &[12], &STEPS[..2]);
    assert_eq!(digest, 7_830_541_907_207_869_136);
}
