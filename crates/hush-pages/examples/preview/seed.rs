//! Made-up experiments, runs, models and files.

use std::path::Path;

use hush_tracking::wire::{Dataset, DatasetInput, Metric, RunStatus, Tag, View};
use hush_tracking::{Caller, LogBatch, NewRun, NewVersion, RunChange, Tracking};

use super::Result;

/// What a visitor must never see run.
const HOSTILE: &str =
    "<img src=x onerror=document.title='owned'>\"'><script>document.title='owned'</script>";
const REPORT: &str = include_str!("../../testdata/report.json");
/// Runs that are written at the same time.
const TOGETHER: usize = 16;

fn tag(key: &str, value: impl Into<String>) -> Tag {
    Tag {
        key: key.into(),
        value: value.into(),
    }
}

/// A number between 0 and 1 that looks like chance and is the same at every start.
fn chance(seed: u64) -> f64 {
    let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((state ^ (state >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Fills a new store; the run that goes on.
pub(crate) async fn fill(tracking: &Tracking, artifacts: &Path, runs: usize) -> Result<String> {
    let caller = Caller::local();
    if let Ok(experiment) = tracking
        .experiment_by_name(&caller, "cancer-screening")
        .await
    {
        let ids = [experiment.experiment_id];
        let found = tracking
            .search_runs(
                &caller,
                &ids,
                View::Active,
                "attributes.run_name = 'goes-on'",
                &[],
                1,
                None,
            )
            .await?;
        let run = found
            .items
            .into_iter()
            .next()
            .ok_or("the folder holds another store")?;
        return Ok(run.info.run_id);
    }
    let now = now();
    for (name, team) in [
        ("mnist-encrypted", "vision"),
        ("resnet-sweep", "vision"),
        ("tabular-baselines", "risk"),
    ] {
        tracking
            .create_experiment(&caller, name, None, vec![tag("team", team)])
            .await?;
    }
    tracking
        .create_experiment(&caller, HOSTILE, None, vec![tag("team", HOSTILE)])
        .await?;
    let id = tracking
        .create_experiment(
            &caller,
            "cancer-screening",
            None,
            vec![tag("team", "imaging")],
        )
        .await?;
    tracking.tag_experiment(&caller, &id, "mlflow.note.content", Some("Breast-cancer diagnosis on encrypted records: which network keeps its accuracy at the fewest levels?")).await?;

    let indices: Vec<usize> = (0..runs.saturating_sub(3)).collect();
    for part in indices.chunks(TOGETHER) {
        let written = part.iter().map(|&index| one(tracking, &id, index, now));
        for result in futures_util::future::join_all(written).await {
            result?;
        }
    }
    let large = large(tracking, &id, now, artifacts).await?;
    hostile(tracking, &id, now, artifacts).await?;
    models(tracking, artifacts, &id, &large).await?;
    let live = NewRun {
        experiment_id: id,
        user_id: "ada".into(),
        name: "goes-on".into(),
        start_time: Some(now),
        tags: Vec::new(),
    };
    let live = tracking.create_run(&caller, live).await?;
    let params = vec![tag("learning_rate", "0.003"), tag("model", "mlp")];
    tracking
        .log_batch(
            &caller,
            &live.info.run_id,
            LogBatch {
                params,
                ..LogBatch::default()
            },
        )
        .await?;
    Ok(live.info.run_id)
}

fn now() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    since.as_millis() as i64
}

async fn one(tracking: &Tracking, experiment: &str, index: usize, now: i64) -> Result<()> {
    const MODELS: [&str; 4] = ["mlp", "cryptonets", "lenet5", "resnet20"];
    const ADJECTIVES: [&str; 8] = [
        "calm", "brisk", "quiet", "amber", "keen", "steady", "lucid", "mild",
    ];
    const NOUNS: [&str; 8] = [
        "otter", "heron", "larch", "ember", "fjord", "lynx", "cedar", "wren",
    ];
    let caller = Caller::local();
    let draw = |what: u64| chance(index as u64 * 31 + what);
    let pick = |what: u64, from: usize| (draw(what) * from as f64) as usize;
    let started = now - 40_000 * index as i64 - 60_000;
    let name = format!("{}-{}-{index}", ADJECTIVES[pick(1, 8)], NOUNS[pick(2, 8)]);
    let new = NewRun {
        experiment_id: experiment.into(),
        user_id: "ada".into(),
        name,
        start_time: Some(started),
        tags: vec![
            tag("mlflow.user", "ada"),
            tag("mlflow.source.name", "train.py"),
        ],
    };
    let run = tracking.create_run(&caller, new).await?.info.run_id;
    let (degree, rate) = (2 + pick(3, 6), 10f64.powf(-1.0 - 3.0 * draw(4)));
    let accuracy = 0.99 - 0.08 * draw(5) - 0.02 * (rate.log10() + 2.5).abs();
    let metric = |key: &str, value: f64| Metric::new(key, value, started + 30_000, 20);
    let metrics = vec![
        metric("accuracy", accuracy),
        metric("loss", 0.9 - 0.85 * accuracy),
        metric("encrypted_error", 10f64.powf(-6.0 + 3.0 * draw(6))),
        metric("latency_ms", 8.0 + 300.0 * draw(7) * degree as f64),
        metric("levels", degree as f64 + 2.0),
        metric("system/cpu", 20.0 + 70.0 * draw(8)),
    ];
    let params = vec![
        tag("model", MODELS[pick(9, 4)]),
        tag("degree", degree.to_string()),
        tag("learning_rate", format!("{rate:.5}")),
        tag("batch", ["32", "64", "128"][pick(10, 3)]),
        tag("seed", index.to_string()),
    ];
    let tags = vec![tag(
        "stage",
        if draw(11) < 0.1 { "candidate" } else { "sweep" },
    )];
    tracking
        .log_batch(
            &caller,
            &run,
            LogBatch {
                metrics,
                params,
                tags,
            },
        )
        .await?;
    let status = if draw(12) < 0.04 {
        RunStatus::Failed
    } else {
        RunStatus::Finished
    };
    let took = 5_000 + (200_000.0 * draw(13)) as i64;
    tracking
        .update_run(
            &caller,
            &run,
            RunChange {
                status: Some(status),
                end_time: Some(started + took),
                name: None,
            },
        )
        .await?;
    Ok(())
}

/// Fifty metrics of ten thousand values, and files of every kind.
async fn large(
    tracking: &Tracking,
    experiment: &str,
    now: i64,
    artifacts: &Path,
) -> Result<String> {
    let caller = Caller::local();
    let new = NewRun {
        experiment_id: experiment.into(),
        user_id: "ada".into(),
        name: "fifty-by-ten-thousand".into(),
        start_time: Some(now - 4_000_000),
        tags: Vec::new(),
    };
    let run = tracking.create_run(&caller, new).await?.info.run_id;
    for which in 0..50_u64 {
        let group = ["train", "validation", "noise", "system"][which as usize % 4];
        let key = format!("{group}/curve_{which:02}");
        for batch in 0..10_i64 {
            let value = |step: i64| {
                let along = step as f64 / 10_000.0;
                let base = (-3.0 * along).exp() + 0.1 * (along * (20.0 + which as f64)).sin();
                let peak = if step == 4_321 { 1.5 } else { 0.0 };
                base + 0.08 * (chance(which * 100_000 + step as u64) - 0.5) + peak
            };
            let metric =
                |step: i64| Metric::new(&key, value(step), now - 4_000_000 + 400 * step, step);
            let metrics = (batch * 1000..batch * 1000 + 1000).map(metric).collect();
            tracking
                .log_batch(
                    &caller,
                    &run,
                    LogBatch {
                        metrics,
                        ..LogBatch::default()
                    },
                )
                .await?;
        }
    }
    let params = vec![
        tag("model", "resnet20"),
        tag("degree", "4"),
        tag("learning_rate", "0.01"),
        tag("batch", "128"),
        tag("epochs", "200"),
        tag("seed", "7"),
        tag(
            "augmentation",
            "{\"flip\": true, \"crop\": 32, \"normalise\": {\"mean\": [0.485, 0.456, 0.406], \"deviation\": [0.229, 0.224, 0.225]}, \"note\": \"a long value that is folded on the page\"}",
        ),
    ];
    let tags = vec![
        tag("stage", "candidate"),
        tag("mlflow.source.name", "jobs/train.py"),
        tag(
            "mlflow.source.git.commit",
            "1f2e3d4c5b6a79880f1e2d3c4b5a69788796a5b4",
        ),
        tag(
            "mlflow.note.content",
            "The run that every plot is tried on.",
        ),
    ];
    tracking
        .log_batch(
            &caller,
            &run,
            LogBatch {
                params,
                tags,
                metrics: vec![Metric::new("best_accuracy", 0.9649, now, 0)],
            },
        )
        .await?;
    let dataset = Dataset {
        name: "breast-cancer".into(),
        digest: "9f1c2a7b".into(),
        source_type: "local".into(),
        source: "{\"uri\": \"breast_cancer.csv\"}".into(),
        schema: Some("{\"mlflow_colspec\": [{\"type\": \"double\", \"name\": \"radius\"}]}".into()),
        profile: Some("{\"num_rows\": 569}".into()),
    };
    tracking
        .log_inputs(
            &caller,
            &run,
            vec![DatasetInput {
                tags: vec![tag("mlflow.data.context", "training")],
                dataset,
            }],
            Vec::new(),
        )
        .await?;
    tracking
        .update_run(
            &caller,
            &run,
            RunChange {
                status: Some(RunStatus::Finished),
                end_time: Some(now - 10_000),
                name: None,
            },
        )
        .await?;
    files(&artifacts.join(experiment).join(&run).join("artifacts"))?;
    Ok(run)
}

fn files(folder: &Path) -> Result<()> {
    let write = |name: &str, content: &str| -> Result<()> {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, content)?;
        Ok(())
    };
    let rows: String = (0..500)
        .map(|row| {
            format!(
                "{row},{:.4},{}\n",
                chance(row),
                if row % 3 == 0 { "malignant" } else { "benign" }
            )
        })
        .collect();
    write(
        "predictions.csv",
        &format!("id,probability,\"label, as read\"\n{rows}"),
    )?;
    write("report.json", REPORT)?;
    write(
        "notes/about.md",
        "# About\n\nTrained on **encrypted** records.\n",
    )?;
    write("train.log", &"epoch 1: loss 0.42\n".repeat(300))?;
    write(
        "plots/loss.svg",
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 200 90' width='600'><script>document.title='owned'</script><path d='M0 10C40 70 90 80 200 84' fill='none' stroke='teal' stroke-width='3'/></svg>",
    )?;
    write(
        "page.html",
        "<h1>A page</h1><p>by somebody</p><script>parent.document.title='owned'; document.title='owned'</script>",
    )?;
    write(
        "model/MLmodel",
        "flavors:\n  hushml:\n    model: encrypted.model\n",
    )?;
    write("model/encrypted.model", "HUSH\u{1}\u{2}")?;
    Ok(())
}

/// Whatever a client can write, written to hurt.
async fn hostile(tracking: &Tracking, experiment: &str, now: i64, artifacts: &Path) -> Result<()> {
    let caller = Caller::local();
    let new = NewRun {
        experiment_id: experiment.into(),
        user_id: HOSTILE.into(),
        name: HOSTILE.into(),
        start_time: Some(now - 1_000),
        tags: vec![
            tag("mlflow.note.content", HOSTILE),
            tag("mlflow.source.name", HOSTILE),
        ],
    };
    let run = tracking.create_run(&caller, new).await?.info.run_id;
    let batch = LogBatch {
        params: vec![tag("text", HOSTILE)],
        tags: vec![tag("text", HOSTILE)],
        metrics: vec![
            Metric::new("loss", f64::NAN, now, 1),
            Metric::new("loss", 0.5, now, 2),
        ],
    };
    tracking.log_batch(&caller, &run, batch).await?;
    tracking
        .update_run(
            &caller,
            &run,
            RunChange {
                status: Some(RunStatus::Killed),
                end_time: Some(now),
                name: None,
            },
        )
        .await?;
    let folder = artifacts.join(experiment).join(&run).join("artifacts");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(
        folder.join("<img src=x onerror=document.title='owned'>.csv"),
        format!("{HOSTILE},b\n1,{HOSTILE}\n"),
    )?;
    std::fs::write(folder.join("\u{202e}gnp.exe"), "x")?;
    Ok(())
}

async fn models(tracking: &Tracking, artifacts: &Path, experiment: &str, run: &str) -> Result<()> {
    let caller = Caller::local();
    tracking
        .create_registered_model(
            &caller,
            "cancer",
            "Breast-cancer diagnosis on encrypted records.",
            vec![tag("task", "diagnosis")],
        )
        .await?;
    let source = format!("mlflow-artifacts:/{experiment}/{run}/artifacts");
    for version in 1..=4_u32 {
        let error = 4.1e-5 / f64::from(version * version);
        let tags = [
            ("program_id", "5e3c0a1b9d8f7e6c"),
            ("parameters", "N=2^14 Q=50+38+38+38+38 P=50"),
            ("packing", "latency"),
            ("security_bits", "128"),
            ("ring_degree", "16384"),
            ("log_q_p", "391.8"),
            ("levels", "8"),
            ("key_switches", "42"),
            ("keys", "13"),
            ("key_bytes", "18400000"),
            ("input_bytes", "212000"),
            ("output_bytes", "31000"),
            ("agreement", "0.9982"),
            ("calibration_rows", "455"),
        ];
        let mut tags: Vec<Tag> = tags
            .iter()
            .map(|(key, value)| tag(&format!("hush.{key}"), *value))
            .collect();
        tags.push(tag("hush.predicted_error", format!("{error:.2e}")));
        tags.push(tag(
            "hush.predicted_milliseconds",
            format!("{:.3}", 48.0 / f64::from(version)),
        ));
        let new = NewVersion {
            name: "cancer".into(),
            source: source.clone(),
            run_id: run.into(),
            tags,
            ..NewVersion::default()
        };
        tracking.create_version(&caller, new).await?;
    }
    for (alias, version) in [("production", "3"), ("candidate", "4")] {
        tracking
            .set_alias(&caller, "cancer", alias, version)
            .await?;
    }
    tracking
        .move_version(&caller, "cancer", "3", "Production", false)
        .await?;
    for name in ["mnist", "readmission-risk"] {
        tracking
            .create_registered_model(&caller, name, "", Vec::new())
            .await?;
        let new = NewVersion {
            name: name.into(),
            source: source.clone(),
            run_id: run.into(),
            ..NewVersion::default()
        };
        tracking.create_version(&caller, new).await?;
    }
    std::fs::create_dir_all(artifacts)?;
    Ok(())
}

/// Logs values for as long as the server runs.
pub(crate) async fn go_on(tracking: Tracking, run: String) {
    let caller = Caller::local();
    let found = tracking.run(&caller, &run).await;
    let first = found
        .ok()
        .and_then(|run| run.data.metrics.iter().map(|metric| metric.step).max())
        .unwrap_or(0);
    for step in first + 1.. {
        let value = (-(step as f64) / 200.0).exp() + 0.05 * chance(step as u64);
        let metrics = vec![
            Metric::new("loss", value, now(), step),
            Metric::new("accuracy", 1.0 - value / 2.0, now(), step),
        ];
        let _ = tracking
            .log_batch(
                &caller,
                &run,
                LogBatch {
                    metrics,
                    ..LogBatch::default()
                },
            )
            .await;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}
