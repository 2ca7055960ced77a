//! Whole bodies of requests, within bounds and unpacked.

use std::io::Read;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use bytes::{Bytes, BytesMut};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http_body::Body as _;
use http_body_util::BodyExt;

use crate::admission::reason;
use crate::raw::invalid;
use crate::{ErrorKind, Limits, ServingError};

/// Memory taken at once for a body; it grows with what arrives.
const FIRST: u64 = 1 << 20;
/// A compressed body above this is unpacked on a thread of its own.
const SHORT: usize = 64 << 10;

/// The body of a request, unpacked if it is compressed.
///
/// # Errors
/// [`ErrorKind::TooLarge`], [`ErrorKind::Busy`], [`ErrorKind::Unimplemented`] for an unknown compression,
/// [`ErrorKind::InvalidArgument`] if it breaks off or does not unpack.
pub(super) async fn whole(
    headers: &HeaderMap,
    body: Body,
    limits: &Limits,
) -> Result<Bytes, ServingError> {
    let encoding = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes());
    let encoding = match encoding {
        None | Some(b"identity") => return received(body, limits.message).await,
        Some(b"gzip") => Encoding::Gzip,
        Some(b"deflate") => Encoding::Deflate,
        Some(_) => {
            return Err(ServingError::new(
                ErrorKind::Unimplemented,
                "a body may be compressed by gzip or deflate only",
            ));
        }
    };
    let packed = received(body, limits.message.min(limits.decompressed)).await?;
    let limit = limits.decompressed;
    if packed.len() <= SHORT {
        return unpack(encoding, &packed, limit);
    }
    let unpacked = tokio::task::spawn_blocking(move || unpack(encoding, &packed, limit)).await;
    unpacked.map_err(|_| ServingError::new(ErrorKind::Internal, "the server failed"))?
}

async fn received(mut body: Body, limit: usize) -> Result<Bytes, ServingError> {
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(too_large(limit));
    }
    let mut bytes = BytesMut::with_capacity(announced.min(FIRST) as usize);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if data.len() > limit - bytes.len() {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// Why a body ended early.
pub(super) fn broken(error: axum::Error) -> ServingError {
    reason(error).unwrap_or_else(|_| invalid("the request's body broke off"))
}

fn too_large(limit: usize) -> ServingError {
    ServingError::new(
        ErrorKind::TooLarge,
        format!("the request's body is larger than this server takes, {limit} bytes"),
    )
}

#[derive(Clone, Copy)]
enum Encoding {
    Gzip,
    Deflate,
}

fn unpack(encoding: Encoding, packed: &[u8], limit: usize) -> Result<Bytes, ServingError> {
    let mut bytes = Vec::new();
    let most = limit as u64 + 1;
    let read = match encoding {
        Encoding::Gzip => MultiGzDecoder::new(packed)
            .take(most)
            .read_to_end(&mut bytes),
        Encoding::Deflate => ZlibDecoder::new(packed).take(most).read_to_end(&mut bytes),
    };
    read.map_err(|_| invalid("the request's body does not unpack"))?;
    if bytes.len() > limit {
        return Err(too_large(limit));
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = gzip(&vec![0; 10 << 20]);
        assert!(bomb.len() < 20 << 10);
        let error = unpack(Encoding::Gzip, &bomb, 1 << 20).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert_eq!(unpack(Encoding::Gzip, &gzip(b"{}"), 2).unwrap(), &b"{}"[..]);
    }

    #[test]
    fn what_does_not_unpack_is_refused() {
        let error = unpack(Encoding::Gzip, b"no gzip", 100).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
}
