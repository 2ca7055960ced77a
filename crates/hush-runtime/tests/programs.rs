//! Programs on ciphertexts against the same programs on floats.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use hush_ckks::encoder::{decode_real, encode_real};
use hush_ckks::primes::ntt_primes;
use hush_ckks::{Ciphertext, EvaluationKeys, Level, Scale};
use hush_keys::{KeyRequest, SecretKey};
use hush_program::clear::{ClearMachine, NoiseMode};
use hush_program::{
    Basis, Block, Instruction, Observer, Operation, ParameterSpec, Plain, Polynomial, Program,
    Register, execute,
};
use hush_runtime::{Options, Runtime, RuntimeError};
use hush_testkit::{TestRng, largest_error, random_reals};

const SLOTS: usize = 32;
const SCALE: f64 = (1u64 << 33) as f64;

/// Secure parameters with five levels.
fn parameters() -> ParameterSpec {
    let mut avoid = BTreeSet::new();
    let mut primes = |bits, count| {
        let found = ntt_primes(14, bits, count, &avoid).unwrap();
        avoid.extend(found.iter().copied());
        found
    };
    let mut moduli = primes(45, 1);
    moduli.extend(primes(33, 5));
    ParameterSpec {
        log_degree: 14,
        moduli,
        special_moduli: primes(46, 2),
    }
}

/// Collects instructions, each with the level and scale of its results.
struct Builder {
    instructions: Vec<Instruction>,
    registers: u32,
}

impl Builder {
    fn push(
        &mut self,
        operation: Operation,
        results: usize,
        level: usize,
        scale: f64,
    ) -> Vec<Register> {
        let registers: Vec<Register> = (0..results as u32)
            .map(|i| Register(self.registers + i))
            .collect();
        self.registers += results as u32;
        self.instructions.push(Instruction {
            label: format!("{} {}", operation.name(), self.instructions.len()),
            operation,
            results: registers.clone(),
            level,
            scale,
        });
        registers
    }
}

/// Every operation, at least once.
fn program(rng: &mut TestRng) -> Program {
    let parameters = parameters();
    let mut builder = Builder {
        instructions: Vec::new(),
        registers: 2,
    };
    let (x, y) = (Register(0), Register(1));
    let mut slots = || Plain::Slots(random_reals(rng, SLOTS, 0.5));
    let block = |output, input, diagonals: &[(usize, Plain)]| Block {
        output,
        input,
        diagonals: diagonals.iter().cloned().collect::<BTreeMap<_, _>>(),
    };
    let linear = Operation::Linear {
        inputs: vec![x, y],
        blocks: vec![
            block(0, 0, &[(0, slots()), (1, slots()), (9, slots())]),
            block(0, 1, &[(4, slots())]),
            block(1, 1, &[(0, Plain::Constant(0.5)), (31, slots())]),
        ],
        baby_step: 4,
        folds: vec![16],
        bias: vec![Some(slots()), None],
    };
    let hidden = builder.push(linear, 2, 4, SCALE);
    let matrix = Operation::Linear {
        inputs: hidden.clone(),
        blocks: vec![
            block(0, 0, &[(0, Plain::Constant(0.75))]),
            block(0, 1, &[(0, Plain::Constant(-0.25))]),
            block(1, 1, &[(0, Plain::Constant(0.3))]),
        ],
        baby_step: 1,
        folds: vec![],
        bias: vec![None, Some(Plain::Constant(0.125))],
    };
    let mixed = builder.push(matrix, 2, 3, SCALE);
    let polynomial = |coefficients: Vec<f64>, basis| Polynomial {
        coefficients,
        basis,
    };
    let cubic = Operation::Polynomial {
        input: mixed[0],
        polynomial: polynomial(vec![0.5, 0.197, 0.0, -0.04], Basis::Power),
    };
    let cubic = builder.push(cubic, 1, 1, SCALE)[0];
    let chebyshev = Operation::Polynomial {
        input: mixed[1],
        polynomial: polynomial(
            vec![0.1, 0.4, 0.2, 0.1],
            Basis::Chebyshev { lo: -3.0, hi: 2.0 },
        ),
    };
    let chebyshev = builder.push(chebyshev, 1, 1, SCALE)[0];
    let (left, right) = (cubic, chebyshev);
    let sum = builder.push(Operation::Add { left, right }, 1, 1, SCALE)[0];
    let folded = Operation::Fold {
        input: sum,
        steps: vec![8, 3],
    };
    let folded = builder.push(folded, 1, 1, SCALE)[0];
    let shifted = Operation::AddPlain {
        input: folded,
        plain: slots(),
    };
    let shifted = builder.push(shifted, 1, 1, SCALE)[0];
    let aligned = Operation::Align { input: mixed[0] };
    let aligned = builder.push(aligned, 1, 1, SCALE / 2.0)[0];
    let product_scale = SCALE * SCALE / 2.0 / parameters.moduli[1] as f64;
    let product = Operation::Multiply {
        left: shifted,
        right: aligned,
    };
    let product = builder.push(product, 1, 0, product_scale)[0];
    let difference = Operation::Subtract { left, right };
    let difference = builder.push(difference, 1, 1, SCALE)[0];
    Program {
        name: "every operation".into(),
        parameters,
        slots: SLOTS,
        inputs: vec![x, y],
        input_level: 5,
        input_scale: SCALE,
        instructions: builder.instructions,
        outputs: vec![product, difference],
    }
}

