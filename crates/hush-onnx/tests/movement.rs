//! Slices, padding, joining and resizing: against tract, and values computed with onnxruntime.

mod support;

use support::{
    Model, Numbers, assert_like_reference, assert_values, float, floats, integer, integers, text,
};
use tract_onnx::pb::AttributeProto;

const CASES: u64 = 30;

fn base(version: i64) -> Model {
    Model::new(version).input("x", &["N", "4", "5"]).output("y")
}

fn check(model: Model) {
    assert_like_reference(&model.bytes(), 11);
}

#[test]
fn slices() {
    for (start, end, axis, step) in [
        (1, 3, 1, 1),
        (0, i64::MAX, 2, 2),
        (-3, -1, -1, 1),
        (-1, i64::MIN + 1, 2, -1),
        (3, 0, -2, -2),
        (0, 100, 1, 3),
    ] {
        let model = base(13)
            .integers("s", &[1], &[start])
            .integers("e", &[1], &[end])
            .integers("a", &[1], &[axis])
            .integers("p", &[1], &[step]);
        check(model.node("Slice", "x s e a p", "y", vec![]));
    }
    let old = vec![
        integers("starts", &[1, 2]),
        integers("ends", &[4, 9]),
        integers("axes", &[1, 2]),
    ];
    check(base(9).node("Slice", "x", "y", old));
    // Without axes it names the batch too, of which it keeps all.
    let all = base(13)
        .integers("s", &[3], &[0, 1, 0])
        .integers("e", &[3], &[i64::MAX, 3, 4]);
    check(all.node("Slice", "x s e", "y", vec![]));
}

#[test]
fn splits() {
    let two = |version: i64| {
        Model::new(version)
            .input("x", &["N", "4", "5"])
            .output("y")
            .output("z")
    };
    let sized = two(13).integers("s", &[2], &[2, 3]);
    check(sized.node("Split", "x s", "y z", vec![integer("axis", -1)]));
    check(two(13).node("Split", "x", "y z", vec![integer("axis", 1)]));
    check(two(11).node(
        "Split",
        "x",
        "y z",
        vec![integer("axis", 2), integers("split", &[1, 4])],
    ));
    let uneven = vec![integer("axis", 2), integer("num_outputs", 2)];
    let model = two(18).node("Split", "x", "y z", uneven);
    let graph = model.import().unwrap();
    let lengths = graph
        .outputs()
        .iter()
        .map(|output| graph.value(output.value).shape.dimensions()[1]);
    assert_eq!(lengths.collect::<Vec<_>>(), [3, 2]);
    // A result without a name is not computed.
    let second = Model::new(13).input("x", &["N", "4"]).output("z");
    let graph = second
        .node("Split", "x", "_ z", vec![integer("axis", 1)])
        .import()
        .unwrap();
    assert_eq!(graph.nodes().len(), 1);
}

#[test]
fn gathers() {
    for (dims, indices) in [
        (&[][..], &[2][..]),
        (&[3], &[0, -1, 1]),
        (&[2, 2], &[3, 2, 1, 0]),
    ] {
        for axis in [1, 2, -1] {
            let model = base(13).integers("i", dims, indices);
            check(model.node("Gather", "x i", "y", vec![integer("axis", axis)]));
        }
    }
}

#[test]
fn padding() {
    for seed in 0..CASES {
        let mut numbers = Numbers(seed);
        let mode = ["constant", "reflect", "edge"][numbers.below(3) as usize];
        let mut pads = vec![0; 6];
        for axis in [1, 2, 4, 5] {
            pads[axis] = numbers.below(4) as i64;
        }
        let mut model = base(13).integers("p", &[6], &pads);
        let mut inputs = "x p";
        if mode == "constant" {
            model = model.floats("v", &[], &[1.5]);
            inputs = "x p v";
        }
        let model = model.node("Pad", inputs, "y", vec![text("mode", mode)]);
        assert_like_reference(&model.bytes(), seed);
    }
    let row = |mode: &str, pads: &[i64]| {
        Model::new(19)
            .input("x", &["N", "4"])
            .integers("p", &[2], pads)
            .integers("a", &[1], &[-1])
            .node("Pad", "x p _ a", "y", vec![text("mode", mode)])
            .output("y")
    };
    let wrapped = [3.0, 4.0, 1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0];
    assert_values(&row("wrap", &[2, 3]), &[9], &wrapped);
    let mirrored = [3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0];
    assert_values(&row("reflect", &[2, 3]), &[9], &mirrored);
    assert_values(&row("constant", &[-1, 2]), &[5], &[2.0, 3.0, 4.0, 0.0, 0.0]);
    assert_values(&row("edge", &[-1, -1]), &[2], &[2.0, 3.0]);
    let old = vec![integers("pads", &[0, 1, 0, 0, 0, 2]), float("value", 0.5)];
    check(base(9).node("Pad", "x", "y", old));
}

