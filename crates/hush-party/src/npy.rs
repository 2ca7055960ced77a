//! Arrays in files: `.npy` of float64 or float32, in C order, as data owners give and receivers keep them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hush_mpc::MpcError;

use crate::atomic;
use crate::{PartyError, Words};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Longest header that is read.
const HEADER_MOST: usize = 1 << 16;

/// Reads an array of exactly this shape.
///
/// # Errors
/// Says in words what is wrong, with the file and both shapes.
fn read(path: &Path, shape: &[usize]) -> Result<Vec<f64>, String> {
    let fail = |reason: String| format!("{}: {reason}", path.display());
    let system = |error: std::io::Error| fail(format!("cannot be read: {error}"));
    let mut file = File::open(path).map_err(system)?;
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(system)?;
    if start[..6] != *MAGIC {
        return Err(fail("is no .npy file; numpy.save writes one".to_owned()));
    }
    let mut length = [0; 4];
    let digits = if start[6] == 1 { 2 } else { 4 };
    file.read_exact(&mut length[..digits]).map_err(system)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > HEADER_MOST {
        return Err(fail(format!("has a header of {length} bytes")));
    }
    let mut header = vec![0; length];
    file.read_exact(&mut header).map_err(system)?;
    let header = String::from_utf8_lossy(&header).into_owned();
    let double = match field(&header, "descr").unwrap_or_default() {
        "'<f8'" => true,
        "'<f4'" => false,
        other => {
            return Err(fail(format!(
                "holds {other}; parties take float64 or float32 (array.astype(\"float64\"))"
            )));
        }
    };
    let found = dimensions(&header).ok_or_else(|| fail("has no shape".to_owned()))?;
    if found != shape {
        return Err(fail(format!(
            "has the shape {found:?}, the program takes {shape:?}"
        )));
    }
    let ordered = field(&header, "fortran_order") == Some("False");
    if !ordered && shape.iter().filter(|&&size| size > 1).count() > 1 {
        return Err(fail(
            "is in Fortran order; save numpy.ascontiguousarray(array)".to_owned(),
        ));
    }
    let count: usize = shape.iter().product();
    let size = if double { 8 } else { 4 };
    // The shape is the program's and its size is bounded there.
    let mut bytes = Vec::new();
    file.take((count * size) as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(system)?;
    if bytes.len() != count * size {
        return Err(fail(format!(
            "has {} bytes of numbers where its shape takes {}",
            bytes.len(),
            count * size
        )));
    }
    let numbers = bytes.chunks_exact(size).map(|bytes| match double {
        true => f64::from_le_bytes(bytes.try_into().expect("eight bytes")),
        false => f64::from(f32::from_le_bytes(bytes.try_into().expect("four bytes"))),
    });
    Ok(numbers.collect())
}

/// Reads an array of exactly this shape as the words that `encode` makes of it.
///
/// # Errors
/// As [`read`], or if `encode` refuses a number.
pub(crate) fn read_words(
    path: &Path,
    shape: &[usize],
    encode: impl FnOnce(&[f64]) -> Result<Words, MpcError>,
) -> Result<Words, String> {
    let numbers = read(path, shape)?;
    encode(&numbers).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes an array of float64, whole or not at all, readable by its owner only.
pub(crate) fn write(path: &Path, shape: &[usize], numbers: &[f64]) -> Result<(), PartyError> {
    let sizes: Vec<String> = shape.iter().map(|size| format!("{size},")).collect();
    let mut header = format!(
        "{{'descr': '<f8', 'fortran_order': False, 'shape': ({}), }}",
        sizes.join(" ")
    );
    // Numbers begin at a multiple of 64 bytes.
    let before = MAGIC.len() + 4;
    while !(before + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    atomic::write(path, |file| {
        file.write_all(MAGIC)?;
        file.write_all(&[1, 0])?;
        file.write_all(&(header.len() as u16).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        for number in numbers {
            file.write_all(&number.to_le_bytes())?;
        }
        Ok(())
    })
}

/// The text behind `'name':` up to a comma or the end.
fn field<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    let (_, rest) = header.split_once(&format!("'{name}':"))?;
    rest.split([',', '}']).next().map(str::trim)
}

fn dimensions(header: &str) -> Option<Vec<usize>> {
    let (_, rest) = header.split_once("'shape':")?;
    let (inside, _) = rest.split_once('(')?.1.split_once(')')?;
    let sizes = inside.split(',').map(str::trim);
    sizes
        .filter(|size| !size.is_empty())
        .map(|size| size.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_come_back_and_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let numbers = [1.0, -2.5, 3.0, 1e-9, 0.0, 7.0];
        write(&path, &[2, 3], &numbers).unwrap();
        assert_eq!(read(&path, &[2, 3]).unwrap(), numbers);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len() % 64, 48);
        let refused = |shape: &[usize]| {
            let reason = read(&path, shape).unwrap_err();
            reason.split_once(": ").unwrap().1.to_owned()
        };
        assert_eq!(
            refused(&[3, 2]),
            "has the shape [2, 3], the program takes [3, 2]"
        );
        for length in 0..bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(read(&path, &[2, 3]).is_err());
        }
        std::fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
        assert_eq!(
            refused(&[2, 3]),
            "has 49 bytes of numbers where its shape takes 48"
        );
        let text = bytes.clone();
        let changed = |from: &[u8], to: &[u8]| {
            let place = text.windows(from.len()).position(|part| part == from);
            let mut bytes = text.clone();
            bytes[place.unwrap()..][..to.len()].copy_from_slice(to);
            std::fs::write(&path, bytes).unwrap();
        };
        changed(b"'<f8'", b"'<i8'");
        assert!(refused(&[2, 3]).starts_with("holds '<i8'; parties take float64"));
        changed(b"False", b"True ");
        assert!(refused(&[2, 3]).starts_with("is in Fortran order"));
        std::fs::write(&path, "nonsense").unwrap();
        assert_eq!(refused(&[2, 3]), "is no .npy file; numpy.save writes one");
    }
}
