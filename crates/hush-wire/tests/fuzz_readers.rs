//! Mutates a valid file of every kind and feeds it to its reader, for a few seconds.
//!
//! `HUSH_FUZZ_SEED` repeats a run, `HUSH_FUZZ_SECONDS` makes it longer.

mod samples;

use proptest::prelude::*;
use samples::Sample;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// SplitMix64: enough to choose mutations.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn mutated_files_never_panic_and_never_pass() {
    let seed = environment("HUSH_FUZZ_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0, |elapsed| elapsed.as_nanos() as u64)
    });
    println!("HUSH_FUZZ_SEED={seed}");
    let budget = Duration::from_secs(environment("HUSH_FUZZ_SECONDS").unwrap_or(3));
    let mut random = Random(seed);
    let samples = samples::all();
    for sample in &samples {
        (sample.read)(&sample.bytes).expect("the sample is valid");
    }
    let start = Instant::now();
    let mut rounds = 0u64;
    while start.elapsed() < budget {
        for (index, sample) in samples.iter().enumerate() {
            let other = &samples[(index + 1 + random.below(samples.len() - 1)) % samples.len()];
            let mut bytes = sample.bytes.clone();
            for _ in 0..=random.below(3) {
                mutate(&mut bytes, &other.bytes, &mut random);
            }
            if random.below(2) == 0 {
                seal(&mut bytes);
                // A well-formed change may be a valid file: it only must not panic.
                let _ = outcome(sample, &bytes, seed, rounds);
            } else if bytes != sample.bytes {
                let result = outcome(sample, &bytes, seed, rounds);
                assert!(
                    result.is_err(),
                    "{}: a changed file was accepted (HUSH_FUZZ_SEED={seed}, round {rounds})",
                    sample.name
                );
            }
        }
        rounds += 1;
    }
    println!("{rounds} rounds of {} readers", samples.len());
}

fn outcome(sample: &Sample, bytes: &[u8], seed: u64, round: u64) -> Result<(), String> {
    let read = AssertUnwindSafe(|| (sample.read)(bytes));
    match catch_unwind(read) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => panic!(
            "{}: the reader panicked (HUSH_FUZZ_SEED={seed}, round {round})",
            sample.name
        ),
    }
}

fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    if bytes.is_empty() {
        bytes.push(random.next() as u8);
        return;
    }
    let at = random.below(bytes.len());
    match random.below(8) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = random.next() as u8,
        3 => bytes.insert(at, random.next() as u8),
        4 => {
            bytes.remove(at);
        }
        5 => {
            let interesting = [0, 1, u64::MAX, u64::MAX >> 1, 1 << 31, 1 << 32, 1 << 63];
            let value = interesting[random.below(interesting.len())].to_le_bytes();
            let length = [1, 2, 4, 8][random.below(4)].min(bytes.len() - at);
            bytes[at..at + length].copy_from_slice(&value[..length]);
        }
        6 => {
            let from = random.below(other.len());
            let length = random
                .below(32)
                .min(other.len() - from)
                .min(bytes.len() - at);
            bytes[at..at + length].copy_from_slice(&other[from..from + length]);
        }
        _ => {
            // Early bytes are where the structure is.
            let at = random.below(bytes.len().min(96));
            bytes[at] = random.next() as u8;
        }
    }
}

/// Makes lengths and checksums right again, so that what lies behind them is reached.
fn seal(bytes: &mut [u8]) {
    if bytes.len() < 84 {
        return;
    }
    let mut header = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize;
    if header > bytes.len() - 84 {
        header = bytes.len() - 84;
        bytes[8..12].copy_from_slice(&(header as u32).to_le_bytes());
    }
    let body = (bytes.len() - 84 - header) as u64;
    bytes[12..20].copy_from_slice(&body.to_le_bytes());
    for end in [20 + header, bytes.len() - 32] {
        let checksum = blake3::hash(&bytes[..end]);
        bytes[end..end + 32].copy_from_slice(checksum.as_bytes());
    }
}

proptest! {
    #[test]
    fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for sample in samples::all() {
            prop_assert!((sample.read)(&bytes).is_err());
        }
    }

    #[test]
    fn random_bytes_after_a_valid_prefix_are_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        keep in 0usize..60,
    ) {
        for sample in samples::all() {
            let mut file = sample.bytes[..keep].to_vec();
            file.extend_from_slice(&bytes);
            prop_assert!((sample.read)(&file).is_err());
        }
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_is_refused() {
    for sample in samples::all() {
        for end in 0..sample.bytes.len() {
            assert!(
                (sample.read)(&sample.bytes[..end]).is_err(),
                "{} cut at {end}",
                sample.name
            );
        }
        for bit in 0..sample.bytes.len() * 8 {
            let mut bytes = sample.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(
                (sample.read)(&bytes).is_err(),
                "{} with bit {bit} flipped",
                sample.name
            );
        }
    }
}

#[test]
fn every_kind_is_refused_where_another_is_expected() {
    let samples = samples::all();
    for reader in &samples {
        for file in &samples {
            let same = reader.name.split(['_', '.']).next() == file.name.split(['_', '.']).next();
            assert_eq!(
                (reader.read)(&file.bytes).is_ok(),
                same,
                "{} read as {}",
                file.name,
                reader.name
            );
        }
    }
}
