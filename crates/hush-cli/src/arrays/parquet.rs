//! Tables in `.parquet` files: one row a sample, one column a feature, read a few rows at a time.
//!
//! Memory holds one page of each column beside the rows that are asked for, however long row groups are.

use std::fs::File;
use std::path::Path;

use half::f16;
use hush_client::Tensor;
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::Named;
use crate::failure::{Failure, Result};

/// Where pandas keeps row labels that are no features.
const INDEX: &str = "__index_level_";
/// Numbers that are read at once where nobody asks for fewer.
const BATCH: usize = 1 << 20;

pub(super) fn read_file(path: &Path) -> Result<Vec<Named>> {
    let mut rows = Rows::open(path)?;
    let mut data = Vec::new();
    let most = (BATCH / rows.width()).max(1);
    while let Some(tensor) = rows.next(most)? {
        data.extend(tensor.into_data());
    }
    let tensor = Tensor::new(vec![data.len() / rows.width(), rows.width()], data)?;
    Ok(vec![Named { name: None, tensor }])
}

/// The rows of a table, from its first to its last.
pub(crate) struct Rows {
    file: SerializedFileReader<File>,
    columns: Vec<Column>,
    /// Row groups that were begun.
    groups: usize,
    /// One a column of the row group that is being read.
    readers: Vec<ColumnReader>,
    /// Rows that this row group still has.
    here: u64,
    /// Rows before the next.
    read: u64,
    left: u64,
}

/// A column of numbers.
struct Column {
    name: String,
    /// Among those of the file.
    index: usize,
    elements: Elements,
    /// Level at which a value is there.
    present: i16,
}

/// How a stored value stands for a number.
#[derive(Clone, Copy)]
enum Elements {
    AsStored,
    Unsigned,
    Float16,
}

impl Rows {
    /// Opens a table.
    ///
    /// # Errors
    /// What is no Parquet file, and columns of anything but numbers, by name.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = SerializedFileReader::new(File::open(path)?).map_err(damaged)?;
        let metadata = file.metadata();
        let stored = metadata.file_metadata().schema_descr().columns();
        let features = stored
            .iter()
            .enumerate()
            .filter(|(_, stored)| !stored.name().starts_with(INDEX));
        let columns: Result<Vec<_>> = features
            .map(|(index, stored)| Column::new(index, stored))
            .collect();
        let columns = columns?;
        if columns.is_empty() {
            return Err(Failure::new("the table has no column")
                .hint("one row is a sample and one column a feature")
                .into());
        }
        let rows = metadata.row_groups().iter().try_fold(0u64, |sum, group| {
            sum.checked_add(u64::try_from(group.num_rows()).ok()?)
        });
        let left = rows.ok_or_else(|| not_a_table("its row groups count no rows"))?;
        Ok(Self {
            columns,
            groups: 0,
            readers: Vec::new(),
            here: 0,
            read: 0,
            left,
            file,
        })
    }

    /// Number of columns.
    fn width(&self) -> usize {
        self.columns.len()
    }

    /// Rows that are left.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// The next rows, at most so many; `None` at the end.
    pub(super) fn next(&mut self, most: usize) -> Result<Option<Tensor>> {
        let (mut cells, mut rows) = (Vec::new(), 0);
        while rows < most && self.next_group()? {
            let few = (most - rows).min(usize::try_from(self.here).unwrap_or(usize::MAX));
            rows += self.append(few, &mut cells)?;
        }
        match rows {
            0 => Ok(None),
            rows => Ok(Some(Tensor::new(vec![rows, self.width()], cells)?)),
        }
    }

    /// Leaves out rows; true if there were so many.
    pub(super) fn skip(&mut self, rows: u64) -> Result<bool> {
        if rows > self.left {
            return Ok(false);
        }
        let mut rows = rows;
        while rows > 0 {
            // Whole row groups are not even opened.
            if self.here == 0 {
                let Some(group) = self.group(self.groups) else {
                    return Err(cut().into());
                };
                if group <= rows {
                    self.groups += 1;
                    self.passed(group);
                    rows -= group;
                    continue;
                }
            }
            if !self.next_group()? {
                return Err(cut().into());
            }
            // A few at a time, as they are read.
            let few = rows.min(self.here).min((BATCH / self.width()).max(1) as u64);
            let read = self.append(usize::try_from(few)?, &mut Vec::new())?;
            rows -= read as u64;
        }
        Ok(true)
    }

    fn passed(&mut self, rows: u64) {
        self.read += rows;
        self.left -= rows;
    }

    /// Rows of a row group.
    fn group(&self, group: usize) -> Option<u64> {
        let group = self.file.metadata().row_groups().get(group)?;
        u64::try_from(group.num_rows()).ok()
    }

    /// Sees to it that there is a row to read in the row group; false at the end.
    fn next_group(&mut self) -> Result<bool> {
        while self.here == 0 {
            let Some(rows) = self.group(self.groups) else {
                return Ok(false);
            };
            let group = self.file.get_row_group(self.groups).map_err(damaged)?;
            let columns = self.columns.iter();
            let readers = columns.map(|column| group.get_column_reader(column.index));
            let readers: std::result::Result<_, _> = readers.collect();
            self.readers = readers.map_err(damaged)?;
            self.groups += 1;
            self.here = rows;
        }
        Ok(true)
    }

    /// Adds so many rows, or as many as one reading gives, of a row group that has them.
    fn append(&mut self, rows: usize, cells: &mut Vec<f64>) -> Result<usize> {
        let (start, width) = (cells.len(), self.width());
        let mut values = Vec::new();
        for (at, (column, reader)) in self.columns.iter().zip(&mut self.readers).enumerate() {
            values.clear();
            column.read(reader, rows, self.read, &mut values)?;
            if at == 0 {
                // Once a column has them: a count of rows may lie.
                cells.resize(start + rows * width, 0.0);
            }
            for (row, &value) in cells[start..].chunks_exact_mut(width).zip(&values) {
                row[at] = value;
            }
        }
        self.here -= rows as u64;
        self.passed(rows as u64);
        Ok(rows)
    }
}

