//! Servers that are killed while they write: what they acknowledged is there, nothing by half, and nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use hush_tracking::wire::{Metric, Tag};
use hush_tracking::{Caller, LogBatch, NewRun, NewVersion, Tracking, TrackingOptions};

use crate::postgres;

/// Says to the program of tests that it is one of those to be killed: its name, the store and the folder of files.
const VARIABLE: &str = "HUSH_TRACKING_CRASH";
const METRICS: usize = 20;
/// Writers of a server.
const WRITERS: usize = 8;
/// Batches between which a writer makes an experiment and a version of the model that all share.
const EVERY: i64 = 5;
const MODEL: &str = "shared";
/// How long a server may be silent before it is thought to wait for ever.
const PATIENCE: Duration = Duration::from_secs(60);

fn options(store: &str, folder: &str) -> TrackingOptions {
    TrackingOptions {
        store: store.to_owned(),
        artifacts: format!("{folder}/artifacts"),
        webhook_hosts: Vec::new(),
        upgrade: false,
    }
}

/// Writes from several sides for ever, and says what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn writer_that_is_killed() {
    let Ok(place) = std::env::var(VARIABLE) else {
        return;
    };
    let mut place = place.splitn(3, ' ');
    let mut next = || place.next().unwrap().to_owned();
    let (name, store, folder) = (next(), next(), next());
    let tracking = Tracking::open(options(&store, &folder)).await.unwrap();
    let writers: Vec<_> = (0..WRITERS)
        .map(|index| tokio::spawn(write(tracking.clone(), format!("{name}-{index}"))))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn write(tracking: Tracking, name: String) {
    let caller = Caller::local();
    let new = NewRun {
        experiment_id: "0".into(),
        name: name.clone(),
        ..NewRun::default()
    };
    let run = tracking.create_run(&caller, new).await.unwrap();
    let run = run.info.run_id;
    for step in 0.. {
        let metric = |index: usize| Metric::new(format!("m{index}"), index as f64, step, step);
        let batch = LogBatch {
            metrics: (0..METRICS).map(metric).collect(),
            params: vec![Tag {
                key: format!("p{step}"),
                value: "x".into(),
            }],
            tags: Vec::new(),
        };
        tracking.log_batch(&caller, &run, batch).await.unwrap();
        println!("acknowledged run {run} {step} .");
        if step % EVERY == 0 {
            let experiment = format!("{name}-{run}-{step}");
            let made = tracking.create_experiment(&caller, &experiment, None, Vec::new());
            println!(
                "acknowledged experiment {} {experiment} .",
                made.await.unwrap()
            );
            let version = NewVersion {
                name: MODEL.into(),
                source: "mlflow-artifacts:/0/model".into(),
                run_id: String::new(),
                run_link: String::new(),
                description: experiment.clone(),
                model_id: String::new(),
                tags: Vec::new(),
            };
            let made = tracking.create_version(&caller, version).await.unwrap();
            println!("acknowledged version {} {experiment} .", made.version);
        }
    }
}

/// What servers said that they wrote.
#[derive(Default)]
struct Acknowledged {
    /// The last step of each run.
    runs: BTreeMap<String, i64>,
    /// Who made what has which id.
    experiments: BTreeMap<String, String>,
    versions: BTreeMap<String, String>,
}

impl Acknowledged {
    fn note(&mut self, line: &str) {
        let mut words = line.split(' ').skip(1);
        let mut next = || words.next().unwrap().to_owned();
        let (kind, id, what) = (next(), next(), next());
        let other = match kind.as_str() {
            "run" => {
                let step: i64 = what.parse().unwrap();
                let last = self.runs.entry(id).or_insert(-1);
                *last = step.max(*last);
                return;
            }
            "experiment" => self.experiments.insert(id.clone(), what.clone()),
            _ => self.versions.insert(id.clone(), what.clone()),
        };
        assert_eq!(other, None, "{kind} {id} was given twice, again for {what}");
    }

