//! Webhooks as those who are told receive them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hush_tracking::{Tracking, TrackingOptions};
use ring::hmac;
use serde_json::{Value, json};

use crate::support::Store;

/// A message as it came.
#[derive(Clone, Debug)]
struct Message {
    path: String,
    headers: HeaderMap,
    body: String,
}

impl Message {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// What it should be signed with, by the rule that MLflow documents.
    fn signature(&self, secret: &str) -> String {
        let signed = format!(
            "{}.{}.{}",
            self.header("X-MLflow-Delivery-Id"),
            self.header("X-MLflow-Timestamp"),
            self.body
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        format!(
            "v1,{}",
            STANDARD.encode(hmac::sign(&key, signed.as_bytes()))
        )
    }
}

/// A server that is told: `/busy` answers with errors until the third time, `/moved` sends its callers elsewhere.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Vec<Message>>>);

impl Receiver {
    async fn start() -> (Self, String) {
        let receiver = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        (receiver, address)
    }

    fn at(&self, path: &str) -> Vec<Message> {
        let all = self.0.lock().unwrap();
        all.iter()
            .filter(|message| message.path == path)
            .cloned()
            .collect()
    }

    async fn wait(&self, path: &str, count: usize) -> Vec<Message> {
        let begun = Instant::now();
        while self.at(path).len() < count {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{path}: {:?}",
                self.at(path)
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.at(path)
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let path = uri.path().to_owned();
    let message = Message {
        path: path.clone(),
        headers,
        body,
    };
    receiver.0.lock().unwrap().push(message);
    match path.as_str() {
        "/busy" if receiver.at("/busy").len() < 3 => {
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        "/moved" => Redirect::temporary("/elsewhere").into_response(),
        _ => "thanks".into_response(),
    }
}

fn hook(name: &str, url: &str, events: &[(&str, &str)]) -> Value {
    let events: Vec<Value> = events
        .iter()
        .map(|(entity, action)| json!({"entity": entity, "action": action}))
        .collect();
    json!({"name": name, "url": url, "events": events, "secret": "word"})
}

#[tokio::test]
async fn those_who_wait_for_something_are_told_and_can_check_by_whom() {
    let (store, (receiver, address)) = (Store::sqlite().await, Receiver::start().await);
    let api = store.api();
    let made = [
        ("REGISTERED_MODEL", "CREATED"),
        ("MODEL_VERSION_ALIAS", "CREATED"),
    ];
    for (path, events) in [
        ("all", &made[..]),
        ("busy", &made[..1]),
        ("moved", &made[..1]),
        ("alias", &made[1..]),
    ] {
        api.post("webhooks", hook(path, &format!("{address}/{path}"), events))
            .await;
    }
    let silent = api
        .post(
            "webhooks",
            hook("silent", &format!("{address}/silent"), &made),
        )
        .await;
    let id = silent["webhook"]["webhook_id"].as_str().unwrap();
    let path = format!("/api/2.0/mlflow/webhooks/{id}");
    let change = Some(json!({"status": "DISABLED"}));
    assert_eq!(
        api.any(axum::http::Method::PATCH, &path, change).await.0,
        StatusCode::OK
    );

    let model =
        json!({"name": "net", "description": "flowers", "tags": [{"key": "a", "value": "b"}]});
    api.post("registered-models/create", model).await;
    let told = receiver.wait("/all", 1).await.remove(0);
    assert_eq!(told.header("content-type"), "application/json");
    assert_eq!(told.header("X-MLflow-Signature"), told.signature("word"));
    assert_ne!(told.header("X-MLflow-Signature"), told.signature("another"));
    let body: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(
        (&body["entity"], &body["action"]),
        (&json!("registered_model"), &json!("created"))
    );
    assert_eq!(
        body["data"],
        json!({"name": "net", "description": "flowers", "tags": {"a": "b"}})
    );
    assert!(body["timestamp"].is_string());

    let source = json!({"name": "net", "source": "mlflow-artifacts:/0/x"});
    api.post("model-versions/create", source).await;
    let alias = json!({"name": "net", "alias": "best", "version": "1"});
    api.post("registered-models/alias", alias).await;
    let told = receiver.wait("/alias", 1).await.remove(0);
    let body: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(
        body["data"],
        json!({"name": "net", "alias": "best", "version": "1"})
    );

    // Told again until it takes it, with the number by which it knows that this is the same.
    let busy = receiver.wait("/busy", 3).await;
    for message in &busy {
        assert_eq!(
            message.header("X-MLflow-Signature"),
            message.signature("word")
        );
        assert_eq!(
            message.header("X-MLflow-Delivery-Id"),
            busy[0].header("X-MLflow-Delivery-Id")
        );
        assert_eq!(message.body, busy[0].body);
    }
    // Who is told sends nobody elsewhere, and is not told twice.
    assert_eq!(receiver.at("/moved").len(), 1);
    assert!(receiver.at("/elsewhere").is_empty());
    assert!(receiver.at("/silent").is_empty());
    assert_eq!(
        (receiver.at("/alias").len(), receiver.at("/all").len()),
        (1, 2)
    );

    // An example for those who ask whether they are reached.
    let id = |name: &str| {
        let name = name.to_owned();
        let api = &api;
        async move {
            let all = api.get("webhooks").await;
            let found = all["webhooks"]
                .as_array()
                .unwrap()
                .iter()
                .find(|hook| hook["name"] == json!(name));
            assert!(
                found.unwrap().get("secret").is_none(),
                "a secret is given away"
            );
            found.unwrap()["webhook_id"].as_str().unwrap().to_owned()
        }
    };
    let tested = api
        .post(&format!("webhooks/{}/test", id("all").await), json!({}))
        .await;
    let result = json!({"success": true, "response_status": 200, "response_body": "thanks"});
    assert_eq!(tested["result"], result);
    let tested = api
        .post(&format!("webhooks/{}/test", id("moved").await), json!({}))
        .await;
    assert_eq!(
        (
            &tested["result"]["success"],
            &tested["result"]["response_status"]
        ),
        (&json!(false), &json!(307))
    );
}

#[tokio::test]
async fn nobody_else_is_asked() {
    let (receiver, address) = Receiver::start().await;
    let store = Store::sqlite().await;
    let options = TrackingOptions {
        webhook_hosts: vec!["hooks.example.com".into()],
        ..store.options.clone()
    };
    let strict = hush_tracking::router(&Tracking::open(options).await.unwrap(), None);
    let events = [("REGISTERED_MODEL", "CREATED")];
    // A webhook of a time when this machine was allowed.
    let lax = store.api();
    let made = lax
        .post("webhooks", hook("old", &format!("{address}/old"), &events))
        .await;
    let api = lax.with(strict);
    for url in [
        format!("{address}/x"),
        address.replace("127.0.0.1", "localhost"),
        "https://10.0.0.1/".into(),
        "https://169.254.169.254/latest/meta-data".into(),
        "https://[::1]/".into(),
        "http://hooks.example.com/".into(),
        "https://hooks.example.com@10.0.0.1/".into(),
        "https://hooks.example.com.evil.example/".into(),
        "file:///etc/passwd".into(),
    ] {
        let (status, code, _) = api.refusal("webhooks", hook("new", &url, &events)).await;
        assert_eq!(
            (status, code.as_str()),
            (400, "INVALID_PARAMETER_VALUE"),
            "{url}"
        );
    }
    api.post("registered-models/create", json!({"name": "net"}))
        .await;
    let id = made["webhook"]["webhook_id"].as_str().unwrap();
    let tested = api.post(&format!("webhooks/{id}/test"), json!({})).await;
    assert_eq!(tested["result"]["success"], json!(false));
    assert!(receiver.at("/old").is_empty());
}