impl Column {
    fn new(index: usize, stored: &ColumnDescriptor) -> Result<Self> {
        let name = stored.path().string();
        if stored.path().parts().len() != 1 || stored.max_rep_level() > 0 {
            let message = format!("column `{name}` is nested");
            return Err(Failure::new(message)
                .hint("make a column of each of its values")
                .into());
        }
        let elements = elements(stored).ok_or_else(|| {
            let kind = match stored.logical_type_ref() {
                Some(logical) => format!("{logical:?}"),
                None => stored.physical_type().to_string(),
            };
            let kind = kind.split(['(', ' ']).next().unwrap_or_default();
            let message = format!(
                "column `{name}` holds no numbers but {}",
                kind.to_lowercase()
            );
            Failure::new(message).hint("leave it out, or make numbers of it")
        })?;
        Ok(Self {
            name,
            index,
            elements,
            present: stored.max_def_level(),
        })
    }

    /// Reads exactly so many values; `before` rows precede them.
    fn read(
        &self,
        reader: &mut ColumnReader,
        rows: usize,
        before: u64,
        numbers: &mut Vec<f64>,
    ) -> Result<()> {
        use ColumnReader as Of;
        let unsigned = matches!(self.elements, Elements::Unsigned);
        match reader {
            Of::BoolColumnReader(reader) => {
                self.values(reader, rows, before, |&value| f64::from(value), numbers)
            }
            Of::Int32ColumnReader(reader) => {
                let number = |&value: &i32| match unsigned {
                    true => f64::from(value.cast_unsigned()),
                    false => f64::from(value),
                };
                self.values(reader, rows, before, number, numbers)
            }
            Of::Int64ColumnReader(reader) => {
                let number = |&value: &i64| match unsigned {
                    true => value.cast_unsigned() as f64,
                    false => value as f64,
                };
                self.values(reader, rows, before, number, numbers)
            }
            Of::FloatColumnReader(reader) => {
                self.values(reader, rows, before, |&value| f64::from(value), numbers)
            }
            Of::DoubleColumnReader(reader) => {
                self.values(reader, rows, before, |&value| value, numbers)
            }
            Of::FixedLenByteArrayColumnReader(reader) => {
                let number = |value: &parquet::data_type::FixedLenByteArray| {
                    let bytes = value.data().first_chunk().copied().unwrap_or_default();
                    f64::from(f16::from_le_bytes(bytes))
                };
                self.values(reader, rows, before, number, numbers)
            }
            _ => Err(not_a_table(&format!("column `{}` changed its type", self.name)).into()),
        }
    }

