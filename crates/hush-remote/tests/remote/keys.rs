//! Keys: made once, uploaded once, uploaded again when the server has them no more.

use hush_client::passphrase::Passphrase;
use hush_client::{ClientError, Tensor};
use hush_remote::{PredictOptions, Progress, RemoteError, Stage};
use hush_serving::Identity;
use std::ops::ControlFlow;

use crate::common::Square;
use crate::server::{Running, assert_squares, open, samples, silent};

fn wait(task: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(task);
}

#[test]
fn keys_are_made_and_uploaded_once() {
    let running = Running::new();
    let folder = running.sandbox.path("deep/own");
    let mut stages = Vec::new();
    let mut note = |progress: Progress| {
        if stages.last() != Some(&progress.stage) {
            stages.push(progress.stage);
        }
        ControlFlow::Continue(())
    };
    let [first, second] = running.urls();
    let model = open(&first).model("square").unwrap();
    let id = model.keys(&folder, None, &mut note).unwrap().keys().id();
    let model = open(&second).model("square").unwrap();
    let again = model.keys(&folder, None, &mut note).unwrap();
    assert_eq!(again.keys().id(), id);
    assert_eq!(stages, [Stage::Keys, Stage::Upload]);
    assert_eq!(running.service.statistics().keys.uploads.value(), 1);
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let kinds = names.iter().map(|name| name.split_once('.').unwrap().1);
    assert_eq!(
        kinds.collect::<Vec<_>>(),
        ["evaluation.key", "lock", "secret.key"]
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.join(&names[2])), 0o600);
        assert_eq!(mode(folder), 0o700);
    }
}

#[test]
fn evaluation_keys_that_were_lost_on_both_sides_are_made_anew() {
    let running = Running::new();
    let folder = running.sandbox.path("own");
    for url in running.urls() {
        let model = open(&url).model("square").unwrap();
        let session = model.keys(&folder, None, &mut silent).unwrap();
        let id = session.keys().id();
        std::fs::remove_file(&session.keys().evaluation).unwrap();
        open(&url).delete_key(&id).unwrap();
        let session = model.keys(&folder, None, &mut silent).unwrap();
        assert_eq!(session.keys().id(), id);
        let input = samples(5);
        let outputs = session.predict(vec![input.clone()], &PredictOptions::default(), &mut silent);
        assert_squares(&input, &outputs.unwrap()[0], 0.25);
    }
}

#[test]
fn keys_that_the_server_dropped_are_uploaded_again_in_the_middle_of_a_prediction() {
    let running = Running::new();
    for url in running.urls() {
        let model = open(&url).model("square").unwrap();
        let session = model
            .keys(&running.sandbox.path("own"), None, &mut silent)
            .unwrap();
        let keys = running.service.keys().clone();
        let id = session.keys().id();
        wait(async move { keys.delete(&Identity::local(), &id).await.unwrap() });
        let input = samples(100);
        let outputs = session.predict(vec![input.clone()], &PredictOptions::default(), &mut silent);
        assert_squares(&input, &outputs.unwrap()[0], 0.25);
    }
}

#[test]
fn a_model_that_was_replaced_is_told() {
    let running = Running::new();
    for (url, constant) in running.urls().into_iter().zip([1.0, 2.0]) {
        let model = open(&url).model("square").unwrap();
        let folder = running.sandbox.path("own");
        let session = model.keys(&folder, None, &mut silent).unwrap();
        running.sandbox.write(
            "square.model",
            &Square {
                constant,
                ..Square::default()
            },
        );
        let service = running.service.clone();
        wait(async move { service.load(&Identity::local(), "square").await.unwrap() });
        let predict = |session: &hush_remote::Session, input: &Tensor| {
            session.predict(vec![input.clone()], &PredictOptions::default(), &mut silent)
        };
        let input = samples(3);
        let error = predict(&session, &input).unwrap_err();
        assert!(matches!(&error, RemoteError::ModelChanged { model } if model == "square"));
        // The new one needs the same of its keys.
        let model = open(&url).model("square").unwrap();
        let session = model.keys(&folder, None, &mut silent).unwrap();
        assert_squares(&input, &predict(&session, &input).unwrap()[0], constant);
    }
    assert_eq!(running.service.statistics().keys.uploads.value(), 1);
}

#[test]
fn a_passphrase_protects_the_secret_key() {
    let running = Running::new();
    let model = open(&running.urls()[0]).model("square").unwrap();
    let folder = running.sandbox.path("own");
    let passphrase = Passphrase::new("open".to_owned().into()).unwrap();
    model.keys(&folder, Some(&passphrase), &mut silent).unwrap();
    model.keys(&folder, Some(&passphrase), &mut silent).unwrap();
    let error = model.keys(&folder, None, &mut silent).err().unwrap();
    assert!(matches!(
        error,
        RemoteError::Key {
            source: ClientError::PassphraseNeeded,
            ..
        }
    ));
}