#[test]
fn joins() {
    let model = || {
        Model::new(13)
            .input("x", &["N", "2", "3"])
            .input("z", &["N", "2", "1"])
            .output("y")
    };
    for axis in [2, -1] {
        check(model().node("Concat", "x z x", "y", vec![integer("axis", axis)]));
    }
    check(model().node("Concat", "x x", "y", vec![integer("axis", 1)]));
    let single = Model::new(13)
        .input("x", &["1", "2"])
        .floats("c", &[1, 3], &[7.0, 8.0, 9.0])
        .node("Concat", "c x c", "y", vec![integer("axis", 1)])
        .output("y");
    let joined = [7.0, 8.0, 9.0, 1.0, 2.0, 7.0, 8.0, 9.0];
    assert_values(&single, &[8], &joined);
}

#[test]
fn repeats() {
    check(
        base(13)
            .integers("r", &[3], &[1, 2, 3])
            .node("Tile", "x r", "y", vec![]),
    );
    let column = || Model::new(13).input("x", &["N", "4", "1"]).output("y");
    for target in [&[1, 4, 3][..], &[4, 3], &[2], &[1, 1, 1]] {
        let model = column().integers("t", &[target.len() as i64], target);
        check(model.node("Expand", "x t", "y", vec![]));
    }
    let sized = column()
        .node("Shape", "x", "s", vec![integer("end", 1)])
        .integers("t", &[2], &[4, 2])
        .node("Concat", "s t", "u", vec![integer("axis", 0)]);
    let graph = sized.node("Expand", "x u", "y", vec![]).import().unwrap();
    let shape = &graph.value(graph.outputs()[0].value).shape;
    assert_eq!(shape.dimensions(), [4, 2]);
}

#[test]
fn depth_and_space() {
    let image = |dimensions: &[&str], operator: &str, attributes: Vec<AttributeProto>| {
        Model::new(13)
            .input("x", dimensions)
            .node(operator, "x", "y", attributes)
            .output("y")
    };
    let block = || integer("blocksize", 2);
    let depth = |mode: &str| {
        image(
            &["N", "8", "1", "2"],
            "DepthToSpace",
            vec![block(), text("mode", mode)],
        )
    };
    let expected = [
        1.0, 5.0, 6.0, 10.0, 9.0, 13.0, 14.0, 2.0, 11.0, 15.0, 16.0, 4.0, 3.0, 7.0, 8.0, 12.0,
    ];
    assert_values(&depth("DCR"), &[2, 2, 4], &expected);
    let expected = [
        1.0, 11.0, 6.0, 16.0, 5.0, 15.0, 10.0, 4.0, 9.0, 3.0, 14.0, 8.0, 13.0, 7.0, 2.0, 12.0,
    ];
    assert_values(&depth("CRD"), &[2, 2, 4], &expected);
    let space = image(&["N", "2", "2", "4"], "SpaceToDepth", vec![block()]);
    let expected = [
        1.0, 11.0, 9.0, 3.0, 6.0, 16.0, 14.0, 8.0, 5.0, 15.0, 13.0, 7.0, 10.0, 4.0, 2.0, 12.0,
    ];
    assert_values(&space, &[8, 1, 2], &expected);
    let odd = image(&["N", "2", "3", "4"], "SpaceToDepth", vec![block()]);
    assert!(odd.refusal().contains("3 by 4 cannot be cut"));
    let few = image(&["N", "2", "3", "4"], "DepthToSpace", vec![block()]);
    assert!(few.refusal().contains("2 channels are not a multiple of 4"));
}

fn resize(version: i64, scales: &[f32], sizes: &[i64], attributes: Vec<AttributeProto>) -> Model {
    let rank = scales.len().max(sizes.len());
    let dimensions: &[&str] = match rank {
        3 => &["1", "1", "4"],
        _ => &["1", "1", "1", "4"],
    };
    let model = Model::new(version).input("x", dimensions).output("y");
    let model = model.floats("roi", &[0], &[]);
    match sizes {
        [] => model
            .floats("s", &[rank as i64], scales)
            .node("Resize", "x roi s", "y", attributes),
        sizes => {
            model
                .integers("s", &[rank as i64], sizes)
                .node("Resize", "x roi _ s", "y", attributes)
        }
    }
}

