//! One small program through every interpreter, and the text form.

mod sample;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use hush_program::clear::{ClearMachine, NoiseMode};
use hush_program::count::count;
use hush_program::{ExecuteError, Instruction, Observer, Operation, Register, execute};

use sample::{client_spec, program};

/// The program's meaning, written out.
fn expected(x: [&[f64]; 2]) -> Vec<f64> {
    let row = |slot: usize, input: &[f64], offset: usize| -> f64 {
        let at = |d: usize, rotation: usize| {
            ((slot + d + offset) as f64 / 8.0 - 0.5) * input[(slot + rotation) % 8]
        };
        at(0, 0) + at(1, 3) + at(2, 5)
    };
    let first: Vec<f64> = (0..8).map(|t| row(t, x[0], 0) + 0.25 * x[1][t]).collect();
    let second: Vec<f64> = (0..8).map(|t| row(t, x[1], 4)).collect();
    let fold = |y: &[f64], t: usize| y[t] + y[(t + 4) % 8];
    (0..8)
        .map(|t| {
            let a = fold(&first, t) + 0.125;
            let act = 0.5 + 0.197 * a - 0.004 * a.powi(3);
            (act + fold(&second, t)) * act + 1.0
        })
        .collect()
}

fn inputs() -> [Vec<f64>; 2] {
    [
        (0..8).map(|t| f64::from(t) / 4.0 - 1.0).collect(),
        (0..8).map(|t| (f64::from(t) * 1.7).sin()).collect(),
    ]
}

fn run(mode: NoiseMode) -> (ClearMachine, Vec<f64>, Vec<f64>) {
    let program = program();
    let mut machine = ClearMachine::new(&program, mode);
    let values = inputs()
        .map(|x| machine.encrypt(x, program.input_level, program.input_scale))
        .to_vec();
    let outputs = execute(&program, values, &mut machine, &mut ()).unwrap();
    let output = outputs[0].clone();
    (machine, output.values, output.variance)
}

#[test]
fn the_clear_machine_computes_what_the_operations_say() {
    let [a, b] = inputs();
    let (machine, found, _) = run(NoiseMode::None);
    for (found, expected) in found.iter().zip(expected([&a, &b])) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
    assert!(machine.headroom() > 0.0);
}

/// Up to the polynomial: later, noise meets itself, which tracking takes for independent.
fn first_half(mode: NoiseMode) -> (Vec<f64>, Vec<f64>) {
    let mut program = program();
    program.instructions.truncate(2);
    program.outputs = vec![Register(4)];
    program.check().unwrap();
    let mut machine = ClearMachine::new(&program, mode);
    let values = inputs()
        .map(|x| machine.encrypt(x, program.input_level, program.input_scale))
        .to_vec();
    let output = execute(&program, values, &mut machine, &mut ())
        .unwrap()
        .remove(0);
    (output.values, output.variance)
}

#[test]
fn sampled_noise_has_the_tracked_variance() {
    let (exact, _) = first_half(NoiseMode::None);
    let (_, variance) = first_half(NoiseMode::Tracked);
    let runs = 400;
    let mut squares = [0.0; 8];
    for seed in 0..runs {
        let (found, _) = first_half(NoiseMode::Sampled(seed));
        let pairs = found.iter().zip(&exact);
        squares
            .iter_mut()
            .zip(pairs)
            .for_each(|(sum, (f, e))| *sum += (f - e).powi(2));
    }
    let measured = squares.iter().sum::<f64>() / runs as f64;
    let tracked = variance.iter().sum::<f64>();
    assert!(
        (0.8..1.25).contains(&(measured / tracked)),
        "measured {measured:e} tracked {tracked:e}"
    );
    assert_eq!(run(NoiseMode::Sampled(5)).1, run(NoiseMode::Sampled(5)).1);
}

#[test]
fn gains_and_deviations_add_up_to_the_tracked_variance() {
    // Not exactly: noise that meets noise of another source in a product counts as in step with it.
    let mut program = program();
    program.instructions.truncate(2);
    program.outputs = vec![Register(4)];
    let mut machine = ClearMachine::new(&program, NoiseMode::Tracked);
    let values = inputs()
        .map(|x| machine.encrypt(x, program.input_level, program.input_scale))
        .to_vec();
    let tracked = execute(&program, values, &mut machine, &mut ())
        .unwrap()
        .remove(0)
        .variance;
    let mut outline = ClearMachine::outline(&program);
    let values = (0..2)
        .map(|_| outline.encrypt(Vec::new(), program.input_level, program.input_scale))
        .collect();
    execute(&program, values, &mut outline, &mut ()).unwrap();
    assert_eq!(outline.sources(), machine.sources());
    let mut total = [0.0; 8];
    for (index, source) in machine.sources().iter().enumerate() {
        let mask = (0..machine.sources().len())
            .map(|other| other == index)
            .collect();
        let variance = |mut machine: ClearMachine| {
            let values = inputs()
                .map(|x| machine.encrypt(x, program.input_level, program.input_scale))
                .to_vec();
            let mut outputs = execute(&program, values, &mut machine, &mut ()).unwrap();
            outputs.remove(0).variance
        };
        let mask: Vec<bool> = mask;
        let gains = variance(ClearMachine::impulse(&program, 8, mask.clone()));
        let shares = variance(ClearMachine::share(&program, 8, mask));
        for ((sum, gain), share) in total.iter_mut().zip(&gains).zip(&shares) {
            let variance = gain * source.deviation.powi(2);
            assert!(
                (share - variance).abs() <= 1e-9 * variance,
                "{share:e} {variance:e}"
            );
            *sum += variance;
        }
    }
    for (total, tracked) in total.iter().zip(&tracked) {
        assert!((total / tracked - 1.0).abs() < 0.1, "{total:e} {tracked:e}");
    }
}

