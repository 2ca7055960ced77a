//! Scripts and styles, served from the program itself: names carry the hash of the content, so browsers keep them for ever.

use std::io::Write;
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use flate2::Compression;
use flate2::write::GzEncoder;

/// A file that pages load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asset {
    Base,
    Parts,
    Plots,
    Application,
    Htmx,
    Uplot,
    UplotStyle,
    Charts,
    Curves,
    Comparison,
    Parallel,
    Icon,
}

struct File {
    asset: Asset,
    name: &'static str,
    kind: &'static str,
    content: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

macro_rules! file {
    ($asset:ident, $kind:expr, $name:literal, $path:literal) => {
        File {
            asset: Asset::$asset,
            name: $name,
            kind: $kind,
            content: include_bytes!(concat!("../assets/", $path)),
        }
    };
}

const FILES: [File; 12] = [
    file!(Base, STYLE, "base.css", "base.css"),
    file!(Parts, STYLE, "parts.css", "parts.css"),
    file!(Plots, STYLE, "plots.css", "plots.css"),
    file!(Application, SCRIPT, "application.js", "application.js"),
    file!(Htmx, SCRIPT, "htmx.js", "htmx/htmx.min.js"),
    file!(Uplot, SCRIPT, "uplot.js", "uplot/uplot.min.js"),
    file!(UplotStyle, STYLE, "uplot.css", "uplot/uplot.min.css"),
    file!(Charts, SCRIPT, "charts.js", "charts.js"),
    file!(Curves, SCRIPT, "curves.js", "curves.js"),
    file!(Comparison, SCRIPT, "comparison.js", "comparison.js"),
    file!(Parallel, SCRIPT, "parallel.js", "parallel.js"),
    file!(Icon, "image/svg+xml", "icon.svg", "icon.svg"),
];

struct Prepared {
    file: &'static File,
    address: String,
    hash: String,
    compressed: Vec<u8>,
}

static PREPARED: LazyLock<Vec<Prepared>> = LazyLock::new(|| FILES.iter().map(prepare).collect());

fn prepare(file: &'static File) -> Prepared {
    let hash: String = blake3::hash(file.content)
        .to_hex()
        .chars()
        .take(16)
        .collect();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder
        .write_all(file.content)
        .and_then(|()| encoder.finish());
    Prepared {
        file,
        address: format!("/assets/{hash}/{}", file.name),
        hash,
        // Empty if it could not be written, which says that there is none.
        compressed: written.unwrap_or_default(),
    }
}

/// Where a file is.
pub(crate) fn address(asset: Asset) -> &'static str {
    let found = PREPARED
        .iter()
        .find(|prepared| prepared.file.asset == asset);
    found.map_or("", |prepared| &prepared.address)
}

/// Serves a file. One of another version of the server gets this version's content, which is then not kept: pages and
/// scripts may come from different replicas while they are replaced.
pub(crate) async fn serve(
    Path((hash, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response<Body> {
    let Some(prepared) = PREPARED.iter().find(|prepared| prepared.file.name == name) else {
        let mut missing = Response::new(Body::from("no such file\n"));
        *missing.status_mut() = StatusCode::NOT_FOUND;
        return missing;
    };
    let accepted = headers
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    let compress = accepted.is_some_and(|accepted| accepted.contains("gzip"))
        && !prepared.compressed.is_empty();
    let content: &'static [u8] = if compress {
        &prepared.compressed
    } else {
        prepared.file.content
    };
    let mut response = Response::new(Body::from(content));
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static(prepared.file.kind));
    answer.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if compress {
        answer.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let keep = if prepared.hash == hash {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    answer.insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn content_that_is_named_by_its_hash_is_kept() {
        let address = address(Asset::Application);
        let mut parts = address.split('/').skip(2).map(str::to_owned);
        let (hash, name) = (parts.next().unwrap(), parts.next().unwrap());
        let kept = serve(Path((hash, name.clone())), HeaderMap::new()).await;
        assert!(
            kept.headers()[CACHE_CONTROL]
                .to_str()
                .unwrap()
                .contains("immutable")
        );
        let other = serve(Path(("0".into(), name)), HeaderMap::new()).await;
        assert_eq!(other.headers()[CACHE_CONTROL], "no-cache");
        let none = serve(Path(("0".into(), "../Cargo.toml".into())), HeaderMap::new()).await;
        assert_eq!(none.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn every_file_has_an_address_and_the_icon_is_small() {
        for file in &FILES {
            assert!(address(file.asset).ends_with(file.name));
            assert!(!file.content.is_empty(), "{}", file.name);
        }
    }
}
