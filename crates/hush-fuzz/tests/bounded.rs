//! Every target on its seeds and on damaged ones, for a moment.
//!
//! The damage is the same in every run; `HUSH_FUZZ_SEED` does other damage, `HUSH_FUZZ_SECONDS` more of it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use hush_fuzz::{Mutator, TARGETS};

/// Seconds a target.
const SECONDS: u64 = 2;
/// How long one input may take, by far.
const SLOW: Duration = Duration::from_secs(20);

fn environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn damage(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.expect("a target of this name");
    let seeds = (target.seeds)();
    for (number, seed) in seeds.iter().enumerate() {
        assert!((target.run)(seed), "seed {number} of {name} is refused");
    }
    let seed = environment("HUSH_FUZZ_SEED").unwrap_or(1);
    let seconds = environment("HUSH_FUZZ_SECONDS").unwrap_or(SECONDS);
    let mut mutator = Mutator::new(seed);
    let begun = Instant::now();
    let mut rounds = 0u64;
    while begun.elapsed() < Duration::from_secs(seconds) {
        for valid in &seeds {
            let bytes = mutator.mutate(valid);
            let at = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(&bytes)));
            if outcome.is_err() || at.elapsed() > SLOW {
                let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.crash"));
                let written = std::fs::write(&path, &bytes);
                println!(
                    "HUSH_FUZZ_SEED={seed}, round {rounds}: {} {written:?}",
                    path.display()
                );
            }
            if let Err(panic) = outcome {
                resume_unwind(panic);
            }
            assert!(at.elapsed() < SLOW, "one input took {:?}", at.elapsed());
            rounds += 1;
        }
    }
    println!("{name}: {rounds} inputs");
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { damage(stringify!($name)); })*

        #[test]
        fn no_target_is_left_out() {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
            for name in names {
                let fuzzed = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../fuzz/targets/{name}.rs"));
                assert!(fuzzed.exists(), "{}", fuzzed.display());
            }
        }
    };
}

targets! {
    ciphertexts,
    evaluation_keys,
    client,
    model,
    rest_json,
    rest_binary,
    rest_upload,
    grpc_infer,
    grpc_stream,
    token,
    onnx,
    frame,
    job,
    shared_graph,
    aggregation,
    calculation,
}
