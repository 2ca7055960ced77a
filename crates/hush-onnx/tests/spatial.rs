//! Convolutions and pools: random geometries against tract, and values computed with onnxruntime.

mod support;

use support::{Model, Numbers, assert_like_reference, assert_values, integer, integers, text};
use tract_onnx::pb::AttributeProto;

const CASES: u64 = 40;

/// A random window over random lengths.
struct Geometry {
    numbers: Numbers,
    lengths: Vec<usize>,
    kernel: Vec<i64>,
    attributes: Vec<AttributeProto>,
}

impl Geometry {
    fn random(seed: u64, largest_kernel: u64) -> Geometry {
        let mut numbers = Numbers(seed);
        let axes = 1 + numbers.below(3);
        let lengths: Vec<usize> = (0..axes).map(|_| 4 + numbers.below(5) as usize).collect();
        let mut list = |least: u64, most: u64| -> Vec<i64> {
            (0..axes)
                .map(|_| (least + numbers.below(most - least + 1)) as i64)
                .collect()
        };
        let kernel = list(1, largest_kernel);
        let mut attributes = vec![integers("strides", &list(1, 3))];
        let (before, after) = (list(0, 2), list(0, 2));
        match numbers.below(4) {
            0 => attributes.push(text("auto_pad", "SAME_UPPER")),
            1 => attributes.push(text("auto_pad", "SAME_LOWER")),
            2 => attributes.push(text("auto_pad", "VALID")),
            _ => {
                let limit =
                    |pads: Vec<i64>| pads.into_iter().zip(&kernel).map(|(p, k)| p.min(k - 1));
                let pads: Vec<i64> = limit(before).chain(limit(after)).collect();
                attributes.push(integers("pads", &pads));
            }
        }
        Geometry {
            numbers,
            lengths,
            kernel,
            attributes,
        }
    }

    fn model(&self, channels: u64) -> Model {
        let mut shape = vec!["N".to_string(), channels.to_string()];
        shape.extend(self.lengths.iter().map(ToString::to_string));
        let shape: Vec<&str> = shape.iter().map(String::as_str).collect();
        Model::new(18).input("x", &shape).output("y")
    }

    fn constant(&mut self, model: Model, name: &str, dims: &[i64]) -> Model {
        let shape = dims.iter().map(|&size| size as usize).collect();
        let data: Vec<f32> = self
            .numbers
            .tensor(shape, 1.0)
            .data()
            .iter()
            .map(|&x| x as f32)
            .collect();
        model.floats(name, dims, &data)
    }
}

#[test]
fn convolutions() {
    for seed in 0..CASES {
        let mut geometry = Geometry::random(seed, 3);
        let (groups, inputs, outputs) = (
            1 + geometry.numbers.below(3),
            1 + geometry.numbers.below(3),
            1 + geometry.numbers.below(3),
        );
        let dilated = geometry.numbers.below(2) as i64;
        let mut attributes = geometry.attributes.clone();
        attributes.push(integer("group", groups as i64));
        let dilations: Vec<i64> = geometry.kernel.iter().map(|_| 1 + dilated).collect();
        // tract pads dilated windows by another rule.
        if !attributes
            .iter()
            .any(|attribute| attribute.name == "auto_pad")
        {
            attributes.push(integers("dilations", &dilations));
        }
        let mut weight = vec![(groups * outputs) as i64, inputs as i64];
        weight.extend(&geometry.kernel);
        let mut model = geometry.model(groups * inputs);
        model = geometry.constant(model, "w", &weight);
        let mut names = "x w";
        if geometry.numbers.below(2) == 0 {
            model = geometry.constant(model, "b", &weight[..1]);
            names = "x w b";
        }
        assert_like_reference(&model.node("Conv", names, "y", attributes).bytes(), seed);
    }
}

