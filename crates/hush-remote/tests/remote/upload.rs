//! Uploads over a connection that breaks off.

use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hush_remote::{ConnectOptions, RemoteError};
use hush_serving::{KeyState, KeyStatus};

use crate::common::{Square, User};
use crate::server::{Running, open, silent};
use crate::tunnel::Tunnel;

/// Keys of some megabytes.
fn large() -> (Running, User) {
    let model = || Square {
        rotations: 150,
        ..Square::default()
    };
    let running = Running::with(model(), |_| Vec::new());
    let spec = running.sandbox.write("other.model", &model());
    let user = User::new("local", &spec);
    (running, user)
}

#[test]
fn an_upload_that_breaks_off_goes_on_where_it_stood() {
    let (running, user) = large();
    let total = user.evaluation.len() as u64;
    assert!(total > 6_000_000, "{total}");
    for (scheme, address) in running.sockets() {
        // Begun anew each time it would take 9/5 of the file. A break loses what is on the way, a few megabytes.
        let tunnel = Tunnel::new(address, 2, total / 5 * 2);
        let connection = open(&format!("{scheme}://{}", tunnel.address));
        let mut furthest = 0;
        let mut file = Cursor::new(&user.evaluation);
        let status = connection.upload_key(&user.key_id(), &mut file, &mut |progress| {
            assert_eq!(progress.total, Some(total));
            furthest = furthest.max(progress.done);
            ControlFlow::Continue(())
        });
        let status = status.unwrap();
        assert!(status.complete);
        assert_eq!((status.total, furthest), (total, total));
        let passed = tunnel.passed.load(Ordering::SeqCst);
        assert!(passed < total * 8 / 5, "{passed} bytes for {total}");
        connection.delete_key(&user.key_id()).unwrap();
    }
}

#[test]
fn what_another_process_began_is_finished() {
    let (running, user) = large();
    for url in running.urls() {
        begin(&url, &user);
        let mut first = None;
        let mut file = Cursor::new(&user.evaluation);
        let status = open(&url).upload_key(&user.key_id(), &mut file, &mut |progress| {
            first.get_or_insert(progress.done);
            ControlFlow::Continue(())
        });
        assert!(status.unwrap().complete);
        assert!(first.unwrap() > 0);
        open(&url).delete_key(&user.key_id()).unwrap();
    }
}

/// Stops uploads in the middle until the server has kept some of one: what is on the way when a client goes is lost,
/// and that may be all that it read.
fn begin(url: &str, user: &User) {
    let half = user.evaluation.len() as u64 / 2;
    for _ in 0..100 {
        let mut file = Cursor::new(&user.evaluation);
        let stopped = open(url).upload_key(
            &user.key_id(),
            &mut file,
            &mut |progress| match progress.done < half {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            },
        );
        assert!(matches!(stopped, Err(RemoteError::Stopped)));
        let kept = || open(url).key_status(&user.key_id()).unwrap();
        if (0..20).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            kept().is_some_and(|status| status.offset > 0)
        }) {
            return;
        }
    }
    panic!("the server keeps nothing of uploads that stop half-way");
}

#[test]
fn bytes_of_another_file_are_replaced_once() {
    let (running, user) = large();
    for url in running.urls() {
        let other = User::new("local", &user.spec);
        let mut mixed = user.evaluation.to_vec();
        let length = mixed.len();
        mixed[length / 4..].copy_from_slice(&other.evaluation[length / 4..]);
        let begun: KeyStatus = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let half = mixed[..length / 2].to_vec().into();
            let keys = running.service.keys();
            let total = length as u64;
            let mut upload = keys
                .begin(&hush_serving::Identity::local(), &user.key_id(), 0, total)
                .await
                .unwrap();
            upload.write(half).await.unwrap();
            upload.finish().await.unwrap()
        });
        assert_eq!(begun.state, KeyState::Uploading);
        let mut file = Cursor::new(&user.evaluation);
        let status = open(&url).upload_key(&user.key_id(), &mut file, &mut silent);
        assert!(status.unwrap().complete);
        open(&url).delete_key(&user.key_id()).unwrap();
    }
}

#[test]
fn what_is_no_key_is_refused_at_once() {
    let running = Running::new();
    for url in running.urls() {
        let options = ConnectOptions::default();
        let connection = hush_remote::Connection::open(&url, options).unwrap();
        let mut file = Cursor::new(vec![7; 5000]);
        let error = connection
            .upload_key(&"0".repeat(32), &mut file, &mut silent)
            .unwrap_err();
        assert!(
            error.to_string().contains("not the announced file"),
            "{error}"
        );
    }
}
