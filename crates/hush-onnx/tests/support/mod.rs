//! Small models written in code, and comparison with the reference.

#![allow(dead_code, unreachable_pub)]

use hush_graph::{Graph, Tensor, evaluate, rewrite::simplify};
use prost::Message;
use std::path::PathBuf;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto,
    attribute_proto::AttributeType,
    tensor_proto::DataType,
    tensor_shape_proto::{Dimension, dimension::Value as DimensionValue},
    type_proto,
};

/// A model of the breast-cancer example.
pub fn example(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/breast_cancer");
    std::fs::read(folder.join(name)).expect("the example model is in the repository")
}

/// One model under construction; the batch is called `N`.
#[derive(Clone)]
pub struct Model {
    pub proto: ModelProto,
}

impl Model {
    pub fn new(operator_set: i64) -> Model {
        let import = OperatorSetIdProto {
            domain: String::new(),
            version: operator_set,
        };
        let graph = GraphProto {
            name: "test".to_string(),
            ..Default::default()
        };
        let proto = ModelProto {
            ir_version: 8,
            opset_import: vec![import],
            graph: Some(graph),
            ..Default::default()
        };
        Model { proto }
    }

    pub fn graph(&mut self) -> &mut GraphProto {
        self.proto.graph.as_mut().expect("made with a graph")
    }

    pub fn input(mut self, name: &str, dimensions: &[&str]) -> Model {
        let info = tensor_info(name, dimensions);
        self.graph().input.push(info);
        self
    }

    pub fn floats(mut self, name: &str, dims: &[i64], float_data: &[f32]) -> Model {
        self.graph().initializer.push(TensorProto {
            name: name.to_string(),
            dims: dims.to_vec(),
            data_type: DataType::Float as i32,
            float_data: float_data.to_vec(),
            ..Default::default()
        });
        self
    }

    pub fn integers(mut self, name: &str, dims: &[i64], int64_data: &[i64]) -> Model {
        self.graph().initializer.push(TensorProto {
            name: name.to_string(),
            dims: dims.to_vec(),
            data_type: DataType::Int64 as i32,
            int64_data: int64_data.to_vec(),
            ..Default::default()
        });
        self
    }

    /// `inputs` and `outputs` are names between spaces; `_` is an omitted input.
    pub fn node(
        mut self,
        operator: &str,
        inputs: &str,
        outputs: &str,
        attribute: Vec<AttributeProto>,
    ) -> Model {
        let names = |text: &str| {
            text.split_whitespace()
                .map(|name| name.trim_matches('_').to_string())
                .collect()
        };
        let position = self.graph().node.len();
        self.graph().node.push(NodeProto {
            name: format!("{operator}_{position}"),
            op_type: operator.to_string(),
            input: names(inputs),
            output: names(outputs),
            attribute,
            ..Default::default()
        });
        self
    }

    pub fn output(mut self, name: &str) -> Model {
        let info = tensor_info(name, &["N"]);
        self.graph().output.push(info);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.proto.encode_to_vec()
    }

    pub fn import(&self) -> Result<Graph, hush_onnx::ImportError> {
        hush_onnx::import_bytes(&self.bytes())
    }

    /// The message of the import error.
    pub fn refusal(&self) -> String {
        self.import()
            .expect_err("the model must be refused")
            .to_string()
    }
}

fn tensor_info(name: &str, dimensions: &[&str]) -> ValueInfoProto {
    let dim = dimensions.iter().map(|text| {
        let value = match text.parse() {
            Ok(size) => DimensionValue::DimValue(size),
            Err(_) => DimensionValue::DimParam(text.to_string()),
        };
        Dimension {
            value: Some(value),
            ..Default::default()
        }
    });
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float as i32,
        shape: Some(TensorShapeProto { dim: dim.collect() }),
    };
    let r#type = TypeProto {
        value: Some(type_proto::Value::TensorType(tensor)),
        ..Default::default()
    };
    ValueInfoProto {
        name: name.to_string(),
        r#type: Some(r#type),
        ..Default::default()
    }
}

