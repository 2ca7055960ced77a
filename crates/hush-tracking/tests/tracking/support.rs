//! Stores for tests, and requests to their API.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use hush_tracking::{Caller, NewRun, Permission, Tracking, TrackingOptions, router};
use serde_json::Value;
use tower::ServiceExt;

use crate::postgres;

/// A store in a folder that goes when it does.
pub(crate) struct Store {
    pub(crate) tracking: Tracking,
    pub(crate) options: TrackingOptions,
    pub(crate) folder: tempfile::TempDir,
    _database: Option<postgres::Database>,
}

impl Store {
    pub(crate) async fn sqlite() -> Self {
        Self::open(None).await
    }

    async fn open(database: Option<postgres::Database>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let options = TrackingOptions {
            store: match &database {
                Some(database) => database.address.clone(),
                None => format!("sqlite:///{}", place("tracking.db")),
            },
            artifacts: place("artifacts"),
            webhook_hosts: vec!["127.0.0.1".into()],
            upgrade: false,
        };
        Self {
            tracking: Tracking::open(options.clone()).await.unwrap(),
            options,
            folder,
            _database: database,
        }
    }

    /// One on each kind of database that this machine has.
    pub(crate) async fn each() -> Vec<Self> {
        let mut all = vec![Self::sqlite().await];
        if let Some(database) = postgres::Database::make().await {
            all.push(Self::open(Some(database)).await);
        }
        all
    }

    pub(crate) fn api(&self) -> Api {
        self.api_of(Caller::local())
    }

    pub(crate) fn api_of(&self, caller: Caller) -> Api {
        Api {
            router: router(&self.tracking, None),
            caller,
        }
    }

    /// A run of an experiment.
    pub(crate) async fn run(&self, experiment: &str) -> String {
        let new = NewRun {
            experiment_id: experiment.into(),
            ..NewRun::default()
        };
        self.tracking
            .create_run(&Caller::local(), new)
            .await
            .unwrap()
            .info
            .run_id
    }
}

/// Somebody who is no administrator.
pub(crate) fn caller(name: &str, default: Permission) -> Caller {
    Caller {
        name: name.into(),
        administrator: false,
        default,
    }
}

/// The API as somebody asks it.
pub(crate) struct Api {
    router: Router,
    caller: Caller,
}

impl Api {
    /// The same of another server.
    pub(crate) fn with(&self, router: Router) -> Self {
        let caller = self.caller.clone();
        Self { router, caller }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, Vec<u8>) {
        let mut request = request;
        request.extensions_mut().insert(self.caller.clone());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, body.to_vec())
    }

    async fn json(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json");
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let (status, body) = self.send(request.body(body).unwrap()).await;
        let text = String::from_utf8_lossy(&body);
        (
            status,
            serde_json::from_slice(&body).unwrap_or_else(|_| panic!("no JSON at {path}: {text}")),
        )
    }

    /// A POST that must be answered.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self
            .json(Method::POST, &format!("/api/2.0/mlflow/{path}"), Some(body))
            .await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    /// A GET that must be answered.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self
            .json(Method::GET, &format!("/api/2.0/mlflow/{path}"), None)
            .await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    /// What a POST is refused with: status, code and text.
    pub(crate) async fn refusal(&self, path: &str, body: Value) -> (u16, String, String) {
        let (status, answer) = self
            .json(Method::POST, &format!("/api/2.0/mlflow/{path}"), Some(body))
            .await;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        (status.as_u16(), text("error_code"), text("message"))
    }

    pub(crate) async fn any(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        self.json(method, path, body).await
    }
}
