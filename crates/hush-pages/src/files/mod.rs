//! Files of runs and logged models: a tree to walk, previews, downloads.
//!
//! What somebody uploaded is never a page of ours: text is shown as text, pictures and HTML come from an address of their own
//! whose policy is a sandbox without scripts and styles, everything else is only downloaded.

mod preview;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Response, StatusCode};
use futures_util::StreamExt;
use hush_tracking::Holder;
use hush_tracking::wire::FileInfo;
use maud::{Markup, html};

use crate::address::{self, Parameters, link};
use crate::answer::{self, Failure, Result, or_failure};
use crate::document::{Frame, Section, code_block, document};
use crate::format::{bytes, shorten};
use crate::pages::Pages;
use crate::run;
use crate::visitor::Visitor;
use preview::{Kind, SHOWN, preview};

/// Files of a folder that are listed.
const LISTED: usize = 2000;

/// What browsers may do with a file that somebody uploaded. Pictures that pages show as such do not ask it.
const SANDBOX: &str = "sandbox; default-src 'none'; img-src data:; frame-ancestors 'self'";

/// Whose files, and where they are shown.
struct Place {
    holder: Holder,
    /// The address of the tree, and of files as they are.
    tree: String,
    raw: String,
}

impl Place {
    fn run(id: &str) -> Self {
        Self::below(Holder::Run(id.to_owned()), &address::run(id))
    }

    fn logged_model(id: &str) -> Self {
        let holder = Holder::LoggedModel(id.to_owned());
        Self::below(holder, &address::logged_model(id))
    }

    fn below(holder: Holder, here: &str) -> Self {
        Self {
            holder,
            tree: format!("{here}/artifacts"),
            raw: format!("{here}/file"),
        }
    }
}

/// Files of a run.
pub(crate) async fn of_run(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    visitor: Visitor,
) -> Response<Body> {
    let shown = async {
        let (run, experiment) = run::find(&pages, &visitor, &id).await?;
        let files = browse(&pages, &visitor, &Place::run(&id)).await?;
        let none = html! {
            p { "Log files with any MLflow client, inside of a run:" }
            (code_block("mlflow.log_artifact(\"plot.png\")\nmlflow.log_dict({\"classes\": 2}, \"about.json\")"))
        };
        let body = html! { (run::head(&visitor, &run, true)) (content(&files, &none)) };
        Ok(document(&visitor, &run::frame(&experiment, &run), body))
    };
    answer::shown(&visitor, shown.await)
}

/// Files of a logged model.
pub(crate) async fn of_logged_model(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    visitor: Visitor,
) -> Response<Body> {
    let shown = async {
        let model = pages
            .tracking()
            .logged_model(visitor.caller()?, &id)
            .await?;
        let files = browse(&pages, &visitor, &Place::logged_model(&id)).await?;
        let frame = Frame::new(format!("Files of {}", model.info.name))
            .section(Section::Models)
            .below("Models", "/models")
            .below(&model.info.name, address::logged_model(&id))
            .wide();
        let none = html! { p { "The model has no files here." } };
        let body =
            html! { div.head { h1 { "Files of " (model.info.name) } } (content(&files, &none)) };
        Ok(document(&visitor, &frame, body))
    };
    answer::shown(&visitor, shown.await)
}

/// A folder on the way, with what is in it.
struct Level {
    path: String,
    files: Vec<FileInfo>,
}

/// The beginning of a text, and whether that is all.
type Beginning = (String, bool);

/// What is shown: the folders from the root to the one that is open, and the file that is open.
struct Files {
    levels: Vec<Level>,
    /// Path, size if it is known, and the beginning of it if it is text.
    open: Option<(String, u64, Option<Beginning>)>,
    tree: String,
    raw: String,
}

async fn browse(pages: &Pages, visitor: &Visitor, place: &Place) -> Result<Files> {
    let query = Parameters::of(&visitor.address);
    let wanted = query.text("path").trim_matches('/').to_owned();
    let (tracking, caller) = (pages.tracking(), visitor.caller()?);
    let mut levels = Vec::new();
    let mut open = None;
    let mut folder = String::new();
    let mut names = wanted.split('/').filter(|name| !name.is_empty());
    loop {
        let files = tracking.files(caller, &place.holder, &folder).await?;
        let name = names.next();
        let found = name.map(|name| files.iter().find(|file| file.path == name).cloned());
        levels.push(Level {
            path: folder.clone(),
            files,
        });
        match found {
            None => break,
            Some(None) => {
                return Err(Failure::missing(format!(
                    "there is no file `{}`",
                    shorten(&wanted, 200)
                )));
            }
            Some(Some(file)) => {
                let path = if folder.is_empty() {
                    file.path.clone()
                } else {
                    format!("{folder}/{}", file.path)
                };
                if file.is_dir {
                    folder = path;
                    continue;
                }
                let size = file.file_size.unwrap_or(0);
                let text = match Kind::of(&path) {
                    Kind::Text | Kind::Json | Kind::Table(_) => {
                        let file = tracking.file(caller, &place.holder, &path).await?;
                        let (start, whole) = beginning(file.body, SHOWN).await?;
                        Some((String::from_utf8_lossy(&start).into_owned(), whole))
                    }
                    _ => None,
                };
                open = Some((path, size, text));
                break;
            }
        }
    }
    Ok(Files {
        levels,
        open,
        tree: place.tree.clone(),
        raw: place.raw.clone(),
    })
}

