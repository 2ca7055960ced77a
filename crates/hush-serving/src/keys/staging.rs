//! Unfinished uploads on disk. Everything here blocks.
//!
//! Two files each: `<id>-<owner>.part` with the bytes that have arrived and were checked, and a little JSON. Bytes are
//! handed to the operating system, not forced to the disk: they survive a process that is killed. After a power
//! failure an upload goes on from what the disk has; its checksum decides in the end.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hush_ckks::KeyId;

use crate::keys::folder::{make_private, names, remove_if_there};
use crate::keys::id::hexadecimal;
use crate::keys::record::Begun;

/// The folder of unfinished uploads, used by one process.
pub(crate) struct Staging {
    folder: PathBuf,
}

/// The files of one upload.
#[derive(Clone, Debug)]
pub(crate) struct StagedPaths {
    pub(crate) part: PathBuf,
    json: PathBuf,
}

impl Staging {
    /// Opens the folder, made if need be.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        make_private(&folder)?;
        Ok(Self { folder })
    }

    /// Begins anew: the part is empty.
    pub(crate) fn create(&self, begun: &Begun) -> io::Result<(StagedPaths, File)> {
        let paths = self.paths(begun.id, &begun.owner);
        // An old JSON over a new part, or the other way round, would be another upload.
        remove_if_there(&paths.json)?;
        let part = File::create(&paths.part)?;
        fs::write(&paths.json, begun.to_json())?;
        Ok((paths, part))
    }

    /// An upload that was begun, and how many bytes of it there are.
    pub(crate) fn find(
        &self,
        id: KeyId,
        owner: &str,
    ) -> io::Result<Option<(Begun, StagedPaths, u64)>> {
        let paths = self.paths(id, owner);
        let Some((begun, offset)) = read(&paths)? else {
            return Ok(None);
        };
        let fits = begun.id == id && begun.owner == owner;
        Ok(fits.then_some((begun, paths, offset)))
    }

    /// Every upload that was begun.
    pub(crate) fn all(&self) -> io::Result<Vec<(Begun, StagedPaths, u64)>> {
        let mut all = Vec::new();
        for name in names(&self.folder)? {
            if let Some(stem) = name.strip_suffix(".json") {
                let paths = self.named(stem);
                all.extend(read(&paths)?.map(|(begun, offset)| (begun, paths, offset)));
            }
        }
        Ok(all)
    }

    /// Removes uploads that got no byte for so long, except those for which `busy` says so, and what is no upload.
    pub(crate) fn sweep(
        &self,
        lifetime: Duration,
        busy: impl Fn(KeyId, &str) -> bool,
    ) -> io::Result<()> {
        let now = SystemTime::now();
        for name in names(&self.folder)? {
            let Some((stem, _)) = name.rsplit_once('.') else {
                continue;
            };
            let paths = self.named(stem);
            if let Some((begun, _)) = read(&paths)?
                && (busy(begun.id, &begun.owner) || age(&paths.part, now) < lifetime)
            {
                continue;
            }
            paths.remove()?;
        }
        Ok(())
    }

    fn paths(&self, id: KeyId, owner: &str) -> StagedPaths {
        // Names of accounts may hold anything; their digest does not.
        let owner = blake3::hash(owner.as_bytes());
        let owner = hexadecimal(&owner.as_bytes()[..8]);
        self.named(&format!("{}-{owner}", hexadecimal(&id.0)))
    }

    fn named(&self, stem: &str) -> StagedPaths {
        StagedPaths {
            part: self.folder.join(format!("{stem}.part")),
            json: self.folder.join(format!("{stem}.json")),
        }
    }
}

impl StagedPaths {
    /// Removes both files.
    pub(crate) fn remove(&self) -> io::Result<()> {
        remove_if_there(&self.json)?;
        remove_if_there(&self.part)
    }
}

fn read(paths: &StagedPaths) -> io::Result<Option<(Begun, u64)>> {
    let missing = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Ok(None),
        _ => Err(error),
    };
    let text = match fs::read(&paths.json) {
        Ok(text) => text,
        Err(error) => return missing(error),
    };
    let offset = match fs::metadata(&paths.part) {
        Ok(metadata) => metadata.len(),
        Err(error) => return missing(error),
    };
    Ok(Begun::from_json(&text).map(|begun| (begun, offset)))
}

fn age(path: &Path, now: SystemTime) -> Duration {
    let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
    changed
        .ok()
        .and_then(|changed| now.duration_since(changed).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn uploads_of_two_owners_are_apart_and_what_is_old_goes() {
        let folder = tempfile::tempdir().unwrap();
        let staging = Staging::open(folder.path().join("uploads")).unwrap();
        let id = KeyId([1; 16]);
        let begun = |owner: &str| Begun {
            id,
            owner: owner.to_owned(),
            total: 100,
            created: std::time::UNIX_EPOCH,
        };
        let (_, mut file) = staging.create(&begun("../ann")).unwrap();
        file.write_all(b"12345").unwrap();
        staging.create(&begun("bob")).unwrap();
        let (found, _, offset) = staging.find(id, "../ann").unwrap().unwrap();
        assert_eq!((found, offset), (begun("../ann"), 5));
        assert_eq!(staging.find(id, "bob").unwrap().unwrap().2, 0);
        assert!(staging.find(id, "eve").unwrap().is_none());
        assert_eq!(staging.all().unwrap().len(), 2);

        fs::write(folder.path().join("uploads/left.part"), "x").unwrap();
        let day = Duration::from_secs(86400);
        staging.sweep(day, |_, _| false).unwrap();
        assert_eq!(names(&folder.path().join("uploads")).unwrap().len(), 4);
        staging
            .sweep(Duration::ZERO, |_, owner| owner == "bob")
            .unwrap();
        assert!(staging.find(id, "../ann").unwrap().is_none());
        assert!(staging.find(id, "bob").unwrap().is_some());
    }
}