#[test]
fn resizing_to_the_nearest() {
    let coordinates = |name: &str| text("coordinate_transformation_mode", name);
    let shrunk = resize(19, &[1.0, 1.0, 0.6], &[], vec![]);
    assert_values(&shrunk, &[1, 2], &[1.0, 3.0]);
    let attributes = vec![text("nearest_mode", "ceil"), coordinates("asymmetric")];
    let grown = resize(19, &[1.0, 1.0, 2.5], &[], attributes);
    let expected = [1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0, 4.0, 4.0, 4.0];
    assert_values(&grown, &[1, 10], &expected);
    let attributes = vec![
        text("nearest_mode", "round_prefer_ceil"),
        coordinates("align_corners"),
    ];
    let aligned = resize(19, &[], &[1, 1, 7], attributes);
    let expected = [1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0];
    assert_values(&aligned, &[1, 7], &expected);
    let old = resize(
        11,
        &[],
        &[1, 1, 6],
        vec![coordinates("tf_half_pixel_for_nn")],
    );
    assert_values(&old, &[1, 6], &[1.0, 2.0, 3.0, 3.0, 4.0, 4.0]);
    let kept = vec![
        text("keep_aspect_ratio_policy", "not_larger"),
        integers("axes", &[2, 3]),
    ];
    let kept = Model::new(19)
        .input("x", &["N", "1", "4", "2"])
        .integers("s", &[2], &[7, 5])
        .node("Resize", "x _ _ s", "y", kept)
        .output("y");
    let expected = [
        1.0, 1.0, 6.0, 6.0, 1.0, 1.0, 6.0, 6.0, 3.0, 3.0, 8.0, 8.0, 3.0, 3.0, 8.0, 8.0, 5.0, 5.0,
        2.0, 2.0, 7.0, 7.0, 4.0, 4.0, 7.0, 7.0, 4.0, 4.0,
    ];
    assert_values(&kept, &[1, 7, 4], &expected);
}

#[test]
fn resizing_by_interpolation() {
    let linear = |coordinates: &str| {
        vec![
            text("mode", "linear"),
            text("coordinate_transformation_mode", coordinates),
        ]
    };
    let half_pixel = resize(19, &[1.0, 1.0, 1.5], &[], vec![text("mode", "linear")]);
    let expected = [1.0, 1.5, 2.166667, 2.833333, 3.5, 4.0];
    assert_values(&half_pixel, &[1, 6], &expected);
    let aligned = resize(19, &[], &[1, 1, 7], linear("align_corners"));
    let expected = [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0];
    assert_values(&aligned, &[1, 7], &expected);
    let symmetric = resize(19, &[1.0, 1.0, 1.6], &[], linear("half_pixel_symmetric"));
    let expected = [1.0, 1.5625, 2.1875, 2.8125, 3.4375, 4.0];
    assert_values(&symmetric, &[1, 6], &expected);
    let single = resize(19, &[], &[1, 1, 1], linear("pytorch_half_pixel"));
    assert_values(&single, &[1, 1], &[1.0]);
    let cubic = resize(19, &[1.0, 1.0, 1.0, 2.0], &[], vec![text("mode", "cubic")]);
    let expected = [
        0.894531, 1.191406, 1.667969, 2.296875, 2.703125, 3.332031, 3.808594, 4.105469,
    ];
    assert_values(&cubic, &[1, 1, 8], &expected);
    let inside = vec![
        text("mode", "cubic"),
        float("cubic_coeff_a", -0.5),
        integer("exclude_outside", 1),
    ];
    let inside = resize(19, &[], &[1, 1, 1, 6], inside);
    let expected = [0.934211, 1.411765, 2.166666, 2.833334, 3.588235, 4.065789];
    assert_values(&inside, &[1, 1, 6], &expected);
    let mut cropped = linear("tf_crop_and_resize");
    cropped.push(float("extrapolation_value", 9.0));
    let cropped = Model::new(13)
        .input("x", &["1", "1", "4"])
        .floats("roi", &[6], &[0.0, 0.0, 0.2, 1.0, 1.0, 1.2])
        .integers("s", &[3], &[1, 1, 5])
        .node("Resize", "x roi _ s", "y", cropped)
        .output("y");
    assert_values(&cropped, &[1, 5], &[1.6, 2.35, 3.1, 3.85, 9.0]);
}

#[test]
fn old_upsampling() {
    let model =
        |version: i64, dimensions: &[&str]| Model::new(version).input("x", dimensions).output("y");
    let expected = [1.0, 1.0, 2.0, 1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 3.0, 3.0, 4.0];
    let scales = [1.0, 1.0, 2.0, 1.5];
    let nearest = model(9, &["N", "1", "2", "2"]).floats("s", &[4], &scales);
    assert_values(
        &nearest.node("Upsample", "x s", "y", vec![]),
        &[1, 4, 3],
        &expected,
    );
    let attribute = vec![floats("scales", &scales)];
    let oldest = model(7, &["N", "1", "2", "2"]).node("Upsample", "x", "y", attribute);
    assert_values(&oldest, &[1, 4, 3], &expected);
    let linear = model(9, &["N", "1", "1", "3"]).floats("s", &[4], &[1.0, 1.0, 1.0, 2.0]);
    let linear = linear.node("Upsample", "x s", "y", vec![text("mode", "linear")]);
    assert_values(&linear, &[1, 1, 6], &[1.0, 2.0, 3.0, 2.5, 2.0, 2.0]);
    let halved = model(10, &["N", "1", "1", "5"]).floats("s", &[4], &[1.0, 1.0, 1.0, 0.5]);
    assert_values(
        &halved.node("Resize", "x s", "y", vec![]),
        &[1, 1, 2],
        &[1.0, 1.0],
    );
}

