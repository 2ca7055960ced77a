//! TLS: whose certificate is trusted, and one's own.

use hush_remote::{ConnectOptions, Connection, PredictOptions, Refusal, RemoteError};

use crate::authority::Authority;
use crate::common::{Sandbox, Square};
use crate::server::{Running, assert_squares, samples, silent};

/// A certificate for this machine that signs itself.
fn certificate(sandbox: &Sandbox, name: &str) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(sandbox.path(&format!("{name}.pem")), made.cert.pem()).unwrap();
    let key = made.signing_key.serialize_pem();
    std::fs::write(sandbox.path(&format!("{name}.key")), key).unwrap();
}

#[test]
fn only_a_certificate_that_is_trusted_will_do() {
    let running = Running::with(Square::default(), |sandbox| {
        certificate(sandbox, "server");
        certificate(sandbox, "other");
        let path = |name| sandbox.path(name).display().to_string();
        vec![
            format!("--tls-cert={}", path("server.pem")),
            format!("--tls-key={}", path("server.key")),
        ]
    });
    let trusting = |ca: &str| ConnectOptions {
        ca: Some(running.sandbox.path(ca)),
        ..ConnectOptions::default()
    };
    for url in running.urls() {
        let connection = Connection::open(&url, trusting("server.pem")).unwrap();
        let model = connection.model("square").unwrap();
        let session = model
            .keys(&running.sandbox.path("own"), None, &mut silent)
            .unwrap();
        let input = samples(2);
        let outputs = session.predict(vec![input.clone()], &PredictOptions::default(), &mut silent);
        assert_squares(&input, &outputs.unwrap()[0], 0.25);

        let error = Connection::open(&url, trusting("other.pem")).err().unwrap();
        assert!(matches!(error, RemoteError::Connect { .. }), "{error:?}");
        assert!(error.to_string().contains("certificate"), "{error}");
        assert!(error.hint().unwrap().contains("authority"), "{error}");
        let error = Connection::open(&url, trusting("missing.pem"))
            .err()
            .unwrap();
        assert!(
            matches!(error, RemoteError::Certificate { .. }),
            "{error:?}"
        );
        let plain = url.replace("grpcs", "grpc").replace("https", "http");
        let options = ConnectOptions {
            request_timeout: std::time::Duration::from_secs(1),
            ..ConnectOptions::default()
        };
        let error = Connection::open(&plain, options).err().unwrap();
        assert!(error.hint().is_some(), "{error:?}");
    }
}

#[test]
fn a_certificate_says_who_asks() {
    let running = Running::with(Square::default(), |sandbox| {
        let authority = Authority::new();
        let write = |name: &str, text: &str| {
            std::fs::write(sandbox.path(name), text).unwrap();
            sandbox.path(name).display().to_string()
        };
        for name in ["alice", "bob", "server"] {
            let (certificate, key) = authority.sign(name);
            write(&format!("{name}.pem"), &certificate);
            write(&format!("{name}.key"), &key);
        }
        let accounts = "[[account]]\nname = 'alice'\nroles = ['predict', 'upload-keys']\n";
        vec![
            format!("--client-ca={}", write("ca.pem", &authority.pem)),
            format!("--tokens={}", write("tokens.toml", accounts)),
            format!("--tls-cert={}", sandbox.path("server.pem").display()),
            format!("--tls-key={}", sandbox.path("server.key").display()),
        ]
    });
    let path = |name: &str| running.sandbox.path(name);
    let options = |name: Option<&str>| ConnectOptions {
        ca: Some(path("ca.pem")),
        certificate: name.map(|name| path(&format!("{name}.pem"))),
        key: name.map(|name| path(&format!("{name}.key"))),
        ..ConnectOptions::default()
    };
    for url in running.urls() {
        let connection = Connection::open(&url, options(Some("alice"))).unwrap();
        let model = connection.model("square").unwrap();
        let session = model.keys(&path("own"), None, &mut silent).unwrap();
        let input = samples(2);
        let outputs = session.predict(vec![input.clone()], &PredictOptions::default(), &mut silent);
        assert_squares(&input, &outputs.unwrap()[0], 0.25);
        let key = session.keys().id();
        assert_eq!(connection.key_status(&key).unwrap().unwrap().owner, "alice");

        for stranger in [Some("bob"), None] {
            let connection = Connection::open(&url, options(stranger));
            let error = connection.and_then(|connection| connection.model("square").map(drop));
            let refusal = error.unwrap_err().refusal();
            assert_eq!(refusal, Some(Refusal::Unauthenticated), "{stranger:?}");
        }
        let mut half = options(Some("alice"));
        half.key = None;
        let error = Connection::open(&url, half).err().unwrap();
        assert!(error.to_string().contains("private key"), "{error}");
    }
}
