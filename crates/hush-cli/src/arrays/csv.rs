//! Tables in `.csv` files: one row a sample, one column a feature, with or without a header line.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim, WriterBuilder};
use hush_client::Tensor;

use super::Named;
use crate::failure::{Failure, Result};

/// A table of numbers.
#[derive(Debug)]
pub(crate) struct Table {
    /// Column names, where there is a header line.
    pub(crate) columns: Option<Vec<String>>,
    /// Number of columns.
    pub(crate) width: usize,
    /// Cells, row by row.
    pub(crate) cells: Vec<f64>,
}

pub(super) fn read_file(path: &Path) -> Result<Vec<Named>> {
    let table = read_table(BufReader::new(File::open(path)?))?;
    let rows = table.cells.len() / table.width.max(1);
    let tensor = Tensor::new(vec![rows, table.width], table.cells)?;
    Ok(vec![Named { name: None, tensor }])
}

/// Reads a table. The first line is a header if one of its cells is not a number.
pub(crate) fn read_table(input: impl Read) -> Result<Table> {
    let mut reader = reader(input);
    let mut table = Table {
        columns: None,
        width: 0,
        cells: Vec::new(),
    };
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| not_a_table(&error))?;
        table.width = record.len();
        if index == 0 && is_header(&record) {
            table.columns = Some(record.iter().map(str::to_owned).collect());
        } else {
            append(&mut table.cells, &record)?;
        }
    }
    Ok(table)
}

pub(super) fn reader<R: Read>(input: R) -> csv::Reader<R> {
    ReaderBuilder::new()
        .has_headers(false)
        .trim(Trim::All)
        .from_reader(input)
}

pub(super) fn not_a_table(error: &csv::Error) -> Failure {
    Failure::new(format!("not a table: {error}"))
        .hint("every line needs the same number of cells, separated by commas")
}

/// Whether a first line names columns.
pub(super) fn is_header(record: &StringRecord) -> bool {
    record.iter().any(|cell| cell.parse::<f64>().is_err())
}

pub(super) fn append(cells: &mut Vec<f64>, record: &StringRecord) -> Result<()> {
    let line = record.position().map_or(0, csv::Position::line);
    for (column, cell) in record.iter().enumerate() {
        cells.push(cell.parse().map_err(|_| {
            Failure::new(format!(
                "line {line}, column {}: `{cell}` is not a number",
                column + 1
            ))
            .hint("fill or remove missing and textual cells")
        })?);
    }
    Ok(())
}

/// Writes one row a sample; a sample of any shape is flattened.
pub(crate) fn write(mut output: impl Write, array: &Named) -> Result<()> {
    let name = array.name.as_deref().unwrap_or("output");
    write_header(&mut output, name, array.tensor.shape())?;
    write_rows(output, &array.tensor)
}

/// Writes the names of the columns.
pub(super) fn write_header(output: impl Write, name: &str, shape: &[usize]) -> Result<()> {
    let mut writer = WriterBuilder::new().from_writer(output);
    match width(shape) {
        1 => writer.write_record([name])?,
        width => writer.write_record((0..width).map(|column| format!("{name}_{column}")))?,
    }
    writer.flush()?;
    Ok(())
}

/// Writes the samples, one a row.
pub(super) fn write_rows(output: impl Write, tensor: &Tensor) -> Result<()> {
    let mut writer = WriterBuilder::new().from_writer(output);
    for row in tensor.data().chunks(width(tensor.shape())) {
        writer.write_record(row.iter().map(|&value| (value as f32).to_string()))?;
    }
    writer.flush()?;
    Ok(())
}

fn width(shape: &[usize]) -> usize {
    shape.iter().skip(1).product::<usize>().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found() {
        let table = read_table(&b"a, b\n1, 2.5\n-3,4e1\n"[..]).unwrap();
        assert_eq!(table.columns.unwrap(), ["a", "b"]);
        assert_eq!(table.cells, [1.0, 2.5, -3.0, 40.0]);
        let table = read_table(&b"1,2\n3,4\n"[..]).unwrap();
        assert!(table.columns.is_none());
        assert_eq!((table.width, table.cells.len()), (2, 4));
    }

    #[test]
    fn wrong_cells_are_named() {
        let error = read_table(&b"a,b\n1,2\n3,x\n"[..]).unwrap_err();
        assert_eq!(error.to_string(), "line 3, column 2: `x` is not a number");
        assert!(read_table(&b"1,2\n3\n"[..]).is_err());
        assert!(read_table(&b"a,b\n1,\n"[..]).is_err());
    }

    #[test]
    fn rows_are_written_flat() {
        let array = Named {
            name: Some("y".to_owned()),
            tensor: Tensor::new(vec![2, 1, 2], vec![0.5, 1.0, 2.0, -3.0]).unwrap(),
        };
        let mut bytes = Vec::new();
        write(&mut bytes, &array).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), "y_0,y_1\n0.5,1\n2,-3\n");
    }
}