struct World {
    rng: TestRng,
    runtime: Runtime,
    secret: SecretKey,
    keys: EvaluationKeys,
}

impl World {
    fn new() -> Self {
        let mut rng = TestRng::new();
        let runtime = Runtime::new(program(&mut rng)).unwrap();
        let secret = SecretKey::generate(runtime.parameters(), &mut rng);
        let keys = secret
            .evaluation_keys(&request(&runtime), &mut rng)
            .unwrap();
        Self {
            rng,
            runtime,
            secret,
            keys,
        }
    }

    fn encrypt(&mut self, values: &[f64], level: usize, scale: f64) -> Ciphertext {
        let scale = Scale::new(scale).unwrap();
        let parameters = self.runtime.parameters();
        let plain = encode_real(parameters, values, SLOTS, scale, Level(level)).unwrap();
        let fresh = self.secret.encrypt_symmetric(&plain, &mut self.rng);
        fresh.unwrap().expand()
    }

    fn inputs(&mut self) -> (Vec<Vec<f64>>, Vec<Ciphertext>) {
        let values: Vec<Vec<f64>> = (0..2)
            .map(|_| random_reals(&mut self.rng, SLOTS, 1.0))
            .collect();
        let encrypted = values.iter().map(|v| self.encrypt(v, 5, SCALE)).collect();
        (values, encrypted)
    }
}

fn request(runtime: &Runtime) -> KeyRequest {
    let manifest = runtime.manifest();
    KeyRequest {
        relinearization: manifest.relinearization.map(Level),
        rotations: manifest
            .rotations
            .iter()
            .map(|(&steps, &level)| (steps, Level(level)))
            .collect(),
        conjugation: None,
    }
}

#[test]
fn every_operation_matches_the_clear_machine() {
    let mut world = World::new();
    let (values, encrypted) = world.inputs();
    let results = world.runtime.run(encrypted, &world.keys, &mut ()).unwrap();
    let program = world.runtime.program();
    let mut clear = ClearMachine::new(program, NoiseMode::None);
    let inputs = values
        .into_iter()
        .map(|values| clear.encrypt(values, program.input_level, program.input_scale))
        .collect();
    let expected = execute(program, inputs, &mut clear, &mut ()).unwrap();
    for (result, expected) in results.iter().zip(expected) {
        assert_eq!(result.level().0, expected.level);
        assert!((result.scale().value() / expected.scale - 1.0).abs() < 1e-12);
        let got = decode_real(&world.secret.decrypt(result).unwrap());
        let error = largest_error(&got, &expected.values);
        assert!(error < 2e-4, "{error:e}");
    }
}

#[test]
fn what_does_not_fit_is_refused_before_anything_runs() {
    let mut world = World::new();
    let (values, encrypted) = world.inputs();
    for (level, scale) in [(4, SCALE), (5, SCALE * 1.01)] {
        let wrong = world.encrypt(&values[1], level, scale);
        let inputs = vec![encrypted[0].clone(), wrong];
        let result = world.runtime.run(inputs, &world.keys, &mut ());
        assert!(matches!(result, Err(RuntimeError::Input { index: 1, .. })));
    }
    let result = world
        .runtime
        .run(encrypted[..1].to_vec(), &world.keys, &mut ());
    assert!(matches!(result, Err(RuntimeError::Execute(_))));
    let mut stranger = World::new();
    let (_, foreign) = stranger.inputs();
    let result = world.runtime.run(foreign, &world.keys, &mut ());
    assert!(matches!(result, Err(RuntimeError::Input { index: 0, .. })));
    let result = world.runtime.run(encrypted, &stranger.keys, &mut ());
    assert!(matches!(result, Err(RuntimeError::Input { index: 0, .. })));
}

