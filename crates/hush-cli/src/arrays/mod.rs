//! Arrays in files: `.npy`, `.npz`, `.csv` and, to read only, `.parquet`, chosen by the extension.

pub(crate) mod csv;
mod npy;
mod npz;
mod parquet;
mod samples;
mod written;

pub(crate) use samples::Samples;
pub(crate) use written::{Written, join};

use std::path::Path;

use hush_client::{Tensor, outputs_are_indices};
use hush_program::ClientSpec;

use crate::failure::{Failure, Result};

/// An array with the name it has in its file, if the format keeps names.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) name: Option<String>,
    pub(crate) tensor: Tensor,
}

/// What the elements of a written array are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elements {
    /// Numbers, as the models themselves use them.
    Float32,
    /// Indices, as ArgMax gives them.
    Int64,
}

/// A model's outputs under their names, and what their elements are once the data owner's operations ran (not `raw`).
pub(crate) fn outputs(
    spec: &ClientSpec,
    outputs: Vec<Tensor>,
    raw: bool,
) -> (Vec<Named>, Elements) {
    let elements = match !raw && outputs_are_indices(spec) {
        true => Elements::Int64,
        false => Elements::Float32,
    };
    let names = spec.outputs.iter().map(|tensor| Some(tensor.name.clone()));
    let named = names.zip(outputs);
    let named = named.map(|(name, tensor)| Named { name, tensor });
    (named.collect(), elements)
}

/// The formats that arrays are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Npy,
    Npz,
    Csv,
    Parquet,
}

impl Format {
    /// The format that a file name asks for.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let extension = path
            .extension()
            .map(|extension| extension.to_ascii_lowercase());
        match extension
            .as_deref()
            .and_then(|extension| extension.to_str())
        {
            Some("npy") => Ok(Self::Npy),
            Some("npz") => Ok(Self::Npz),
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(Failure::new(format!(
                "`{}` has no extension that names an array format",
                path.display()
            ))
            .hint("use a file name that ends in .npy, .npz, .csv or .parquet")
            .into()),
        }
    }

    /// The format that the name of an output asks for.
    pub(crate) fn of_output(path: &Path) -> Result<Self> {
        match Self::of(path)? {
            Self::Parquet => Err(Failure::new(format!(
                "`{}` cannot be written: Parquet files are read only",
                path.display()
            ))
            .hint("use a file name that ends in .npy, .npz or .csv")
            .into()),
            format => Ok(format),
        }
    }
}

/// Reads every array of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<Named>> {
    let read = match Format::of(path)? {
        Format::Npy => npy::read_file,
        Format::Npz => npz::read_file,
        Format::Csv => csv::read_file,
        Format::Parquet => parquet::read_file,
    };
    read(path)
        .map_err(|error| error.context(format!("cannot read array file `{}`", path.display())))
}

/// Writes arrays in a format. `.npy` and `.csv` hold exactly one.
pub(crate) fn write(
    output: impl std::io::Write + std::io::Seek,
    format: Format,
    arrays: &[Named],
    elements: Elements,
) -> Result<()> {
    match (format, arrays) {
        (Format::Npz, arrays) => npz::write(output, arrays, elements),
        (Format::Npy, [array]) => npy::write(output, &array.tensor, elements),
        (Format::Csv, [array]) => csv::write(output, array),
        (_, arrays) => Err(Failure::new(format!(
            "{} output tensors do not fit into one .npy or .csv file",
            arrays.len()
        ))
        .hint("write to a file name that ends in .npz")
        .into()),
    }
}
