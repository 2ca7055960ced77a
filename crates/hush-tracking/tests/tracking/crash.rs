//! A server that is killed while it writes: what it acknowledged is there, and nothing by half.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hush_tracking::wire::{Metric, Tag};
use hush_tracking::{Caller, LogBatch, NewRun, Tracking, TrackingOptions};

/// Says to the program of tests that it is the one to be killed.
const VARIABLE: &str = "HUSH_TRACKING_CRASH";
const METRICS: usize = 20;

fn options(folder: &str) -> TrackingOptions {
    TrackingOptions {
        store: format!("sqlite:///{folder}/tracking.db"),
        artifacts: format!("{folder}/artifacts"),
        webhook_hosts: Vec::new(),
        upgrade: false,
    }
}

/// Writes from eight sides for ever, and says what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn writer_that_is_killed() {
    let Ok(folder) = std::env::var(VARIABLE) else {
        return;
    };
    let tracking = Tracking::open(options(&folder)).await.unwrap();
    let writer = |writer: usize| {
        let tracking = tracking.clone();
        async move {
            let new = NewRun {
                experiment_id: "0".into(),
                name: format!("writer{writer}"),
                ..NewRun::default()
            };
            let run = tracking
                .create_run(&Caller::local(), new)
                .await
                .unwrap()
                .info
                .run_id;
            for step in 0.. {
                let metric =
                    |index: usize| Metric::new(format!("m{index}"), index as f64, step, step);
                let batch = LogBatch {
                    metrics: (0..METRICS).map(metric).collect(),
                    params: vec![Tag {
                        key: format!("p{step}"),
                        value: "x".into(),
                    }],
                    tags: Vec::new(),
                };
                tracking
                    .log_batch(&Caller::local(), &run, batch)
                    .await
                    .unwrap();
                println!("acknowledged {run} {step}");
            }
        }
    };
    let writers: Vec<_> = (0..8).map(|index| tokio::spawn(writer(index))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let mut acknowledged: BTreeMap<String, i64> = BTreeMap::new();
    for round in 0..3_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::writer_that_is_killed", "--nocapture"])
            .env(VARIABLE, place)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut begun = None;
        for line in lines.map_while(Result::ok) {
            let Some(rest) = line.split("acknowledged ").nth(1) else {
                continue;
            };
            let (run, step) = rest.split_once(' ').unwrap();
            let step: i64 = step.parse().unwrap();
            acknowledged
                .entry(run.to_owned())
                .and_modify(|last| *last = step.max(*last))
                .or_insert(step);
            let begun = begun.get_or_insert_with(Instant::now);
            if begun.elapsed() > Duration::from_millis(300 + 200 * round) && acknowledged.len() > 4
            {
                // SIGKILL.
                let _ = child.kill();
            }
        }
        child.wait().unwrap();
        let tracking = Tracking::open(options(place)).await.unwrap();
        assert!(acknowledged.len() > 1, "{acknowledged:?}");
        for (run, last) in &acknowledged {
            let whole = tracking.run(&Caller::local(), run).await.unwrap().data;
            let written = whole.params.len() as i64;
            assert!(
                written > *last,
                "{run}: {last} was acknowledged, {written} are there"
            );
            assert_eq!(whole.metrics.len(), METRICS);
            for metric in &whole.metrics {
                let page = tracking
                    .metric_history(&Caller::local(), run, &metric.key, None, None)
                    .await
                    .unwrap();
                // All of a batch, or nothing of it.
                assert_eq!(
                    (page.items.len() as i64, metric.step),
                    (written, written - 1),
                    "{run} {}",
                    metric.key
                );
            }
        }
    }
}
