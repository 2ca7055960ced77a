//! How fast a file of evaluation keys is stored, checked and read again, and how much memory that takes.
//!
//! `cargo run --release -p hush-serving --example key_upload [MEGABYTES [FILE]]`; the keys, of id 0202…, are
//! written to FILE as well, for trying out a server.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hush_serving::{Identity, KeyStore, KeyStoreOptions};
use hush_wire::{
    EvaluationKeysHeaderV1, EvaluationKeysWriter, ParametersV1, SwitchV1, SwitchingKeyShapeV1,
    SwitchingKeyV1,
};

/// Bytes that arrive at once, as over HTTP.
const CHUNK: usize = 64 << 10;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let megabytes: u64 = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 200,
    };
    let folder = tempfile::tempdir()?;
    let path = match std::env::args_os().nth(2) {
        Some(path) => path.into(),
        None => folder.path().join("keys"),
    };
    write_keys(&path, megabytes << 20)?;
    let total = path.metadata()?.len();
    let keys = KeyStore::open(
        KeyStoreOptions {
            folder: folder.path().join("store"),
            ..KeyStoreOptions::default()
        },
        Arc::default(),
    )?;
    let (identity, id) = (Identity::local(), "02".repeat(16));
    let mut file = File::open(&path)?;
    let before = resident()?;
    let begun = Instant::now();
    let mut upload = keys.begin(&identity, &id, 0, total).await?;
    loop {
        let mut chunk = vec![0; CHUNK];
        let count = file.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        upload.write(Bytes::from(chunk).slice(..count)).await?;
    }
    let sent = begun.elapsed();
    upload.finish().await?;
    let stored = begun.elapsed();
    println!(
        "{total} bytes in {stored:?} ({:.0} MB/s), {:?} of it after the last byte; memory grew by {} kB",
        total as f64 / stored.as_secs_f64() / 1e6,
        stored - sent,
        resident()?.saturating_sub(before),
    );
    Ok(())
}

/// Keys that nothing can be computed with, but that pass every check.
fn write_keys(path: &Path, bytes: u64) -> Result<(), Box<dyn Error>> {
    let mut header = EvaluationKeysHeaderV1 {
        parameters: ParametersV1 {
            log_degree: 14,
            moduli: vec![(1 << 45) - 1; 7],
            special_moduli: vec![(1 << 46) - 1; 2],
        },
        key_id: [2; 16],
        keys: Vec::new(),
    };
    while header.body_length() < bytes {
        let element = 2 * header.keys.len() as u64 + 1;
        header.keys.push(SwitchingKeyShapeV1 {
            switch: SwitchV1::Galois { element },
            limbs: 7,
        });
    }
    let shapes = header.keys.clone();
    let count = (9 * header.digits(7)) << 14;
    let mut writer = EvaluationKeysWriter::new(BufWriter::new(File::create(path)?), header)?;
    let mut state = 1u64;
    for shape in shapes {
        let residues = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state >> 20
        });
        writer.write(&SwitchingKeyV1 {
            shape,
            seed: [7; 32],
            residues: residues.take(count).collect(),
        })?;
    }
    writer.finish()?.into_inner()?.sync_all()?;
    Ok(())
}

/// The most memory that the process has had, in kB.
fn resident() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let digits = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(digits.ok_or("no VmHWM")?.parse()?)
}
