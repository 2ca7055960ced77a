//! Models come, change and go while they are asked.

mod common;

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Sandbox, Square, User, identity, request};
use hush_serving::{
    ErrorKind, Identity, ModelMetadata, ModelState, PlainModel, Service, ServiceOptions,
    ServingError, Tensor, TensorData,
};

fn square(constant: f64) -> Square {
    Square {
        constant,
        ..Square::default()
    }
}

/// The index in one line each.
fn lines(service: &Service) -> Vec<String> {
    let lines = service.index().into_iter().map(|status| {
        let (name, version, state) = (status.name, status.version, status.state.name());
        format!("{name} {version} {state} {}", status.reason)
    });
    lines.map(|line| line.trim_end().to_owned()).collect()
}

#[tokio::test]
async fn what_cannot_be_loaded_does_not_stop_the_others() {
    let sandbox = Sandbox::new();
    sandbox.write("good.model", &square(0.25));
    sandbox.write("many/2.model", &square(2.0));
    sandbox.write("many/10.model", &square(10.0));
    let models = sandbox.path("models");
    fs::write(models.join("empty.model"), b"").unwrap();
    fs::write(models.join("many/3.model"), b"no model at all").unwrap();
    let cut = fs::read(models.join("good.model")).unwrap();
    fs::write(models.join("cut.model"), &cut[..cut.len() / 2]).unwrap();
    fs::write(models.join("two words.model"), &cut).unwrap();
    let service = sandbox.service();
    let lines = lines(&service);
    let expected = [
        "cut 1 UNAVAILABLE the file is truncated",
        "empty 1 UNAVAILABLE the file is empty",
        "good 1 READY",
        "many 2 READY",
        "many 3 UNAVAILABLE this is not a HushML file",
        "many 10 READY",
    ];
    assert_eq!(lines.len(), expected.len() + 1);
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
    assert!(lines[6].contains("two words.model"), "{}", lines[6]);
    assert!(service.is_ready());

    let ann = identity("ann");
    let metadata = service.metadata(&ann, "many", None).unwrap();
    assert_eq!(metadata.versions, ["2", "10"]);
    let ready = |name: &str, version| service.model_ready(&ann, name, version);
    assert!(ready("many", Some("2")).unwrap());
    assert!(ready("many", Some("")).unwrap());
    assert!(!ready("many", Some("3")).unwrap());
    assert!(!ready("empty", None).unwrap());
    for (name, version) in [
        ("many", Some("4")),
        ("many", Some("x")),
        ("../good", None),
        ("", None),
    ] {
        let error = ready(name, version).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name} {version:?}");
    }
    let error = service.metadata(&ann, "empty", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("the file is empty"), "{error}");
}

#[tokio::test]
async fn the_latest_version_answers_unless_another_is_meant() {
    let sandbox = Sandbox::new();
    let second = sandbox.write("model/2.model", &square(2.0));
    let tenth = sandbox.write("model/10.model", &square(10.0));
    let service = sandbox.service();
    let mut ann = User::new("ann", &tenth);
    ann.upload(&service).await;
    ann.predict(&service, "model", 10.0).await;
    ann.spec = second;
    let mut old = request("model", ann.encrypt(&[1.0; 3]));
    // What ciphertexts are for says as much as a number.
    for version in [None, Some("2".to_owned())] {
        old.version = version;
        let response = service.infer(&ann.identity, old.clone()).await.unwrap();
        assert_eq!(response.version, "2");
        ann.check(&response, &[1.0; 3], 2.0);
    }
    old.version = Some("10".to_owned());
    let error = service
        .infer(&ann.identity, old)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("version 10 of model `model`: "),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_finishes_on_the_old_model() {
    let sandbox = Sandbox::new();
    let slow = Square {
        idle_steps: 20_000,
        ..Square::default()
    };
    let old = sandbox.write("model.model", &slow);
    let service = sandbox.service();
    let admin = Identity::local();
    let mut ann = User::new("ann", &old);
    ann.upload(&service).await;
    let running = {
        let (service, identity) = (service.clone(), ann.identity.clone());
        let request = request("model", ann.encrypt(&[1.0; 3]));
        tokio::spawn(async move { service.infer(&identity, request).await })
    };
    let statistics = service.statistics().model("model");
    while statistics.running.value() == 0 {
        tokio::task::yield_now().await;
    }
    let new = sandbox.write("model.model", &square(3.0));
    service.load(&admin, "model").await.unwrap();
    assert_eq!(statistics.running.value(), 1, "the old model still runs");
    let late = request("model", ann.encrypt(&[1.0; 3]));
    let error = service.infer(&ann.identity, late).await.unwrap_err();
    assert!(error.to_string().contains("belong to program"), "{error}");
    let response = running.await.unwrap().unwrap();
    ann.check(&response, &[1.0; 3], 0.25);
    ann.spec = new;
    ann.predict(&service, "model", 3.0).await;

    // One that cannot be loaded leaves what answers.
    fs::write(sandbox.path("models/model.model"), b"broken").unwrap();
    let error = service.load(&admin, "model").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    ann.predict(&service, "model", 3.0).await;
    assert!(lines(&service)[0].starts_with("model 1 READY this is not"));

    service.unload(&admin, "model").await.unwrap();
    assert_eq!(lines(&service), ["model 1 UNAVAILABLE unloaded"]);
    let gone = request("model", ann.encrypt(&[1.0; 3]));
    let error = service.infer(&ann.identity, gone).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("unloaded"), "{error}");
    assert!(
        !service
            .model_ready(&ann.identity, "model", Some(""))
            .unwrap()
    );
    sandbox.write("model.model", &square(3.0));
    service.load(&admin, "model").await.unwrap();
    ann.predict(&service, "model", 3.0).await;
    fs::remove_file(sandbox.path("models/model.model")).unwrap();
    let error = service.load(&admin, "model").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(lines(&service), Vec::<String>::new());
}

