//! A `.npy` or `.csv` file that grows while its samples are found.

use std::io::{Seek, SeekFrom, Write};

use hush_client::Tensor;

use super::{Elements, Format, Named, csv, npy};
use crate::failure::Result;

/// An array that is written a few samples at a time.
pub(crate) struct Written<W> {
    output: W,
    format: Format,
    elements: Elements,
    /// Shape of what was written; the samples come first.
    shape: Option<Vec<usize>>,
}

impl<W: Write + Seek> Written<W> {
    /// Begins, or goes on behind what `output` holds: samples of this shape.
    pub(crate) fn new(
        output: W,
        format: Format,
        elements: Elements,
        shape: Option<Vec<usize>>,
    ) -> Self {
        Self {
            output,
            format,
            elements,
            shape,
        }
    }

    /// Adds samples.
    pub(crate) fn add(&mut self, name: &str, tensor: &Tensor) -> Result<()> {
        if let Some(shape) = &mut self.shape {
            shape[0] += tensor.shape()[0];
        } else {
            match self.format {
                Format::Csv => csv::write_header(&mut self.output, name, tensor.shape())?,
                _ => self
                    .output
                    .write_all(&npy::header(tensor.shape(), self.elements)?)?,
            }
            self.shape = Some(tensor.shape().to_vec());
        }
        match self.format {
            Format::Csv => csv::write_rows(&mut self.output, tensor),
            _ => npy::write_elements(&mut self.output, tensor.data(), self.elements),
        }
    }

    /// Shape of what was written, if anything was.
    pub(crate) fn shape(&self) -> Option<&[usize]> {
        self.shape.as_deref()
    }

    /// What it is written to.
    pub(crate) fn output(&mut self) -> &mut W {
        &mut self.output
    }

    /// Says in the file how many samples it has.
    pub(crate) fn finish(mut self) -> Result<W> {
        if let (Some(shape), Format::Npy) = (&self.shape, self.format) {
            self.output.seek(SeekFrom::Start(0))?;
            self.output.write_all(&npy::header(shape, self.elements)?)?;
            self.output.seek(SeekFrom::End(0))?;
        }
        self.output.flush()?;
        Ok(self.output)
    }
}

/// Arrays of a few samples, joined.
pub(crate) fn join(arrays: &mut Vec<Named>, more: Vec<Named>) -> Result<()> {
    if arrays.is_empty() {
        *arrays = more;
        return Ok(());
    }
    for (array, more) in arrays.iter_mut().zip(more) {
        let mut shape = array.tensor.shape().to_vec();
        shape[0] += more.tensor.shape()[0];
        let empty = Tensor::new(vec![0], Vec::new())?;
        let mut data = std::mem::replace(&mut array.tensor, empty).into_data();
        data.extend(more.tensor.into_data());
        array.tensor = Tensor::new(shape, data)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn pieces_give_the_file_that_the_whole_gives() {
        let tensor =
            |samples: usize| Tensor::new(vec![samples, 2], vec![0.5; 2 * samples]).unwrap();
        for format in [Format::Npy, Format::Csv] {
            let mut written =
                Written::new(Cursor::new(Vec::new()), format, Elements::Float32, None);
            for samples in [1, 8, 120] {
                written.add("y", &tensor(samples)).unwrap();
            }
            assert_eq!(written.shape(), Some(&[129, 2][..]));
            let pieces = written.finish().unwrap().into_inner();
            let mut whole = Cursor::new(Vec::new());
            let array = Named {
                name: Some("y".into()),
                tensor: tensor(129),
            };
            super::super::write(&mut whole, format, &[array], Elements::Float32).unwrap();
            assert_eq!(pieces, whole.into_inner());
        }
    }
}