pub fn integer(name: &str, i: i64) -> AttributeProto {
    let r#type = AttributeType::Int as i32;
    AttributeProto {
        name: name.to_string(),
        r#type,
        i,
        ..Default::default()
    }
}

pub fn integers(name: &str, ints: &[i64]) -> AttributeProto {
    let r#type = AttributeType::Ints as i32;
    AttributeProto {
        name: name.to_string(),
        r#type,
        ints: ints.to_vec(),
        ..Default::default()
    }
}

pub fn float(name: &str, f: f32) -> AttributeProto {
    let r#type = AttributeType::Float as i32;
    AttributeProto {
        name: name.to_string(),
        r#type,
        f,
        ..Default::default()
    }
}

pub fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    let r#type = AttributeType::Floats as i32;
    AttributeProto {
        name: name.to_string(),
        r#type,
        floats: floats.to_vec(),
        ..Default::default()
    }
}

pub fn text(name: &str, s: &str) -> AttributeProto {
    let r#type = AttributeType::String as i32;
    AttributeProto {
        name: name.to_string(),
        r#type,
        s: s.as_bytes().to_vec(),
        ..Default::default()
    }
}

/// Numbers between -`range` and `range`, the same for the same seed.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        self.0 >> 33
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn tensor(&mut self, shape: Vec<usize>, range: f64) -> Tensor {
        let size = shape.iter().product();
        let data = (0..size)
            .map(|_| {
                let unit = self.next() as f64 / (1u64 << 31) as f64;
                // Both sides must see the same 32-bit input.
                f64::from(((2.0 * unit - 1.0) * range) as f32)
            })
            .collect();
        Tensor::new(shape, data).expect("as many numbers as the shape says")
    }

    pub fn inputs(&mut self, graph: &Graph, batch: usize, range: f64) -> Vec<Tensor> {
        let shapes = graph
            .inputs()
            .iter()
            .map(|&input| graph.value(input).shape.with_batch(batch));
        shapes.map(|shape| self.tensor(shape, range)).collect()
    }
}

/// Asserts that the imported graph, and its simplified form, agree with tract on random inputs.
pub fn assert_like_reference(bytes: &[u8], seed: u64) -> Graph {
    let graph = hush_onnx::import_bytes(bytes).unwrap_or_else(|error| panic!("{error}"));
    let simple = simplify(&graph).unwrap_or_else(|error| panic!("{error}\n{graph}"));
    for batch in [1, 3] {
        let inputs = Numbers(seed + batch as u64).inputs(&graph, batch, 2.0);
        let expected = hush_onnx::reference::run(bytes, &inputs).unwrap();
        for graph in [&graph, &simple] {
            let actual = evaluate(graph, &inputs).unwrap();
            assert_eq!(actual.len(), expected.len());
            for (actual, expected) in actual.iter().zip(&expected) {
                assert_close(
                    actual,
                    expected,
                    &format!("seed {seed}, batch {batch}, {graph}"),
                );
            }
        }
    }
    graph
}

/// Asserts that the only output of a model with one input is `expected` for one sample whose
/// element `n` of `size` is `5 n mod size + 1`.
pub fn assert_values(model: &Model, shape: &[usize], expected: &[f64]) {
    let graph = model.import().unwrap_or_else(|error| panic!("{error}"));
    let input = graph.value(graph.inputs()[0]).shape.clone();
    let size = input.size();
    let data = (0..size).map(|n| (5 * n % size + 1) as f64).collect();
    let input = Tensor::new(input.with_batch(1), data).expect("as many as the shape says");
    let mut full = vec![1];
    full.extend_from_slice(shape);
    let expected = Tensor::new(full, expected.to_vec()).expect("as many as the shape says");
    let actual = evaluate(&graph, &[input]).unwrap_or_else(|error| panic!("{error}"));
    assert_close(&actual[0], &expected, &graph.to_string());
}

pub fn assert_close(actual: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(actual.shape(), expected.shape(), "{what}");
    for (actual, expected) in actual.data().iter().zip(expected.data()) {
        let tolerance = 2e-5 * (1.0 + expected.abs());
        assert!(
            (actual - expected).abs() <= tolerance,
            "{actual} is not {expected}: {what}"
        );
    }
}
