//! What is written, and what is not.

use hush_tracking::wire::{Metric, Tag};
use hush_tracking::{Caller, ErrorCode, LogBatch, Tracking};

use crate::support::Store;

fn random(limit: u64) -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    u64::from_le_bytes(bytes) % limit
}

fn metrics(values: &[(&str, f64, i64, i64)]) -> LogBatch {
    LogBatch {
        metrics: values
            .iter()
            .map(|&(key, value, time, step)| Metric::new(key, value, time, step))
            .collect(),
        ..LogBatch::default()
    }
}

#[tokio::test]
async fn history_is_kept_once_and_the_newest_is_that_of_the_last_step() {
    for store in Store::each().await {
        let (caller, run) = (Caller::local(), store.run("0").await);
        // Against a model in memory: any order, repeated, some no number.
        let mut all: Vec<(i64, i64, u64)> = Vec::new();
        let mut newest: Option<(i64, i64, f64)> = None;
        for _ in 0..40 {
            let batch: Vec<(&str, f64, i64, i64)> = (0..1 + random(20))
                .map(|_| {
                    (
                        "m",
                        random(4) as f64 / 2.0,
                        random(5) as i64,
                        random(6) as i64,
                    )
                })
                .collect();
            println!("{batch:?}");
            for &(_, value, time, step) in &batch {
                all.push((time, step, value.to_bits()));
                let place = (step, time, value);
                if newest.is_none_or(|newest| place > newest) {
                    newest = Some(place);
                }
            }
            store
                .tracking
                .log_batch(&caller, &run, metrics(&batch))
                .await
                .unwrap();
        }
        all.sort_unstable();
        all.dedup();
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let page = store
                .tracking
                .metric_history(&caller, &run, "m", Some(7), token.as_deref())
                .await
                .unwrap();
            assert!(page.items.len() <= 7);
            found.extend(
                page.items
                    .iter()
                    .map(|metric| (metric.timestamp, metric.step, metric.value.to_bits())),
            );
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(found, all);
        let whole = store.tracking.run(&caller, &run).await.unwrap();
        let metric = &whole.data.metrics[0];
        assert_eq!(Some((metric.step, metric.timestamp, metric.value)), newest);
    }
}

#[tokio::test]
async fn what_is_no_number_or_endless_is_kept() {
    for store in Store::each().await {
        let (caller, run) = (Caller::local(), store.run("0").await);
        let batch = metrics(&[
            ("a", f64::NAN, 1, 0),
            ("b", f64::INFINITY, 1, 0),
            ("c", -1e-300, 1, i64::MIN),
        ]);
        store
            .tracking
            .log_batch(&caller, &run, batch)
            .await
            .unwrap();
        let found = store
            .tracking
            .run(&caller, &run)
            .await
            .unwrap()
            .data
            .metrics;
        assert!(found[0].value.is_nan());
        assert_eq!(
            (found[1].value, found[2].value, found[2].step),
            (f64::MAX, -1e-300, i64::MIN)
        );
    }
}

#[tokio::test]
async fn a_batch_is_written_whole_or_not_at_all() {
    for store in Store::each().await {
        let (caller, run) = (Caller::local(), store.run("0").await);
        let tag = |key: &str, value: &str| Tag {
            key: key.into(),
            value: value.into(),
        };
        let first = LogBatch {
            params: vec![tag("p", "1")],
            ..LogBatch::default()
        };
        store
            .tracking
            .log_batch(&caller, &run, first)
            .await
            .unwrap();
        let second = LogBatch {
            metrics: vec![Metric::new("m", 1.0, 1, 0)],
            params: vec![tag("q", "1"), tag("p", "2")],
            tags: vec![tag("t", "1")],
        };
        let error = store
            .tracking
            .log_batch(&caller, &run, second)
            .await
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidParameterValue);
        let data = store.tracking.run(&caller, &run).await.unwrap().data;
        assert_eq!((data.metrics.len(), data.params.len()), (0, 1));
        assert!(data.tags.iter().all(|tag| tag.key != "t"));
    }
}

#[tokio::test]
async fn many_write_at_once() {
    for store in Store::each().await {
        let run = store.run("0").await;
        let writers = (0..16).map(|writer| {
            let (tracking, run) = (store.tracking.clone(), run.clone());
            tokio::spawn(async move {
                for step in 0..10 {
                    let key = format!("m{}", writer % 4);
                    let batch = LogBatch {
                        metrics: vec![Metric::new(key, f64::from(writer), i64::from(writer), step)],
                        ..LogBatch::default()
                    };
                    tracking
                        .log_batch(&Caller::local(), &run, batch)
                        .await
                        .unwrap();
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let data = store
            .tracking
            .run(&Caller::local(), &run)
            .await
            .unwrap()
            .data;
        let newest: Vec<(i64, f64)> = data
            .metrics
            .iter()
            .map(|metric| (metric.step, metric.value))
            .collect();
        assert_eq!(newest, [(9, 12.0), (9, 13.0), (9, 14.0), (9, 15.0)]);
        let page = store
            .tracking
            .metric_history(&Caller::local(), &run, "m0", None, None)
            .await
            .unwrap();
        assert_eq!(page.items.len(), 40);
    }
}

/// Two servers on one database: neither loses what the other writes, and names are given once.
#[tokio::test]
async fn two_servers_share_a_database() {
    for store in Store::each().await {
        let other = Tracking::open(store.options.clone()).await.unwrap();
        let caller = Caller::local();
        let names: Vec<String> = (0..20).map(|index| format!("e{index}")).collect();
        let make = |tracking: Tracking| {
            let names = names.clone();
            tokio::spawn(async move {
                let mut made = 0;
                for name in names {
                    made += i32::from(
                        tracking
                            .create_experiment(&Caller::local(), &name, None, Vec::new())
                            .await
                            .is_ok(),
                    );
                }
                made
            })
        };
        let (one, two) = (make(store.tracking.clone()), make(other.clone()));
        assert_eq!(one.await.unwrap() + two.await.unwrap(), 20);
        store
            .tracking
            .create_registered_model(&caller, "m", "", Vec::new())
            .await
            .unwrap();
        let version = |tracking: Tracking| {
            tokio::spawn(async move {
                for _ in 0..10 {
                    let new = hush_tracking::NewVersion {
                        name: "m".into(),
                        source: "mlflow-artifacts:/0/x".into(),
                        ..hush_tracking::NewVersion::default()
                    };
                    tracking
                        .create_version(&Caller::local(), new)
                        .await
                        .unwrap();
                }
            })
        };
        let (one, two) = (version(store.tracking.clone()), version(other.clone()));
        one.await.unwrap();
        two.await.unwrap();
        let page = other
            .search_versions(&caller, "name = 'm'", &[], 100, None)
            .await
            .unwrap();
        let mut numbers: Vec<i64> = page
            .items
            .iter()
            .map(|version| version.version.parse().unwrap())
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=20).collect::<Vec<i64>>());
    }
}

#[tokio::test]
async fn a_store_is_there_after_a_restart() {
    for store in Store::each().await {
        let run = store.run("0").await;
        let again = Tracking::open(store.options.clone()).await.unwrap();
        assert_eq!(
            again.run(&Caller::local(), &run).await.unwrap().info.run_id,
            run
        );
    }
}
