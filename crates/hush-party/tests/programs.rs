//! Programs of both kinds over real links: every protocol on both rings against float, models that stay in shares.

use std::path::Path;
use std::sync::Arc;

use hush_graph::{Function, Graph, GraphBuilder, Operator, Shape, Tensor, evaluate};
use hush_mpc::calculation::{
    Calculation, CalculationLiteral, Fit, KeptLiteral, NetworkSpec, Operation, OutputLiteral,
    Statement, Value,
};
use hush_mpc::execute::Options;
use hush_mpc::training::{LayerSpec, Loss, OptimizerSpec};
use hush_mpc::{Fixed, MpcError};
use hush_party::calculate::{self, Computation};
use hush_party::local::{self, LocalParties, PROPOSER};
use hush_party::predict::{Prediction, Roles, WEIGHTS};
use hush_party::{
    Given, JobLiteral, KeptModel, Outcome, PartyError, PlayerOptions, Program, Programs, Proposal,
    ProtocolName, Runner, propose,
};
use rand_core::{OsRng, RngCore, TryRngCore};

/// Numbers that differ at every run, and the seed that makes them again.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = OsRng.unwrap_err().next_u64();
        println!("seed {seed}");
        Self(seed)
    }

    /// SplitMix64.
    fn numbers(&mut self, count: usize, scale: f64) -> Vec<f64> {
        let mut next = || {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ z >> 31) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        };
        (0..count).map(|_| next() * scale).collect()
    }
}

fn network(random: &mut Random) -> Graph {
    let mut builder = GraphBuilder::new("network");
    let mut last = builder.input("x", Shape::new(vec![8]).unwrap());
    for (layer, (inputs, outputs)) in [(8, 10), (10, 3)].into_iter().enumerate() {
        let weight = random.numbers(inputs * outputs, 0.5);
        let linear = Operator::Linear {
            weight: Tensor::new(vec![outputs, inputs], weight).unwrap(),
            bias: Some(Tensor::new(vec![outputs], random.numbers(outputs, 0.2)).unwrap()),
        };
        let name = format!("layer {layer}");
        let names = vec![name.clone()];
        last = builder.node(names, linear, &[last], name).unwrap();
        if layer == 0 {
            let relu = Operator::Elementwise(Function::Relu);
            let names = vec!["relu".to_owned()];
            last = builder.node(names, relu, &[last], "relu").unwrap();
        }
    }
    builder.output("y", last).unwrap();
    builder.build().unwrap()
}

fn parties(folder: Option<&Path>) -> LocalParties {
    let read = |_: &Path| Err("there are no files".to_owned());
    let runner: Arc<dyn Runner> = Arc::new(Programs::new(read));
    let notice = |party: &str, text: &str| println!("{party}: {text}");
    local::start_keeping(&runner, PlayerOptions::default(), folder, notice).unwrap()
}

fn roles(parties: &LocalParties, protocol: ProtocolName) -> Roles {
    let client = || PROPOSER.to_owned();
    Roles {
        proposer: client(),
        servers: parties.configuration.servers_for(protocol),
        model_owner: client(),
        data_owner: client(),
        receiver: client(),
    }
}

fn run(
    parties: &LocalParties,
    program: &Program,
    job: JobLiteral,
    inputs: Given,
) -> Result<Outcome, PartyError> {
    let proposal = Proposal {
        configuration: &parties.configuration,
        identity: &parties.identity,
        program,
        job,
        inputs,
        options: PlayerOptions::default(),
    };
    propose(proposal, |_, _, _| {})
}

fn close(found: &[f64], expected: &[f64], most: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < most, "{found} {expected}");
    }
}

fn everywhere() -> impl Iterator<Item = (ProtocolName, u32, Fixed)> {
    ProtocolName::ALL.into_iter().flat_map(|protocol| {
        [(64, Fixed::STANDARD), (128, Fixed::WIDE)]
            .map(|(ring_bits, fixed)| (protocol, ring_bits, fixed))
    })
}

#[test]
fn predictions_by_every_protocol_on_both_rings() {
    let mut random = Random::new();
    let parties = parties(None);
    for (protocol, ring_bits, fixed) in everywhere() {
        let graph = network(&mut random);
        let options = Options {
            fixed,
            ..Options::default()
        };
        let prediction = Prediction::new(graph.clone(), options).unwrap();
        let prediction = prediction.on(protocol, ring_bits);
        let samples = random.numbers(5 * 8, 3.0);
        let inputs = Given::from([
            (WEIGHTS.to_owned(), prediction.weights().unwrap()),
            ("x".to_owned(), prediction.samples(0, &samples).unwrap()),
        ]);
        let program = prediction.program("network", "1").unwrap();
        let job = prediction.job(roles(&parties, protocol), 5);
        let outcome = run(&parties, &program, job, inputs).unwrap();
        let expected = evaluate(&graph, &[Tensor::new(vec![5, 8], samples).unwrap()]).unwrap();
        let found = prediction.numbers(&outcome.outputs["y"]);
        let most = if ring_bits == 64 { 1e-3 } else { 1e-6 };
        close(&found, expected[0].data(), most);
        println!("{protocol} on {ring_bits} bits in {:?}", outcome.elapsed);
    }
}

