//! Predictions between a model owner and a data owner, with three parties that compute.

use std::path::Path;
use std::sync::Arc;

use hush_graph::{Function, Graph, GraphBuilder, Operator, Shape, Tensor, evaluate};
use hush_mpc::execute::Options;
use hush_party::local::{self, PROPOSER};
use hush_party::predict::{Prediction, Predictions, Report, Roles, WEIGHTS};
use hush_party::{Given, PlayerOptions, Proposal, Runner, propose};
use rand_core::{OsRng, RngCore, TryRngCore};

fn random(count: usize, scale: f64) -> Vec<f64> {
    let mut rng = OsRng.unwrap_err();
    (0..count)
        .map(|_| (f64::from(rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0) * scale)
        .collect()
}

fn network() -> Graph {
    let mut builder = GraphBuilder::new("network");
    let mut last = builder.input("x", Shape::new(vec![12]).unwrap());
    for (layer, (inputs, outputs)) in [(12, 16), (16, 5)].into_iter().enumerate() {
        let weight = Tensor::new(vec![outputs, inputs], random(inputs * outputs, 0.5)).unwrap();
        let bias = Tensor::new(vec![outputs], random(outputs, 0.2)).unwrap();
        let linear = Operator::Linear {
            weight,
            bias: Some(bias),
        };
        let name = format!("layer {layer}");
        last = builder
            .node(vec![name.clone()], linear, &[last], name)
            .unwrap();
        if layer == 0 {
            let relu = Operator::Elementwise(Function::Relu);
            last = builder
                .node(vec!["relu".to_owned()], relu, &[last], "relu")
                .unwrap();
        }
    }
    builder.output("y", last).unwrap();
    builder.build().unwrap()
}

fn roles() -> Roles {
    let client = || PROPOSER.to_owned();
    Roles {
        proposer: client(),
        servers: (0..3).map(|i| format!("server{i}")).collect(),
        model_owner: client(),
        data_owner: client(),
        receiver: client(),
    }
}

#[test]
fn a_network_is_computed_by_parties_that_know_neither_weights_nor_samples() {
    let graph = network();
    let prediction = Prediction::new(graph.clone(), Options::default()).unwrap();
    let read = |_: &Path| Err("there are no files".to_owned());
    let runner: Arc<dyn Runner> = Arc::new(Predictions::new(read));
    let parties = local::start(&runner, PlayerOptions::default(), |_, _| {}).unwrap();
    let program = prediction.program("network", "1").unwrap();
    let batch = 7;
    let samples = random(batch * 12, 3.0);
    let mut inputs = Given::new();
    inputs.insert(WEIGHTS.to_owned(), prediction.weights().unwrap());
    inputs.insert("x".to_owned(), prediction.samples(0, &samples).unwrap());
    let mut steps = Vec::new();
    let outcome = propose(
        Proposal {
            configuration: &parties.configuration,
            identity: &parties.identity,
            program: &program,
            job: prediction.job(roles(), batch),
            inputs,
            options: PlayerOptions::default(),
        },
        |done, total, label: &str| steps.push((done, total, label.to_owned())),
    )
    .unwrap();
    let found = prediction.numbers(&outcome.outputs["y"]);
    let samples = Tensor::new(vec![batch, 12], samples).unwrap();
    let expected = evaluate(&graph, &[samples]).unwrap();
    for (found, expected) in found.iter().zip(expected[0].data()) {
        assert!((found - expected).abs() < 1e-3, "{found} {expected}");
    }
    let report = Report::parse(&outcome.report).unwrap();
    let labels: Vec<&str> = report
        .operations
        .iter()
        .map(|operation| operation.label.as_str())
        .collect();
    assert_eq!(labels, ["layer 0", "relu", "layer 1"]);
    let declared = prediction.cost(batch).unwrap();
    let rounds: u64 = declared.nodes.iter().map(|node| node.cost.rounds).sum();
    assert_eq!(report.rounds, rounds);
    println!("set up {:?}, all {:?}", outcome.set_up, outcome.elapsed);
}

#[test]
fn a_program_tells_no_weights_and_a_job_that_does_not_fit_is_refused() {
    let graph = network();
    let prediction = Prediction::new(graph, Options::default()).unwrap();
    let other = Prediction::new(network(), Options::default()).unwrap();
    let program = prediction.program("network", "1").unwrap();
    assert_eq!(program, other.program("network", "1").unwrap());

    let read = |_: &Path| Err("there are no files".to_owned());
    let runner: Arc<dyn Runner> = Arc::new(Predictions::new(read));
    let parties = local::start(&runner, PlayerOptions::default(), |_, _| {}).unwrap();
    let mut given = Given::new();
    given.insert(WEIGHTS.to_owned(), prediction.weights().unwrap());
    given.insert("x".to_owned(), prediction.samples(0, &[0.5; 12]).unwrap());
    let refusal = |change: &dyn Fn(&mut hush_party::JobLiteral, &mut hush_party::Program)| {
        let (mut job, mut program) = (prediction.job(roles(), 1), program.clone());
        change(&mut job, &mut program);
        propose(
            Proposal {
                configuration: &parties.configuration,
                identity: &parties.identity,
                program: &program,
                job,
                inputs: given.clone(),
                options: PlayerOptions::default(),
            },
            |_, _, _| {},
        )
        .unwrap_err()
        .to_string()
    };
    let differs = "server0 refuses: inputs or outputs of the job are not those of the program";
    assert_eq!(refusal(&|job, _| job.outputs[0].elements = 6), differs);
    assert_eq!(refusal(&|job, _| job.opens.push("all".to_owned())), differs);
    assert_eq!(
        refusal(&|_, program| program.kind = "train".to_owned()),
        "server0 refuses: this party runs no programs of kind train"
    );
    assert!(refusal(&|_, program| program.bytes.truncate(20)).starts_with("server0 refuses: "));
    // Nothing that fits to give.
    assert_eq!(
        refusal(&|job, _| job.inputs[0].elements -= 1),
        "input weights has 293 elements, the program takes 292"
    );
}
