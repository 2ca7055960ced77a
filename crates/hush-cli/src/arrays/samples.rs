//! The samples of a `.npy`, `.csv` or `.parquet` file, a few at a time, so that a file of any length fits into memory.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use csv::{Reader, StringRecord};
use hush_client::Tensor;

use super::npy::{self, Header, not_an_array};
use super::parquet::Rows;
use super::{Format, csv as table};
use crate::failure::Result;

/// A file of samples that is read from its beginning to its end.
pub(crate) enum Samples {
    Npy {
        input: BufReader<File>,
        header: Header,
        /// Samples that were read.
        read: usize,
    },
    Csv {
        reader: Reader<BufReader<File>>,
        /// The first line, if it is a sample.
        first: Option<StringRecord>,
    },
    Parquet(Box<Rows>),
}

impl Samples {
    /// Opens a file; `None` for a format, or an order of elements, that is read as a whole only.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>> {
        let file = || Ok::<_, std::io::Error>(BufReader::with_capacity(1 << 20, File::open(path)?));
        let opened = || match Format::of(path)? {
            Format::Npz => Ok(None),
            Format::Parquet => Ok(Some(Self::Parquet(Box::new(Rows::open(path)?)))),
            Format::Npy => {
                let mut input = file()?;
                let header = npy::read_header(&mut input)?;
                if header.shape.is_empty() || header.fortran_order && header.shape.len() > 1 {
                    return Ok(None);
                }
                Ok(Some(Self::Npy {
                    input,
                    header,
                    read: 0,
                }))
            }
            Format::Csv => {
                let mut reader = table::reader(file()?);
                let mut first = StringRecord::new();
                let any = reader.read_record(&mut first);
                let any = any.map_err(|error| table::not_a_table(&error))?;
                let first = (any && !table::is_header(&first)).then_some(first);
                Ok(Some(Self::Csv { reader, first }))
            }
        };
        opened().map_err(|error| about(path, error))
    }

    /// How many samples are left, where the file says it.
    pub(crate) fn left(&self) -> Option<u64> {
        match self {
            Self::Npy { header, read, .. } => Some((header.shape[0] - read) as u64),
            Self::Csv { .. } => None,
            Self::Parquet(rows) => Some(rows.left()),
        }
    }

    /// The next samples, at most so many; `None` at the end.
    pub(crate) fn next(&mut self, most: usize) -> Result<Option<Tensor>> {
        match self {
            Self::Npy {
                input,
                header,
                read,
            } => {
                let samples = most.min(header.shape[0] - *read);
                if samples == 0 {
                    if input.read(&mut [0])? != 0 {
                        return Err(not_an_array("it continues after its last element").into());
                    }
                    return Ok(None);
                }
                let mut shape = header.shape.clone();
                shape[0] = samples;
                let data = npy::read_elements(input, &header.descr, count(&shape)?)?;
                *read += samples;
                Ok(Some(Tensor::new(shape, data)?))
            }
            Self::Csv { reader, first } => {
                let (mut cells, mut rows, mut width) = (Vec::new(), 0, 0);
                while rows < most {
                    let Some(record) = next_record(reader, first)? else {
                        break;
                    };
                    width = record.len();
                    table::append(&mut cells, &record)?;
                    rows += 1;
                }
                match rows {
                    0 => Ok(None),
                    rows => Ok(Some(Tensor::new(vec![rows, width], cells)?)),
                }
            }
            Self::Parquet(rows) => rows.next(most),
        }
    }

    /// Leaves out samples; true if there were so many.
    pub(crate) fn skip(&mut self, samples: u64) -> Result<bool> {
        match self {
            Self::Npy {
                input,
                header,
                read,
            } => {
                let left = header.shape[0] - *read;
                let Some(skipped) = usize::try_from(samples).ok().filter(|&few| few <= left) else {
                    return Ok(false);
                };
                let mut shape = header.shape.clone();
                shape[0] = skipped;
                let digits = header
                    .descr
                    .trim_start_matches(|c: char| !c.is_ascii_digit());
                let size: usize = digits.parse().unwrap_or(0);
                let bytes = count(&shape)?.checked_mul(size);
                let bytes = bytes.and_then(|bytes| i64::try_from(bytes).ok());
                let bytes = bytes.ok_or_else(|| not_an_array("its shape is too large"))?;
                input.seek(SeekFrom::Current(bytes))?;
                *read += skipped;
                Ok(true)
            }
            Self::Csv { reader, first } => {
                for _ in 0..samples {
                    if next_record(reader, first)?.is_none() {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Parquet(rows) => rows.skip(samples),
        }
    }
}

fn next_record(
    reader: &mut Reader<BufReader<File>>,
    first: &mut Option<StringRecord>,
) -> Result<Option<StringRecord>> {
    if let Some(first) = first.take() {
        return Ok(Some(first));
    }
    let mut record = StringRecord::new();
    let any = reader.read_record(&mut record);
    let any = any.map_err(|error| table::not_a_table(&error))?;
    Ok(any.then_some(record))
}

fn count(shape: &[usize]) -> Result<usize> {
    let count = shape
        .iter()
        .try_fold(1usize, |size, &extent| size.checked_mul(extent));
    Ok(count.ok_or_else(|| not_an_array("its shape is too large"))?)
}

fn about(path: &Path, error: anyhow::Error) -> anyhow::Error {
    error.context(format!("cannot read array file `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrays::{Elements, Named, write};

    fn written(name: &str, samples: usize) -> (tempfile::TempDir, std::path::PathBuf, Tensor) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let data = (0..2 * samples).map(|value| value as f64).collect();
        let tensor = Tensor::new(vec![samples, 2], data).unwrap();
        let array = Named {
            name: None,
            tensor: tensor.clone(),
        };
        let format = Format::of(&path).unwrap();
        write(
            File::create(&path).unwrap(),
            format,
            &[array],
            Elements::Float32,
        )
        .unwrap();
        (folder, path, tensor)
    }

    #[test]
    fn pieces_make_the_whole() {
        for name in ["x.npy", "x.csv"] {
            let (_folder, path, tensor) = written(name, 7);
            for most in 1..9 {
                for skipped in 0..=7 {
                    let mut samples = Samples::open(&path).unwrap().unwrap();
                    assert!(samples.skip(skipped).unwrap());
                    let mut data = Vec::new();
                    while let Some(piece) = samples.next(most).unwrap() {
                        assert!(piece.shape()[0] <= most);
                        data.extend_from_slice(piece.data());
                    }
                    assert_eq!(data, tensor.data()[2 * skipped as usize..]);
                }
            }
            assert!(!Samples::open(&path).unwrap().unwrap().skip(8).unwrap());
        }
    }

    #[test]
    fn a_file_that_is_cut_is_an_error() {
        let (_folder, path, _) = written("x.npy", 7);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let mut samples = Samples::open(&path).unwrap().unwrap();
        assert_eq!(samples.left(), Some(7));
        assert!(samples.next(6).unwrap().is_some());
        let error = samples.next(6).unwrap_err();
        assert!(error.to_string().contains("truncated"), "{error}");
        std::fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
        let mut samples = Samples::open(&path).unwrap().unwrap();
        assert!(samples.next(7).unwrap().is_some());
        assert!(samples.next(1).is_err());
    }
}