    fn values<T: DataType>(
        &self,
        reader: &mut ColumnReaderImpl<T>,
        rows: usize,
        before: u64,
        number: impl Fn(&T::T) -> f64,
        numbers: &mut Vec<f64>,
    ) -> Result<()> {
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let mut done = 0;
        while done < rows {
            levels.clear();
            values.clear();
            let there = (self.present > 0).then_some(&mut levels);
            let (read, _, _) = reader
                .read_records(rows - done, there, None, &mut values)
                .map_err(damaged)?;
            if let Some(missing) = levels.iter().position(|&level| level != self.present) {
                let row = before + (done + missing) as u64;
                let message = format!("column `{}` is null in row {row}", self.name);
                return Err(Failure::new(format!("{message}, counted from 0"))
                    .hint("fill or remove missing cells")
                    .into());
            }
            if read == 0 || values.len() != read {
                return Err(cut().into());
            }
            numbers.extend(values.iter().map(&number));
            done += read;
        }
        Ok(())
    }
}

/// How the values of a column stand for numbers; `None` if they do not.
fn elements(stored: &ColumnDescriptor) -> Option<Elements> {
    let logical = stored.logical_type_ref();
    match stored.physical_type() {
        Type::BOOLEAN | Type::FLOAT | Type::DOUBLE if logical.is_none() => Some(Elements::AsStored),
        Type::INT32 | Type::INT64 => match (logical, stored.converted_type()) {
            (Some(LogicalType::Integer(integer)), _) if !integer.is_signed => {
                Some(Elements::Unsigned)
            }
            (Some(LogicalType::Integer(_)), _) | (None, ConvertedType::NONE) => {
                Some(Elements::AsStored)
            }
            (None, converted) => match converted {
                ConvertedType::INT_8
                | ConvertedType::INT_16
                | ConvertedType::INT_32
                | ConvertedType::INT_64 => Some(Elements::AsStored),
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64 => Some(Elements::Unsigned),
                _ => None,
            },
            _ => None,
        },
        Type::FIXED_LEN_BYTE_ARRAY if logical == Some(&LogicalType::Float16) => {
            Some(Elements::Float16)
        }
        _ => None,
    }
}

fn not_a_table(reason: &str) -> Failure {
    Failure::new(format!("not a Parquet file: {reason}"))
        .hint("write it with pyarrow, polars or pandas")
}

fn cut() -> Failure {
    not_a_table("a row group has fewer rows than it says")
}