#[tokio::test]
async fn only_administrators_load_and_what_is_there() {
    let (sandbox, _) = Sandbox::with_square();
    let service = sandbox.service();
    let (ann, admin) = (identity("ann"), Identity::local());
    for result in [
        service.load(&ann, "square").await,
        service.unload(&ann, "square").await,
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
    for name in ["other", "../models/square", "/etc/passwd", "square\0"] {
        let error = service.load(&admin, name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name}");
        let error = service.unload(&admin, name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name}");
    }
    sandbox.write("added/7.model", &square(7.0));
    service.load(&admin, "added").await.unwrap();
    assert_eq!(lines(&service), ["added 7 READY", "square 1 READY"]);
}

#[test]
fn a_path_without_models_is_an_error() {
    let sandbox = Sandbox::new();
    let mut options = sandbox.options();
    options.models.push(sandbox.path("nothing"));
    let error = Service::open(options).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("nothing"), "{error}");
}

#[test]
fn ten_models_are_ready_in_two_seconds() {
    let sandbox = Sandbox::new();
    for index in 0..10 {
        sandbox.write(&format!("model-{index}.model"), &square(f64::from(index)));
    }
    let begun = Instant::now();
    let service = sandbox.service();
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(service.index().len(), 10);
    assert!(
        service
            .index()
            .iter()
            .all(|status| status.state == ModelState::Ready)
    );
}

/// Gives back what it gets.
struct Echo;

