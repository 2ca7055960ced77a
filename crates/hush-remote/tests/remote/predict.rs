//! Predictions from end to end.

use std::ops::ControlFlow;

use hush_client::{ClientError, Tensor};
use hush_remote::{PredictOptions, RemoteError, Stage};

use crate::common::Square;
use crate::server::{Running, assert_squares, open, samples, silent};

#[test]
fn many_samples_in_many_requests_come_back_in_order() {
    let running = Running::new();
    for url in running.urls() {
        let model = open(&url).model("square").unwrap();
        let session = model
            .keys(&running.sandbox.path("own"), None, &mut silent)
            .unwrap();
        let input = samples(237);
        let options = PredictOptions {
            // A few groups of eight samples.
            request_bytes: 300_000,
            ..PredictOptions::default()
        };
        let mut told = Vec::new();
        let outputs = session.predict(vec![input.clone()], &options, &mut |progress| {
            assert_eq!(
                (progress.stage, progress.total),
                (Stage::Predict, Some(237))
            );
            told.push(progress.done);
            ControlFlow::Continue(())
        });
        assert_squares(&input, &outputs.unwrap()[0], 0.25);
        assert!(told.is_sorted());
        assert!(told.len() > 5);
    }
    let statistics = running.service.statistics().models();
    let answered = statistics[0].1.samples.value();
    assert_eq!(answered, 2 * 237);
}

#[test]
fn batches_come_and_go_without_being_kept() {
    let running = Running::new();
    let model = open(&running.urls()[0]).model("square").unwrap();
    let session = model
        .keys(&running.sandbox.path("own"), None, &mut silent)
        .unwrap();
    let inputs = [samples(20), samples(3), samples(64)];
    let batches = inputs.iter().map(|batch| Ok(vec![batch.clone()]));
    let (mut rows, mut data) = (0, Vec::new());
    let mut sink = |outputs: Vec<Tensor>| {
        rows += outputs[0].shape()[0];
        data.extend_from_slice(outputs[0].data());
        Ok::<_, RemoteError>(())
    };
    let options = PredictOptions::default();
    let done = session.predict_each(batches, None, &options, &mut sink, &mut silent);
    assert_eq!((done.unwrap(), rows), (87, 87));
    let expected: Vec<f64> = inputs
        .iter()
        .flat_map(|batch| batch.data().to_vec())
        .collect();
    let expected = Tensor::new(vec![87, 3], expected).unwrap();
    assert_squares(&expected, &Tensor::new(vec![87, 3], data).unwrap(), 0.25);
}

#[test]
fn a_wrong_sample_is_named_by_its_place_in_the_whole() {
    let running = Running::new();
    let model = open(&running.urls()[1]).model("square").unwrap();
    let session = model
        .keys(&running.sandbox.path("own"), None, &mut silent)
        .unwrap();
    let wrong = Tensor::new(vec![2, 3], vec![0.0, 0.0, 0.0, 0.0, f64::NAN, 0.0]).unwrap();
    let batches = [Ok(vec![samples(8)]), Ok(vec![wrong])];
    let mut sink = |_| Ok::<_, RemoteError>(());
    let options = PredictOptions::default();
    let done = session.predict_each(batches.into_iter(), None, &options, &mut sink, &mut silent);
    assert!(matches!(
        done.unwrap_err(),
        RemoteError::Client(ClientError::NotFinite {
            sample: 9,
            element: 1,
            ..
        })
    ));
}

#[test]
fn a_caller_who_has_enough_stops_the_server_too() {
    let slow = Square {
        idle_steps: 20_000,
        ..Square::default()
    };
    let running = Running::with(slow, |_| Vec::new());
    for url in running.urls() {
        let model = open(&url).model("square").unwrap();
        let session = model
            .keys(&running.sandbox.path("own"), None, &mut silent)
            .unwrap();
        let running_now = || {
            let models = running.service.statistics().models();
            models.iter().any(|(_, model)| model.running.value() > 0)
        };
        let mut enough = |_| match running_now() {
            false => ControlFlow::Continue(()),
            true => ControlFlow::Break(()),
        };
        let input = vec![samples(800)];
        let outcome = session.predict(input, &PredictOptions::default(), &mut enough);
        assert!(matches!(outcome, Err(RemoteError::Stopped)));
        while running_now() {
            std::thread::yield_now();
        }
    }
}
