//! A process that is killed while it takes keys leaves nothing that is wrong.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use common::{Sandbox, Square, User, identity, upload};
use hush_serving::{KeyState, KeyStore, KeyStoreOptions};

/// Tells the test below that it is the process to be killed, and where it works.
const FOLDER: &str = "HUSH_SERVING_CRASH_FOLDER";

/// Uploads the keys that lie in the folder again and again, and says each that is finished. Does nothing unless
/// [`a_killed_process_leaves_whole_keys_and_uploads_that_go_on`] runs it.
#[tokio::test]
async fn a_process_that_uploads_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let keys = KeyStore::open(
        KeyStoreOptions {
            folder: folder.join("keys"),
            ..KeyStoreOptions::default()
        },
        Arc::default(),
    );
    let (keys, ann) = (keys.unwrap(), identity("ann"));
    for (id, path) in files(&folder.join("files")).iter().cycle() {
        let file: Bytes = fs::read(path).unwrap().into();
        upload(&keys, &ann, id, 0, &file).await.unwrap();
        println!("finished {id}");
    }
}

/// Names and paths of a folder's files.
fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), entry.path())
        })
        .collect();
    files.sort();
    files
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_uploads_until_it_is_killed"])
        .args(["--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn a_killed_process_leaves_whole_keys_and_uploads_that_go_on() {
    let sandbox = Sandbox::new();
    let model = Square {
        rotations: 30,
        ..Square::default()
    };
    let spec = sandbox.write("square.model", &model);
    let users: Vec<_> = (0..3).map(|_| User::new("ann", &spec)).collect();
    fs::create_dir(sandbox.path("files")).unwrap();
    for user in &users {
        fs::write(sandbox.path("files").join(user.key_id()), &user.evaluation).unwrap();
    }
    for round in 0..8 {
        let mut child = start(sandbox.folder.path());
        // Open until it is dead: the child must not fail at telling.
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let lines = output.by_ref().map_while(Result::ok);
        let finished = lines.filter(|line| line.contains("finished "));
        // Killed in the middle of the next one, each time somewhere else.
        assert_eq!(finished.take(1 + round % 4).count(), 1 + round % 4);
        std::thread::sleep(std::time::Duration::from_millis(3 * round as u64));
        child.kill().unwrap();
        child.wait().unwrap();

        let service = sandbox.service();
        let mut complete = 0;
        for user in &users {
            let (id, file) = (user.key_id(), &user.evaluation);
            let Ok(status) = service.keys().status(&user.identity, &id).await else {
                continue;
            };
            if status.state == KeyState::Uploading {
                let offset = status.offset as usize;
                let done = upload(service.keys(), &user.identity, &id, offset, file).await;
                assert_eq!(done.unwrap().state, KeyState::Complete, "from {offset}");
            }
            user.predict(&service, "square", 0.25).await;
            complete += 1;
        }
        // Those that were said to be finished, in the order of their names.
        assert!(
            complete >= (1 + round % 4).min(users.len()),
            "round {round}"
        );
    }
}
