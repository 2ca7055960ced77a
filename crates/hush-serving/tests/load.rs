//! More work than there is room for.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{Sandbox, Square, User, request};
use hush_program::ClientSpec;
use hush_serving::{ErrorKind, InferResponse, Outcome, Service, ServingError};
use tokio::task::JoinHandle;

type Answer = JoinHandle<Result<InferResponse, ServingError>>;

fn slow(idle_steps: usize) -> (Sandbox, ClientSpec) {
    let sandbox = Sandbox::new();
    let model = Square {
        idle_steps,
        ..Square::default()
    };
    let spec = sandbox.write("slow.model", &model);
    (sandbox, spec)
}

/// Somebody with keys, and a file of ciphertexts.
struct Caller {
    user: User,
    file: Bytes,
}

async fn caller(name: &str, spec: &ClientSpec, service: &Service) -> Arc<Caller> {
    let user = User::new(name, spec);
    user.upload(service).await;
    let file = user.encrypt(&[1.0; 3]);
    Arc::new(Caller { user, file })
}

fn ask(service: &Service, caller: &Arc<Caller>) -> Answer {
    let (service, caller) = (service.clone(), Arc::clone(caller));
    let request = request("slow", caller.file.clone());
    tokio::spawn(async move { service.infer(&caller.user.identity, request).await })
}

/// Waits until so many run and wait.
async fn until(service: &Service, running: u64, waiting: u64) {
    let model = service.statistics().model("slow");
    let reached = async {
        while (model.running.value(), model.waiting.value()) != (running, waiting) {
            tokio::task::yield_now().await;
        }
    };
    let reached = tokio::time::timeout(Duration::from_secs(20), reached).await;
    assert!(
        reached.is_ok(),
        "{running} never ran while {waiting} waited"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_says_when_to_come_back() {
    let (sandbox, spec) = slow(20_000);
    let mut options = sandbox.options();
    options.schedule.threads = 1;
    options.schedule.queue = 4;
    let service = Service::open(options).unwrap();
    let ann = caller("ann", &spec, &service).await;
    let bob = caller("bob", &spec, &service).await;
    let mut asked = Vec::new();
    for waiting in 0..4 {
        asked.push(ask(&service, &ann));
        until(&service, 1, waiting).await;
    }
    let busy = ask(&service, &ann).await.unwrap().unwrap_err();
    let ErrorKind::Busy { retry_after } = busy.kind() else {
        panic!("{busy}");
    };
    assert!(retry_after >= Duration::from_millis(100), "{retry_after:?}");
    assert!(busy.to_string().contains("3 requests wait"), "{busy}");
    // There is a place left for somebody else, and only one.
    asked.push(ask(&service, &bob));
    until(&service, 1, 4).await;
    let busy = ask(&service, &bob).await.unwrap().unwrap_err();
    assert!(matches!(busy.kind(), ErrorKind::Busy { .. }), "{busy}");
    for answer in asked {
        answer.await.unwrap().unwrap();
    }
    let model = service.statistics().model("slow");
    assert_eq!(model.outcome(Outcome::Busy).value(), 2);
    assert_eq!(model.outcome(Outcome::Answered).value(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_little_does_not_wait_for_who_asks_for_much() {
    let (sandbox, spec) = slow(20_000);
    let mut options = sandbox.options();
    options.schedule.threads = 1;
    let service = Service::open(options).unwrap();
    let ann = caller("ann", &spec, &service).await;
    let bob = caller("bob", &spec, &service).await;
    let many: Vec<_> = (0..20).map(|_| ask(&service, &ann)).collect();
    until(&service, 1, 19).await;
    ask(&service, &bob).await.unwrap().unwrap();
    let done = many.iter().filter(|answer| answer.is_finished()).count();
    assert!(
        done <= 4,
        "{done} of ann's requests came before bob's only one"
    );
    for answer in many {
        answer.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_shared_out_by_estimate() {
    let (sandbox, spec) = slow(20_000);
    let open = |memory| {
        let mut options = sandbox.options();
        options.schedule.threads = 2;
        options.schedule.memory = Some(memory);
        Service::open(options).unwrap()
    };
    let service = open(1000);
    let ann = caller("ann", &spec, &service).await;
    let error = ask(&service, &ann).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    drop(service);

    // Room for one request of about a megabyte with its keys, not for two.
    let service = open(1_200_000);
    ask(&service, &ann).await.unwrap().unwrap();
    let two = [
        ask(&service, &ann),
        ask(&service, &ann),
        ask(&service, &ann),
    ];
    let model = service.statistics().model("slow");
    let mut most = 0;
    while two.iter().any(|answer| !answer.is_finished()) {
        assert!(service.statistics().reserved_bytes.value() <= 1_200_000);
        most = most.max(model.running.value());
        tokio::task::yield_now().await;
    }
    for answer in two {
        answer.await.unwrap().unwrap();
    }
    assert!((1..=2).contains(&most));
    assert_eq!(service.statistics().reserved_bytes.value(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_of_many_requests_leave_each_other_room() {
    let (sandbox, spec) = slow(10);
    let mut options = sandbox.options();
    options.schedule.threads = 2;
    let service = Service::open(options).unwrap();
    let ann = Arc::new(User::new("ann", &spec));
    ann.upload(&service).await;
    // Seven groups each.
    let values: Vec<f64> = (0..3 * 50).map(|index| f64::from(index) / 150.0).collect();
    let asked: Vec<_> = (0..6)
        .map(|_| {
            let (service, ann, values) = (service.clone(), Arc::clone(&ann), values.clone());
            tokio::spawn(async move {
                let request = request("slow", ann.encrypt(&values));
                let response = service.infer(&ann.identity, request).await.unwrap();
                ann.check(&response, &values, 0.25);
            })
        })
        .collect();
    for answer in asked {
        answer.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_finishes_what_it_can_and_stops_the_rest() {
    let (sandbox, spec) = slow(20_000);
    let mut options = sandbox.options();
    options.schedule.threads = 1;
    let service = Service::open(options.clone()).unwrap();
    let ann = caller("ann", &spec, &service).await;
    let two = [ask(&service, &ann), ask(&service, &ann)];
    until(&service, 1, 1).await;
    assert!(service.drain(Duration::from_secs(60)).await);
    assert!(!service.is_ready());
    for answer in two {
        answer.await.unwrap().unwrap();
    }
    let late = ask(&service, &ann).await.unwrap().unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Unavailable);
    drop(service);

    let service = Service::open(options).unwrap();
    let two = [ask(&service, &ann), ask(&service, &ann)];
    until(&service, 1, 1).await;
    let begun = Instant::now();
    assert!(!service.drain(Duration::ZERO).await);
    assert!(begun.elapsed() < Duration::from_secs(5));
    for answer in two {
        let error = answer.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
}