#[test]
fn moving_the_batch_is_refused() {
    let refused = |model: Model| {
        let message = model.refusal();
        assert!(
            message.contains("keep the batch as the first dimension"),
            "{message}"
        );
    };
    let axis = |axis: i64| vec![integer("axis", axis)];
    let one = || {
        base(13)
            .integers("one", &[1], &[1])
            .integers("zero", &[1], &[0])
    };
    refused(one().node("Slice", "x zero one zero", "y", vec![]));
    refused(one().node("Split", "x one", "y", axis(0)));
    refused(one().node("Gather", "x zero", "y", axis(-3)));
    refused(one().node("Concat", "x x", "y", axis(0)));
    refused(
        base(13)
            .integers("r", &[3], &[2, 1, 1])
            .node("Tile", "x r", "y", vec![]),
    );
    refused(
        base(13)
            .integers("t", &[4], &[1, 1, 4, 5])
            .node("Expand", "x t", "y", vec![]),
    );
    refused(
        base(13)
            .integers("t", &[3], &[3, 4, 5])
            .node("Expand", "x t", "y", vec![]),
    );
    refused(
        base(13)
            .integers("p", &[6], &[1, 0, 0, 0, 0, 0])
            .node("Pad", "x p", "y", vec![]),
    );
    refused(
        base(13)
            .floats("s", &[3], &[2.0, 1.0, 1.0])
            .node("Resize", "x _ s", "y", vec![]),
    );
    refused(
        base(13)
            .floats("c", &[1, 4, 1], &[1.0; 4])
            .node("Concat", "x c", "y", axis(2)),
    );
}

#[test]
fn malformed_movements() {
    let says = |model: Model, text: &str| {
        let message = model.refusal();
        assert!(message.contains(text), "{message}");
    };
    let indices = |index: i64| base(13).integers("i", &[1], &[index]);
    says(
        indices(5).node("Gather", "x i", "y", vec![integer("axis", 2)]),
        "an index is outside a dimension of 5",
    );
    says(
        base(13)
            .input("i", &["N", "2"])
            .node("Gather", "x i", "y", vec![integer("axis", 1)]),
        "its indices depend on the data",
    );
    let bounds = base(13)
        .integers("s", &[1], &[3])
        .integers("e", &[1], &[1])
        .integers("a", &[1], &[1]);
    says(
        bounds.node("Slice", "x s e a", "y", vec![]),
        "nothing is left of dimension 1",
    );
    says(
        base(13)
            .integers("s", &[2], &[2, 3])
            .node("Split", "x s", "y z", vec![integer("axis", 1)]),
        "do not make up a dimension of 4",
    );
    says(
        base(13)
            .integers("p", &[6], &[0, -4, 0, 0, 0, 0])
            .node("Pad", "x p", "y", vec![]),
        "nothing is left of dimension 1",
    );
    says(
        base(13)
            .integers("p", &[6], &[0, i64::MAX, 0, 0, i64::MAX, 0])
            .node("Pad", "x p", "y", vec![]),
        "result is too large",
    );
    says(
        base(13)
            .integers("r", &[3], &[1, i64::MAX, 1])
            .node("Tile", "x r", "y", vec![]),
        "its repeats are",
    );
    says(
        base(13)
            .integers("r", &[3], &[1, 1 << 20, 1])
            .node("Tile", "x r", "y", vec![]),
        "grow too large",
    );
    says(
        base(13)
            .floats("s", &[3], &[1.0, 1e30, 1.0])
            .node("Resize", "x _ s", "y", vec![]),
        "its scales are",
    );
    says(
        base(18).floats("s", &[3], &[1.0, 0.5, 1.0]).node(
            "Resize",
            "x _ s",
            "y",
            vec![text("mode", "linear"), integer("antialias", 1)],
        ),
        "antialias",
    );
    let aligned = vec![
        text("mode", "linear"),
        text("coordinate_transformation_mode", "align_corners"),
    ];
    says(
        base(13)
            .floats("s", &[3], &[1.0, 0.6, 1.0])
            .node("Resize", "x _ s", "y", aligned),
        "a length that is not whole",
    );
    says(
        base(13).node("Resize", "x", "y", vec![]),
        "scales are missing",
    );
}
