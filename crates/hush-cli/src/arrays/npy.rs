//! NumPy `.npy` arrays of numbers.
//!
//! The format: `\x93NUMPY`, two version bytes, the length of the header (two bytes in version 1,
//! four from version 2), the header as a Python dictionary, the elements. See the `numpy.lib.format`
//! page of the NumPy manual. py_literal reads the dictionary; the readers at hand for the whole
//! format overflow or allocate on absurd shapes.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use half::f16;
use hush_client::Tensor;
use py_literal::Value;

use super::{Elements, Named};
use crate::failure::{Failure, Result};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Digits of the largest extent.
const LONGEST_EXTENT: usize = 20;

/// Longer than any header of a plain array.
const LONGEST_HEADER: usize = 1 << 16;

pub(super) fn read_file(path: &Path) -> Result<Vec<Named>> {
    let file = File::open(path)?;
    let tensor = read(BufReader::new(file))?;
    Ok(vec![Named { name: None, tensor }])
}

/// Reads one array; memory grows with the bytes that arrive, not with the stated shape.
pub(super) fn read(mut input: impl Read) -> Result<Tensor> {
    let header = read_header(&mut input)?;
    let count = header
        .shape
        .iter()
        .try_fold(1usize, |size, &extent| size.checked_mul(extent))
        .ok_or_else(|| not_an_array("its shape is too large"))?;
    let data = read_elements(&mut input, &header.descr, count)?;
    if input.read(&mut [0])? != 0 {
        return Err(not_an_array("it continues after its last element").into());
    }
    let data = if header.fortran_order {
        transpose(&header.shape, &data)
    } else {
        data
    };
    Ok(Tensor::new(header.shape, data)?)
}

/// Writes one array in C order.
pub(super) fn write(mut output: impl Write, tensor: &Tensor, elements: Elements) -> Result<()> {
    output.write_all(&header(tensor.shape(), elements)?)?;
    write_elements(output, tensor.data(), elements)
}

/// What goes before the elements. Its length does not depend on the first extent, so that it can be written again when
/// that is known.
pub(super) fn header(shape: &[usize], elements: Elements) -> Result<Vec<u8>> {
    let descr = match elements {
        Elements::Float32 => "<f4",
        Elements::Int64 => "<i8",
    };
    let extents: String = shape.iter().map(|extent| format!("{extent}, ")).collect();
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}), }}");
    let digits = shape.first().map_or(0, |first| first.to_string().len());
    let longest = header.len() + LONGEST_EXTENT - digits;
    // The elements begin at a multiple of 64 bytes.
    let length = (MAGIC.len() + 5 + longest).next_multiple_of(64) - MAGIC.len() - 4;
    header.push_str(&" ".repeat(length - 1 - header.len()));
    header.push('\n');
    let length = u16::try_from(header.len())?.to_le_bytes();
    Ok([&MAGIC[..], &[1, 0], &length, header.as_bytes()].concat())
}

/// Writes elements as they follow a header.
pub(super) fn write_elements(
    mut output: impl Write,
    data: &[f64],
    elements: Elements,
) -> Result<()> {
    for &value in data {
        match elements {
            Elements::Float32 => output.write_all(&(value as f32).to_le_bytes())?,
            Elements::Int64 => output.write_all(&(value as i64).to_le_bytes())?,
        }
    }
    Ok(())
}

/// What an array is.
pub(crate) struct Header {
    pub(super) descr: String,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<usize>,
}

pub(super) fn not_an_array(reason: &str) -> Failure {
    Failure::new(format!("not a NumPy array: {reason}"))
        .hint("write it with numpy.save or numpy.savez")
}

