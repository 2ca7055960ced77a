//! Who may do what.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use hush_tracking::Permission;
use serde_json::json;

use crate::support::{Store, caller};

#[tokio::test]
async fn what_is_not_granted_is_refused() {
    for store in Store::each().await {
        let admin = store.api();
        let made = admin
            .post("experiments/create", json!({"name": "secret"}))
            .await;
        let id = made["experiment_id"].as_str().unwrap().to_owned();
        let run = admin
            .post("runs/create", json!({"experiment_id": id}))
            .await;
        let run = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
        admin
            .post("registered-models/create", json!({"name": "hidden"}))
            .await;
        let path = format!("/api/2.0/mlflow-artifacts/artifacts/{id}/{run}/artifacts/x");
        let put = |body: &'static str| Request::put(&path).body(Body::from(body)).unwrap();
        assert_eq!(admin.send(put("x")).await.0, StatusCode::OK);

        let alice = store.api_of(caller("alice", Permission::None));
        for (path, body) in [
            (
                "runs/log-metric",
                json!({"run_id": run, "key": "a", "value": 1, "timestamp": 1}),
            ),
            ("runs/create", json!({"experiment_id": id})),
            ("experiments/delete", json!({"experiment_id": id})),
            ("runs/delete", json!({"run_id": run})),
            ("runs/log-inputs", json!({"run_id": run})),
            ("logged-models", json!({"experiment_id": id})),
            (
                "registered-models/rename",
                json!({"name": "hidden", "new_name": "mine"}),
            ),
            (
                "model-versions/create",
                json!({"name": "hidden", "source": "mlflow-artifacts:/x"}),
            ),
            (
                "webhooks",
                json!({"name": "w", "url": "http://127.0.0.1/", "events": [{"entity": "PROMPT", "action": "CREATED"}]}),
            ),
            (
                "experiments/permissions/create",
                json!({"experiment_id": id, "username": "alice", "permission": "MANAGE"}),
            ),
        ] {
            let (status, code, _) = alice.refusal(path, body).await;
            assert_eq!(
                (status, code.as_str()),
                (403, "PERMISSION_DENIED"),
                "{path}"
            );
        }
        for path in [
            format!("runs/get?run_id={run}"),
            format!("experiments/get?experiment_id={id}"),
            "registered-models/get?name=hidden".into(),
        ] {
            let (status, _) = alice
                .any(Method::GET, &format!("/api/2.0/mlflow/{path}"), None)
                .await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        }
        assert_eq!(alice.send(put("y")).await.0, StatusCode::FORBIDDEN);
        assert_eq!(
            alice
                .send(Request::get(&path).body(Body::empty()).unwrap())
                .await
                .0,
            StatusCode::FORBIDDEN
        );
        // What is not hers is not even found.
        let found = alice
            .post("experiments/search", json!({"max_results": 100}))
            .await;
        assert_eq!(found.get("experiments"), None);
        assert_eq!(
            alice
                .post("runs/search", json!({"experiment_ids": [id]}))
                .await
                .get("runs"),
            None
        );
        assert_eq!(
            alice
                .get("registered-models/search")
                .await
                .get("registered_models"),
            None
        );

        let grant = json!({"experiment_id": id, "username": "alice", "permission": "READ"});
        admin.post("experiments/permissions/create", grant).await;
        alice.get(&format!("runs/get?run_id={run}")).await;
        assert_eq!(
            alice
                .send(Request::get(&path).body(Body::empty()).unwrap())
                .await,
            (StatusCode::OK, b"x".to_vec())
        );
        assert_eq!(alice.send(put("y")).await.0, StatusCode::FORBIDDEN);
        let (status, _, _) = alice
            .refusal(
                "runs/set-tag",
                json!({"run_id": run, "key": "a", "value": "b"}),
            )
            .await;
        assert_eq!(status, 403);

        let own = alice
            .post("experiments/create", json!({"name": "mine"}))
            .await;
        let own = own["experiment_id"].as_str().unwrap();
        alice
            .post("runs/create", json!({"experiment_id": own}))
            .await;
        alice
            .post("experiments/delete", json!({"experiment_id": own}))
            .await;
    }
}
