//! What `simple` and `simple_string` share: two inputs of 16 elements a row; their sum and their difference.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::raw::{element_count, invalid};
use crate::{DataType, ModelMetadata, ServingError, Tensor, TensorData, TensorMetadata};

/// Elements of a row.
const WIDTH: i64 = 16;

/// What such a model says of itself.
pub(super) fn metadata(name: &str, data_type: DataType) -> ModelMetadata {
    let tensors = |names: [&str; 2]| {
        let tensor = |name: &str| TensorMetadata {
            name: name.into(),
            data_type,
            shape: vec![-1, WIDTH],
        };
        names.map(tensor).into()
    };
    ModelMetadata {
        name: name.into(),
        versions: vec!["1".into()],
        platform: "hush_demo".into(),
        inputs: tensors(["INPUT0", "INPUT1"]),
        outputs: tensors(["OUTPUT0", "OUTPUT1"]),
        properties: BTreeMap::new(),
    }
}

/// Adds and subtracts, as Triton's model does: whatever leaves the range of 32 bits comes in at the other end.
pub(super) fn infer(
    data_type: DataType,
    inputs: &[Tensor],
    outputs: &[String],
    decode: impl Fn(&Tensor) -> Result<Vec<i32>, ServingError>,
    encode: impl Fn(Vec<i32>) -> TensorData,
) -> Result<Vec<Tensor>, ServingError> {
    let [first, second] = ["INPUT0", "INPUT1"].map(|name| input(inputs, name, data_type));
    let (first, second) = (first?, second?);
    if inputs.len() > 2 {
        return Err(invalid("the model takes INPUT0 and INPUT1 only"));
    }
    if first.shape != second.shape {
        return Err(invalid("INPUT0 and INPUT1 differ in shape"));
    }
    let pairs =
        || -> Result<_, ServingError> { Ok(decode(first)?.into_iter().zip(decode(second)?)) };
    let wanted = |name: &str| outputs.is_empty() || outputs.iter().any(|output| output == name);
    if let Some(unknown) = outputs
        .iter()
        .find(|name| !["OUTPUT0", "OUTPUT1"].contains(&name.as_str()))
    {
        return Err(invalid(format!("the model has no output `{unknown}`")));
    }
    let mut answer = Vec::new();
    let mut push = |name: &str, numbers: Vec<i32>| {
        answer.push(Tensor {
            name: name.into(),
            data_type,
            shape: first.shape.clone(),
            data: encode(numbers),
        });
    };
    if wanted("OUTPUT0") {
        push(
            "OUTPUT0",
            pairs()?.map(|(a, b)| a.wrapping_add(b)).collect(),
        );
    }
    if wanted("OUTPUT1") {
        push(
            "OUTPUT1",
            pairs()?.map(|(a, b)| a.wrapping_sub(b)).collect(),
        );
    }
    Ok(answer)
}

fn input<'a>(
    inputs: &'a [Tensor],
    name: &str,
    data_type: DataType,
) -> Result<&'a Tensor, ServingError> {
    let input = inputs.iter().find(|input| input.name == name);
    let input = input.ok_or_else(|| invalid(format!("the request lacks the input `{name}`")))?;
    if input.data_type != data_type {
        return Err(invalid(format!(
            "the input `{name}` is of type {}, not {}",
            data_type.name(),
            input.data_type.name()
        )));
    }
    match input.shape.as_slice() {
        &[_, WIDTH] => element_count(name, &input.shape).map(|_| input),
        shape => Err(invalid(format!(
            "the input `{name}` has the shape [n, {WIDTH}], not {shape:?}"
        ))),
    }
}

/// The numbers of a tensor of 32-bit integers.
pub(super) fn numbers(bytes: &Bytes) -> Vec<i32> {
    let (elements, _) = bytes.as_chunks::<4>();
    elements
        .iter()
        .map(|&element| i32::from_le_bytes(element))
        .collect()
}