#[test]
fn every_missing_key_is_named_at_once() {
    let mut world = World::new();
    let mut request = request(&world.runtime);
    request.relinearization = None;
    request.rotations.remove(&3);
    let keys = world
        .secret
        .evaluation_keys(&request, &mut world.rng)
        .unwrap();
    let message = world.runtime.check_keys(&keys).unwrap_err().to_string();
    assert!(
        message.contains("relinearization") && message.contains("rotation by 3"),
        "{message}"
    );
}

/// Stops before the third instruction.
struct Stop;

impl Observer for Stop {
    fn before(&mut self, index: usize, _: usize, _: &Instruction) -> ControlFlow<()> {
        if index == 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

#[test]
fn an_observer_stops_a_run_and_threads_do_not_change_it() {
    let mut world = World::new();
    let (_, encrypted) = world.inputs();
    let stopped = world.runtime.run(encrypted.clone(), &world.keys, &mut Stop);
    assert!(matches!(stopped, Err(RuntimeError::Execute(_))));
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build()
            .unwrap()
            .install(|| world.runtime.run(encrypted.clone(), &world.keys, &mut ()))
            .unwrap()
    };
    for (one, three) in with(1).iter().zip(with(3)) {
        assert!(one.parts() == three.parts());
    }
}

/// On one thread of its own and on all, in turn; keeps the number of threads that each instruction saw.
#[derive(Default)]
struct InTurn(Vec<usize>);

impl Observer for InTurn {
    fn after(&mut self, _: usize, _: usize, _: &Instruction) {
        self.0.push(rayon::current_num_threads());
    }

    fn alone(&self) -> bool {
        self.0.len() % 2 == 1
    }
}

#[test]
fn a_run_changes_between_one_thread_and_all_between_its_instructions() {
    let mut world = World::new();
    let (_, encrypted) = world.inputs();
    let expected = world.runtime.run(encrypted.clone(), &world.keys, &mut ());
    let mut observer = InTurn::default();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2);
    let results = pool.build().unwrap().install(|| {
        world
            .runtime
            .run(encrypted, &world.keys, &mut observer)
            .unwrap()
    });
    for (result, expected) in results.iter().zip(expected.unwrap()) {
        assert!(result.parts() == expected.parts());
    }
    // Those that run together share the two threads.
    assert_eq!(observer.0[..3], [2, 1, 2]);
}

#[test]
fn a_memory_limit_is_respected_and_changes_no_result() {
    let mut world = World::new();
    let (_, encrypted) = world.inputs();
    let results = world.runtime.run(encrypted.clone(), &world.keys, &mut ());
    let expected = results.unwrap();
    let free = *world.runtime.memory();
    assert_eq!((free.kept.instructions, free.limit), (1, None));
    let fixed = free.total() - free.kept.bytes;
    let mut held = Vec::new();
    for room in [0, free.kept.bytes / 2, free.kept.bytes + 1000] {
        let options = Options {
            memory: Some(fixed + room),
        };
        let program = world.runtime.program().clone();
        let limited = Runtime::with_options(program, options).unwrap();
        let memory = limited.memory();
        assert!(memory.within_limit(), "{memory:?}");
        held.push([memory.streamed, memory.compact, memory.kept].map(|held| held.instructions));
        let results = limited.run(encrypted.clone(), &world.keys, &mut ());
        for (result, expected) in results.unwrap().iter().zip(&expected) {
            assert!(result.parts() == expected.parts());
        }
    }
    assert_eq!(held, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]);
    let options = Options { memory: Some(1) };
    let program = world.runtime.program().clone();
    let tight = Runtime::with_options(program, options).unwrap();
    assert!(!tight.memory().within_limit());
}

#[test]
fn groups_run_side_by_side() {
    let mut world = World::new();
    let groups: Vec<Vec<Ciphertext>> = (0..5).map(|_| world.inputs().1).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3);
    pool.build().unwrap().install(|| {
        assert_eq!(world.runtime.groups_at_once(2), 1);
        assert_eq!(world.runtime.groups_at_once(5), 3);
        let watched = groups.iter().map(|group| (group.clone(), ())).collect();
        let results = world.runtime.run_groups(watched, &world.keys).unwrap();
        for (group, results) in groups.iter().zip(&results) {
            let alone = world.runtime.run(group.clone(), &world.keys, &mut ());
            for (result, alone) in results.iter().zip(&alone.unwrap()) {
                assert!(result.parts() == alone.parts());
            }
        }
        let stopped = groups.iter().map(|group| (group.clone(), Stop)).collect();
        let stopped = world.runtime.run_groups(stopped, &world.keys);
        assert!(matches!(stopped, Err(RuntimeError::Execute(_))));
    });
}
