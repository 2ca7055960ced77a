//! A column of numbers, and what can be wrong with it.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use half::f16;
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{DataType, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescriptor;

use crate::failure::{Failure, Result};

/// A column of numbers.
pub(super) struct Column {
    name: String,
    /// Among those of the file.
    pub(super) index: usize,
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

impl Column {
    pub(super) fn new(index: usize, stored: &ColumnDescriptor) -> Result<Self> {
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
    pub(super) fn read(
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
                let number = |value: &FixedLenByteArray| {
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
            let (read, _, _) =
                contained(|| reader.read_records(rows - done, there, None, &mut values))?;
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

pub(super) fn not_a_table(reason: &str) -> Failure {
    Failure::new(format!("not a Parquet file: {reason}"))
        .hint("write it with pyarrow, polars or pandas")
}

pub(super) fn cut() -> Failure {
    not_a_table("a row group has fewer rows than it says")
}

/// What the library says, or that it gave up.
pub(super) fn contained<T>(
    read: impl FnOnce() -> std::result::Result<T, ParquetError>,
) -> Result<T> {
    thread_local!(static CONTAINED: Cell<bool> = const { Cell::new(false) });
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !CONTAINED.get() {
                usual(panic);
            }
        }));
    });
    CONTAINED.set(true);
    // Nothing is read any more after an error.
    let outcome = panic::catch_unwind(AssertUnwindSafe(read));
    CONTAINED.set(false);
    match outcome {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            let text = error.to_string();
            let text = text.strip_prefix("Parquet error: ").unwrap_or(&text);
            Err(not_a_table(text).into())
        }
        Err(_) => Err(not_a_table("its numbers do not fit together").into()),
    }
}
