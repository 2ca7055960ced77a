//! Times of the kernels with three parties as threads of this process: the least of seven runs.

use std::sync::Barrier;
use std::time::Instant;

use hush_mpc::link::memory;
use hush_mpc::protocol::rep3::Rep3;
use hush_mpc::{BilinearMap, Protocol, Share};
use hush_simd::Isa;
use hush_simd::words::{MatrixShape, multiply_add_matrices};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

struct Product(MatrixShape);

impl BilinearMap<u64> for Product {
    fn length(&self) -> usize {
        self.0.rows * self.0.columns
    }
    fn add_into(&self, left: &[u64], right: &[u64], result: &mut [u64]) {
        multiply_add_matrices(Isa::active(), self.0, left, right, result);
    }
}

fn measure(name: &str, count: usize, call: impl Fn(&mut Rep3, &Share<u64>, &Share<u64>) + Sync) {
    let start = Barrier::new(3);
    let times = memory::run(3, |link| {
        let mut random = ChaCha20Rng::from_os_rng();
        let mut protocol = Rep3::establish(Box::new(link), b"bench", &mut random).unwrap();
        let values: Vec<u64> = (0..count as u64)
            .map(|i| i.wrapping_mul(0x9e37_79b9) % (1 << 31))
            .collect();
        let own = |protocol: &Rep3| (protocol.session().party() == 0).then_some(&values[..]);
        let x = protocol.input(0, own(&protocol), count).unwrap();
        let y = protocol.input(0, own(&protocol), count).unwrap();
        let runs = (0..7).map(|_| {
            start.wait();
            let before = Protocol::<u64>::spent(&protocol);
            let time = Instant::now();
            call(&mut protocol, &x, &y);
            start.wait();
            (
                time.elapsed().as_secs_f64(),
                Protocol::<u64>::spent(&protocol).since(before),
            )
        });
        runs.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
    });
    let bytes: u64 = times.iter().map(|time| time.1.bytes).sum();
    println!(
        "{name:32} {:8.2} ms {:8.3} MB {:4} rounds",
        times[0].0 * 1e3,
        bytes as f64 / 1e6,
        times[0].1.rounds
    );
}

fn main() {
    const COUNT: usize = 1 << 20;
    let shape = MatrixShape {
        rows: 512,
        depth: 512,
        columns: 512,
    };
    measure("matmul 512^3, truncated", 512 * 512, |protocol, x, y| {
        protocol.bilinear(&Product(shape), x, y, 16).unwrap();
    });
    measure("2^20 products", COUNT, |protocol, x, y| {
        protocol.multiply(x, y).unwrap();
    });
    measure("2^20 products, truncated", COUNT, |protocol, x, y| {
        protocol.multiply_truncate(x, y, 16).unwrap();
    });
    for width in [33, 64] {
        measure(
            &format!("2^20 comparisons on {width} bits"),
            COUNT,
            |protocol, x, _| {
                protocol.sign(x, width).unwrap();
            },
        );
        measure(
            &format!("2^20 ReLU on {width} bits"),
            COUNT,
            |protocol, x, _| {
                let negative = protocol.sign(x, width).unwrap();
                let positive = negative.not(Protocol::<u64>::constant_part(protocol));
                protocol.inject(&positive, x).unwrap();
            },
        );
    }
    measure("128 ReLU on 33 bits", 128, |protocol, x, _| {
        let negative = protocol.sign(x, 33).unwrap();
        protocol.inject(&negative, x).unwrap();
    });
}
