//! The API itself: forms, refusals, files.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::json;

use crate::support::Store;

#[tokio::test]
async fn refusals_have_mlflows_form() {
    for store in Store::each().await {
        let api = store.api();
        let run = store.run("0").await;
        let see = "See the API docs for more information about request parameters.";
        for (path, body, expected) in [
            ("experiments/create", json!({}), (400, "INVALID_PARAMETER_VALUE", format!("Missing value for required parameter 'name'. {see}"))),
            ("experiments/create", json!({"name": 31}), (400, "INVALID_PARAMETER_VALUE", format!("Invalid value 31 for parameter 'name' supplied. {see}"))),
            ("experiments/create", json!({"name": "Default"}), (400, "RESOURCE_ALREADY_EXISTS", "Experiment(name=Default) already exists.".into())),
            ("experiments/update", json!({"experiment_id": "77", "new_name": "x"}), (404, "RESOURCE_DOES_NOT_EXIST", "No Experiment with id=77 exists".into())),
            ("runs/log-metric", json!({"run_id": run, "key": "a", "timestamp": 1}), (400, "INVALID_PARAMETER_VALUE", format!("Missing value for required parameter 'value'. {see}"))),
            ("runs/log-metric", json!({"run_id": "none", "key": "a", "value": 1, "timestamp": 1}), (404, "RESOURCE_DOES_NOT_EXIST", "Run with id=none not found".into())),
            ("runs/search", json!({"experiment_ids": ["0"], "max_results": 50_001}), (400, "INVALID_PARAMETER_VALUE", "Invalid value 50001 for parameter 'max_results' supplied. It must be at most 50000".into())),
            ("gateway/routes", json!({}), (501, "NOT_IMPLEMENTED", "this server does not do POST /mlflow/gateway/routes".into())),
            ("nonsense", json!({}), (404, "ENDPOINT_NOT_FOUND", "No route of the API is POST /mlflow/nonsense".into())),
        ] {
            let (status, code, message) = api.refusal(path, body).await;
            assert_eq!((status, code.as_str(), message), expected, "{path}");
        }
        let form = Request::post("/api/2.0/mlflow/experiments/create")
            .header("content-type", "text/plain");
        let (status, _) = api
            .send(form.body(Body::from("{\"name\": \"x\"}")).unwrap())
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn files_are_listed_below_their_run() {
    let store = Store::sqlite().await;
    let api = store.api();
    let run = store.run("0").await;
    for name in ["a.txt", "b/c%20d.txt"] {
        let path = format!("/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/{name}");
        let (status, body) = api
            .send(Request::put(path).body(Body::from("text")).unwrap())
            .await;
        assert_eq!((status, body), (StatusCode::OK, b"{}".to_vec()));
    }
    let listed = api
        .get(&format!("artifacts/list?run_id={run}&path=b"))
        .await;
    assert_eq!(
        listed["files"],
        json!([{"path": "b/c d.txt", "is_dir": false, "file_size": 4}])
    );
    let file = api
        .get(&format!("artifacts/list?run_id={run}&path=a.txt"))
        .await;
    assert_eq!(file.get("files"), None);
    let (_, listed) = api
        .any(
            Method::GET,
            &format!("/api/2.0/mlflow-artifacts/artifacts?path=0/{run}/artifacts"),
            None,
        )
        .await;
    assert_eq!(
        listed["files"][0],
        json!({"path": "a.txt", "is_dir": false, "file_size": 4})
    );
    let range = Request::get(format!(
        "/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/a.txt"
    ))
    .header("range", "bytes=1-2");
    assert_eq!(
        api.send(range.body(Body::empty()).unwrap()).await,
        (StatusCode::PARTIAL_CONTENT, b"ex".to_vec())
    );
    for bad in [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/x",
        "a/..%5c..%5cx",
        "%252e%252e/x",
    ] {
        let path = format!("/api/2.0/mlflow-artifacts/artifacts/{bad}");
        let (status, body) = api
            .send(Request::put(path).body(Body::from("x")).unwrap())
            .await;
        assert_eq!(
            status,
            StatusCode::BAD_REQUEST,
            "{bad}: {}",
            String::from_utf8_lossy(&body)
        );
    }
    assert!(!store.folder.path().join("x").exists());
    let absent = format!("/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/nothing");
    let (status, body) = api.any(Method::GET, &absent, None).await;
    assert_eq!(
        (status, body["error_code"].as_str()),
        (StatusCode::NOT_FOUND, Some("RESOURCE_DOES_NOT_EXIST"))
    );
}

#[tokio::test]
async fn sources_of_versions_lead_nowhere_else() {
    let store = Store::sqlite().await;
    let api = store.api();
    api.post("registered-models/create", json!({"name": "m"}))
        .await;
    for source in [
        "/etc/passwd",
        "file:///etc",
        "mlflow-artifacts:/0/../../etc",
        "mlflow-artifacts:/0/%2e%2e/x",
        "s3://b/..%2fx",
        "x",
    ] {
        let (status, code, _) = api
            .refusal(
                "model-versions/create",
                json!({"name": "m", "source": source}),
            )
            .await;
        assert_eq!(
            (status, code.as_str()),
            (400, "INVALID_PARAMETER_VALUE"),
            "{source}"
        );
    }
    let made = api
        .post(
            "model-versions/create",
            json!({"name": "m", "source": "mlflow-artifacts:/0/r/artifacts/model"}),
        )
        .await;
    assert_eq!(made["model_version"]["version"], "1");
}

#[tokio::test]
async fn pages_graphql_is_answered_by_operation() {
    let store = Store::sqlite().await;
    let api = store.api();
    let run = store.run("0").await;
    let ask = |name: &str, data: serde_json::Value| {
        let body =
            json!({"operationName": name, "variables": {"data": data, "input": data}, "query": ""});
        Request::post("/graphql")
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap()
    };
    let (_, body) = api.send(ask("GetRun", json!({"runId": run}))).await;
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let found = &body["data"]["mlflowGetRun"];
    assert_eq!(found["run"]["info"]["runUuid"], run.as_str());
    assert_eq!(
        (&found["run"]["data"]["metrics"], &found["apiError"]),
        (&json!([]), &json!(null))
    );
    assert!(found["run"]["info"]["startTime"].is_string());
    let (_, body) = api.send(ask("GetRun", json!({"runId": "none"}))).await;
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        body["data"]["mlflowGetRun"]["apiError"]["code"],
        "RESOURCE_DOES_NOT_EXIST"
    );
    let (status, _) = api.send(ask("DropTables", json!({}))).await;
    assert_eq!(status, StatusCode::NOT_IMPLEMENTED);
}

/// The path and query of an address of this server.
fn own_path(address: &serde_json::Value) -> String {
    address
        .as_str()
        .unwrap()
        .strip_prefix("http://localhost")
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn files_are_uploaded_in_parts() {
    let store = Store::sqlite().await;
    let api = store.api();
    let at = |verb: &str| format!("/api/2.0/mlflow-artifacts/mpu/{verb}/0/run/artifacts");
    let body = json!({"path": "C:\\somewhere\\big.bin", "num_parts": 3});
    let (_, made) = api.any(Method::POST, &at("create"), Some(body)).await;
    let id = made["upload_id"].clone();
    let mut parts = Vec::new();
    for (index, credential) in made["credentials"].as_array().unwrap().iter().enumerate() {
        let path = own_path(&credential["url"]);
        // The permission is in the address, and for that part alone.
        let other = path.replace(&format!("part_number={}", index + 1), "part_number=9");
        let (status, _) = api
            .send(Request::put(other).body(Body::from("x")).unwrap())
            .await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        let (status, _) = api
            .send(
                Request::put(path)
                    .body(Body::from(vec![index as u8; 100_000]))
                    .unwrap(),
            )
            .await;
        assert_eq!(status, StatusCode::OK);
        parts.push(json!({"part_number": index + 1, "etag": "x"}));
    }
    let listed = api
        .any(
            Method::GET,
            "/api/2.0/mlflow-artifacts/artifacts?path=",
            None,
        )
        .await
        .1;
    assert_eq!(listed.get("files"), None);
    let body = json!({"path": "big.bin", "upload_id": id, "parts": parts});
    let (status, answer) = api.any(Method::POST, &at("complete"), Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let get = Request::get("/api/2.0/mlflow-artifacts/artifacts/0/run/artifacts/big.bin")
        .body(Body::empty());
    let (_, bytes) = api.send(get.unwrap()).await;
    assert_eq!(
        bytes,
        [vec![0; 100_000], vec![1; 100_000], vec![2; 100_000]].concat()
    );
    let own =
        Request::get("/api/2.0/mlflow-artifacts/artifacts/.hush-uploads/x").body(Body::empty());
    assert_eq!(api.send(own.unwrap()).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn signed_addresses_let_their_holders_do_one_thing() {
    let store = Store::sqlite().await;
    let api = store.api();
    let run = store.run("0").await;
    let made = api
        .post(
            "artifacts/presigned-upload-url",
            json!({"run_id": run, "path": "a b.txt"}),
        )
        .await;
    let path = own_path(&made["presigned_url"]);
    let put = |path: &str| Request::put(path).body(Body::from("text")).unwrap();
    assert_eq!(api.send(put(&path)).await.0, StatusCode::OK);
    assert_eq!(
        api.send(put(&path.replace("a%20b", "c"))).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        api.send(Request::get(&path).body(Body::empty()).unwrap())
            .await
            .0,
        StatusCode::FORBIDDEN
    );
    let expired = path.replace("expires=", "expires=1");
    assert_eq!(api.send(put(&expired)).await.0, StatusCode::FORBIDDEN);
    let made = api
        .post(
            "artifacts/presigned-download-url",
            json!({"run_id": run, "path": "a b.txt"}),
        )
        .await;
    assert_eq!(made["file_size"], 4);
    let path = own_path(&made["presigned_url"]);
    assert_eq!(
        api.send(Request::get(&path).body(Body::empty()).unwrap())
            .await,
        (StatusCode::OK, b"text".to_vec())
    );
    assert_eq!(api.send(put(&path)).await.0, StatusCode::FORBIDDEN);
}