fn input(name: &str, shape: Vec<usize>) -> Statement {
    Statement::Input {
        name: name.to_owned(),
        shape,
        owner: PROPOSER.to_owned(),
    }
}

fn output(name: &str, value: u64) -> OutputLiteral {
    OutputLiteral {
        name: name.to_owned(),
        value: Value(value),
        receiver: PROPOSER.to_owned(),
    }
}

#[test]
fn calculations_by_every_protocol_on_both_rings() {
    let mut random = Random::new();
    let parties = parties(None);
    let statement = |operation, operands: &[u64]| Statement::Apply {
        operation,
        operands: operands.iter().map(|&value| Value(value)).collect(),
    };
    let calculation = Calculation::new(CalculationLiteral {
        statements: vec![
            input("a", vec![3, 4]),
            input("b", vec![4, 2]),
            statement(Operation::MatrixProduct, &[0, 1]),
            statement(Operation::Relu, &[2]),
        ],
        outputs: vec![output("product", 2), output("positive", 3)],
        kept: Vec::new(),
    })
    .unwrap();
    for (protocol, ring_bits, fixed) in everywhere() {
        let computation = Computation::new(calculation.clone(), fixed).on(protocol, ring_bits);
        let (a, b) = (random.numbers(12, 4.0), random.numbers(8, 4.0));
        let inputs = Given::from([
            ("a".to_owned(), computation.words(&a).unwrap()),
            ("b".to_owned(), computation.words(&b).unwrap()),
        ]);
        let servers = parties.configuration.servers_for(protocol);
        let job = computation.job(PROPOSER, &servers);
        let outcome = run(&parties, &computation.program("c", "1"), job, inputs).unwrap();
        let product: Vec<f64> = (0..6)
            .map(|place| {
                (0..4)
                    .map(|k| a[place / 2 * 4 + k] * b[k * 2 + place % 2])
                    .sum()
            })
            .collect();
        let positive: Vec<f64> = product.iter().map(|number| number.max(0.0)).collect();
        let found = |name: &str| computation.numbers(&outcome.outputs[name]);
        close(&found("product"), &product, 1e-3);
        close(&found("positive"), &positive, 1e-3);
    }
    // What does not fit the ring is refused before anything is sent, by name.
    let wide = Computation::new(calculation, Fixed::STANDARD);
    assert!(matches!(
        wide.words(&[f64::NAN]),
        Err(MpcError::Value { .. })
    ));
}

