//! Predictions: right ones for everybody at once, and a reason for every refusal.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{Sandbox, Square, User, ciphertexts, identity, request};
use hush_serving::{
    DataType, ErrorKind, Identity, InferRequest, ModelPermission, ModelStatistics, Outcome, Role,
    Service, Stage, TensorData,
};

async fn refusal(
    service: &Service,
    identity: &Identity,
    request: InferRequest,
) -> (ErrorKind, String) {
    let error = service.infer(identity, request).await.unwrap_err();
    (error.kind(), error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_users_at_once_get_their_own_answers() {
    let (sandbox, spec) = Sandbox::with_square();
    let service = sandbox.service();
    let users = ["ann", "bob"].map(|name| Arc::new(User::new(name, &spec)));
    for user in &users {
        user.upload(&service).await;
    }
    let mut tasks = Vec::new();
    for round in 0..20 {
        for user in &users {
            let (service, user) = (service.clone(), Arc::clone(user));
            tasks.push(tokio::spawn(async move {
                let values: Vec<f64> = (0..27).map(|i| f64::from(i + round) / 40.0).collect();
                let file = user.encrypt(&values);
                let response = service.infer(&user.identity, request("square", file)).await;
                let response = response.unwrap();
                assert_eq!(
                    (&*response.model, &*response.version, &*response.id),
                    ("square", "1", "7")
                );
                user.check(&response, &values, 0.25);
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let model = service.statistics().model("square");
    assert_eq!(model.outcome(Outcome::Answered).value(), 40);
    assert_eq!(model.samples.value(), 40 * 9);
    assert_eq!(model.multiplications.value(), 40 * 2);
    assert_eq!(model.levels.value(), 40 * 2);
    for stage in Stage::ALL {
        assert_eq!(model.stage(stage).snapshot().count(), 40, "{stage:?}");
    }
    assert_eq!((model.waiting.value(), model.running.value()), (0, 0));
    assert_eq!(service.statistics().reserved_bytes.value(), 0);
    assert_eq!(
        service.statistics().keys.misses.value() + service.statistics().keys.hits.value(),
        40
    );
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told() {
    let (sandbox, spec) = Sandbox::with_square();
    let service = sandbox.service();
    let ann = User::new("ann", &spec);
    let file = ann.encrypt(&[1.0; 3]);
    let good = request("square", file.clone());
    let invalid = async |request: InferRequest, words: &str| {
        let (kind, message) = refusal(&service, &ann.identity, request).await;
        assert_eq!(kind, ErrorKind::InvalidArgument, "{message}");
        assert!(message.contains(words), "{message}");
    };

    // Without keys, and with those of somebody else, the same words.
    invalid(good.clone(), "there are no evaluation keys of id").await;
    let unknown = refusal(&service, &ann.identity, good.clone()).await;
    ann.upload(&service).await;
    let bob = identity("bob");
    assert_eq!(refusal(&service, &bob, good.clone()).await, unknown);
    assert!(service.infer(&ann.identity, good.clone()).await.is_ok());

    let mut tensor = ciphertexts(file.clone());
    tensor.name = "x".to_owned();
    let with = |tensor| InferRequest {
        inputs: vec![tensor],
        ..good.clone()
    };
    invalid(with(tensor), "no input `x`").await;
    let mut tensor = ciphertexts(file.clone());
    tensor.data_type = DataType::Fp32;
    tensor.data = TensorData::Numbers(file.clone());
    invalid(with(tensor), "of type FP32").await;
    let mut tensor = ciphertexts(file.clone());
    tensor.shape = vec![2];
    invalid(with(tensor), "shape [2]").await;
    let mut two = good.clone();
    two.inputs.push(ciphertexts(file.clone()));
    invalid(two, "2 tensors").await;
    let mut other = good.clone();
    other.outputs = vec!["y".to_owned()];
    invalid(other, "no output `y`").await;

    invalid(request("square", Bytes::new()), "empty").await;
    invalid(
        request("square", Bytes::from_static(b"hello")),
        "not a HushML file",
    )
    .await;
    invalid(request("square", ann.evaluation.clone()), "evaluation keys").await;
    for end in [1, 30, file.len() / 2, file.len() - 1] {
        invalid(request("square", file.slice(..end)), "").await;
    }
    let longer = [&file[..], &[0]].concat();
    invalid(request("square", longer.into()), "send the whole file").await;
    for index in (0..file.len()).step_by(file.len() / 23) {
        let mut changed = file.to_vec();
        changed[index] ^= 4;
        invalid(request("square", changed.into()), "").await;
    }
    let model = service.statistics().model("square");
    assert_eq!(model.outcome(Outcome::Answered).value(), 1);
    assert_eq!(model.outcome(Outcome::Failed).value(), 0);
}

#[tokio::test]
async fn ciphertexts_of_another_program_or_other_keys_are_refused() {
    let sandbox = Sandbox::new();
    let spec = sandbox.write("square.model", &Square::default());
    let other = sandbox.write(
        "other.model",
        &Square {
            constant: 1.0,
            ..Square::default()
        },
    );
    sandbox.write(
        "turning.model",
        &Square {
            rotations: 1,
            idle_steps: 1,
            ..Square::default()
        },
    );
    let service = sandbox.service();
    let ann = User::new("ann", &spec);
    ann.upload(&service).await;
    let file = ann.encrypt(&[1.0; 3]);
    let (kind, message) = refusal(&service, &ann.identity, request("other", file)).await;
    assert_eq!(kind, ErrorKind::InvalidArgument);
    assert!(message.contains("belong to program"), "{message}");
    // One key serves all models with its parameters.
    let mut ann = ann;
    ann.spec = other;
    ann.predict(&service, "other", 1.0).await;
}

#[tokio::test]
async fn roles_and_permissions_come_first() {
    let (sandbox, spec) = Sandbox::with_square();
    let service = sandbox.service();
    let mut ann = User::new("ann", &spec);
    ann.upload(&service).await;
    let good = request("square", ann.encrypt(&[1.0; 3]));
    ann.identity.roles = [Role::UploadKeys].into();
    let (kind, _) = refusal(&service, &ann.identity, good.clone()).await;
    assert_eq!(kind, ErrorKind::PermissionDenied);
    ann.identity.roles = [Role::Predict].into();
    ann.identity.models = ModelPermission::Named(["else".to_owned()].into());
    let hidden = refusal(&service, &ann.identity, good.clone()).await;
    assert_eq!(
        hidden,
        (ErrorKind::NotFound, "there is no model `square`".to_owned())
    );
    assert!(service.index_for(&ann.identity).is_empty());
    assert!(service.metadata(&ann.identity, "square", None).is_err());
    assert!(service.client_file(&ann.identity, "square", None).is_err());
    ann.identity.models = ModelPermission::Named(["square".to_owned()].into());
    assert!(service.infer(&ann.identity, good).await.is_ok());
}

#[tokio::test]
async fn metadata_tells_a_client_what_it_needs() {
    let (sandbox, spec) = Sandbox::with_square();
    let service = sandbox.service();
    let ann = identity("ann");
    let metadata = service.metadata(&ann, "square", Some("1")).unwrap();
    assert_eq!(metadata.versions, ["1"]);
    assert_eq!(metadata.inputs, metadata.outputs);
    assert_eq!(metadata.inputs[0].name, "ciphertexts");
    assert_eq!(
        metadata.properties["hush.client"],
        "/v1/models/square/client"
    );
    assert_eq!(
        metadata.properties["hush.inputs"],
        r#"[{"name":"x","shape":[3]}]"#
    );
    assert_eq!(metadata.properties["hush.security_bits"], "128");
    let file = service.client_file(&ann, "square", None).unwrap();
    let stored: hush_wire::program::ClientSpecV1 =
        hush_wire::read_message(&file[..], hush_wire::Kind::Client).unwrap();
    assert_eq!(hush_program::ClientSpec::try_from(stored).unwrap(), spec);
}

#[tokio::test]
async fn keys_that_make_room_are_loaded_again() {
    let (sandbox, spec) = Sandbox::with_square();
    let users = ["ann", "bob", "eve"].map(|name| User::new(name, &spec));
    let mut options = sandbox.options();
    // For two decoded keys.
    options.keys.memory = 5 * users[0].evaluation.len() as u64;
    let service = Service::open(options).unwrap();
    for user in &users {
        user.upload(&service).await;
    }
    let [ann, bob, eve] = &users;
    for user in [ann, bob, ann, eve, ann, bob] {
        user.predict(&service, "square", 0.25).await;
    }
    let keys = &service.statistics().keys;
    // Bob's made room for eve's, and eve's for bob's.
    assert_eq!(keys.hits.value(), 2);
    assert_eq!(keys.misses.value(), 4);
    assert_eq!(keys.evictions.value(), 2);
    assert_eq!(keys.cached.value(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_and_abandoned_work_stops_between_steps() {
    let sandbox = Sandbox::new();
    let slow = Square {
        idle_steps: 100_000,
        ..Square::default()
    };
    let spec = sandbox.write("slow.model", &slow);
    let service = sandbox.service();
    let ann = User::new("ann", &spec);
    ann.upload(&service).await;
    let mut late = request("slow", ann.encrypt(&[1.0; 3]));
    let begun = Instant::now();
    late.deadline = Some(begun + Duration::from_millis(100));
    let (kind, _) = refusal(&service, &ann.identity, late.clone()).await;
    assert_eq!(kind, ErrorKind::DeadlineExceeded);
    assert!(begun.elapsed() < Duration::from_secs(1));
    let model = service.statistics().model("slow");
    // The run itself ends soon after.
    assert!(running_ends(&model).await);

    late.deadline = None;
    let (other, identity) = (service.clone(), ann.identity.clone());
    let task = tokio::spawn(async move { other.infer(&identity, late).await });
    while model.running.value() == 0 {
        tokio::task::yield_now().await;
    }
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(running_ends(&model).await);
    assert_eq!(model.outcome(Outcome::DeadlineExceeded).value(), 1);
    assert_eq!(model.outcome(Outcome::Cancelled).value(), 1);
    assert_eq!(model.outcome(Outcome::Answered).value(), 0);
}

/// Whether what runs of a model ends soon.
async fn running_ends(model: &ModelStatistics) -> bool {
    let ended = async {
        while model.running.value() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), ended)
        .await
        .is_ok()
}