pub(super) fn read_header(input: &mut impl Read) -> Result<Header> {
    let mut start = [0; 8];
    let truncated = |_| not_an_array("it ends inside its header");
    input.read_exact(&mut start).map_err(truncated)?;
    if start[..6] != *MAGIC {
        return Err(not_an_array("it does not begin like one").into());
    }
    let mut length = [0; 4];
    let width = if start[6] == 1 { 2 } else { 4 };
    input.read_exact(&mut length[..width]).map_err(truncated)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST_HEADER {
        return Err(not_an_array("its header is too long").into());
    }
    let mut text = vec![0; length];
    input.read_exact(&mut text).map_err(truncated)?;
    let text = String::from_utf8_lossy(&text);
    parse_header(text.trim()).ok_or_else(|| not_an_array("its header cannot be read").into())
}

fn parse_header(text: &str) -> Option<Header> {
    // A plain header nests two deep; the parser recurses once a bracket.
    let brackets = text.matches(['(', '[', '{']).count();
    if brackets > 64 {
        return None;
    }
    let value: Value = text.parse().ok()?;
    let entries = value.as_dict()?;
    let entry = |name: &str| {
        let found = entries
            .iter()
            .find(|(key, _)| key.as_string().is_some_and(|key| key == name));
        found.map(|(_, value)| value)
    };
    let descr = match entry("descr")? {
        Value::String(descr) => descr.clone(),
        structured => structured.to_string(),
    };
    let extents = entry("shape")?.as_tuple()?.iter();
    let shape = extents.map(|extent| usize::try_from(extent.as_integer()?).ok());
    Some(Header {
        descr,
        fortran_order: entry("fortran_order")?.as_boolean()?,
        shape: shape.collect::<Option<_>>()?,
    })
}

pub(super) fn read_elements(input: &mut impl Read, descr: &str, count: usize) -> Result<Vec<f64>> {
    let (order, kind) = match descr.split_at_checked(1) {
        Some((order @ ("<" | ">" | "|" | "="), kind)) => (order, kind),
        _ => ("", descr),
    };
    let swap = order
        == if cfg!(target_endian = "big") {
            "<"
        } else {
            ">"
        };
    match kind {
        "f2" => each(input, count, swap, |bytes| f16::from_ne_bytes(bytes).into()),
        "f4" => each(input, count, swap, |bytes| f32::from_ne_bytes(bytes).into()),
        "f8" => each(input, count, swap, f64::from_ne_bytes),
        "i1" => each(input, count, swap, |bytes| i8::from_ne_bytes(bytes).into()),
        "i2" => each(input, count, swap, |bytes| i16::from_ne_bytes(bytes).into()),
        "i4" => each(input, count, swap, |bytes| i32::from_ne_bytes(bytes).into()),
        "i8" => each(input, count, swap, |bytes| i64::from_ne_bytes(bytes) as f64),
        "u1" => each(input, count, swap, |bytes| u8::from_ne_bytes(bytes).into()),
        "u2" => each(input, count, swap, |bytes| u16::from_ne_bytes(bytes).into()),
        "u4" => each(input, count, swap, |bytes| u32::from_ne_bytes(bytes).into()),
        "u8" => each(input, count, swap, |bytes| u64::from_ne_bytes(bytes) as f64),
        _ => Err(Failure::new(format!(
            "the elements have dtype {descr}, only real numbers can be used"
        ))
        .hint("convert the array first, for example with x.astype(\"float32\")")
        .into()),
    }
}

/// Reads `count` elements of `SIZE` bytes.
fn each<const SIZE: usize>(
    input: &mut impl Read,
    count: usize,
    swap: bool,
    convert: impl Fn([u8; SIZE]) -> f64,
) -> Result<Vec<f64>> {
    let mut data = Vec::new();
    for _ in 0..count {
        let mut element = [0; SIZE];
        input.read_exact(&mut element).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                let message = "the array is truncated: it has fewer elements than its shape says";
                Failure::new(message).into()
            } else {
                anyhow::Error::from(error)
            }
        })?;
        if swap {
            element.reverse();
        }
        data.push(convert(element));
    }
    Ok(data)
}

