//! Uploads of evaluation keys: whatever is cut, changed, taken or left behind.

mod common;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{Sandbox, Square, User, identity, upload};
use hush_program::ClientSpec;
use hush_serving::{
    ErrorKind, Identity, KeyState, KeyStatistics, KeyStore, KeyStoreOptions, ServingError,
};

/// Keys of a few megabytes.
fn large() -> (Sandbox, ClientSpec) {
    let sandbox = Sandbox::new();
    let model = Square {
        rotations: 40,
        ..Square::default()
    };
    let spec = sandbox.write("square.model", &model);
    (sandbox, spec)
}

fn options(sandbox: &Sandbox) -> KeyStoreOptions {
    KeyStoreOptions {
        folder: sandbox.path("keys"),
        ..KeyStoreOptions::default()
    }
}

fn open(sandbox: &Sandbox) -> KeyStore {
    KeyStore::open(options(sandbox), Arc::default()).unwrap()
}

fn kind<T>(result: Result<T, ServingError>) -> ErrorKind {
    result.err().unwrap().kind()
}

/// Every file of the store, by name.
fn files(sandbox: &Sandbox) -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["keys/keys", "keys/uploads"] {
        for entry in fs::read_dir(sandbox.path(folder)).unwrap() {
            names.push(entry.unwrap().file_name().into_string().unwrap());
        }
    }
    names.sort();
    names
}

/// Sends so many bytes of a key, and then the connection breaks.
async fn send(keys: &KeyStore, user: &User, from: usize, until: usize) {
    let total = user.evaluation.len() as u64;
    let mut upload = keys
        .begin(&user.identity, &user.key_id(), from as u64, total)
        .await
        .unwrap();
    for start in (from..until).step_by(40_000) {
        let end = until.min(start + 40_000);
        upload
            .write(user.evaluation.slice(start..end))
            .await
            .unwrap();
    }
}

/// Where an upload stands once what was sent is stored.
async fn offset(keys: &KeyStore, user: &User) -> usize {
    let status = keys.status(&user.identity, &user.key_id()).await.unwrap();
    assert_eq!(status.state, KeyState::Uploading);
    status.offset as usize
}

#[tokio::test]
async fn an_upload_survives_the_store() {
    let (sandbox, spec) = large();
    let ann = User::new("ann", &spec);
    let keys = open(&sandbox);
    let missing = keys.status(&ann.identity, &ann.key_id()).await;
    assert_eq!(kind(missing), ErrorKind::NotFound);
    send(&keys, &ann, 0, 2_500_000).await;
    drop(keys);

    // As after `kill -9`: another store over what the first one left.
    let keys = open(&sandbox);
    let arrived = offset(&keys, &ann).await;
    assert!((1_000_000..=2_500_000).contains(&arrived), "{arrived}");
    let (id, file) = (ann.key_id(), &ann.evaluation);
    for wrong in [arrived - 1, arrived + 1] {
        let result = upload(&keys, &ann.identity, &id, wrong, file).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().contains(&arrived.to_string()), "{error}");
    }
    let status = upload(&keys, &ann.identity, &id, arrived, file)
        .await
        .unwrap();
    assert_eq!(status.state, KeyState::Complete);
    assert_eq!(status.total, file.len() as u64);
    assert_eq!(
        (
            status.log_degree,
            status.digest.len(),
            status.parameters.len()
        ),
        (12, 64, 64)
    );
    assert_eq!(files(&sandbox).len(), 2, "a key and its record");
    drop(keys);
    let again = open(&sandbox).status(&ann.identity, &id).await.unwrap();
    assert_eq!(again.digest, status.digest);
}