#[test]
fn counting_finds_keys_and_levels() {
    let count = count(&program()).unwrap();
    assert_eq!(count.levels, 4);
    // Baby 1 at both inputs, giants 2 and 4, folds 4 at a lower level.
    assert_eq!(
        count.keys.rotations,
        BTreeMap::from([(1, 4), (2, 4), (4, 4)])
    );
    assert_eq!(count.keys.relinearization, Some(3));
    assert_eq!((count.rotations, count.multiplications), (2 + 4 + 2, 3));
    assert_eq!((count.steps.len(), count.tallies.len()), (7, 7));
    let rotations: Vec<usize> = count.tallies.iter().map(|one| one.rotations).collect();
    assert_eq!(rotations.iter().sum::<usize>(), count.rotations);
    assert!(rotations[0] > 0 && rotations[1] == 0, "{rotations:?}");
    let switches = count.tallies.iter().map(|one| one.key_switches);
    assert_eq!(switches.sum::<usize>(), count.key_switches);
    assert!(count.nanoseconds > 0.0 && count.work.transforms > 0);
}

#[test]
fn the_text_form() {
    insta::assert_snapshot!(program(), @r"
    program sample
    N = 2^13, chain 30.0 25.6 25.6 25.6 25.6 bits, special 31.0 bits, log2(QP) = 163.2
    slots 8
    inputs %0 %1 at level 4 scale 2^26.00
    %2 %3 = linear %0 %1, blocks 3, diagonals 7, baby step 2, folds 4, bias at level 3 scale 2^26.00  # fc
    %4 = polynomial %2, degree 3, powers at level 1 scale 2^26.00  # act
    %5 = align %3 at level 1 scale 2^26.00  # drop
    %6 = add %4 %5 at level 1 scale 2^26.00  # sum
    %7 = subtract %6 %5 at level 1 scale 2^26.00  # less
    %8 = multiply %6 %7 at level 0 scale 2^26.45  # times
    %9 = add_plain %8 at level 0 scale 2^26.45  # shift
    outputs %9
    ");
    let mut spec = client_spec();
    spec.program_id = [0xab; 32];
    insta::assert_snapshot!(spec, @r"
    client spec of sample
    program id abababababababababababababababababababababababababababababababab
    N = 2^13, chain 30.0 25.6 25.6 25.6 25.6 bits, special 31.0 bits, log2(QP) = 163.2
    slots 8, packing latency, 1 sample per group, stride 1
    input a [batch, 2, 2] of -1.5000 to 2.0000 in 1 ciphertext, 2 places per element at level 4 scale 2^26.00
    input b [batch, 2, 2] in 1 ciphertext, 2 places per element at level 4 scale 2^26.00
    output y [batch, 2, 2] in 1 ciphertext, 2 places per element at level 0 scale 2^26.45
    relinearization key to level 3
    rotation keys (step@level) 1@4 2@4 4@4
    then softmax along axis 2
    ");
}

struct Stopper(usize, usize);

impl Observer for Stopper {
    fn before(&mut self, index: usize, total: usize, _: &Instruction) -> ControlFlow<()> {
        assert_eq!(total, 7);
        if index == self.0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn after(&mut self, _: usize, _: usize, _: &Instruction) {
        self.1 += 1;
    }
}

#[test]
fn an_observer_sees_and_stops_the_run() {
    let program = program();
    let mut machine = ClearMachine::new(&program, NoiseMode::None);
    let values = inputs()
        .map(|x| machine.encrypt(x, 4, program.input_scale))
        .to_vec();
    let mut stopper = Stopper(3, 0);
    let stopped = execute(&program, values.clone(), &mut machine, &mut stopper);
    assert_eq!(stopped, Err(ExecuteError::Stopped { index: 3, total: 7 }));
    assert_eq!(stopper.1, 3);
    let few = execute(&program, values[..1].to_vec(), &mut machine, &mut ());
    assert_eq!(
        few,
        Err(ExecuteError::Inputs {
            expected: 2,
            actual: 1
        })
    );
}

#[test]
fn folds_rotate_and_add() {
    let mut program = program();
    program.instructions.truncate(1);
    program.instructions.push(Instruction {
        label: "fold".to_owned(),
        operation: Operation::Fold {
            input: Register(3),
            steps: vec![4, 2, 1],
        },
        results: vec![Register(4)],
        level: 3,
        scale: program.instructions[0].scale,
    });
    program.outputs = vec![Register(3), Register(4)];
    program.check().unwrap();
    assert_eq!(count(&program).unwrap().keys.rotations[&1], 4);
    let mut machine = ClearMachine::new(&program, NoiseMode::None);
    let values = inputs()
        .map(|x| machine.encrypt(x, 4, program.input_scale))
        .to_vec();
    let outputs = execute(&program, values, &mut machine, &mut ()).unwrap();
    let sum: f64 = outputs[0].values.iter().sum();
    assert!(
        outputs[1]
            .values
            .iter()
            .all(|value| (value - sum).abs() < 1e-12)
    );
    program.instructions[1].level = 2;
    assert!(program.check().is_err());
}
