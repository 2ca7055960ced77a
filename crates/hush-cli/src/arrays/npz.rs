//! NumPy `.npz` archives: several named arrays in a zip file.

use std::fs::File;
use std::io::{BufReader, Seek, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{Elements, Named, npy};
use crate::failure::{Failure, Result};

pub(super) fn read_file(path: &Path) -> Result<Vec<Named>> {
    let file = BufReader::new(File::open(path)?);
    let mut archive = ZipArchive::new(file).map_err(|error| {
        Failure::new(format!("not an .npz archive: {error}"))
            .hint("write it with numpy.savez or numpy.savez_compressed")
    })?;
    let mut arrays = Vec::new();
    for index in 0..archive.len() {
        let entry = archive
            .by_index(index)
            .map_err(|error| Failure::new(format!("entry {index} is damaged: {error}")))?;
        let Some(name) = entry.name()?.strip_suffix(".npy").map(str::to_owned) else {
            continue;
        };
        let tensor = npy::read(entry).map_err(|error| error.context(format!("array `{name}`")))?;
        arrays.push(Named {
            name: Some(name),
            tensor,
        });
    }
    if arrays.is_empty() {
        return Err(Failure::new("the archive holds no array").into());
    }
    Ok(arrays)
}

pub(super) fn write(output: impl Write + Seek, arrays: &[Named], elements: Elements) -> Result<()> {
    let mut archive = ZipWriter::new(output);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .large_file(true);
    for (index, array) in arrays.iter().enumerate() {
        let name = match &array.name {
            Some(name) => name.clone(),
            None => format!("arr_{index}"),
        };
        archive.start_file(format!("{name}.npy"), options)?;
        npy::write(&mut archive, &array.tensor, elements)?;
    }
    archive.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hush_client::Tensor;

    #[test]
    fn round_trip_and_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        let arrays = [
            Named {
                name: Some("x".to_owned()),
                tensor: Tensor::new(vec![2], vec![1.0, 2.0]).unwrap(),
            },
            Named {
                name: None,
                tensor: Tensor::new(vec![1, 1], vec![3.0]).unwrap(),
            },
        ];
        write(File::create(&path).unwrap(), &arrays, Elements::Float32).unwrap();
        let back = read_file(&path).unwrap();
        assert_eq!(back[0].name.as_deref(), Some("x"));
        assert_eq!(back[1].name.as_deref(), Some("arr_1"));
        assert_eq!(back[0].tensor, arrays[0].tensor);
        let bytes = std::fs::read(&path).unwrap();
        for end in [0, 10, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..end]).unwrap();
            assert!(read_file(&path).is_err(), "cut at {end}");
        }
    }
}
