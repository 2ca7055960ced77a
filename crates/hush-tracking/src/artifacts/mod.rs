//! Files of runs and models: in a folder, or in an object store. All of them stream.

mod folder;
mod path;
mod remote;

use axum::body::Body;
use bytes::Bytes;

pub(crate) use path::{ArtifactPath, percent_decoded};

use crate::TrackingError;
use crate::wire::FileInfo;

type Result<T> = std::result::Result<T, TrackingError>;

/// Where artifacts are.
#[derive(Clone)]
pub(crate) enum Artifacts {
    Folder(folder::Folder),
    Remote(remote::Remote),
}

/// A file that is being read.
pub(crate) struct Download {
    /// Bytes of the whole file.
    pub(crate) size: u64,
    /// What of it comes.
    pub(crate) range: std::ops::Range<u64>,
    pub(crate) body: Body,
}

/// Which part of a file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    All,
    /// From the first byte up to the last, both included.
    Between(u64, Option<u64>),
    /// The last bytes.
    Last(u64),
}

impl Part {
    /// The bytes of a file of that size; none if it has none of them.
    fn of(self, size: u64) -> Option<std::ops::Range<u64>> {
        match self {
            Self::All => Some(0..size),
            Self::Between(first, last) => {
                let end = last.map_or(size, |last| last.saturating_add(1).min(size));
                (first < end).then_some(first..end)
            }
            Self::Last(count) => (count > 0 && size > 0).then(|| size.saturating_sub(count)..size),
        }
    }
}

impl Artifacts {
    /// Opens a folder (also as `file:///…`) or, in builds with the cargo features, `s3://…`, `gs://…`, `az://…`.
    pub(crate) fn open(place: &str) -> Result<Self> {
        match place.split_once("://") {
            None => folder::Folder::open(place.as_ref()).map(Self::Folder),
            Some(("file", path)) => folder::Folder::open(path.as_ref()).map(Self::Folder),
            Some(_) => remote::Remote::open(place).map(Self::Remote),
        }
    }

    /// Writes a file. It is there when all of it has come, and not before.
    pub(crate) async fn upload(&self, path: &ArtifactPath, body: Body) -> Result<()> {
        match self {
            Self::Folder(folder) => folder.upload(path, body).await,
            Self::Remote(remote) => remote.upload(path, body).await,
        }
    }

    /// Reads a file; `None` stands for a part that it does not have.
    pub(crate) async fn download(
        &self,
        path: &ArtifactPath,
        part: Part,
    ) -> Result<Option<Download>> {
        match self {
            Self::Folder(folder) => folder.download(path, part).await,
            Self::Remote(remote) => remote.download(path, part).await,
        }
    }

    /// What is in a folder, by name; nothing if it is a file or not there. Paths are names.
    pub(crate) async fn list(&self, path: &ArtifactPath) -> Result<Vec<FileInfo>> {
        let mut files = match self {
            Self::Folder(folder) => folder.list(path).await?,
            Self::Remote(remote) => remote.list(path).await?,
        };
        files.retain(|file| !file.path.starts_with(path::OWN));
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(files)
    }

    /// Deletes a file, or a folder and all in it.
    pub(crate) async fn delete(&self, path: &ArtifactPath) -> Result<()> {
        match self {
            Self::Folder(folder) => folder.delete(path).await,
            Self::Remote(remote) => remote.delete(path).await,
        }
    }

    /// Deletes uploads, whole or in parts, that nobody has gone on with since a time in milliseconds since 1970.
    pub(crate) async fn sweep(&self, since: i64) -> Result<()> {
        match self {
            Self::Folder(folder) => folder.sweep(since).await,
            Self::Remote(remote) => remote.sweep(since).await,
        }
    }
}

fn absent(path: &ArtifactPath) -> TrackingError {
    TrackingError::missing(format!("No such artifact: '{path}'"))
}

