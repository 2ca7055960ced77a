//! Which array of a file is which input of a model, and whether it looks like the calibration data.

use std::path::Path;

use hush_client::{Outliers, Tensor, find_outliers};
use hush_program::{ClientSpec, TensorSpec};

use crate::arrays::{self, Named};
use crate::failure::{Failure, Result};
use crate::terminal::{Terminal, counted};

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

/// Reads one tensor an input from a file: by name where there are several of either; `array`
/// chooses one of an archive for a model with one input.
pub(crate) fn read(path: &Path, wanted: &[Wanted<'_>], array: Option<&str>) -> Result<Vec<Tensor>> {
    let arrays = arrays::read(path)?;
    let names = names_of(&arrays);
    let tensors = select(arrays, wanted, array)
        .map_err(|failure| anyhow::Error::from(failure.hint(names)))
        .map_err(|error| error.context(format!("cannot use array file `{}`", path.display())))?;
    let pairs = tensors.into_iter().zip(wanted);
    Ok(pairs
        .map(|(tensor, wanted)| unflatten(tensor, wanted))
        .collect())
}

/// Warns of samples outside the range that the model was calibrated on and returns how many there are.
pub(crate) fn warn_of_outliers(spec: &ClientSpec, tensors: &[Tensor], terminal: Terminal) -> usize {
    warn(&find_outliers(spec, tensors), terminal)
}

/// As [`warn_of_outliers`], for what was found already.
pub(crate) fn warn(outliers: &[Outliers], terminal: Terminal) -> usize {
    for outlier in outliers {
        terminal.warn(&format!(
            "{} of input `{}` {} outside {} to {}, which the model was calibrated on: results may be wrong \
             (the first is sample {}, counted from 0)",
            counted(outlier.count, "sample"),
            outlier.tensor,
            if outlier.count == 1 { "lies" } else { "lie" },
            outlier.range.0,
            outlier.range.1,
            outlier.first
        ));
    }
    outliers.iter().map(|outlier| outlier.count).sum()
}

fn select(
    mut arrays: Vec<Named>,
    wanted: &[Wanted<'_>],
    array: Option<&str>,
) -> std::result::Result<Vec<Tensor>, Failure> {
    if let Some(array) = array {
        if wanted.len() != 1 {
            return Err(Failure::new(format!(
                "--array chooses the array of a model with one input, this model has {}",
                wanted.len()
            )));
        }
        return take(&mut arrays, array).map(|tensor| vec![tensor]);
    }
    if let ([wanted], 1) = (wanted, arrays.len()) {
        let only = arrays.pop().map(|named| named.tensor);
        return only
            .map(|tensor| vec![tensor])
            .ok_or_else(|| Failure::new(format!("there is no array for input `{}`", wanted.name)));
    }
    wanted
        .iter()
        .map(|wanted| take(&mut arrays, wanted.name))
        .collect()
}

fn take(arrays: &mut Vec<Named>, name: &str) -> std::result::Result<Tensor, Failure> {
    let position = arrays
        .iter()
        .position(|array| array.name.as_deref() == Some(name));
    match position {
        Some(position) => Ok(arrays.swap_remove(position).tensor),
        None => Err(Failure::new(format!("it has no array named `{name}`"))),
    }
}

fn names_of(arrays: &[Named]) -> String {
    let names: Vec<_> = arrays
        .iter()
        .filter_map(|array| array.name.as_deref())
        .collect();
    if names.is_empty() {
        "a .npy or .csv file holds one array without a name; use .npz for several inputs".to_owned()
    } else {
        format!(
            "its arrays are {}; name them like the model's inputs, or choose one with --array",
            names.join(", ")
        )
    }
}

/// A table gives a flat row a sample; the model may want the same numbers in more dimensions.
pub(crate) fn unflatten(tensor: Tensor, wanted: &Wanted<'_>) -> Tensor {
    let flat = match tensor.shape() {
        [_, width] => wanted.shape.len() != 1 && *width == wanted.shape.iter().product::<usize>(),
        _ => false,
    };
    if !flat {
        return tensor;
    }
    let mut shape = vec![tensor.shape()[0]];
    shape.extend(wanted.shape);
    Tensor::new(shape, tensor.data().to_vec()).unwrap_or(tensor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: Option<&str>, width: usize) -> Named {
        Named {
            name: name.map(str::to_owned),
            tensor: Tensor::new(vec![1, width], vec![0.0; width]).unwrap(),
        }
    }

    const ONE: [Wanted<'static>; 1] = [Wanted {
        name: "x",
        shape: &[4],
    }];

    #[test]
    fn a_lone_array_needs_no_name() {
        let arrays = vec![named(Some("anything"), 4)];
        assert!(select(arrays, &ONE, None).is_ok());
    }

    #[test]
    fn several_arrays_are_told_apart_by_name() {
        let arrays = || vec![named(Some("y"), 2), named(Some("x"), 4)];
        let tensors = select(arrays(), &ONE, None).unwrap();
        assert_eq!(tensors[0].shape(), [1, 4]);
        let tensors = select(arrays(), &ONE, Some("y")).unwrap();
        assert_eq!(tensors[0].shape(), [1, 2]);
        assert!(select(arrays(), &ONE, Some("z")).is_err());
    }

    #[test]
    fn flat_rows_take_the_shape_of_the_input() {
        let wanted = Wanted {
            name: "x",
            shape: &[1, 2, 2],
        };
        let tensor = unflatten(named(None, 4).tensor, &wanted);
        assert_eq!(tensor.shape(), [1, 1, 2, 2]);
    }
}
