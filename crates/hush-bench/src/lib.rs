//! Benches of every engine operation.
//!
//! [`OPERATIONS`] lists them once, for the criterion bench `engine` and for the binary
//! `hush-bench`, which prints medians as JSON beside peers.
//!
//! Non-goals: whole models; `hush demo --json` measures those.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::hint::black_box;

use hush_circuits::{Diagonal, LinearTransform, Storage};
use hush_ckks::encoder::{decode_real, encode_real};
use hush_ckks::{Ciphertext, EvaluationKeys, Evaluator, Parameters, Plaintext, Scale};
use hush_keys::{KeyRequest, PublicKey, SecretKey};
use hush_testkit::{ParameterSet, TestRng, largest_error, random_reals};

/// Keys and operands of one parameter set: fresh random messages at the top level.
pub struct Bench {
    parameters: Parameters,
    rng: TestRng,
    secret: SecretKey,
    public: PublicKey,
    keys: EvaluationKeys,
    evaluator: Evaluator,
    scale: Scale,
    values: [Vec<f64>; 2],
    plain: [Plaintext; 2],
    x: Ciphertext,
    y: Ciphertext,
    transform: LinearTransform,
}

/// One operation: its name in reports and one run of it.
pub type Operation = (&'static str, fn(&mut Bench));

/// Every operation.
pub const OPERATIONS: &[Operation] = &[
    ("ntt", Bench::ntt),
    ("encode", Bench::encode),
    ("encrypt_public", Bench::encrypt_public),
    ("encrypt_secret", Bench::encrypt_secret),
    ("decrypt", Bench::decrypt),
    ("decode", Bench::decode),
    ("add", Bench::add),
    ("multiply_plain", Bench::multiply_plain),
    ("rescale", Bench::rescale),
    ("multiply_relinearize", Bench::multiply_relinearize),
    (
        "multiply_relinearize_rescale",
        Bench::multiply_relinearize_rescale,
    ),
    ("rotate", Bench::rotate),
    ("rotate_8_hoisted", Bench::rotate_8_hoisted),
    ("rotate_8_multiply_sum", Bench::rotate_8_multiply_sum),
];

impl Bench {
    /// Keys for rotations by 1 to 8 and products, and operands with values in \[-1, 1\].
    ///
    /// # Panics
    /// If the set is refused, which the tests of the sets rule out.
    #[must_use]
    pub fn new(set: &ParameterSet) -> Self {
        let parameters = set.parameters();
        let mut rng = TestRng::new();
        let secret = SecretKey::generate(&parameters, &mut rng);
        let public = secret.public_key(&mut rng);
        let top = parameters.max_level();
        let request = KeyRequest {
            relinearization: Some(top),
            rotations: (1..=8)
                .map(|steps| (steps, top))
                .collect::<BTreeMap<_, _>>(),
            conjugation: None,
        };
        let keys = secret
            .evaluation_keys(&request, &mut rng)
            .expect("keys of a checked set");
        let scale = Scale::power_of_two(set.scale_bits as i32);
        let slots = parameters.max_slots();
        let values = [0; 2].map(|_| random_reals(&mut rng, slots, 1.0));
        let plain = values.each_ref().map(|values| {
            encode_real(&parameters, values, slots, scale, top).expect("values below one")
        });
        let [x, y] = plain.each_ref().map(|plain| {
            let fresh = secret.encrypt_symmetric(plain, &mut rng);
            fresh.expect("a message of this key").expand()
        });
        let diagonals: Vec<Diagonal<'_>> = (1..=8)
            .map(|rotation| Diagonal {
                output: 0,
                input: 0,
                rotation,
                weights: &values[1],
            })
            .collect();
        let mut transform = LinearTransform::new(
            &parameters,
            &diagonals,
            (1, 1),
            slots,
            slots,
            (top, scale),
            scale,
        )
        .expect("eight diagonals");
        transform
            .hold(&parameters, &diagonals, Storage::Kept)
            .expect("weights that can be encoded");
        Self {
            evaluator: Evaluator::new(&parameters),
            parameters,
            rng,
            secret,
            public,
            keys,
            scale,
            values,
            plain,
            x,
            y,
            transform,
        }
    }

    /// Limbs of the operands.
    #[must_use]
    pub fn limbs(&self) -> usize {
        self.parameters.moduli().len()
    }

    /// Largest error of one product with rescale, in the slots.
    #[must_use]
    pub fn product_error(&self) -> f64 {
        let product = self.product();
        let got = decode_real(&self.secret.decrypt(&product).expect("its own key"));
        let [x, y] = &self.values;
        let expected: Vec<f64> = x.iter().zip(y).map(|(x, y)| x * y).collect();
        largest_error(&got, &expected)
    }

    fn product(&self) -> Ciphertext {
        self.evaluator
            .multiply_rescale(&self.x, &self.y, &self.keys)
            .expect("operands of one key and level")
    }

    fn ntt(&mut self) {
        let ring = self.parameters.ring();
        let mut limb = ring.pool().take(ring.degree());
        limb.copy_from_slice(self.x.parts()[0].limb(0));
        ring.table(0).forward(&mut limb);
        black_box(&limb);
    }

    fn encode(&mut self) {
        let (slots, top) = (self.parameters.max_slots(), self.parameters.max_level());
        let plain = encode_real(&self.parameters, &self.values[0], slots, self.scale, top);
        black_box(plain.expect("values below one"));
    }

    fn encrypt_public(&mut self) {
        let fresh = self.public.encrypt(&self.plain[0], &mut self.rng);
        black_box(fresh.expect("a message of this key"));
    }

    fn encrypt_secret(&mut self) {
        let fresh = self.secret.encrypt_symmetric(&self.plain[0], &mut self.rng);
        black_box(fresh.expect("a message of this key"));
    }

    fn decrypt(&mut self) {
        black_box(self.secret.decrypt(&self.x).expect("its own key"));
    }

    fn decode(&mut self) {
        black_box(decode_real(&self.plain[0]));
    }

    fn add(&mut self) {
        black_box(self.evaluator.add(&self.x, &self.y).expect("one key"));
    }

    fn multiply_plain(&mut self) {
        let product = self.evaluator.multiply_plain(&self.x, &self.plain[1]);
        black_box(product.expect("one level"));
    }

    fn rescale(&mut self) {
        black_box(self.evaluator.rescale(&self.x).expect("a level is left"));
    }

    fn multiply_relinearize(&mut self) {
        let product = self.evaluator.multiply(&self.x, &self.y).expect("one key");
        let small = self.evaluator.relinearize(&product, &self.keys);
        black_box(small.expect("there is a key"));
    }

    fn multiply_relinearize_rescale(&mut self) {
        black_box(self.product());
    }

    fn rotate(&mut self) {
        let moved = self.evaluator.rotate(&self.x, 1, &self.keys);
        black_box(moved.expect("there is a key"));
    }

    fn rotate_8_hoisted(&mut self) {
        let steps: Vec<usize> = (1..=8).collect();
        let moved = self.evaluator.rotate_hoisted(&self.x, &steps, &self.keys);
        black_box(moved.expect("there are keys"));
    }

    fn rotate_8_multiply_sum(&mut self) {
        let sum = self
            .transform
            .apply(&self.evaluator, &[&self.x], &self.keys, &[]);
        black_box(sum.expect("there are keys"));
    }
}
