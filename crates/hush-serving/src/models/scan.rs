//! Which model files there are.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::models::name::{Version, is_model_name};

/// The end of a model file's name.
const EXTENSION: &str = "model";

/// A model file, or several that want to be the same version.
pub(crate) type Files = BTreeMap<(String, Version), Vec<PathBuf>>;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// By name and version.
    pub(crate) files: Files,
    /// Files that cannot be served under their names.
    pub(crate) misnamed: Vec<PathBuf>,
}

/// Looks at each path: a file `cancer.model` is version 1 of `cancer`; in a folder such files are, and `2.model` in its
/// folder `cancer` is version 2. Everything else is left alone.
///
/// # Errors
/// If a path cannot be read.
pub(crate) fn scan(paths: &[PathBuf]) -> Result<Scan, (PathBuf, io::Error)> {
    let mut found = Scan::default();
    for path in paths {
        let about = |error| (path.clone(), error);
        if std::fs::metadata(path).map_err(about)?.is_dir() {
            scan_folder(path, &mut found).map_err(about)?;
        } else {
            found.add(stem(path), Version::number(1), path.clone());
        }
    }
    Ok(found)
}

fn scan_folder(folder: &Path, found: &mut Scan) -> io::Result<()> {
    for path in sorted(folder)? {
        if is_model_file(&path) {
            found.add(stem(&path), Version::number(1), path.clone());
        } else if path.is_dir()
            && let Some(name) = path.file_name().and_then(|name| name.to_str())
            && is_model_name(name)
        {
            for path in sorted(&path)? {
                if is_model_file(&path) {
                    let number = stem(&path).and_then(|stem| stem.parse().ok());
                    match number {
                        Some(number) => {
                            found.add(Some(name), Version::number(number), path.clone())
                        }
                        None => found.misnamed.push(path),
                    }
                }
            }
        }
    }
    Ok(())
}

impl Scan {
    fn add(&mut self, name: Option<&str>, version: Version, path: PathBuf) {
        match name.filter(|name| is_model_name(name)) {
            Some(name) => {
                let files = self.files.entry((name.to_owned(), version)).or_default();
                files.push(path);
            }
            None => self.misnamed.push(path),
        }
    }
}

fn stem(path: &Path) -> Option<&str> {
    path.file_stem()?.to_str()
}

fn is_model_file(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden
        && path
            .extension()
            .is_some_and(|extension| extension == EXTENSION)
        && !path.is_dir()
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort_unstable();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_folders_and_versions() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("cancer")).unwrap();
        fs::create_dir_all(root.join(".git")).unwrap();
        for name in [
            "cancer/2.model",
            "cancer/10.model",
            "cancer/latest.model",
            "cancer/notes.txt",
            "digits.model",
            "a b.model",
            ".hidden.model",
            ".git/1.model",
            "cancer.model",
        ] {
            fs::write(root.join(name), name).unwrap();
        }
        let single = root.join("digits.model");
        let found = scan(&[root.to_owned(), single.clone()]).unwrap();
        let served: Vec<_> = found
            .files
            .iter()
            .map(|((name, version), paths)| (format!("{name} {version}"), paths.len()))
            .collect();
        let expected = [
            ("cancer 1", 1),
            ("cancer 2", 1),
            ("cancer 10", 1),
            ("digits 1", 2),
        ];
        assert_eq!(
            served,
            expected.map(|(name, count)| (name.to_owned(), count))
        );
        assert_eq!(
            found.misnamed,
            [root.join("a b.model"), root.join("cancer/latest.model")]
        );
        assert_eq!(
            scan(&[root.join("nothing")]).unwrap_err().0,
            root.join("nothing")
        );
    }
}
