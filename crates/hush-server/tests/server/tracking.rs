//! The tracking server's accounts, as MLflow's clients show them, and what they may do.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::accounts::token;
use crate::support::{Answer, Running};

const API: &str = "/api/2.0/mlflow";

struct Tracker {
    server: Running,
    alice: String,
    bob: String,
    root: String,
    predicts: String,
    _folder: tempfile::TempDir,
}

impl Tracker {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens.toml");
        let make = |name: &str, roles: &str| token(&file, &["create", name, "--roles", roles]);
        let (alice, bob) = (make("alice", "track"), make("bob", "track"));
        let (root, predicts) = (make("root", "administer"), make("eve", "predict"));
        let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let server = Running::start(&[
            ("tokens", file.to_str().unwrap()),
            (
                "backend-store-uri",
                &format!("sqlite:///{}", place("tracking.db")),
            ),
            ("artifacts-destination", &place("artifacts")),
            ("default-permission", "NO_PERMISSIONS"),
        ])
        .await;
        Self {
            server,
            alice,
            bob,
            root,
            predicts,
            _folder: folder,
        }
    }

    /// Asks with a value of the header `authorization`, and other headers.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self
            .server
            .request(method, path)
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.server.send(request.body(body).unwrap()).await
    }

    async fn as_account(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let header = format!("Bearer {token}");
        self.ask(method, path, body, &[("authorization", &header)])
            .await
    }

    async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.as_account(token, Method::POST, &format!("{API}/{path}"), Some(body))
            .await
    }
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