#[test]
fn transposed_convolutions() {
    for seed in 0..CASES {
        let mut geometry = Geometry::random(seed, 3);
        let strides = geometry.attributes[0].ints.clone();
        let mut attributes = vec![geometry.attributes[0].clone()];
        match geometry.numbers.below(3) {
            0 => attributes.push(integers(
                "output_padding",
                &strides.iter().map(|stride| stride - 1).collect::<Vec<_>>(),
            )),
            1 => {
                let pads = geometry.kernel.iter().map(|kernel| kernel / 2);
                let pads: Vec<i64> = pads.clone().chain(pads).collect();
                attributes.push(integers("pads", &pads));
            }
            _ => {}
        }
        let mut weight = vec![2, 3];
        weight.extend(&geometry.kernel);
        let mut model = geometry.model(2);
        model = geometry.constant(model, "w", &weight);
        model = geometry.constant(model, "b", &[3]);
        let model = model.node("ConvTranspose", "x w b", "y", attributes);
        assert_like_reference(&model.bytes(), seed);
    }
}

#[test]
fn pools() {
    for seed in 0..CASES {
        let mut geometry = Geometry::random(seed, 4);
        let mut attributes = geometry.attributes.clone();
        attributes.push(integers("kernel_shape", &geometry.kernel));
        let mut averages = attributes.clone();
        averages.push(integer(
            "count_include_pad",
            geometry.numbers.below(2) as i64,
        ));
        for (operator, attributes) in [("MaxPool", attributes), ("AveragePool", averages)] {
            let model = geometry.model(2).node(operator, "x", "y", attributes);
            assert_like_reference(&model.bytes(), seed);
        }
        for operator in ["GlobalAveragePool", "GlobalMaxPool"] {
            let model = geometry.model(2).node(operator, "x", "y", vec![]);
            assert_like_reference(&model.bytes(), seed);
        }
    }
}

fn unary(
    version: i64,
    operator: &str,
    dimensions: &[&str],
    attributes: Vec<AttributeProto>,
) -> Model {
    Model::new(version)
        .input("x", dimensions)
        .node(operator, "x", "y", attributes)
        .output("y")
}

#[test]
fn windows_that_reach_past_the_padding() {
    let attributes = vec![
        integers("kernel_shape", &[3]),
        integers("strides", &[2]),
        integers("pads", &[1, 1]),
        integer("ceil_mode", 1),
    ];
    let model = unary(19, "AveragePool", &["N", "1", "6"], attributes.clone());
    assert_values(&model, &[1, 4], &[3.5, 5.0, 3.0, 2.0]);
    let mut counting = attributes;
    counting.push(integer("count_include_pad", 1));
    let model = unary(19, "AveragePool", &["N", "1", "6"], counting);
    assert_values(&model, &[1, 4], &[2.333333, 5.0, 3.0, 1.0]);
    let attributes = vec![
        integers("kernel_shape", &[3]),
        integers("strides", &[3]),
        integers("dilations", &[2]),
        integers("pads", &[2, 1]),
        integer("ceil_mode", 1),
    ];
    let model = unary(12, "MaxPool", &["N", "1", "7"], attributes);
    assert_values(&model, &[1, 3], &[4.0, 6.0, 7.0]);
}

/// A window of nine takes four rounds of pairs, not eight.
#[test]
fn maxima_in_few_rounds() {
    let attributes = vec![
        integers("kernel_shape", &[3, 3]),
        integers("strides", &[3, 3]),
    ];
    let model = unary(12, "MaxPool", &["N", "2", "6", "6"], attributes);
    let graph = assert_like_reference(&model.bytes(), 5);
    let rounds = graph
        .nodes()
        .iter()
        .filter(|node| node.operator.name() == "maximum");
    assert_eq!(rounds.count(), 4);
    let shape = graph.value(graph.outputs()[0].value).shape.dimensions();
    assert_eq!(shape, [2, 2, 2]);
}