    /// Looks for everything, as a server that starts afterwards sees it.
    async fn check(&self, options: TrackingOptions) {
        let (caller, tracking) = (Caller::local(), Tracking::open(options).await.unwrap());
        assert!(self.runs.len() > 1 && self.versions.len() > 1 && self.experiments.len() > 1);
        for (run, last) in &self.runs {
            let whole = tracking.run(&caller, run).await.unwrap().data;
            let written = whole.params.len() as i64;
            assert!(
                written > *last,
                "{run}: {last} was acknowledged, {written} are there"
            );
            assert_eq!(whole.metrics.len(), METRICS);
            for metric in &whole.metrics {
                let page = tracking.metric_history(&caller, run, &metric.key, None, None);
                let values = page.await.unwrap().items.len() as i64;
                // All of a batch, or nothing of it.
                assert_eq!(
                    (values, metric.step),
                    (written, written - 1),
                    "{run} {}",
                    metric.key
                );
            }
        }
        for (id, name) in &self.experiments {
            assert_eq!(&tracking.experiment(&caller, id).await.unwrap().name, name);
        }
        for (version, made) in &self.versions {
            let found = tracking.version(&caller, MODEL, version).await.unwrap();
            assert_eq!(&found.description, made);
        }
        // Numbers go up by one: of those between none is missing.
        let most = self
            .versions
            .keys()
            .map(|version| version.parse::<u64>().unwrap())
            .max();
        let numbers: BTreeSet<u64> = (1..=most.unwrap_or(0)).collect();
        for number in numbers {
            tracking
                .version(&caller, MODEL, &number.to_string())
                .await
                .unwrap();
        }
    }
}

/// A server in a process of its own, and what it says.
struct Writer {
    child: Child,
    said: Receiver<String>,
}

impl Writer {
    fn start(name: &str, store: &str, folder: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::writer_that_is_killed", "--nocapture"])
            .env(VARIABLE, format!("{name} {store} {folder}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, said): (Sender<String>, _) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // A line that the kill cut off has no end.
                let Some(at) = line.find("acknowledged ").filter(|_| line.ends_with(" .")) else {
                    continue;
                };
                if sender.send(line[at..].to_owned()).is_err() {
                    return;
                }
            }
        });
        Self { child, said }
    }

    /// Reads what it says for a while, and at least that many lines.
    fn listen(&self, acknowledged: &mut Acknowledged, time: Duration, lines: usize) {
        let (begun, mut count) = (Instant::now(), 0);
        while begun.elapsed() < time || count < lines {
            let line = self.said.recv_timeout(PATIENCE);
            acknowledged.note(&line.expect("a server says nothing more: it waits, or has ended"));
            count += 1;
        }
    }

    /// SIGKILL; reads what it had said.
    fn kill(mut self, acknowledged: &mut Acknowledged) {
        self.child.kill().unwrap();
        while let Ok(line) = self.said.recv() {
            acknowledged.note(&line);
        }
        self.child.wait().unwrap();
    }
}

/// Kills one of the servers of a store while all write, then the others, and does so again.
async fn survives(store: &str, folder: &str, servers: usize) {
    let mut acknowledged = Acknowledged::default();
    let first = Tracking::open(options(store, folder)).await.unwrap();
    let caller = Caller::local();
    let made = first.create_registered_model(&caller, MODEL, "", Vec::new());
    made.await.unwrap();
    for round in 0..3_u64 {
        let mut writers: Vec<Writer> = (0..servers)
            .map(|index| Writer::start(&format!("{round}-{index}"), store, folder))
            .collect();
        let time = Duration::from_millis(300 + 200 * round);
        for writer in &writers {
            writer.listen(&mut acknowledged, time, 50);
        }
        writers.remove(0).kill(&mut acknowledged);
        // What the killed one held is free: the others go on.
        for writer in &writers {
            while let Ok(line) = writer.said.try_recv() {
                acknowledged.note(&line);
            }
            writer.listen(&mut acknowledged, time, 200);
        }
        for writer in writers {
            writer.kill(&mut acknowledged);
        }
        acknowledged.check(options(store, folder)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    survives(&format!("sqlite:///{place}/tracking.db"), place, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_of_one_postgres_survive_the_kill_of_one() {
    if let Some(database) = postgres::Database::make().await {
        let folder = tempfile::tempdir().unwrap();
        survives(&database.address, folder.path().to_str().unwrap(), 2).await;
    }
}