#[tokio::test]
async fn accounts_show_who_they_are_as_mlflow_does() {
    let tracker = Tracker::start().await;
    let search = format!("{API}/experiments/search?max_results=5");
    let (alice, bearer) = (&tracker.alice, format!("Bearer {}", tracker.alice));
    for good in [bearer.as_str(), &basic("alice", alice)] {
        let answer = tracker
            .ask(Method::GET, &search, None, &[("authorization", good)])
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    for bad in [
        "Bearer hush_nobody".to_owned(),
        "Bearer ".to_owned(),
        basic("bob", alice),
        basic("alice", "wrong"),
        basic("alice", &tracker.bob),
        basic("", ""),
        "Basic !!!".to_owned(),
        format!("Digest {alice}"),
    ] {
        let answer = tracker
            .ask(Method::GET, &search, None, &[("authorization", &bad)])
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{bad}");
        assert_eq!(answer.json()["error_code"], "UNAUTHENTICATED", "{bad}");
    }
    // Every route of the tracking server but those that say whether it is there.
    for path in [
        format!("{API}/experiments/get?experiment_id=0"),
        "/api/3.0/mlflow/traces/search".into(),
        "/api/2.0/mlflow-artifacts/artifacts".into(),
        "/api/2.0/mlflow-artifacts/artifacts/0/x".into(),
        "/ajax-api/2.0/mlflow/runs/search".into(),
        "/get-artifact?run_id=1&path=x".into(),
        "/graphql".into(),
        "/v1/traces".into(),
        "/experiments".into(),
        "/metrics".into(),
        "/nothing/at/all".into(),
    ] {
        let answer = tracker.ask(Method::GET, &path, None, &[]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(!answer.body.starts_with(b"<"), "{path}");
    }
    for path in ["/health", "/version"] {
        assert_eq!(
            tracker.ask(Method::GET, path, None, &[]).await.status,
            StatusCode::OK
        );
    }
    let answer = tracker
        .as_account(&tracker.predicts, Method::GET, &search, None)
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json()["error_code"], "PERMISSION_DENIED");
}

#[tokio::test]
async fn experiments_and_models_are_their_makers() {
    let tracker = Tracker::start().await;
    let (alice, bob) = (tracker.alice.as_str(), tracker.bob.as_str());
    let made = tracker
        .post(alice, "experiments/create", json!({"name": "hers"}))
        .await
        .json();
    let id = made["experiment_id"].as_str().unwrap().to_owned();
    let run = tracker
        .post(alice, "runs/create", json!({"experiment_id": id}))
        .await
        .json();
    let run = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    tracker
        .post(alice, "registered-models/create", json!({"name": "net"}))
        .await;
    let file = format!("/api/2.0/mlflow-artifacts/artifacts/{id}/{run}/artifacts/x.txt");
    let put = |token: &str, method: Method| {
        let request = tracker
            .server
            .request(method, &file)
            .header("authorization", format!("Bearer {token}"));
        tracker
            .server
            .send(request.body(Body::from("hello")).unwrap())
    };
    assert_eq!(put(alice, Method::PUT).await.status, StatusCode::OK);

    let read = format!("{API}/runs/get?run_id={run}");
    let model = format!("{API}/registered-models/get?name=net");
    // What each permission lets bob do: read, write, manage.
    for (permission, may) in [
        (None, [false; 3]),
        (Some("READ"), [true, false, false]),
        (Some("EDIT"), [true, true, false]),
        (Some("MANAGE"), [true; 3]),
        (Some("NO_PERMISSIONS"), [false; 3]),
    ] {
        if let Some(permission) = permission {
            let first = permission == "READ";
            for (what, key, value) in [
                ("experiments", "experiment_id", &id),
                ("registered-models", "name", &"net".to_owned()),
            ] {
                let grant = json!({key: value, "username": "bob", "permission": permission});
                let (method, call) = if first {
                    (Method::POST, "create")
                } else {
                    (Method::PATCH, "update")
                };
                let path = format!("{API}/{what}/permissions/{call}");
                let answer = tracker.as_account(alice, method, &path, Some(grant)).await;
                assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            }
        }
        let tag = json!({"key": "a", "value": "b"});
        let with = |key: &str, value: &str| {
            let mut body = tag.clone();
            body[key] = json!(value);
            body
        };
        let grant = json!({"experiment_id": id, "username": "eve", "permission": "READ"});
        let of_model = json!({"name": "net", "username": "eve", "permission": "READ"});
        let done = [
            (0, tracker.as_account(bob, Method::GET, &read, None).await),
            (0, tracker.as_account(bob, Method::GET, &model, None).await),
            (0, put(bob, Method::GET).await),
            (
                1,
                tracker
                    .post(bob, "runs/set-tag", with("run_id", &run))
                    .await,
            ),
            (
                1,
                tracker
                    .post(
                        bob,
                        "experiments/set-experiment-tag",
                        with("experiment_id", &id),
                    )
                    .await,
            ),
            (
                1,
                tracker
                    .post(bob, "registered-models/set-tag", with("name", "net"))
                    .await,
            ),
            (1, put(bob, Method::PUT).await),
            (
                2,
                tracker
                    .post(bob, "experiments/permissions/create", grant)
                    .await,
            ),
            (
                2,
                tracker
                    .post(bob, "registered-models/permissions/create", of_model)
                    .await,
            ),
        ];
        for (index, (needs, answer)) in done.iter().enumerate() {
            let allowed = answer.status == StatusCode::OK;
            assert_eq!(allowed, may[*needs], "{permission:?} {index}: {answer:?}");
            assert!(
                allowed || answer.status == StatusCode::FORBIDDEN,
                "{answer:?}"
            );
        }
    }
    assert_eq!(
        tracker
            .as_account(&tracker.root, Method::GET, &read, None)
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn paths_and_pages_of_others_lead_nowhere() {
    let tracker = Tracker::start().await;
    let root = tracker.root.as_str();
    let bearer = format!("Bearer {root}");
    let artifacts = "/api/2.0/mlflow-artifacts/artifacts";
    for path in [
        "0/..%2f..%2ftokens.toml",
        "..%2ftokens.toml",
        "%2e%2e/tokens.toml",
        "0/%252e%252e/%252e%252e/tokens.toml",
        "0/a%5c..%5cb",
        "0/a%00",
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = tracker
                .as_account(
                    root,
                    method.clone(),
                    &format!("{artifacts}/{path}"),
                    Some(json!({})),
                )
                .await;
            assert_eq!(
                answer.status,
                StatusCode::BAD_REQUEST,
                "{method} {path}: {answer:?}"
            );
        }
    }
    for path in ["..", "/etc", "0/../..", "%2e%2e"] {
        let answer = tracker
            .as_account(root, Method::GET, &format!("{artifacts}?path={path}"), None)
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {answer:?}");
    }
    let made = tracker
        .post(root, "runs/create", json!({"experiment_id": "0"}))
        .await
        .json();
    let run = made["run"]["info"]["run_id"].as_str().unwrap();
    for path in [
        "..%2f..%2f..%2ftokens.toml",
        "%2Fetc%2Fpasswd",
        "a/%2e%2e/%2e%2e/x",
    ] {
        for page in [
            format!("/get-artifact?run_id={run}&path={path}"),
            format!("{API}/artifacts/list?run_id={run}&path={path}"),
        ] {
            let answer = tracker.as_account(root, Method::GET, &page, None).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{page}: {answer:?}");
        }
    }
    tracker
        .post(root, "registered-models/create", json!({"name": "net"}))
        .await;
    for source in [
        "/etc/passwd",
        "file:///etc",
        "mlflow-artifacts:/0/../../etc",
        "mlflow-artifacts:/0/%2e%2e/x",
        "../x",
    ] {
        let answer = tracker
            .post(
                root,
                "model-versions/create",
                json!({"name": "net", "source": source}),
            )
            .await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{source}: {answer:?}"
        );
    }
    // Browsers send a name and password along with what another site's page asks of them.
    let create = format!("{API}/experiments/create");
    for (origin, status) in [
        ("https://evil.example", StatusCode::FORBIDDEN),
        ("null", StatusCode::FORBIDDEN),
    ] {
        let headers = [("authorization", bearer.as_str()), ("origin", origin)];
        let answer = tracker
            .ask(Method::POST, &create, Some(json!({"name": "x"})), &headers)
            .await;
        assert_eq!(answer.status, status, "{origin}: {answer:?}");
    }
    let own = format!("http://{}", tracker.server.http);
    let headers = [("authorization", bearer.as_str()), ("origin", own.as_str())];
    let answer = tracker
        .ask(Method::POST, &create, Some(json!({"name": "x"})), &headers)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

#[tokio::test]
async fn without_accounts_only_this_machine_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let server = Running::start(&[
        (
            "backend-store-uri",
            &format!("sqlite:///{}", place("tracking.db")),
        ),
        ("artifacts-destination", &place("artifacts")),
    ])
    .await;
    let create = format!("{API}/experiments/create");
    for (host, origin, status) in [
        ("evil.example", None, StatusCode::FORBIDDEN),
        ("127.0.0.1.evil.example", None, StatusCode::FORBIDDEN),
        (
            "localhost",
            Some("https://evil.example"),
            StatusCode::FORBIDDEN,
        ),
        ("localhost", Some("null"), StatusCode::FORBIDDEN),
        ("localhost", None, StatusCode::OK),
    ] {
        let mut request = server
            .request(Method::POST, &create)
            .header("content-type", "application/json")
            .header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = server
            .send(request.body(Body::from(r#"{"name": "x"}"#)).unwrap())
            .await;
        assert_eq!(answer.status, status, "{host} {origin:?}: {answer:?}");
        assert!(
            answer.status == StatusCode::OK || answer.json()["error_code"] == "PERMISSION_DENIED"
        );
    }
}
