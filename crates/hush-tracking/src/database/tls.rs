//! TLS to PostgreSQL, as the address of the store asks for it.
//!
//! `sslmode=prefer` (what holds if nothing is said) and `require` encrypt and do not ask who is there, as `libpq` has it.
//! `verify-full` takes only a server whose certificate is for its name and signed by who is in the file of `sslrootcert`, or
//! else by whom the system trusts. Such a file makes the other two ask as well.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_rustls::ConfigBuilderExt;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Result;
use crate::TrackingError;
use crate::artifacts::percent_decoded;

/// Takes what is about certificates out of a store's address, which the rest of it goes without.
///
/// # Errors
/// The address wants what there is not here, or its file of certificates cannot be read.
pub(super) fn connector(uri: &str) -> Result<(String, Connector)> {
    let (place, query) = uri.split_once('?').unwrap_or((uri, ""));
    let mut rest = Vec::new();
    let (mut full, mut roots) = (false, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (name, &*percent_decoded(value)) {
            ("sslmode", "verify-full") => {
                full = true;
                rest.push("sslmode=require");
            }
            ("sslmode", "allow") => rest.push("sslmode=prefer"),
            ("sslmode", "verify-ca") => {
                return Err(TrackingError::invalid(
                    "sslmode=verify-ca would take any server that somebody has a certificate for; write verify-full",
                ));
            }
            ("sslcert" | "sslkey" | "sslcrl", _) => {
                return Err(TrackingError::invalid(format!(
                    "the store's address has `{name}`, which is not supported: accounts have passwords"
                )));
            }
            ("sslrootcert", "system") => roots = None,
            ("sslrootcert", file) => roots = Some(file.to_owned()),
            _ => rest.push(pair),
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TrackingError::internal("TLS", &error))?;
    let builder = match (roots, full) {
        (Some(file), _) => builder.with_root_certificates(read(&file)?),
        (None, true) => builder
            .with_native_roots()
            .map_err(|error| TrackingError::internal("the system's certificates", &error))?,
        (None, false) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
    };
    let uri = match rest.join("&") {
        query if query.is_empty() => place.to_owned(),
        query => format!("{place}?{query}"),
    };
    Ok((uri, Connector(Arc::new(builder.with_no_client_auth()))))
}

/// Reads a file of certificates.
fn read(file: &str) -> Result<RootCertStore> {
    let wrong = |reason: &dyn std::fmt::Display| {
        TrackingError::invalid(format!(
            "the certificates in `{file}` cannot be read: {reason}"
        ))
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| wrong(&error))?;
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        return Err(wrong(&"there is none"));
    }
    Ok(roots)
}

#[derive(Clone)]
pub(super) struct Connector(Arc<ClientConfig>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Connector {
    type Stream = Encrypted<S>;
    type TlsConnect = Handshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<Handshake> {
        let name = ServerName::try_from(host.to_owned());
        Ok(Handshake {
            connector: TlsConnector::from(Arc::clone(&self.0)),
            name: name.map_err(io::Error::other)?,
        })
    }
}

pub(super) struct Handshake {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Handshake {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            self.connector
                .connect(self.name, stream)
                .await
                .map(Encrypted)
        })
    }
}

pub(super) struct Encrypted<S>(TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, out)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> tokio_postgres::tls::TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

/// Encrypts to whoever is there.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_how_much_they_trust() {
        let rest = |query: &str| connector(&format!("postgresql://u:p%40@h/d{query}"));
        for (query, left) in [
            ("", ""),
            ("?sslmode=require", "?sslmode=require"),
            (
                "?sslmode=disable&options=-c%20a%3Db",
                "?sslmode=disable&options=-c%20a%3Db",
            ),
            ("?sslmode=allow", "?sslmode=prefer"),
            (
                "?sslmode=verify-full&sslrootcert=system",
                "?sslmode=require",
            ),
        ] {
            let (uri, _) = rest(query).ok().unwrap();
            assert_eq!(uri, format!("postgresql://u:p%40@h/d{left}"), "{query}");
        }
        for (query, told) in [
            ("?sslmode=verify-ca", "verify-full"),
            ("?sslcert=a.pem", "`sslcert`"),
            ("?sslrootcert=/nowhere.pem", "/nowhere.pem"),
        ] {
            let error = rest(query).err().unwrap().to_string();
            assert!(error.contains(told), "{query}: {error}");
        }
    }
}
