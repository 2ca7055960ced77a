//! Whom to trust, and how to connect.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::address::{Address, Protocol};
use crate::{ConnectOptions, RemoteError};

/// Connections to the server, with or without TLS.
pub(crate) type Connections<B> = Client<HttpsConnector<HttpConnector>, B>;

/// How often an idle peer is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Bytes of an answer that may be under way: a file of ciphertexts should not wait for acknowledgements.
const WINDOW: u32 = 16 << 20;
/// Most bytes of an HTTP/2 frame: ciphertexts arrive in few.
const FRAME: u32 = 256 << 10;

/// Prepares connections; none is opened yet.
///
/// # Errors
/// [`RemoteError::Certificate`].
pub(crate) fn connections<B>(
    address: &Address,
    options: &ConnectOptions,
) -> Result<Connections<B>, RemoteError>
where
    B: http_body::Body + Send + 'static + Unpin,
    B::Data: Send,
{
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(options.connect_timeout));
    tcp.set_keepalive(Some(KEEP_ALIVE));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(config(address, options)?)
        .https_or_http();
    let http2 = address.protocol == Protocol::Grpc;
    let connector = match http2 {
        true => https.enable_http2().wrap_connector(tcp),
        false => https.enable_http1().wrap_connector(tcp),
    };
    let client = Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_only(http2)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .http2_keep_alive_timeout(KEEP_ALIVE)
        .http2_initial_stream_window_size(WINDOW)
        .http2_initial_connection_window_size(WINDOW)
        .http2_max_frame_size(FRAME)
        .build(connector);
    Ok(client)
}

fn config(address: &Address, options: &ConnectOptions) -> Result<ClientConfig, RemoteError> {
    let wrong = |path: &str, reason: String| RemoteError::Certificate {
        path: path.to_owned(),
        reason,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("TLS", error.to_string()))?;
    let builder = match &options.ca {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                let added = roots.add(certificate);
                added.map_err(|error| wrong(&path.to_string_lossy(), error.to_string()))?;
            }
            builder.with_root_certificates(roots)
        }
        // Reading the system's certificates takes a while.
        None if !address.tls => builder.with_root_certificates(RootCertStore::empty()),
        None => {
            let system = builder.with_native_roots();
            system.map_err(|error| wrong("the system's certificates", error.to_string()))?
        }
    };
    let (certificate, key) = match (&options.certificate, &options.key) {
        (None, None) => return Ok(builder.with_no_client_auth()),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(path), None) => {
            return Err(wrong(
                &path.to_string_lossy(),
                "its private key is needed too".into(),
            ));
        }
        (None, Some(path)) => {
            return Err(wrong(
                &path.to_string_lossy(),
                "its certificate is needed too".into(),
            ));
        }
    };
    let shown = key.to_string_lossy();
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| wrong(&shown, format!("it holds no private key in PEM: {error}")))?;
    builder
        .with_client_auth_cert(certificates(certificate)?, private)
        .map_err(|error| wrong(&shown, error.to_string()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, RemoteError> {
    let wrong = |reason: String| RemoteError::Certificate {
        path: path.display().to_string(),
        reason,
    };
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = read.map_err(|error| wrong(error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong("it holds no certificate in PEM".into()));
    }
    Ok(chain)
}