impl PlainModel for Echo {
    fn metadata(&self) -> ModelMetadata {
        ModelMetadata {
            name: "echo".to_owned(),
            versions: vec!["1.2.3".to_owned()],
            platform: "echo".to_owned(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            properties: Default::default(),
        }
    }

    fn infer(&self, inputs: &[Tensor], _: &[String]) -> Result<Vec<Tensor>, ServingError> {
        Ok(inputs.to_vec())
    }
}

#[tokio::test]
async fn plain_models_live_under_the_same_rules() {
    let sandbox = Sandbox::new();
    let service = Service::open(ServiceOptions {
        demo_models: vec![Arc::new(Echo)],
        ..sandbox.options()
    })
    .unwrap();
    let (ann, admin) = (identity("ann"), Identity::local());
    let asked = request("echo", "hello".into());
    let response = service.infer(&ann, asked.clone()).await.unwrap();
    assert_eq!((&*response.version, &*response.id), ("1.2.3", "7"));
    assert_eq!(
        response.outputs[0].data,
        TensorData::Strings(vec!["hello".into()])
    );
    assert_eq!(
        service
            .metadata(&ann, "echo", Some("1.2.3"))
            .unwrap()
            .platform,
        "echo"
    );
    let error = service.client_file(&ann, "echo", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    service.unload(&admin, "echo").await.unwrap();
    assert!(!service.model_ready(&ann, "echo", None).unwrap());
    service.load(&admin, "echo").await.unwrap();
    assert!(service.infer(&ann, asked).await.is_ok());
}

/// What `x` of a user gives with the version that answers it.
async fn answer(
    service: &Service,
    user: &User,
    version: Option<&str>,
) -> Result<(String, f64), ServingError> {
    let mut request = request("cancer", user.encrypt(&[0.5, -0.5, 0.0]));
    request.version = version.map(str::to_owned);
    let response = service.infer(&user.identity, request).await?;
    Ok((response.version.clone(), user.decrypt(&response)[0]))
}

#[tokio::test]
async fn placed_versions_take_turns_and_nobody_is_lost() {
    let sandbox = Sandbox::new();
    let service = sandbox.service();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = |name: &str| elsewhere.path().join(name);
    let old = User::new("old", &common::write_model(&file("a"), &square(3.0)));
    let new = User::new("new", &common::write_model(&file("b"), &square(4.0)));
    service.place("cancer", 3, file("a"), true).await.unwrap();
    old.upload(&service).await;
    new.upload(&service).await;
    assert_eq!(answer(&service, &old, None).await.unwrap().0, "3");

    let message = answer(&service, &new, None).await.unwrap_err().to_string();
    assert!(
        message.starts_with("version 3 of model `cancer`: "),
        "{message}"
    );

    // The other one in its place: both kinds of ciphertexts find theirs.
    service.place("cancer", 4, file("b"), true).await.unwrap();
    assert_eq!(
        service.client_file(&new.identity, "cancer", None).unwrap(),
        service
            .client_file(&new.identity, "cancer", Some("4"))
            .unwrap()
    );
    for user in [&old, &new] {
        let (version, value) = answer(&service, user, None).await.unwrap();
        let expected = if version == "3" { 3.25 } else { 4.25 };
        assert!((value - expected).abs() < 1e-2, "{version}: {value}");
        assert_eq!(version == "3", user.identity.name == old.identity.name);
    }
    assert!(
        answer(&service, &old, Some("4")).await.is_err(),
        "a version that is named is that one"
    );

    // Back to the older one, without reading its file again.
    fs::remove_file(file("a")).unwrap();
    service.place("cancer", 3, file("a"), true).await.unwrap();
    let client = |version| {
        service
            .client_file(&old.identity, "cancer", version)
            .unwrap()
    };
    assert_eq!(client(None), client(Some("3")));

    // A file that cannot be loaded changes nothing.
    fs::write(file("c"), b"no model").unwrap();
    let error = service
        .place("cancer", 5, file("c"), true)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(lines(&service), ["cancer 3 READY", "cancer 4 READY"]);
    service.withdraw("cancer", 4).await.unwrap();
    assert_eq!(
        answer(&service, &new, None).await.unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
    service.withdraw("cancer", 4).await.unwrap();
    service.withdraw("cancer", 3).await.unwrap();
    assert!(lines(&service).is_empty());
    let error = service
        .place("../cancer", 5, file("b"), true)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn versions_are_swapped_under_load() {
    let sandbox = Sandbox::new();
    let service = sandbox.service();
    let elsewhere = tempfile::tempdir().unwrap();
    let place = |version: u64| elsewhere.path().join(version.to_string());
    let mut users = Vec::new();
    for version in 0..4 {
        let user = User::new(
            "ann",
            &common::write_model(&place(version), &square(version as f64)),
        );
        user.upload(&service).await;
        users.push(user);
    }
    service.place("cancer", 0, place(0), true).await.unwrap();
    let users = Arc::new(users);
    let current = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let (service, users) = (service.clone(), Arc::clone(&users));
            let (current, over) = (Arc::clone(&current), Arc::clone(&over));
            tokio::spawn(async move {
                let mut count = 0;
                while !over.load(std::sync::atomic::Ordering::SeqCst) {
                    // As clients do: with the program that was served when they asked for it.
                    let version = current.load(std::sync::atomic::Ordering::SeqCst);
                    let (answered, _) = answer(&service, &users[version], None).await.unwrap();
                    assert_eq!(answered, version.to_string());
                    count += 1;
                }
                count
            })
        })
        .collect();
    for round in 1..13_usize {
        let version = round % users.len();
        service
            .place("cancer", version as u64, place(version as u64), true)
            .await
            .unwrap();
        current.store(version, std::sync::atomic::Ordering::SeqCst);
        let sent = service
            .statistics()
            .model("cancer")
            .outcome(hush_serving::Outcome::Answered)
            .value();
        // Every caller has had the time to see it.
        while service
            .statistics()
            .model("cancer")
            .outcome(hush_serving::Outcome::Answered)
            .value()
            < sent + 8
        {
            tokio::task::yield_now().await;
        }
        if round > 2 {
            service
                .withdraw("cancer", ((round - 2) % users.len()) as u64)
                .await
                .unwrap();
        }
    }
    over.store(true, std::sync::atomic::Ordering::SeqCst);
    let mut count = 0;
    for task in asking {
        count += task.await.unwrap();
    }
    assert!(count > 40, "{count} requests");
}
