//! What a data owner is told when the server will not, or is not there.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use hush_remote::{ConnectOptions, Connection, PredictOptions, Refusal, RemoteError};
use hush_serving::{Identity, Limits};

use crate::common::{Sandbox, Square};
use crate::server::{Running, assert_squares, open, samples, silent};

const TOKEN: &str = "hush_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";

fn accounts(sandbox: &Sandbox) -> Vec<String> {
    let account = format!(
        "[[account]]\nname = \"alice\"\nroles = [\"predict\", \"upload-keys\"]\n\n\
         [[account.token]]\nhash = \"{}\"\ncreated = 2026-01-01T00:00:00Z\n",
        blake3::hash(TOKEN.as_bytes())
    );
    std::fs::write(sandbox.path("tokens"), account).unwrap();
    vec![format!("--tokens={}", sandbox.path("tokens").display())]
}

fn with_token(token: &str) -> ConnectOptions {
    ConnectOptions {
        token: Some(token.to_owned().into()),
        ..ConnectOptions::default()
    }
}

#[test]
fn a_wrong_token_is_told_and_the_right_one_works() {
    let running = Running::with(Square::default(), accounts);
    for url in running.urls() {
        for options in [with_token("hush_wrong"), ConnectOptions::default()] {
            let error = Connection::open(&url, options).err().unwrap();
            assert_eq!(error.refusal(), Some(Refusal::Unauthenticated), "{error}");
            assert!(
                error.to_string().starts_with("the server refused: "),
                "{error}"
            );
            assert!(error.hint().unwrap().contains("hush token create"));
        }
        let model = Connection::open(&url, with_token(TOKEN))
            .unwrap()
            .model("square")
            .unwrap();
        let session = model
            .keys(&running.sandbox.path("own"), None, &mut silent)
            .unwrap();
        let input = samples(2);
        let outputs = session.predict(vec![input.clone()], &PredictOptions::default(), &mut silent);
        assert_squares(&input, &outputs.unwrap()[0], 0.25);
    }
    let broken = Connection::open(&running.urls()[0], with_token("a\nb"));
    assert!(matches!(broken.err(), Some(RemoteError::Token)));
}

#[test]
fn models_that_are_not_there_are_named() {
    let running = Running::new();
    for url in running.urls() {
        let connection = open(&url);
        let error = connection.model("nothing").err().unwrap();
        assert_eq!(error.refusal(), Some(Refusal::NotFound));
        assert!(error.to_string().contains("`nothing`"), "{error}");
        let models = connection.models().unwrap();
        assert_eq!(
            (models[0].name.as_str(), models[0].state.as_str()),
            ("square", "READY")
        );
        let metadata = connection
            .metadata(connection.model("square").unwrap().name())
            .unwrap();
        assert_eq!(metadata.inputs[0].data_type, "BYTES");
        assert!(metadata.properties.contains_key("hush.program_id"));
        assert!(connection.server().unwrap().ready);
        assert_eq!(connection.key_status(&"a".repeat(32)).unwrap(), None);
    }
    assert!(
        open(&running.urls()[1])
            .metrics()
            .unwrap()
            .contains("hush_ready 1")
    );
    let error = open(&running.urls()[0]).metrics().unwrap_err();
    assert!(error.to_string().contains("over HTTP only"), "{error}");
}

#[test]
fn nobody_there_is_told_at_once() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for scheme in ["grpc", "http", "grpcs", "https"] {
        let url = format!("{scheme}://{port}");
        let error = Connection::open(&url, ConnectOptions::default())
            .err()
            .unwrap();
        assert!(matches!(error, RemoteError::Connect { .. }), "{error:?}");
        assert!(error.to_string().contains("refused"), "{error}");
        assert!(error.hint().unwrap().contains("hush serve"));
    }
}

#[test]
fn the_port_of_the_other_protocol_is_told() {
    let running = Running::new();
    let [(_, grpc), (_, http)] = running.sockets();
    for url in [format!("grpc://{http}"), format!("http://{grpc}")] {
        let error = Connection::open(&url, ConnectOptions::default())
            .err()
            .unwrap();
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("one port for gRPC")),
            "{error:?}"
        );
    }
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for scheme in ["grpc", "http", "grpcs", "https"] {
        let options = ConnectOptions {
            request_timeout: Duration::from_millis(100),
            ..ConnectOptions::default()
        };
        let error = Connection::open(&format!("{scheme}://{address}"), options)
            .err()
            .unwrap();
        assert!(matches!(error, RemoteError::Timeout { .. }), "{error:?}");
    }
}

#[test]
fn a_busy_server_is_asked_again_when_it_says() {
    let sandbox = Sandbox::new();
    sandbox.write("square.model", &Square::default());
    let service = sandbox.service();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let limits = Limits::default();
    let busy = Arc::new(AtomicUsize::new(0));
    for (scheme, router) in [
        ("grpc", hush_serving::grpc(&service, &limits)),
        ("http", hush_serving::rest(&service, &limits)),
    ] {
        busy.store(2, Ordering::SeqCst);
        let url = serve(&runtime, scheme, router, Arc::clone(&busy));
        let model = open(&url).model("square").unwrap();
        let session = model.keys(&sandbox.path("own"), None, &mut silent).unwrap();
        let input = samples(2);
        let outputs = session.predict(vec![input.clone()], &PredictOptions::default(), &mut silent);
        assert_squares(&input, &outputs.unwrap()[0], 0.25);
        assert_eq!(busy.load(Ordering::SeqCst), 0);
    }
}

/// Serves on loopback, busy with so many predictions first.
fn serve(
    runtime: &tokio::runtime::Runtime,
    scheme: &'static str,
    router: Router,
    busy: Arc<AtomicUsize>,
) -> String {
    let turn_away = move |mut request: Request, next: Next| {
        let infer = request.uri().path().ends_with("nfer");
        let take = |left: usize| left.checked_sub(1);
        let busy = infer
            && busy
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_ok();
        request.extensions_mut().insert(Identity::local());
        async move {
            match busy {
                true => refusal(scheme),
                false => next.run(request).await,
            }
        }
    };
    let router = router.layer(from_fn(turn_away));
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move { axum::serve(listener, router).await });
    format!("{scheme}://{address}")
}

fn refusal(scheme: &str) -> Response {
    let mut headers = HeaderMap::new();
    if scheme == "http" {
        headers.insert("retry-after", HeaderValue::from_static("0"));
        return (
            StatusCode::TOO_MANY_REQUESTS,
            headers,
            r#"{"error":"full"}"#,
        )
            .into_response();
    }
    for (name, value) in [
        ("content-type", "application/grpc"),
        ("grpc-status", "8"),
        ("grpc-message", "full"),
        ("grpc-retry-pushback-ms", "20"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    (StatusCode::OK, headers).into_response()
}
