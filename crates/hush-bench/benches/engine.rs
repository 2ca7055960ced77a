//! Criterion benches of every engine operation at every standard shape.

use criterion::{Criterion, criterion_group, criterion_main};
use hush_bench::{Bench, OPERATIONS};
use hush_testkit::ParameterSet;

fn engine(criterion: &mut Criterion) {
    for set in &ParameterSet::SECURE {
        let mut bench = Bench::new(set);
        let mut group = criterion.benchmark_group(set.name);
        group.sample_size(10);
        for &(name, operation) in OPERATIONS {
            group.bench_function(name, |bencher| bencher.iter(|| operation(&mut bench)));
        }
    }
}

criterion_group!(benches, engine);
criterion_main!(benches);