#[tokio::test]
async fn parts_go_on_where_the_last_one_ended() {
    let (sandbox, spec) = large();
    let ann = User::new("ann", &spec);
    let keys = open(&sandbox);
    let (id, file) = (ann.key_id(), &ann.evaluation);
    let total = file.len();
    let mut start = 0;
    while start < total {
        let end = total.min(start + 700_000);
        let mut part = keys
            .begin(&ann.identity, &id, start as u64, total as u64)
            .await
            .unwrap();
        part.write(file.slice(start..end)).await.unwrap();
        let status = part.finish().await.unwrap();
        assert_eq!(status.offset, end as u64);
        let complete = status.state == KeyState::Complete;
        assert_eq!(complete, end == total);
        start = end;
    }
    let listed = keys.list(&ann.identity).await.unwrap();
    assert_eq!(listed.len(), 1);
    keys.delete(&ann.identity, &id).await.unwrap();
    assert_eq!(
        kind(keys.delete(&ann.identity, &id).await),
        ErrorKind::NotFound
    );
    assert_eq!(files(&sandbox), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_cut_or_changed_is_never_kept() {
    let (sandbox, spec) = Sandbox::with_square();
    let ann = User::new("ann", &spec);
    let keys = open(&sandbox);
    let (id, file) = (ann.key_id(), &ann.evaluation);
    for index in (0..file.len()).step_by(file.len() / 29) {
        let mut changed = file.to_vec();
        changed[index] ^= 16;
        let result = upload(&keys, &ann.identity, &id, 0, &changed.into()).await;
        assert_eq!(kind(result), ErrorKind::InvalidArgument, "byte {index}");
        let status = keys.status(&ann.identity, &id).await;
        assert_eq!(kind(status), ErrorKind::NotFound, "byte {index}");
    }
    for end in [100, file.len() / 2, file.len() - 1] {
        let result = upload(&keys, &ann.identity, &id, 0, &file.slice(..end)).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("were announced"), "{error}");
    }
    let longer: Bytes = [&file[..], &[0]].concat().into();
    let result = upload(&keys, &ann.identity, &id, 0, &longer).await;
    assert_eq!(kind(result), ErrorKind::InvalidArgument);
    let mut more = keys
        .begin(&ann.identity, &id, 0, file.len() as u64)
        .await
        .unwrap();
    assert_eq!(
        kind(more.write(longer.clone()).await),
        ErrorKind::InvalidArgument
    );
    drop(more);

    let other = User::new("ann", &spec);
    let result = upload(&keys, &ann.identity, &other.key_id(), 0, file).await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains("it holds the keys of id"), "{error}");
    let result = upload(&keys, &ann.identity, &id, 0, &ann.encrypt(&[0.0; 3])).await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains("expected evaluation keys"), "{error}");
    for bad in ["", "../../etc/passwd", "ab"] {
        let result = upload(&keys, &ann.identity, bad, 0, file).await;
        assert_eq!(kind(result), ErrorKind::InvalidArgument);
    }
    assert_eq!(files(&sandbox), Vec::<String>::new());
}

#[tokio::test]
async fn a_part_that_the_disk_spoilt_is_found_when_it_goes_on() {
    let (sandbox, spec) = large();
    let ann = User::new("ann", &spec);
    let keys = open(&sandbox);
    send(&keys, &ann, 0, 3_000_000).await;
    drop(keys);
    let keys = open(&sandbox);
    let arrived = offset(&keys, &ann).await;
    let part = fs::read_dir(sandbox.path("keys/uploads")).unwrap();
    let part = part
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "part"))
        .unwrap();
    let mut bytes = fs::read(&part).unwrap();
    bytes[30] ^= 1;
    fs::write(&part, bytes).unwrap();
    let result = upload(
        &keys,
        &ann.identity,
        &ann.key_id(),
        arrived,
        &ann.evaluation,
    )
    .await;
    assert_eq!(kind(result), ErrorKind::InvalidArgument);
    let status = keys.status(&ann.identity, &ann.key_id()).await;
    assert_eq!(kind(status), ErrorKind::NotFound);
    ann.try_upload(&keys).await.unwrap();
}

#[tokio::test]
async fn a_key_is_its_owners() {
    let (sandbox, spec) = Sandbox::with_square();
    let (ann, bob) = (User::new("ann", &spec), identity("bob"));
    let keys = open(&sandbox);
    let id = ann.key_id();
    ann.try_upload(&keys).await.unwrap();
    assert_eq!(kind(keys.status(&bob, &id).await), ErrorKind::NotFound);
    assert_eq!(kind(keys.delete(&bob, &id).await), ErrorKind::NotFound);
    assert_eq!(keys.list(&bob).await.unwrap(), []);
    let taken = upload(&keys, &bob, &id, 0, &ann.evaluation)
        .await
        .unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Conflict);
    assert!(!taken.to_string().contains("ann"), "{taken}");
    let admin = Identity::local();
    assert_eq!(keys.list(&admin).await.unwrap()[0].owner, "ann");
    assert_eq!(keys.status(&admin, &id).await.unwrap().owner, "ann");
    keys.delete(&admin, &id).await.unwrap();

    // Two who begin at once: the first to finish has it.
    let total = ann.evaluation.len() as u64;
    let mut first = keys.begin(&ann.identity, &id, 0, total).await.unwrap();
    let mut second = keys.begin(&bob, &id, 0, total).await.unwrap();
    for upload in [&mut first, &mut second] {
        upload.write(ann.evaluation.clone()).await.unwrap();
    }
    second.finish().await.unwrap();
    assert_eq!(kind(first.finish().await), ErrorKind::Conflict);
    assert_eq!(
        kind(keys.status(&ann.identity, &id).await),
        ErrorKind::NotFound
    );
    assert_eq!(files(&sandbox).len(), 2);
}

