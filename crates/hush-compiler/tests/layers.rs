//! The report's table of layers, on a small network with a shortcut.

use hush_compiler::report::layers::layers;
use hush_compiler::{Calibration, Compiled, Options, compile};
use hush_graph::{BinaryOperator, Function, Graph, GraphBuilder, Operator, Shape, Tensor};

const SIZE: usize = 12;

fn linear(seed: usize) -> Operator {
    let weight = (0..SIZE * SIZE)
        .map(|index| ((index * 7 + seed) % 11) as f64 / 20.0 - 0.25)
        .collect();
    Operator::Linear {
        weight: Tensor::new(vec![SIZE, SIZE], weight).unwrap(),
        bias: Some(Tensor::new(vec![SIZE], vec![0.1; SIZE]).unwrap()),
    }
}

/// `x + W tanh(V x)`.
fn graph() -> Graph {
    let mut builder = GraphBuilder::new("shortcut");
    let names = |name: &str| vec![name.to_owned()];
    let x = builder.input("x", Shape::new(vec![SIZE]).unwrap());
    let first = builder
        .node(names("/a/Gemm"), linear(1), &[x], "a")
        .unwrap();
    let tanh = Operator::Elementwise(Function::Tanh);
    let bent = builder.node(names("/Tanh"), tanh, &[first], "t").unwrap();
    let second = builder
        .node(names("/b/Gemm"), linear(5), &[bent], "b")
        .unwrap();
    let add = Operator::Binary(BinaryOperator::Add);
    let sum = builder.node(names("/Add"), add, &[second, x], "s").unwrap();
    builder.output("y", sum).unwrap();
    builder.build().unwrap()
}

fn compiled() -> Compiled {
    let rows = (0..32 * SIZE).map(|index| ((index * 5) % 17) as f64 / 8.0 - 1.0);
    let inputs = vec![Tensor::new(vec![32, SIZE], rows.collect()).unwrap()];
    compile(&graph(), &Calibration { inputs }, &Options::default()).unwrap()
}

#[test]
fn every_layer_has_a_row_and_its_edges() {
    let report = compiled().report;
    let rows: Vec<_> = report
        .layers
        .iter()
        .map(|layer| {
            (
                layer.name.as_str(),
                layer.operator.as_str(),
                layer.inputs.clone(),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("x", "input", vec![]),
            ("a", "dense 12 → 12", vec![0]),
            ("Tanh", "tanh", vec![1]),
            ("b + Add", "dense 12 → 12 + add", vec![0, 2]),
        ]
    );
    let last = &report.layers[3];
    assert_eq!(
        (last.outputs.as_slice(), last.shape.as_slice()),
        (&["y".to_owned()][..], &[SIZE][..])
    );
    assert_eq!(report.layers[2].activation, Some(0));
    assert!(
        report.layers[1].layout.contains("diagonal"),
        "{:?}",
        report.layers[1]
    );
}

#[test]
fn rows_add_up_to_the_whole() {
    let Compiled {
        program,
        client_spec,
        report,
    } = compiled();
    let sum = |of: fn(&hush_compiler::report::layers::LayerReport) -> usize| {
        report.layers.iter().map(of).sum::<usize>()
    };
    assert_eq!(sum(|layer| layer.rotations), report.rotations);
    assert_eq!(sum(|layer| layer.products), report.multiplications);
    assert_eq!(
        sum(|layer| layer.plain_products),
        report.plain_multiplications
    );
    assert_eq!(sum(|layer| layer.key_switches), report.key_switches);
    let time: f64 = report.layers.iter().map(|layer| layer.nanoseconds).sum();
    assert!((time / 1e6 - report.group_milliseconds).abs() < 1e-6);
    let noise: f64 = report
        .layers
        .iter()
        .filter_map(|layer| layer.noise)
        .map(|one| one * one)
        .sum();
    let most = report.predicted_error - report.approximation_error;
    assert!(
        noise.sqrt() > 0.1 * most && noise.sqrt() < most,
        "{} {most}",
        noise.sqrt()
    );
    for (index, layer) in report.layers.iter().enumerate() {
        assert!(layer.inputs.iter().all(|&input| input < index), "{layer:?}");
        assert!(layer.level_in >= layer.level_out, "{layer:?}");
        assert!(layer.slots_used >= SIZE && layer.slots_used <= layer.ciphertexts * report.slots);
        assert!(
            !layer.occupancy.is_empty() && layer.occupancy.iter().flatten().any(|&part| part > 0)
        );
    }
    // What the program alone tells is the same.
    let plain = layers(&program, &client_spec).unwrap();
    assert_eq!(plain.len(), report.layers.len());
    for (plain, full) in plain.iter().zip(&report.layers) {
        assert_eq!(
            (&plain.label, plain.slots_used, plain.noise),
            (&full.label, full.slots_used, None)
        );
    }
}
