//! What parties of a computation and clients of an aggregation send each other.

use hush_federated::client::Client;
use hush_federated::server::Server;
use hush_federated::{Directory, Identity, Settings, SettingsLiteral};
use hush_graph::{Function, GraphBuilder, Operator, Shape, Tensor};
use hush_mpc::calculation::{
    Calculation, CalculationLiteral, NetworkSpec, Operation, OutputLiteral, Statement, Value,
};
use hush_mpc::link::tls::{Fingerprint, is_frame};
use hush_mpc::training::LayerSpec;
use hush_party::{Configuration, Input, Job, JobLiteral, Kept, Output, Party, Program, Role};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::Target;

fn parties() -> Configuration {
    let names = ["client", "server0", "server1", "server2", "clinic"];
    let party = |(index, name): (u8, &str)| Party {
        name: name.to_owned(),
        address: None,
        fingerprint: Fingerprint([index; 32]),
        roles: Role::ALL.to_vec(),
    };
    let parties = (0..).zip(names).map(party).collect();
    Configuration::new(parties).expect("five parties")
}

/// What arrives on a connection between computing parties.
pub(super) const FRAME: Target = Target {
    name: "frame",
    seeds: || {
        let frame = |kind: u8, length: u8, body: usize| {
            let mut header = [0; 32];
            header[..8].copy_from_slice(b"8 bytes!");
            (header[24], header[31]) = (length, kind);
            [&header[..], &vec![1; body]].concat()
        };
        // A first frame, a message, a heartbeat, and a failure.
        vec![
            frame(1, 33, 33),
            frame(3, 200, 200),
            frame(4, 0, 0),
            frame(5, 48, 48),
        ]
    },
    run: is_frame,
};

/// What a party is asked to take part in, by somebody whom it knows.
pub(super) const JOB: Target = Target {
    name: "job",
    seeds: || {
        let owned = |text: &str| text.to_owned();
        let kept = |name: &str| Kept {
            name: owned(name),
            elements: 3,
        };
        let literal = JobLiteral {
            protocol: owned("aby3"),
            ring_bits: 64,
            integer_bits: 15,
            fraction_bits: 16,
            proposer: owned("client"),
            servers: ["server0", "server1", "server2"].map(owned).to_vec(),
            inputs: vec![Input {
                name: owned("weights"),
                elements: 12,
                owner: owned("clinic"),
            }],
            outputs: vec![Output {
                name: owned("y"),
                elements: 4,
                receiver: owned("client"),
            }],
            reads: vec![kept("before")],
            keeps: vec![kept("after")],
            opens: vec![owned("whether it is enough")],
        };
        let program = Program {
            kind: owned("calculate"),
            name: owned("study"),
            version: owned("1"),
            bytes: vec![1; 100],
        };
        let job = Job::new(literal, &program, &parties());
        vec![job.expect("a job").to_bytes()]
    },
    run: |bytes| Job::from_bytes(bytes, "client", &parties()).is_ok(),
};

/// The graph that a party is asked to compute.
pub(super) const SHARED_GRAPH: Target = Target {
    name: "shared_graph",
    seeds: || {
        let mut builder = GraphBuilder::new("seed");
        let input = builder.input("x", Shape::new(vec![3]).expect("a shape"));
        let weight = Tensor::new(vec![2, 3], vec![0.5; 6]).expect("a matrix");
        let linear = Operator::Linear { weight, bias: None };
        let names = |name: &str| vec![name.to_owned()];
        let sum = builder.node(names("sum"), linear, &[input], "h");
        let clip = Operator::Elementwise(Function::Clip {
            minimum: Some(0.0),
            maximum: None,
        });
        let result = builder.node(names("clip"), clip, &[sum.expect("a layer")], "y");
        let declared = builder.output("y", result.expect("a function"));
        declared.expect("an output");
        let graph = builder.build().expect("a graph");
        vec![hush_mpc::execute::graph_to_bytes(&graph).expect("it is written")]
    },
    run: |bytes| hush_mpc::execute::graph_from_bytes(bytes).is_ok(),
};

/// The calculation that a party is asked to take part in.
pub(super) const CALCULATION: Target = Target {
    name: "calculation",
    seeds: || {
        let input = |name: &str, shape: &[usize]| Statement::Input {
            name: name.to_owned(),
            shape: shape.to_vec(),
            owner: "hospital".to_owned(),
        };
        let network = NetworkSpec {
            input: vec![3],
            layers: vec![LayerSpec::Dense { units: 1 }, LayerSpec::Relu],
            seed: 1,
        };
        let (x, weights, network_value) = (Value(0), Value(1), Value(2));
        let literal = CalculationLiteral {
            statements: vec![
                input("x", &[2, 3]),
                input("weights", &[4]),
                Statement::Network(network),
                Statement::SetWeights {
                    network: network_value,
                    weights,
                },
                Statement::Predict {
                    network: network_value,
                    x,
                },
                Statement::Apply {
                    operation: Operation::Sigmoid,
                    operands: vec![Value(4)],
                },
            ],
            outputs: vec![OutputLiteral {
                name: "y".to_owned(),
                value: Value(5),
                receiver: "ward".to_owned(),
            }],
            kept: Vec::new(),
        };
        vec![Calculation::new(literal).expect("a calculation").to_bytes()]
    },
    run: |bytes| Calculation::from_bytes(bytes).is_ok(),
};

fn world() -> (Settings, Directory, Vec<Identity>) {
    let identities: Vec<Identity> = (0..4).map(|i| Identity::from_seed(&[i; 32])).collect();
    let directory = Directory::new(identities.iter().map(Identity::public).collect());
    let literal = SettingsLiteral::recommended([7; 32], 4, 3, 5, 20);
    let settings = Settings::new(literal).expect("settings");
    (settings, directory.expect("four clients"), identities)
}

/// Messages of clients to the server of an aggregation, and of the server to a client: the first byte says which.
pub(super) const AGGREGATION: Target = Target {
    name: "aggregation",
    seeds: || {
        let (settings, directory, identities) = world();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut server = Server::new(&settings, &directory);
        let mut seeds = Vec::new();
        for (index, identity) in (0..).zip(&identities) {
            let client = Client::new(&settings, &directory, identity, index).expect("a client");
            let (_, message) = client.announce(&mut rng);
            server.receive(index, &message).expect("it is new");
            if index == 0 {
                seeds.push([&[0u8][..], &message[..]].concat());
            }
        }
        let roster = server.close().expect("all are there");
        seeds.push([&[1u8][..], &roster[0].bytes[..]].concat());
        seeds
    },
    run: |bytes| {
        let (settings, directory, identities) = world();
        let Some((side, message)) = bytes.split_first() else {
            return false;
        };
        if *side == 0 {
            return Server::new(&settings, &directory)
                .receive(0, message)
                .is_ok();
        }
        // The same keys as when the seed was made.
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let client = Client::new(&settings, &directory, &identities[0], 0).expect("a client");
        let (client, _) = client.announce(&mut rng);
        client.share(message, &mut rng).is_ok()
    },
};
