//! Who may do what: tokens, certificates, issuers.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::authority::Authority;
use crate::support::{Answer, Running};
use axum::body::Body;
use axum::http::{Method, StatusCode};
use hush_serving::protocol::inference::{ModelReadyRequest, ServerLiveRequest};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::{Code, Request};

/// Runs `hush-server token …`.
pub(crate) fn token(file: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_hush-server"))
        .args(["token", arguments[0], "--tokens"])
        .arg(file)
        .args(&arguments[1..])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn fetch_as(server: &Running, token: &str, path: &str) -> Answer {
    let request = server
        .request(Method::GET, path)
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty());
    server.send(request.unwrap()).await
}

async fn post_as(server: &Running, token: &str, path: &str) -> Answer {
    let request = server
        .request(Method::POST, path)
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty());
    server.send(request.unwrap()).await
}

#[tokio::test]
async fn tokens_open_what_their_account_may_use() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.toml");
    let alice = token(&file, &["create", "alice", "--models", "simple"]);
    let admin = token(&file, &["create", "root", "--roles", "administer"]);
    let settings = [("tokens", file.to_str().unwrap())];
    let server = Running::start(&settings).await;

    assert_eq!(server.get("/v2/health/live").await.status, StatusCode::OK);
    let stranger = server.get("/v2/models/simple").await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    assert_eq!(stranger.headers["www-authenticate"], "Bearer");
    assert_eq!(
        server.get("/metrics").await.status,
        StatusCode::UNAUTHORIZED
    );
    let wrong = fetch_as(&server, "hush_wrong", "/v2/models/simple").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.error(), "the token is unknown, revoked or expired");

    let seen = fetch_as(&server, &alice, "/v2/models").await.json();
    assert_eq!(seen["models"], serde_json::json!(["simple"]));
    let hidden = fetch_as(&server, &alice, "/v2/models/sum-model").await;
    assert_eq!(hidden.status, StatusCode::NOT_FOUND);
    let unload = "/v2/repository/models/simple/unload";
    assert_eq!(
        post_as(&server, &alice, unload).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        fetch_as(&server, &alice, "/metrics").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        fetch_as(&server, &admin, "/metrics").await.status,
        StatusCode::OK
    );

    let mut client = server.inference().await;
    client.server_live(ServerLiveRequest {}).await.unwrap();
    let ready = || {
        Request::new(ModelReadyRequest {
            name: "simple".into(),
            version: String::new(),
        })
    };
    let stranger = client.model_ready(ready()).await.unwrap_err();
    assert_eq!(stranger.code(), Code::Unauthenticated);
    let mut request = ready();
    let value = format!("Bearer {alice}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    client.model_ready(request).await.unwrap();

    token(&file, &["revoke", "alice"]);
    let mut tries = 0;
    while fetch_as(&server, &alice, "/v2/models").await.status == StatusCode::OK {
        tokio::time::sleep(Duration::from_millis(100)).await;
        tries += 1;
        assert!(tries < 100, "the revoked token still opens");
    }
    assert_eq!(
        fetch_as(&server, &admin, "/v2/models").await.status,
        StatusCode::OK
    );
}

/// The status of `GET path` over TLS, with a certificate or without.
async fn status_over_tls(
    server: &Running,
    authority: &Authority,
    shown: Option<(String, String)>,
    path: &str,
) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match shown {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = tokio::net::TcpStream::connect(server.http).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer[9..]).into_owned())
}

#[tokio::test]
async fn certificates_name_their_account() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (authority, other) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.sign("server");
    let (certificate, key) = (write("cert.pem", &certificate), write("key.pem", &key));
    let client_ca = write("ca.pem", &authority.pem);
    let tokens = write(
        "tokens.toml",
        "[[account]]\nname = 'alice'\nroles = ['predict']\n",
    );
    let settings = [
        ("tls-cert", certificate.as_str()),
        ("tls-key", &key),
        ("client-ca", &client_ca),
        ("tokens", &tokens),
    ];
    let server = Running::start(&settings).await;
    let status = |shown, path| status_over_tls(&server, &authority, shown, path);
    assert_eq!(status(None, "/v2/health/live").await.unwrap(), "200");
    assert_eq!(status(None, "/v2/models").await.unwrap(), "401");
    assert_eq!(
        status(Some(authority.sign("alice")), "/v2/models")
            .await
            .unwrap(),
        "200"
    );
    assert_eq!(
        status(Some(authority.sign("bob")), "/v2/models")
            .await
            .unwrap(),
        "401"
    );
    assert!(
        status(Some(other.sign("alice")), "/v2/models")
            .await
            .is_err()
    );
}
