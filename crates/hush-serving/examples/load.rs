//! Requests a second through the service, beside the same work without it.
//!
//! `cargo run --release -p hush-serving --example load [IDLE_STEPS]`

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{Sandbox, Square, User, request};
use hush_runtime::{Deployment, Inputs, Model, Options};
use hush_serving::Stage;
use hush_wire::EvaluationKeysReader;

const TIME: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let idle_steps = std::env::args()
        .nth(1)
        .map_or(0, |text| text.parse().unwrap());
    let sandbox = Sandbox::new();
    let spec = sandbox.write(
        "square.model",
        &Square {
            idle_steps,
            ..Square::default()
        },
    );
    let users: Vec<_> = (0..16)
        .map(|index| Arc::new(User::new(&format!("user{index}"), &spec)))
        .collect();
    let file = users[0].encrypt(&[1.0; 3]);

    // Without the service: as many threads as cores, each with its own requests.
    let model = std::fs::File::open(sandbox.path("models/square.model")).unwrap();
    let deployment = Deployment::new(Model::read(model).unwrap(), Options::default()).unwrap();
    let reader = EvaluationKeysReader::open(&users[0].evaluation[..]).unwrap();
    let keys = deployment.read_keys(reader, &mut || ()).unwrap();
    for threads in [1, rayon::current_num_threads()] {
        let count = AtomicU64::new(0);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
                    pool.unwrap().install(|| {
                        while begun.elapsed() < TIME {
                            let inputs = Cursor::new(file.clone());
                            let inputs = Inputs::open(deployment.client_spec(), inputs).unwrap();
                            deployment
                                .answer(inputs, &keys, Vec::new(), |_| ())
                                .unwrap();
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                });
            }
        });
        let rate = count.into_inner() as f64 / begun.elapsed().as_secs_f64();
        println!("without the service, {threads} threads: {rate:.0} requests/s");
    }

    let service = sandbox.service();
    for user in &users {
        user.upload(&service).await;
    }
    for callers in [1, 2, 16] {
        let begun = Instant::now();
        let tasks: Vec<_> = users[..callers]
            .iter()
            .map(|user| {
                let (service, user) = (service.clone(), Arc::clone(user));
                let file = user.encrypt(&[1.0; 3]);
                tokio::spawn(async move {
                    let mut count = 0;
                    while begun.elapsed() < TIME {
                        let request = request("square", file.clone());
                        service.infer(&user.identity, request).await.unwrap();
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        let mut count = 0;
        for task in tasks {
            count += task.await.unwrap();
        }
        let rate = f64::from(count) / begun.elapsed().as_secs_f64();
        println!("through the service, {callers} callers: {rate:.0} requests/s");
    }
    let statistics = service.statistics().model("square");
    for stage in Stage::ALL {
        let snapshot = statistics.stage(stage).snapshot();
        let mean = snapshot.sum / u32::try_from(snapshot.count().max(1)).unwrap();
        let (half, most) = (snapshot.quantile(0.5), snapshot.quantile(0.99));
        println!(
            "{}: mean {mean:?}, p50 <= {half:?}, p99 <= {most:?}",
            stage.name()
        );
    }
}
