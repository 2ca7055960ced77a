//! Requests over HTTP.

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Target;
use crate::world::world;

/// A request in JSON: the model's name on the first line, then the body.
pub(super) const JSON: Target = Target {
    name: "rest_json",
    seeds: || {
        let numbers = r#"{"name": "INPUT0", "shape": [1, 16], "datatype": "INT32",
            "data": [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]]}"#;
        let simple = format!(
            r#"{{"id": "7", "parameters": {{"timeout": 5000000}}, "inputs": [{numbers}, {}],
                "outputs": [{{"name": "OUTPUT0"}}]}}"#,
            numbers.replace("INPUT0", "INPUT1")
        );
        let file = STANDARD.encode(&world().ciphertexts);
        let text = format!(
            r#"{{"inputs": [{{"name": "ciphertexts", "shape": [1], "datatype": "BYTES",
                "parameters": {{"content_type": "base64"}}, "data": ["{file}"]}}]}}"#
        );
        vec![
            format!("simple\n{simple}").into_bytes(),
            format!("square\n{text}").into_bytes(),
        ]
    },
    run: |bytes| {
        let (model, body) = line(bytes);
        let Some(request) = infer(model) else {
            return false;
        };
        let request = request.body(Body::from(body.to_vec()));
        request.is_ok_and(|request| world().ask_rest(request).is_success())
    },
};

/// A request whose tensors lie behind its JSON: what the header with the length of the JSON says on the first line, then the
/// body.
pub(super) const BINARY: Target = Target {
    name: "rest_binary",
    seeds: || {
        let file = &world().ciphertexts;
        let json = format!(
            r#"{{"inputs": [{{"name": "ciphertexts", "shape": [1], "datatype": "BYTES",
                "parameters": {{"binary_data_size": {}}}}}],
                "outputs": [{{"name": "ciphertexts", "parameters": {{"binary_data": true}}}}]}}"#,
            file.len() + 4
        );
        let length = (file.len() as u32).to_le_bytes();
        let head = format!("{}\n{json}", json.len());
        vec![[head.as_bytes(), &length, file].concat()]
    },
    run: |bytes| {
        let (length, body) = line(bytes);
        let request = infer(b"square").zip(HeaderValue::from_bytes(length).ok());
        let Some((request, length)) = request else {
            return false;
        };
        let request = request
            .header("inference-header-content-length", length)
            .header("content-type", "application/octet-stream")
            .body(Body::from(body.to_vec()));
        request.is_ok_and(|request| world().ask_rest(request).is_success())
    },
};

/// A part of a key: its id, `Content-Range` and `Content-Length` on a line each, then its bytes.
pub(super) const UPLOAD: Target = Target {
    name: "rest_upload",
    seeds: || {
        let id = world().newcomer.key_id();
        let file = &world().newcomer.evaluation;
        let total = file.len();
        let part = |range: &str, length: usize| {
            let head = format!("{id}\n{range}\n{length}\n");
            [head.as_bytes(), &file[..length]].concat()
        };
        vec![
            part(&format!("bytes 0-299/{total}"), 300),
            part(&format!("bytes 0-{}/{total}", total - 1), total),
            part("", total),
        ]
    },
    run: |bytes| {
        let (id, bytes) = line(bytes);
        let (range, bytes) = line(bytes);
        let (length, bytes) = line(bytes);
        let path = path(&[b"/v1/keys/", id].concat());
        let mut request = Request::builder().method(Method::PUT);
        for (name, value) in [("content-range", range), ("content-length", length)] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        let request = request.uri(path).body(Body::from(bytes.to_vec()));
        request.is_ok_and(|request| {
            let path = request.uri().clone();
            let answer = world().ask_rest(request).is_success();
            // What is left of uploads would fill the disk.
            let delete = Request::builder().method(Method::DELETE).uri(path);
            if let Ok(delete) = delete.body(Body::empty()) {
                world().ask_rest(delete);
            }
            answer
        })
    },
};

fn infer(model: &[u8]) -> Option<axum::http::request::Builder> {
    let path = [b"/v2/models/", model, b"/infer"].concat();
    let request = Request::builder().method(Method::POST).uri(path_of(&path)?);
    Some(request)
}

fn path_of(bytes: &[u8]) -> Option<String> {
    let path = path(bytes);
    path.parse::<axum::http::Uri>().ok().map(|_| path)
}

/// Percent-encoded, as far as it must be.
fn path(bytes: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/%".contains(&byte);
    bytes
        .iter()
        .map(|&byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

/// The first line, and what follows it.
fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (&[], bytes),
    }
}
