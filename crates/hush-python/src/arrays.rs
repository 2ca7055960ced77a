//! NumPy arrays to tensors and back.

use hush_client::{Tensor, find_outliers, outputs_are_indices};
use hush_program::{ClientSpec, TensorSpec};
use numpy::ndarray::{ArrayD, IxDyn};
use numpy::{IntoPyArray, PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};

use crate::failure::Failure;

/// An input as the model names it.
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    /// Shape without the batch.
    pub(crate) shape: &'a [usize],
}

impl<'a> From<&'a TensorSpec> for Wanted<'a> {
    fn from(tensor: &'a TensorSpec) -> Self {
        Self {
            name: &tensor.name,
            shape: &tensor.shape,
        }
    }
}

/// One tensor an input of the model from an array, or from a mapping of names to arrays.
pub(crate) fn tensors<'a>(
    inputs: impl IntoIterator<Item = impl Into<Wanted<'a>>>,
    x: &Bound<'_, PyAny>,
) -> PyResult<Vec<Tensor>> {
    let wanted: Vec<Wanted<'a>> = inputs.into_iter().map(Into::into).collect();
    if let Ok(mapping) = x.cast::<PyMapping>() {
        return named(&wanted, mapping);
    }
    match &wanted[..] {
        [only] => Ok(vec![tensor(only, x)?]),
        _ => Err(
            Failure::new(format!("the model takes {} inputs", wanted.len()))
                .hint(format!(
                    "pass a dictionary with the arrays {}",
                    names(&wanted)
                ))
                .into(),
        ),
    }
}

fn named(wanted: &[Wanted<'_>], mapping: &Bound<'_, PyMapping>) -> PyResult<Vec<Tensor>> {
    if mapping.len()? > wanted.len() {
        return Err(Failure::new(format!(
            "{} arrays were given, the model takes {}",
            mapping.len()?,
            names(wanted)
        ))
        .into());
    }
    let tensors = wanted.iter().map(|input| {
        if !mapping.contains(input.name)? {
            let failure = Failure::new(format!("there is no array `{}`", input.name));
            let hint = format!("name the arrays like the model's inputs: {}", names(wanted));
            return Err(failure.hint(hint).into());
        }
        tensor(input, &mapping.get_item(input.name)?)
    });
    tensors.collect()
}

fn names(wanted: &[Wanted<'_>]) -> String {
    let names: Vec<_> = wanted
        .iter()
        .map(|wanted| format!("`{}`", wanted.name))
        .collect();
    names.join(", ")
}

fn tensor(wanted: &Wanted<'_>, x: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    let py = x.py();
    let numpy = py.import("numpy")?;
    let array = numpy.call_method1("asarray", (x,))?;
    let kind: String = array.getattr("dtype")?.getattr("kind")?.extract()?;
    if !["b", "i", "u", "f", "O"].contains(&kind.as_str()) {
        let element = array.getattr("dtype")?.str()?;
        return Err(Failure::new(format!(
            "input `{}` holds elements of type {element}",
            wanted.name
        ))
        .hint("pass real numbers")
        .into());
    }
    let keywords = PyDict::new(py);
    keywords.set_item("dtype", "float64")?;
    keywords.set_item("order", "C")?;
    let array = numpy.call_method("asarray", (array,), Some(&keywords))?;
    let array = array.cast_into::<PyArrayDyn<f64>>()?;
    let data = array.try_readonly()?.as_slice()?.to_vec();
    let shape = unflatten(array.shape(), wanted);
    Ok(Tensor::new(shape, data).map_err(Failure::from)?)
}

/// A table gives a flat row a sample; the model may want the same numbers in more dimensions.
fn unflatten(shape: &[usize], wanted: &Wanted<'_>) -> Vec<usize> {
    match *shape {
        [samples, width]
            if wanted.shape.len() != 1 && width == wanted.shape.iter().product::<usize>() =>
        {
            let mut shape = vec![samples];
            shape.extend(wanted.shape);
            shape
        }
        _ => shape.to_vec(),
    }
}

/// A model's outputs: the array of the only one, or a dictionary of all. Elements are float32, as models use them, or
/// int64 if they are indices; `raw` outputs never are.
pub(crate) fn outputs<'py>(
    py: Python<'py>,
    spec: &ClientSpec,
    outputs: Vec<Tensor>,
    raw: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let indices = !raw && outputs_are_indices(spec);
    let mut arrays = Vec::with_capacity(outputs.len());
    for tensor in outputs {
        arrays.push(match indices {
            true => array(py, tensor, |value| value as i64)?,
            false => array(py, tensor, |value| value as f32)?,
        });
    }
    if let [only] = &arrays[..] {
        return Ok(only.clone());
    }
    let named = PyDict::new(py);
    for (tensor, array) in spec.outputs.iter().zip(arrays) {
        named.set_item(&tensor.name, array)?;
    }
    Ok(named.into_any())
}

fn array<'py, T: numpy::Element>(
    py: Python<'py>,
    tensor: Tensor,
    convert: impl Fn(f64) -> T,
) -> PyResult<Bound<'py, PyAny>> {
    let shape = IxDyn(tensor.shape());
    let data = tensor.into_data().into_iter().map(convert).collect();
    let array = ArrayD::from_shape_vec(shape, data)
        .map_err(|error| Failure::new(format!("an output cannot become an array: {error}")))?;
    Ok(array.into_pyarray(py).into_any())
}

/// What to warn of: samples outside the range that the model was calibrated on.
pub(crate) fn outliers(spec: &ClientSpec, tensors: &[Tensor]) -> Vec<String> {
    let outliers = find_outliers(spec, tensors).into_iter().map(|outlier| {
        let (samples, lie) = match outlier.count {
            1 => ("sample", "lies"),
            _ => ("samples", "lie"),
        };
        format!(
            "{} {samples} of input `{}` {lie} outside {} to {}, which the model was calibrated on: results may be \
             wrong (the first is sample {}, counted from 0)",
            outlier.count, outlier.tensor, outlier.range.0, outlier.range.1, outlier.first
        )
    });
    outliers.collect()
}