#[test]
fn transposed_convolution_to_a_stated_shape() {
    let model = |attribute: AttributeProto| {
        Model::new(11)
            .input("x", &["N", "1", "3"])
            .floats("w", &[1, 1, 3], &[1.0, -2.0, 3.0])
            .node(
                "ConvTranspose",
                "x w",
                "y",
                vec![integers("strides", &[2]), attribute],
            )
            .output("y")
    };
    let upper = [1.0, -2.0, 6.0, -6.0, 11.0, -4.0];
    let lower = [-2.0, 6.0, -6.0, 11.0, -4.0, 6.0];
    assert_values(&model(text("auto_pad", "SAME_UPPER")), &[1, 6], &upper);
    assert_values(&model(text("auto_pad", "SAME_LOWER")), &[1, 6], &lower);
    assert_values(&model(integers("output_shape", &[6])), &[1, 6], &lower);
}

#[test]
fn windows_that_cannot_be_used() {
    let refusal = |operator: &str, attributes: Vec<AttributeProto>| {
        unary(18, operator, &["N", "1", "3"], attributes).refusal()
    };
    let kernel = |size: i64| integers("kernel_shape", &[size]);
    let indices = Model::new(18)
        .input("x", &["N", "1", "3"])
        .node("MaxPool", "x", "y i", vec![kernel(2)])
        .output("y");
    assert!(indices.refusal().contains("also returns the indices"));
    assert!(refusal("MaxPool", vec![]).contains("kernel_shape is missing"));
    assert!(refusal("MaxPool", vec![kernel(0)]).contains("kernel_shape is [0]"));
    assert!(refusal("MaxPool", vec![kernel(4)]).contains("larger than a dimension of 3"));
    assert!(refusal("MaxPool", vec![integers("kernel_shape", &[2, 2])]).contains("2 dimensions"));
    let only_padding = vec![
        kernel(2),
        integers("dilations", &[4]),
        integers("pads", &[1, 1]),
    ];
    assert!(refusal("MaxPool", only_padding).contains("only padding"));
    let huge = vec![kernel(i64::MAX), integers("pads", &[i64::MAX, i64::MAX])];
    assert!(refusal("AveragePool", huge).contains("padding is too large"));
    for (name, list) in [
        ("strides", [0]),
        ("dilations", [-1]),
        ("strides", [i64::MIN]),
    ] {
        let message = refusal("AveragePool", vec![kernel(2), integers(name, &list)]);
        assert!(message.contains(&format!("its {name} are")), "{message}");
    }
    assert!(
        refusal("AveragePool", vec![kernel(2), integers("pads", &[-1, 0])]).contains("its pads")
    );
    assert!(refusal("AveragePool", vec![kernel(2), text("auto_pad", "SOME")]).contains("`SOME`"));
    let conv = |operator: &str, weight: &[i64], attributes: Vec<AttributeProto>| {
        let size = weight.iter().product::<i64>() as usize;
        Model::new(18)
            .input("x", &["N", "2", "3"])
            .floats("w", weight, &vec![1.0; size])
            .node(operator, "x w", "y", attributes)
            .output("y")
            .refusal()
    };
    assert!(conv("Conv", &[1, 3, 2], vec![]).contains("does not read 2 channels"));
    assert!(conv("Conv", &[1, 2, 4], vec![]).contains("larger than a dimension of 3"));
    assert!(conv("Conv", &[1, 2], vec![]).contains("kernel has shape [1, 2]"));
    assert!(conv("Conv", &[1, 2, 2], vec![kernel(3)]).contains("kernel_shape says [3]"));
    assert!(conv("Conv", &[1, 2, 2], vec![integer("group", 0)]).contains("group is 0"));
    assert!(conv("ConvTranspose", &[3, 2, 2], vec![]).contains("does not fit"));
    let cut = vec![integers("pads", &[3, 3])];
    assert!(conv("ConvTranspose", &[2, 2, 2], cut).contains("leaves nothing"));
    let data_kernel = Model::new(18)
        .input("x", &["N", "2", "3"])
        .input("w", &["N", "2", "3"])
        .node("Conv", "x w", "y", vec![])
        .output("y");
    assert!(data_kernel.refusal().contains("kernel depends on the data"));
}