#[tokio::test]
async fn the_same_key_again_changes_nothing_and_another_replaces_it() {
    let (sandbox, spec) = Sandbox::with_square();
    let ann = User::new("ann", &spec);
    let service = sandbox.service();
    ann.upload(&service).await;
    let before = files(&sandbox);
    ann.predict(&service, "square", 0.25).await;
    ann.upload(&service).await;
    assert_eq!(files(&sandbox), before);
    ann.predict(&service, "square", 0.25).await;

    // New evaluation keys of the same secret key.
    let mut rng = hush_keys::SecureRng::from_os().unwrap();
    let fresh =
        hush_client::write_evaluation_keys(&spec, &ann.key, &mut rng, Vec::new(), &mut |_, _| ())
            .unwrap()
            .into();
    assert_ne!(fresh, ann.evaluation);
    upload(service.keys(), &ann.identity, &ann.key_id(), 0, &fresh)
        .await
        .unwrap();
    assert_eq!(files(&sandbox).len(), 2);
    assert_ne!(files(&sandbox), before);
    ann.predict(&service, "square", 0.25).await;
    assert_eq!(
        service.statistics().keys.misses.value(),
        3,
        "replaced keys are read again"
    );
    service
        .keys()
        .delete(&ann.identity, &ann.key_id())
        .await
        .unwrap();
    let request = common::request("square", ann.encrypt(&[0.0; 3]));
    let gone = service.infer(&ann.identity, request).await;
    assert_eq!(kind(gone), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_new_connection_takes_an_upload_over() {
    let (sandbox, spec) = large();
    let ann = User::new("ann", &spec);
    let keys = open(&sandbox);
    let (id, total) = (ann.key_id(), ann.evaluation.len() as u64);
    let mut dead = keys.begin(&ann.identity, &id, 0, total).await.unwrap();
    dead.write(ann.evaluation.slice(..2_000_000)).await.unwrap();
    let status = keys.begin(&ann.identity, &id, 2_000_000, total).await;
    let alive = status.unwrap();
    let after = dead.write(ann.evaluation.slice(2_000_000..3_500_000)).await;
    assert_eq!(kind(after), ErrorKind::Conflict);
    drop(alive);
    upload(&keys, &ann.identity, &id, 2_000_000, &ann.evaluation)
        .await
        .unwrap();
}

#[tokio::test]
async fn limits_of_size_share_and_number() {
    let (sandbox, spec) = Sandbox::with_square();
    let ann = User::new("ann", &spec);
    let size = ann.evaluation.len() as u64;
    let limited = |change: &dyn Fn(&mut KeyStoreOptions)| {
        let mut options = options(&sandbox);
        change(&mut options);
        KeyStore::open(options, Arc::default()).unwrap()
    };
    let keys = limited(&|options| options.largest = size - 1);
    assert_eq!(kind(ann.try_upload(&keys).await), ErrorKind::TooLarge);
    drop(keys);

    let keys = limited(&|options| options.each = 2 * size);
    for _ in 0..2 {
        User::new("ann", &spec).try_upload(&keys).await.unwrap();
    }
    assert_eq!(kind(ann.try_upload(&keys).await), ErrorKind::TooLarge);
    let bob = User::new("bob", &spec);
    bob.try_upload(&keys).await.unwrap();
    drop(keys);

    let keys = limited(&|options| options.uploads = 4);
    let begun = keys
        .begin(&ann.identity, &ann.key_id(), 0, size)
        .await
        .unwrap();
    let second = User::new("ann", &spec);
    assert!(matches!(
        kind(second.try_upload(&keys).await),
        ErrorKind::Busy { .. }
    ));
    bob.try_upload(&keys).await.unwrap();
    drop(begun);
    second.try_upload(&keys).await.unwrap();
}

#[tokio::test]
async fn keys_and_uploads_that_are_too_old_go() {
    let (sandbox, spec) = Sandbox::with_square();
    let (ann, bob) = (User::new("ann", &spec), User::new("bob", &spec));
    let statistics: Arc<KeyStatistics> = Arc::default();
    let mut expiring = options(&sandbox);
    expiring.lifetime = Some(Duration::ZERO);
    let keys = KeyStore::open(expiring.clone(), Arc::clone(&statistics)).unwrap();
    let status = ann.try_upload(&keys).await.unwrap();
    assert!(status.expires.is_some());
    assert_eq!(
        kind(keys.status(&ann.identity, &ann.key_id()).await),
        ErrorKind::NotFound
    );
    send(&keys, &bob, 0, 100_000).await;
    drop(keys);
    expiring.unfinished_lifetime = Duration::ZERO;
    drop(KeyStore::open(expiring, statistics).unwrap());
    assert_eq!(files(&sandbox), Vec::<String>::new());
}
