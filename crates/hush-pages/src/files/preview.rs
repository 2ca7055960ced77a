//! How files are shown: text as text, tables as tables, pictures and HTML from an address of their own.

use maud::{Markup, html};

use super::Files;
use crate::address::link;
use crate::format::{bytes, shorten};

/// Bytes of a text that are shown.
pub(super) const SHOWN: usize = 256 * 1024;
/// Rows and columns of a table that are shown.
const ROWS: usize = 200;
const COLUMNS: usize = 60;

/// How a file is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Json,
    Table(char),
    Picture(&'static str),
    Html,
    Other,
}

impl Kind {
    pub(super) fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let ending = name
            .rsplit_once('.')
            .map_or("", |(_, ending)| ending)
            .to_ascii_lowercase();
        match ending.as_str() {
            "png" => Self::Picture("image/png"),
            "jpg" | "jpeg" => Self::Picture("image/jpeg"),
            "gif" => Self::Picture("image/gif"),
            "webp" => Self::Picture("image/webp"),
            "avif" => Self::Picture("image/avif"),
            "svg" => Self::Picture("image/svg+xml"),
            "html" | "htm" => Self::Html,
            "json" | "ipynb" | "geojson" => Self::Json,
            "csv" => Self::Table(','),
            "tsv" => Self::Table('\t'),
            "txt" | "md" | "log" | "py" | "rs" | "r" | "sh" | "toml" | "yaml" | "yml" | "xml"
            | "ini" | "cfg" | "conf" | "jsonl" | "js" | "css" | "sql" | "tex" | "lock" | "in"
            | "rst" | "diff" | "patch" => Self::Text,
            _ if matches!(
                name,
                "MLmodel" | "MLproject" | "Dockerfile" | "Makefile" | "LICENSE" | "README"
            ) =>
            {
                Self::Text
            }
            _ => Self::Other,
        }
    }
}

pub(super) fn preview(files: &Files) -> Markup {
    let Some((path, size, text)) = &files.open else {
        return html! { p.quiet { "Choose a file to look at it." } };
    };
    let raw = link(&files.raw, [("path", path.as_str())]);
    let download = link(&files.raw, [("path", path.as_str()), ("download", "1")]);
    html! {
        header.file {
            h2 { (path) }
            span.quiet { (bytes(*size)) }
            a.button href=(download) download { "Download" }
        }
        @match (Kind::of(path), text) {
            (Kind::Picture(_), _) => { div.picture { img src=(raw) alt=(path) loading="lazy"; } }
            (Kind::Html, _) => {
                iframe.page sandbox="" src=(raw) title=(path) loading="lazy" referrerpolicy="no-referrer" {}
                p.note { "Shown without its scripts and styles." }
            }
            (Kind::Json, Some((text, true))) => { (json(text)) }
            (Kind::Table(separator), Some((text, whole))) => { (table(text, separator, *whole)) }
            (_, Some((text, whole))) => {
                pre.text tabindex="0" { (text) }
                @if !whole { p.note { "The first " (bytes(SHOWN as u64)) " of it." } }
            }
            _ => { p.quiet { "Files of this kind are not shown; download it to look inside." } }
        }
    }
}

fn json(text: &str) -> Markup {
    let read = serde_json::from_str::<serde_json::Value>(text).ok();
    let pretty = read.and_then(|value| serde_json::to_string_pretty(&value).ok());
    html! { pre.text tabindex="0" { (pretty.as_deref().unwrap_or(text)) } }
}

fn table(text: &str, separator: char, whole: bool) -> Markup {
    let mut rows = records(text, separator, ROWS + 2);
    let more = rows.len() > ROWS + 1 || !whole;
    rows.truncate(ROWS + 1);
    let mut rows = rows.into_iter();
    let head = rows.next().unwrap_or_default();
    html! {
        div.scroll.tall tabindex="0" role="region" aria-label="Table" {
            table.data {
                thead { tr { @for cell in head.iter().take(COLUMNS) { th scope="col" { (shorten(cell, 60)) } } } }
                tbody { @for row in rows {
                    tr { @for cell in row.iter().take(COLUMNS) {
                        td.number[cell.trim().parse::<f64>().is_ok()] { (shorten(cell, 200)) }
                    } }
                } }
            }
        }
        @if more || head.len() > COLUMNS { p.note { "The first " (ROWS) " rows and " (COLUMNS) " columns." } }
    }
}

/// Rows of separated values; quotes as RFC 4180 has them.
fn records(text: &str, separator: char, most: usize) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
                if rows.len() >= most {
                    return rows;
                }
            }
            '\r' if !quoted => {}
            other if other == separator && !quoted => row.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    if !(cell.is_empty() && row.is_empty()) {
        row.push(cell);
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_with_their_quotes() {
        let rows = records("a,\"b \"\"x\"\", c\"\r\n1,\n\n\"q\n\",3", ',', 10);
        assert_eq!(
            rows,
            [
                vec!["a", "b \"x\", c"],
                vec!["1", ""],
                vec![""],
                vec!["q\n", "3"]
            ]
        );
        assert_eq!(records("a\nb\nc", ',', 2).len(), 2);
    }

    #[test]
    fn only_known_kinds_are_shown() {
        assert_eq!(Kind::of("a/b.PNG"), Kind::Picture("image/png"));
        assert_eq!(Kind::of("model/MLmodel"), Kind::Text);
        assert_eq!(Kind::of("x.html"), Kind::Html);
        assert_eq!(Kind::of("x.model"), Kind::Other);
    }
}