fn damaged(error: ParquetError) -> Failure {
    let text = error.to_string();
    not_a_table(text.strip_prefix("Parquet error: ").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use parquet::basic::{Compression, ZstdLevel};
    use parquet::data_type::{BoolType, DoubleType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    /// Files that pyarrow wrote; README.md there tells how.
    fn testdata(name: &str) -> std::path::PathBuf {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata")).join(name)
    }

    fn all(path: &Path, most: usize) -> Result<Vec<f64>> {
        let mut rows = Rows::open(path)?;
        let mut cells = Vec::new();
        while let Some(tensor) = rows.next(most)? {
            assert!(tensor.shape()[0] == most || rows.left() == 0);
            cells.extend(tensor.into_data());
        }
        assert_eq!(rows.left(), 0);
        Ok(cells)
    }

    /// What pyarrow was told to write: a column of each kind.
    fn kinds() -> Vec<f64> {
        let row = |row: i32| {
            let value = f64::from(row);
            let large = |bits: i32| 2f64.powi(bits) - 1.0 - value;
            [
                f64::from(row % 3 == 0),
                value - 5.0,
                large(8),
                -100.0 * value,
                -100_000.0 * value,
                large(32),
                2f64.powi(40) * (value - 5.0),
                2f64.powi(63) + 2048.0 * value,
                value / 4.0,
                value / 8.0,
                value / 3.0,
            ]
        };
        (0..10).flat_map(row).collect()
    }

    #[test]
    fn numbers_of_every_kind_as_pyarrow_writes_them() {
        for name in ["kinds-zstd.parquet", "kinds-snappy-v1.parquet"] {
            for most in [1, 3, 4, 7, 10, 99] {
                assert_eq!(all(&testdata(name), most).unwrap(), kinds(), "{name}");
            }
            let array = &read_file(&testdata(name)).unwrap()[0];
            assert_eq!(array.tensor.shape(), [10, 11]);
        }
    }

    #[test]
    fn rows_are_left_out_within_and_across_row_groups() {
        for skipped in 0..=10 {
            for first in 0..=skipped {
                let mut rows = Rows::open(&testdata("kinds-zstd.parquet")).unwrap();
                assert!(rows.skip(first).unwrap());
                assert!(rows.skip(skipped - first).unwrap());
                assert_eq!(rows.left(), 10 - skipped);
                let rest = rows.next(10).unwrap();
                let rest = rest.map_or(Vec::new(), Tensor::into_data);
                assert_eq!(rest, kinds()[11 * skipped as usize..]);
            }
        }
        let mut rows = Rows::open(&testdata("kinds-zstd.parquet")).unwrap();
        assert!(!rows.skip(11).unwrap());
    }

    #[test]
    fn what_is_no_number_is_named() {
        let error = |name: &str| all(&testdata(name), 3).unwrap_err().to_string();
        assert_eq!(
            error("nulls.parquet"),
            "column `second` is null in row 6, counted from 0"
        );
        assert_eq!(
            error("text.parquet"),
            "column `who` holds no numbers but string"
        );
        assert_eq!(
            error("dates.parquet"),
            "column `when` holds no numbers but date"
        );
        assert_eq!(
            error("lists.parquet"),
            "column `many.list.element` is nested"
        );
        assert_eq!(
            error("README.md").split(':').next(),
            Some("not a Parquet file")
        );
        // What null rows precede is told from where reading begins.
        let mut rows = Rows::open(&testdata("nulls.parquet")).unwrap();
        assert!(rows.skip(5).unwrap());
        let error = rows.next(9).unwrap_err().to_string();
        assert!(error.contains("row 6"), "{error}");
    }

    #[test]
    fn labels_of_pandas_are_no_feature() {
        assert_eq!(
            all(&testdata("pandas-index.parquet"), 9).unwrap(),
            [0.5, 1.5, 2.5]
        );
    }

    /// Three columns, in row groups of so many rows each.
    fn written(groups: &[usize], compression: Compression) -> (tempfile::NamedTempFile, Vec<f64>) {
        let schema = "message table { required boolean a; required int64 b; optional double c; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = WriterProperties::builder().set_compression(compression);
        let file = tempfile::NamedTempFile::new().unwrap();
        let output = file.reopen().unwrap();
        let properties = Arc::new(properties.build());
        let mut writer = SerializedFileWriter::new(output, schema, properties).unwrap();
        let (mut cells, mut first) = (Vec::new(), 0);
        for &count in groups {
            let a: Vec<bool> = (first..first + count).map(|row| row % 2 == 1).collect();
            let b: Vec<i64> = (first..first + count).map(|row| 3 - row as i64).collect();
            let c: Vec<f64> = (first..first + count).map(|row| row as f64 / 7.0).collect();
            let levels = vec![1; count];
            let mut group = writer.next_row_group().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            column
                .typed::<BoolType>()
                .write_batch(&a, None, None)
                .unwrap();
            column.close().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            column
                .typed::<Int64Type>()
                .write_batch(&b, None, None)
                .unwrap();
            column.close().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            let typed = column.typed::<DoubleType>();
            typed.write_batch(&c, Some(&levels), None).unwrap();
            column.close().unwrap();
            group.close().unwrap();
            let rows = a.iter().zip(&b).zip(&c);
            cells.extend(rows.flat_map(|((&a, &b), &c)| [f64::from(a), b as f64, c]));
            first += a.len();
        }
        writer.close().unwrap();
        (file, cells)
    }

    #[test]
    fn what_is_written_is_read() {
        let zstd = Compression::ZSTD(ZstdLevel::default());
        for compression in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::LZ4_RAW,
            Compression::GZIP(Default::default()),
            zstd,
        ] {
            for groups in [&[][..], &[1], &[3, 1, 8], &[20_000, 5]] {
                let (file, cells) = written(groups, compression);
                for most in [2, 7, 1 << 16] {
                    assert_eq!(all(file.path(), most).unwrap(), cells, "{groups:?}");
                }
            }
        }
    }

    #[test]
    fn damaged_files_are_errors_or_other_numbers() {
        let mut whole = Vec::new();
        for name in ["kinds-zstd.parquet", "kinds-snappy-v1.parquet"] {
            whole.push(std::fs::read(testdata(name)).unwrap());
        }
        let (file, _) = written(&[40, 2], Compression::UNCOMPRESSED);
        whole.push(std::fs::read(file.path()).unwrap());
        let damaged = tempfile::NamedTempFile::new().unwrap();
        for whole in whole {
            for at in 0..whole.len() {
                for change in [1, 0x80, 0xff] {
                    let mut bytes = whole.clone();
                    bytes[at] ^= change;
                    std::fs::write(damaged.path(), &bytes).unwrap();
                    let read = Rows::open(damaged.path()).and_then(|mut rows| {
                        rows.skip(1)?;
                        let mut few = 0;
                        while few < 100 && rows.next(7)?.is_some() {
                            few += 1;
                        }
                        Ok(())
                    });
                    drop(read);
                }
                std::fs::write(damaged.path(), &whole[..at]).unwrap();
                assert!(Rows::open(damaged.path()).is_err(), "cut at {at}");
            }
        }
    }
}
