//! Times secure aggregation: 100 clients, vectors of 10^6 values, 21 neighbours, 10 clients that drop out after sharing
//! their secrets. `cargo run --release -p hush-federated --example secure_aggregation [runs]`
//!
//! Prints the least time of each side and checks the sum exactly. Masks use all threads of the rayon pool;
//! `RAYON_NUM_THREADS=1` gives the time on one.

use std::time::{Duration, Instant};

use hush_federated::client::Client;
use hush_federated::server::Server;
use hush_federated::{
    Directory, FederatedError, Identity, Outliers, Quantizer, QuantizerLiteral, Settings,
    SettingsLiteral,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

const CLIENTS: usize = 100;
const NEIGHBOURS: usize = 21;
const VALUES: usize = 1_000_000;
const DROPPED: usize = 10;

fn main() -> Result<(), FederatedError> {
    let runs = std::env::args()
        .nth(1)
        .and_then(|runs| runs.parse().ok())
        .unwrap_or(1);
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let quantizer = Quantizer::new(QuantizerLiteral {
        values: VALUES,
        bound: 1.0,
        precision: 25,
        weight_most: 1,
        clients: CLIENTS,
        noise: None,
    })?;
    let (mut client_least, mut server_least, mut upload) = (Duration::MAX, Duration::MAX, 0);
    for run in 0..runs {
        let mut session = [0; 32];
        rng.fill_bytes(&mut session);
        let settings = Settings::new(SettingsLiteral::recommended(
            session,
            CLIENTS,
            NEIGHBOURS,
            VALUES,
            quantizer.bits(),
        ))?;
        let (client, server, bytes) = aggregate(&settings, &quantizer, &mut rng)?;
        println!("run {run}: client {client:.1?} (median), server {server:.1?}");
        client_least = client_least.min(client);
        server_least = server_least.min(server);
        upload = bytes;
    }
    println!(
        "client {:.4} s, server {:.3} s, upload {:.3} MB, {} bits a value, sum exact",
        client_least.as_secs_f64(),
        server_least.as_secs_f64(),
        upload as f64 / 1e6,
        quantizer.bits(),
    );
    Ok(())
}

/// Median time of the clients that stay, time of the server, and the most bytes that a client sends.
fn aggregate(
    settings: &Settings,
    quantizer: &Quantizer,
    rng: &mut ChaCha20Rng,
) -> Result<(Duration, Duration, usize), FederatedError> {
    let identities: Vec<Identity> = (0..CLIENTS)
        .map(|_| {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            Identity::from_seed(&seed)
        })
        .collect();
    let directory = Directory::new(identities.iter().map(Identity::public).collect())?;
    let mut times = vec![Duration::ZERO; CLIENTS];
    let mut bytes = vec![0; CLIENTS];
    let mut server_time = Duration::ZERO;
    let mut server = Server::new(settings, &directory);
    let mut expected = vec![0i64; VALUES];

    let mut clients = Vec::new();
    for (index, identity) in identities.iter().enumerate() {
        let start = Instant::now();
        let client = Client::new(settings, &directory, identity, index as u32)?;
        let (client, message) = client.announce(rng);
        times[index] += start.elapsed();
        bytes[index] += message.len();
        server_time += timed(|| server.receive(index as u32, &message))?;
        clients.push(client);
    }
    let start = Instant::now();
    let roster = server.close()?;
    server_time += start.elapsed();
    let mut shared = Vec::new();
    for ((index, client), outgoing) in clients.into_iter().enumerate().zip(&roster) {
        let start = Instant::now();
        let (client, message) = client.share(&outgoing.bytes, rng)?;
        times[index] += start.elapsed();
        bytes[index] += message.len();
        server_time += timed(|| server.receive(index as u32, &message))?;
        shared.push(client);
    }
    let start = Instant::now();
    let shares = server.close()?;
    server_time += start.elapsed();
    let mut masked = Vec::new();
    for ((index, client), outgoing) in shared.into_iter().enumerate().zip(&shares) {
        if index % (CLIENTS / DROPPED) == 3 {
            continue;
        }
        let values: Vec<f32> = (0..VALUES)
            .map(|_| (rng.next_u32() as f32 / u32::MAX as f32) * 2.0 - 1.0)
            .collect();
        let words = quantizer.encode(&values, 1, Outliers::Refuse, rng)?;
        let shift = 64 - quantizer.bits();
        for (expected, word) in expected.iter_mut().zip(&words) {
            *expected += ((word << shift) as i64) >> shift;
        }
        let start = Instant::now();
        let (client, message) = client.mask(&outgoing.bytes, &words)?;
        times[index] += start.elapsed();
        bytes[index] += message.len();
        server_time += timed(|| server.receive(index as u32, &message))?;
        masked.push((index, client));
    }
    let start = Instant::now();
    let survivors = server.close()?;
    server_time += start.elapsed();
    let mut consented = Vec::new();
    for ((index, client), outgoing) in masked.into_iter().zip(&survivors) {
        let start = Instant::now();
        let (client, message) = client.consent(&outgoing.bytes)?;
        times[index] += start.elapsed();
        bytes[index] += message.len();
        server_time += timed(|| server.receive(index as u32, &message))?;
        consented.push((index, client));
    }
    let start = Instant::now();
    let consents = server.close()?;
    server_time += start.elapsed();
    let mut survivor_times = Vec::new();
    for ((index, client), outgoing) in consented.into_iter().zip(&consents) {
        let start = Instant::now();
        let message = client.unmask(&outgoing.bytes)?;
        times[index] += start.elapsed();
        survivor_times.push(times[index]);
        bytes[index] += message.len();
        server_time += timed(|| server.receive(index as u32, &message))?;
    }
    let start = Instant::now();
    let outcome = server.finish()?;
    server_time += start.elapsed();

    let (sums, _) = quantizer.sums(&outcome.words, outcome.survivors.len())?;
    assert_eq!(sums, expected, "the sum is not exact");
    assert_eq!(outcome.dropped.len(), DROPPED);
    survivor_times.sort_unstable();
    let most = bytes.into_iter().max().unwrap_or_default();
    Ok((survivor_times[survivor_times.len() / 2], server_time, most))
}

fn timed(action: impl FnOnce() -> Result<(), FederatedError>) -> Result<Duration, FederatedError> {
    let start = Instant::now();
    action()?;
    Ok(start.elapsed())
}