/// From column-major to row-major.
fn transpose(shape: &[usize], data: &[f64]) -> Vec<f64> {
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut index = vec![0; shape.len()];
    let mut out = Vec::with_capacity(data.len());
    for _ in 0..data.len() {
        let source: usize = index.iter().zip(&strides).map(|(i, s)| i * s).sum();
        out.push(data[source]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(descr: &str, order: &str, shape: &str, body: &[u8]) -> Vec<u8> {
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn round_trip() {
        let tensor = Tensor::new(vec![2, 2], vec![0.5, -1.0, 3.0, 4.25]).unwrap();
        for elements in [Elements::Float32, Elements::Int64] {
            let mut bytes = Vec::new();
            write(&mut bytes, &tensor, elements).unwrap();
            let back = read(&bytes[..]).unwrap();
            assert_eq!(back.shape(), [2, 2]);
            match elements {
                Elements::Float32 => assert_eq!(back, tensor),
                Elements::Int64 => assert_eq!(back.data(), [0.0, -1.0, 3.0, 4.0]),
            }
        }
        let tensor = Tensor::new(vec![0], vec![]).unwrap();
        let mut bytes = Vec::new();
        write(&mut bytes, &tensor, Elements::Float32).unwrap();
        assert_eq!(bytes.len() % 64, 0);
        assert_eq!(read(&bytes[..]).unwrap(), tensor);
    }

    #[test]
    fn column_major_arrays_and_other_dtypes_are_read() {
        let bytes = file("|u1", "True", "(2, 3)", &[1, 2, 3, 4, 5, 6]);
        let tensor = read(&bytes[..]).unwrap();
        assert_eq!(tensor.data(), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
        let bytes = file(">i2", "False", "(1,)", &[0xff, 0xfe]);
        assert_eq!(read(&bytes[..]).unwrap().data(), [-2.0]);
        let bytes = file("<f2", "False", "(1,)", &[0x00, 0x3c]);
        assert_eq!(read(&bytes[..]).unwrap().data(), [1.0]);
        let bytes = file("<f8", "False", "()", &1.5f64.to_le_bytes());
        assert_eq!(read(&bytes[..]).unwrap().data(), [1.5]);
    }

    #[test]
    fn wrong_dtypes_truncation_and_absurd_shapes_are_errors() {
        for descr in ["<c8", "|b1", "<U4", "|S3", "|O", "", "é"] {
            let bytes = file(descr, "False", "(1,)", &[0; 16]);
            let error = read(&bytes[..]).unwrap_err();
            assert!(error.to_string().contains("dtype"), "{descr}: {error}");
        }
        let short = file("<f4", "False", "(3,)", &[0; 8]);
        let error = read(&short[..]).unwrap_err();
        assert!(error.to_string().contains("truncated"));
        let long = file("<f4", "False", "(1,)", &[0; 8]);
        assert!(read(&long[..]).is_err());
        for shape in [
            "(9999999999, 9999999)",
            "(18446744073709551615, 18446744073709551615)",
            "(-1,)",
            "(99999999999999999999999999999999,)",
            "3",
            "('a',)",
        ] {
            let absurd = file("<f4", "False", shape, &[0; 8]);
            assert!(read(&absurd[..]).is_err(), "{shape}");
        }
        let nested = "(".repeat(20_000);
        assert!(read(&file("<f4", "False", &nested, &[])[..]).is_err());
    }

    #[test]
    fn changed_and_cut_files_never_panic() {
        let good = file("<f4", "False", "(2,)", &[0; 8]);
        for end in 0..good.len() {
            assert!(read(&good[..end]).is_err(), "cut at {end}");
        }
        for at in 0..good.len() {
            for value in [0, b'(', b'\'', b'9', 0xff] {
                let mut bytes = good.clone();
                bytes[at] = value;
                let _ = read(&bytes[..]);
            }
        }
    }
}
