//! A request as its handler sees it: who asks, and fields from path, query and body.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;

use super::answer::Fail;
use crate::wire::Fields;
use crate::{Caller, ErrorCode, TrackingError};

/// Bytes of a request's body; the profile of a dataset alone may have sixteen million.
const LARGEST: usize = 32 << 20;

/// Who asks, and for what.
pub(crate) struct Call {
    pub(crate) caller: Caller,
    pub(crate) fields: Fields,
    /// Bytes that the body had.
    pub(crate) size: usize,
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = Fail;

    async fn from_request(request: Request<Body>, state: &S) -> Result<Self, Fail> {
        let (mut parts, body) = request.into_parts();
        let caller = caller(&parts.extensions)?;
        let paths = RawPathParams::from_request_parts(&mut parts, state).await;
        let paths = paths.map_err(|error| bad(format!("the path cannot be read: {error}")))?;
        let body = whole(body, LARGEST).await?;
        let mut fields = if body.is_empty() {
            Fields::default()
        } else {
            read(&parts.headers, &body)?
        };
        for (name, value) in
            url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        {
            fields.add(&name, value.into_owned());
        }
        for (name, value) in &paths {
            fields.set(name, value.to_owned());
        }
        let size = body.len();
        Ok(Self {
            caller,
            fields,
            size,
        })
    }
}

/// Who asks, as the server in front found out.
pub(crate) fn caller(extensions: &http::Extensions) -> Result<Caller, Fail> {
    let caller = extensions.get::<Caller>().cloned();
    caller.ok_or_else(|| {
        Fail(TrackingError::new(
            ErrorCode::Unauthenticated,
            "the server needs to know who asks",
        ))
    })
}

/// A whole body of at most so many bytes.
pub(crate) async fn whole(body: Body, largest: usize) -> Result<Bytes, Fail> {
    let body = Limited::new(body, largest).collect().await;
    let body = body.map_err(|error| bad(format!("the request's body cannot be read: {error}")))?;
    Ok(body.to_bytes())
}

fn read(headers: &HeaderMap, body: &Bytes) -> Result<Fields, Fail> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    // Pages of other sites can send anything but this without asking.
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return Err(bad(format!(
            "Bad Request. Content-Type must be one of ['application/json'], got {}.",
            kind.unwrap_or("none")
        )));
    }
    let unpacked;
    let body = match headers
        .get(CONTENT_ENCODING)
        .map(|coding| coding.as_bytes())
    {
        None | Some(b"identity") => body.as_ref(),
        Some(b"gzip") => {
            unpacked = unpack(body)?;
            &unpacked
        }
        Some(_) => {
            return Err(bad(
                "the request's body has an unknown content-encoding".into()
            ));
        }
    };
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(Fields::new(fields)),
        // What some clients send in place of an object: the text of one.
        Ok(Value::String(text)) => match serde_json::from_str(&text) {
            Ok(Value::Object(fields)) => Ok(Fields::new(fields)),
            _ => Err(bad("the request's body is no JSON object".into())),
        },
        Ok(Value::Null) => Ok(Fields::default()),
        Ok(_) => Err(bad("the request's body is no JSON object".into())),
        Err(error) => Err(bad(format!("the request's body is no JSON: {error}"))),
    }
}

/// Unpacks gzip, up to the size that an unpacked body may have.
pub(crate) fn unpack(body: &[u8]) -> Result<Vec<u8>, Fail> {
    use std::io::Read;
    let mut unpacked = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(body).take(LARGEST as u64 + 1);
    match reader.read_to_end(&mut unpacked) {
        Ok(size) if size <= LARGEST => Ok(unpacked),
        Ok(_) => Err(bad("the request's body is too large".into())),
        Err(error) => Err(bad(format!(
            "the request's body cannot be unpacked: {error}"
        ))),
    }
}

fn bad(message: String) -> Fail {
    Fail(TrackingError::new(ErrorCode::BadRequest, message))
}