#[test]
fn a_model_stays_in_shares_and_is_used_again() {
    let mut random = Random::new();
    let folder = tempfile::tempdir().unwrap();
    let parties = parties(Some(folder.path()));
    let graph = network(&mut random);
    let keep = |protocol, ring_bits| {
        let prediction = Prediction::new(graph.clone(), Options::default()).unwrap();
        let prediction = prediction.on(protocol, ring_bits);
        let inputs = Given::from([(WEIGHTS.to_owned(), prediction.weights().unwrap())]);
        let program = prediction.program("network", "1").unwrap();
        let job = prediction.job_that_keeps(roles(&parties, protocol), "mortality");
        run(&parties, &program, job, inputs).unwrap();
    };
    let ask = || {
        KeptModel::ask(
            "mortality",
            PROPOSER,
            &parties.configuration,
            &parties.identity,
            PlayerOptions::default(),
        )
    };
    let file = |server: &str| {
        folder
            .path()
            .join(format!("{server}.shares/mortality.share"))
    };
    let samples = random.numbers(2 * 8, 3.0);
    let tensor = Tensor::new(vec![2, 8], samples.clone()).unwrap();
    let expected = evaluate(&graph, &[tensor]).unwrap();
    let predict = |model: &KeptModel| {
        let prediction = Prediction::from_program(model.description(), model.fixed()).unwrap();
        let prediction = prediction.on(model.protocol(), model.ring_bits());
        let program = Program {
            kind: model.kind().to_owned(),
            name: "any".to_owned(),
            version: "1".to_owned(),
            bytes: model.description().to_vec(),
        };
        let roles = Roles {
            servers: model.servers().to_vec(),
            ..roles(&parties, model.protocol())
        };
        let job = prediction.job_with_kept(&roles, 2, "mortality");
        let inputs = Given::from([("x".to_owned(), prediction.samples(0, &samples).unwrap())]);
        let outcome = run(&parties, &program, job, inputs)?;
        Ok::<_, PartyError>(prediction.numbers(&outcome.outputs["y"]))
    };
    for (protocol, ring_bits) in [(ProtocolName::Aby3, 64), (ProtocolName::Pond, 128)] {
        keep(protocol, ring_bits);
        let model = ask().unwrap();
        assert_eq!((model.protocol(), model.ring_bits()), (protocol, ring_bits));
        close(&predict(&model).unwrap(), expected[0].data(), 1e-3);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(file("server1")).unwrap().permissions();
            assert_eq!(mode.mode() & 0o777, 0o600);
        }
    }
    // Shares of two sessions.
    let model = ask().unwrap();
    let old = std::fs::read(file("server0")).unwrap();
    keep(ProtocolName::Pond, 128);
    std::fs::write(file("server0"), old).unwrap();
    let mismatch = "differs in the session that kept the shares";
    let error = ask().unwrap_err().to_string();
    assert!(error.starts_with(&format!("server1 {mismatch}")), "{error}");
    let error = predict(&model).unwrap_err().to_string();
    assert!(error.contains(mismatch), "{error}");
    // Damaged, another party's, none.
    let mut damaged = std::fs::read(file("server1")).unwrap();
    std::fs::copy(file("server1"), file("server0")).unwrap();
    let error = predict(&model).unwrap_err().to_string();
    let order = "server0 refuses: what it keeps under the name mortality was computed by server0, server1, server2, in this order";
    assert_eq!(error, order);
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(file("server0"), damaged).unwrap();
    let error = predict(&model).unwrap_err().to_string();
    assert!(error.ends_with("is damaged; make it again"), "{error}");
    std::fs::remove_file(file("server0")).unwrap();
    let error = predict(&model).unwrap_err().to_string();
    let nothing = "server0 refuses: it keeps nothing under the name mortality";
    assert_eq!(error, nothing);
}

#[test]
fn a_network_is_trained_kept_and_served() {
    let mut random = Random::new();
    let folder = tempfile::tempdir().unwrap();
    let parties = parties(Some(folder.path()));
    let (x, network) = (Value(0), Value(2));
    let calculation = Calculation::new(CalculationLiteral {
        statements: vec![
            input("x", vec![8, 3]),
            input("labels", vec![8, 1]),
            Statement::Network(NetworkSpec {
                input: vec![3],
                layers: vec![LayerSpec::Dense { units: 1 }],
                seed: 7,
            }),
            Statement::Fit(Fit {
                network,
                x,
                labels: Value(1),
                loss: Loss::MeanSquare,
                optimizer: OptimizerSpec::Sgd {
                    learning_rate: 0.1,
                    momentum: 0.0,
                },
                weight_decay: 0.0,
                batch: 4,
                epochs: 2,
                losses: false,
                stop_below: Some(0.001),
            }),
            Statement::Predict { network, x },
            Statement::Weights { network },
        ],
        outputs: vec![output("y", 4)],
        kept: vec![KeptLiteral {
            name: "mortality".to_owned(),
            value: Value(5),
        }],
    })
    .unwrap();
    let computation = Computation::new(calculation, Fixed::STANDARD);
    let servers = parties.configuration.servers_for(ProtocolName::Aby3);
    let samples = random.numbers(24, 1.0);
    let given = |computation: &Computation, samples: &[f64]| {
        Given::from([("x".to_owned(), computation.words(samples).unwrap())])
    };
    let mut inputs = given(&computation, &samples);
    let labels = computation.words(&random.numbers(8, 1.0)).unwrap();
    inputs.insert("labels".to_owned(), labels);
    let job = computation.job(PROPOSER, &servers);
    assert_eq!((job.keeps[0].elements, job.opens.len()), (4, 1));
    let outcome = run(&parties, &computation.program("train", "1"), job, inputs).unwrap();
    let trained = computation.numbers(&outcome.outputs["y"]);

    let (options, identity) = (PlayerOptions::default(), &parties.identity);
    let model = KeptModel::ask(
        "mortality",
        PROPOSER,
        &parties.configuration,
        identity,
        options,
    );
    let model = model.unwrap();
    assert_eq!(model.kind(), calculate::KIND);
    let served = Computation::with_kept(&model, 2, PROPOSER).unwrap();
    let job = served.job(PROPOSER, model.servers());
    let inputs = given(&served, &samples[..6]);
    let outcome = run(&parties, &served.program("any", "1"), job, inputs).unwrap();
    let found = served.numbers(&outcome.outputs[calculate::OUTPUT]);
    close(&found, &trained[..2], 1e-3);
}