/// The first bytes of a body, and whether they are all.
pub(crate) async fn beginning(body: Body, most: usize) -> Result<(Vec<u8>, bool)> {
    let mut stream = body.into_data_stream();
    let mut start: Vec<u8> = Vec::new();
    while let Some(part) = stream.next().await {
        let part: Bytes = part
            .map_err(|error| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        let room = most - start.len();
        start.extend_from_slice(&part[..part.len().min(room)]);
        if part.len() > room {
            // A character that was cut is left out.
            let valid = match std::str::from_utf8(&start) {
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                _ => start.len(),
            };
            start.truncate(valid);
            return Ok((start, false));
        }
    }
    Ok((start, true))
}

fn content(files: &Files, none: &Markup) -> Markup {
    let empty = files
        .levels
        .first()
        .is_none_or(|level| level.files.is_empty());
    html! {
        @if empty {
            div.empty { h2 { "No files" } (none) }
        } @else {
            div.files {
                nav.tree aria-label="Files" { (level(files, 0)) }
                section.preview.panel aria-label="Preview" { (preview(files)) }
            }
        }
    }
}

fn level(files: &Files, depth: usize) -> Markup {
    let Some(level_here) = files.levels.get(depth) else {
        return html! {};
    };
    let next = files.levels.get(depth + 1).map(|level| level.path.as_str());
    let open = files.open.as_ref().map(|(path, _, _)| path.as_str());
    let path = |name: &str| {
        if level_here.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", level_here.path)
        }
    };
    let (folders, plain): (Vec<&FileInfo>, Vec<&FileInfo>) =
        level_here.files.iter().partition(|file| file.is_dir);
    html! {
        ul {
            @for file in folders.iter().chain(&plain).take(LISTED) {
                @let path = path(&file.path);
                @let is_open = next == Some(path.as_str());
                li {
                    @let shown = Some(path.as_str()) == open || is_open && depth + 2 == files.levels.len() && open.is_none();
                    a .folder[file.is_dir] .open[is_open] href=(link(&files.tree, [("path", path.as_str())])) aria-current=[shown.then_some("true")] {
                        span.name { (file.path) }
                        @if let Some(size) = file.file_size { span.quiet.size { (bytes(size)) } }
                    }
                    @if is_open { (level(files, depth + 1)) }
                }
            }
            @if level_here.files.len() > LISTED { li.quiet { "and " (level_here.files.len() - LISTED) " more" } }
        }
    }
}

/// A file of a run as it is.
pub(crate) async fn run_file(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    visitor: Visitor,
) -> Response<Body> {
    send(&pages, &visitor, &Place::run(&id)).await
}

/// A file of a logged model as it is.
pub(crate) async fn logged_model_file(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    visitor: Visitor,
) -> Response<Body> {
    send(&pages, &visitor, &Place::logged_model(&id)).await
}

async fn send(pages: &Pages, visitor: &Visitor, place: &Place) -> Response<Body> {
    or_failure(visitor, as_it_is(pages, visitor, place).await)
}

async fn as_it_is(pages: &Pages, visitor: &Visitor, place: &Place) -> Result<Response<Body>> {
    let query = Parameters::of(&visitor.address);
    let path = query.text("path");
    let file = pages
        .tracking()
        .file(visitor.caller()?, &place.holder, path)
        .await?;
    let kind = match Kind::of(path) {
        _ if query.has("download") => None,
        Kind::Picture(kind) => Some(kind),
        Kind::Html => Some("text/html; charset=utf-8"),
        Kind::Text | Kind::Json | Kind::Table(_) => Some("text/plain; charset=utf-8"),
        Kind::Other => None,
    };
    let mut response = Response::new(file.body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(file.size));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(kind.unwrap_or("application/octet-stream")),
    );
    if kind.is_none() {
        let name = path.rsplit('/').next().unwrap_or(path);
        let plain: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let text = format!(
            "attachment; filename=\"{plain}\"; filename*=UTF-8''{}",
            address::piece(name)
        );
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(CONTENT_DISPOSITION, value);
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<script>alert(1)</script>\"'.csv";

    fn file(name: &str, is_dir: bool) -> FileInfo {
        FileInfo {
            path: name.into(),
            is_dir,
            file_size: (!is_dir).then_some(7),
        }
    }

    #[test]
    fn names_and_contents_are_text() {
        let levels = vec![Level {
            path: String::new(),
            files: vec![file(HOSTILE, false), file("d", true)],
        }];
        let text = "a,<b>\n\"</td><img src=x>\",2\n".to_owned();
        let open = Some((HOSTILE.into(), 7, Some((text, true))));
        let files = Files {
            levels,
            open,
            tree: "/t".into(),
            raw: "/r".into(),
        };
        let page = content(&files, &html! {}).into_string();
        assert!(
            !page.contains("<script>") && !page.contains("<img") && !page.contains("<b>"),
            "{page}"
        );
        assert!(page.contains("td class=\"number\">2<"));
    }

    #[tokio::test]
    async fn beginnings_end_between_characters() {
        let (start, whole) = beginning(Body::from("aé"), 2).await.unwrap();
        assert_eq!((start.as_slice(), whole), (&b"a"[..], false));
        let (start, whole) = beginning(Body::from("aé"), 3).await.unwrap();
        assert_eq!((start.len(), whole), (3, true));
    }
}