/// A body whose parts come from elsewhere; it ends with an error if they do.
fn body_of(parts: tokio::sync::mpsc::Receiver<std::io::Result<Bytes>>) -> Body {
    let next = |mut parts: tokio::sync::mpsc::Receiver<std::io::Result<Bytes>>| async move {
        let part = parts.recv().await?;
        Some((part, parts))
    };
    Body::from_stream(futures_util::stream::unfold(parts, next))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn path(text: &str) -> ArtifactPath {
        ArtifactPath::parse(text).unwrap()
    }

    async fn read(artifacts: &Artifacts, name: &str, part: Part) -> Option<Vec<u8>> {
        let download = artifacts.download(&path(name), part).await.unwrap()?;
        Some(download.body.collect().await.unwrap().to_bytes().to_vec())
    }

    /// What every kind of store does.
    async fn keeps_and_gives_back(artifacts: Artifacts) {
        let mut seed = [0; 2];
        getrandom::fill(&mut seed).unwrap();
        let size = 3_000_000 + usize::from(u16::from_le_bytes(seed));
        println!("size {size}");
        let data: Vec<u8> = (0..size).map(|index| (index * 31 % 251) as u8).collect();
        let odd = "0/run/artifacts/a b/ü [1]%41#.bin";
        artifacts
            .upload(&path(odd), Body::from(data.clone()))
            .await
            .unwrap();
        artifacts
            .upload(&path("0/run/artifacts/empty"), Body::empty())
            .await
            .unwrap();
        assert_eq!(read(&artifacts, odd, Part::All).await.unwrap(), data);
        assert_eq!(
            read(&artifacts, odd, Part::Between(7, Some(9)))
                .await
                .unwrap(),
            data[7..10]
        );
        assert_eq!(
            read(&artifacts, odd, Part::Last(5)).await.unwrap(),
            data[size - 5..]
        );
        assert_eq!(
            read(&artifacts, odd, Part::Between(size as u64, None)).await,
            None
        );
        assert_eq!(
            read(&artifacts, "0/run/artifacts/empty", Part::All)
                .await
                .unwrap(),
            b""
        );
        let listed = artifacts.list(&path("0/run/artifacts")).await.unwrap();
        let names: Vec<_> = listed
            .iter()
            .map(|file| (file.path.as_str(), file.is_dir, file.file_size))
            .collect();
        assert_eq!(names, [("a b", true, None), ("empty", false, Some(0))]);
        let listed = artifacts.list(&path("0/run/artifacts/a b")).await.unwrap();
        assert_eq!(listed[0].path, "ü [1]%41#.bin");
        assert!(artifacts.list(&path(odd)).await.unwrap().is_empty());
        assert!(artifacts.list(&path("nowhere")).await.unwrap().is_empty());
        artifacts
            .upload(&path(odd), Body::from("new"))
            .await
            .unwrap();
        assert_eq!(read(&artifacts, odd, Part::All).await.unwrap(), b"new");
        artifacts.delete(&path("0/run")).await.unwrap();
        assert!(artifacts.download(&path(odd), Part::All).await.is_err());
        assert!(artifacts.list(&path("0")).await.unwrap().is_empty());
    }

    /// A body that breaks off leaves nothing.
    async fn keeps_no_halves(artifacts: Artifacts) {
        let parts = [
            Ok(Bytes::from(vec![7; 100_000])),
            Err(std::io::Error::other("gone")),
        ];
        let body = Body::from_stream(futures_util::stream::iter(parts));
        assert!(artifacts.upload(&path("0/half"), body).await.is_err());
        assert!(
            artifacts
                .download(&path("0/half"), Part::All)
                .await
                .is_err()
        );
        assert!(artifacts.list(&path("0")).await.unwrap().is_empty());
    }

    /// Uploads in parts that nobody finishes go, and nothing else.
    async fn forgets_what_was_left(artifacts: Artifacts) {
        let part = ArtifactPath::own(&["0a", "00001"]);
        artifacts.upload(&part, Body::from("x")).await.unwrap();
        let kept = path("0/kept/file");
        artifacts.upload(&kept, Body::from("x")).await.unwrap();
        let now = crate::time::now();
        artifacts.sweep(now - 60_000).await.unwrap();
        assert!(artifacts.download(&part, Part::All).await.is_ok());
        artifacts.sweep(now + 60_000).await.unwrap();
        assert!(artifacts.download(&part, Part::All).await.is_err());
        assert!(artifacts.download(&kept, Part::All).await.is_ok());
    }

    #[tokio::test]
    async fn a_folder_keeps_files() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Artifacts::open(folder.path().to_str().unwrap()).unwrap();
        keeps_and_gives_back(open()).await;
        keeps_no_halves(open()).await;
        // What a server that was killed in the middle of an upload leaves.
        let left = folder.path().join(format!("{}-1", path::OWN));
        std::fs::write(&left, "x").unwrap();
        forgets_what_was_left(open()).await;
        assert!(!left.exists());
    }

    #[tokio::test]
    async fn an_object_store_keeps_files() {
        keeps_and_gives_back(Artifacts::open("memory:///artifacts").unwrap()).await;
        keeps_no_halves(Artifacts::open("memory:///artifacts").unwrap()).await;
        forgets_what_was_left(Artifacts::open("memory:///artifacts").unwrap()).await;
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn links_lead_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "x").unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::os::unix::fs::symlink(folder.path(), root.join("out")).unwrap();
        let artifacts = Artifacts::open(root.to_str().unwrap()).unwrap();
        assert!(
            artifacts
                .download(&path("out/secret"), Part::All)
                .await
                .is_err()
        );
        assert!(
            artifacts
                .upload(&path("out/new"), Body::from("x"))
                .await
                .is_err()
        );
        assert!(artifacts.delete(&path("out/secret")).await.is_err());
        assert!(artifacts.list(&path("out")).await.unwrap().is_empty());
        assert!(folder.path().join("secret").exists());
    }
}
