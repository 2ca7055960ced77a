//! Every instruction set against schoolbook arithmetic and against scalar code, bit for bit.

use hush_simd::ntt::NttTable;
use hush_simd::{Isa, Modulus, kernels};

/// SplitMix64: enough to make operands; the seed is printed when a test fails.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_nanos() as u64;
        println!("seed {seed}");
        Self(seed)
    }
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// Residues with the extremes mixed in.
    fn residues(&mut self, q: u64, count: usize) -> Vec<u64> {
        (0..count)
            .map(|_| match self.word() % 16 {
                0 => 0,
                1 => q - 1,
                2 => 1,
                3 => q / 2,
                _ => self.word() % q,
            })
            .collect()
    }
}

fn is_prime(n: u64) -> bool {
    let mul = |a: u64, b: u64| (a as u128 * b as u128 % n as u128) as u64;
    let pow = |mut b: u64, mut e: u64| {
        let mut r = 1;
        while e > 0 {
            if e & 1 == 1 {
                r = mul(r, b);
            }
            b = mul(b, b);
            e >>= 1;
        }
        r
    };
    let s = (n - 1).trailing_zeros();
    [2u64, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37]
        .iter()
        .all(|&a| {
            let mut x = pow(a % n, (n - 1) >> s);
            if x <= 1 || x == n - 1 {
                return x != 0;
            }
            for _ in 1..s {
                x = mul(x, x);
                if x == n - 1 {
                    return true;
                }
            }
            false
        })
}

/// The largest prime below 2^bits that is 1 mod 2N.
fn prime(bits: u32, degree: usize) -> u64 {
    let step = 2 * degree as u64;
    let mut q = (1u64 << bits) / step * step + 1;
    loop {
        q -= step;
        if is_prime(q) {
            return q;
        }
    }
}

fn moduli(degree: usize) -> Vec<Modulus> {
    [25, 36, 45, 48, 50]
        .iter()
        .map(|&bits| Modulus::new(prime(bits, degree)).unwrap())
        .collect()
}

/// a b mod X^N + 1 by the definition.
fn schoolbook(q: &Modulus, a: &[u64], b: &[u64]) -> Vec<u64> {
    let n = a.len();
    let mut out = vec![0; n];
    for i in 0..n {
        for j in 0..n {
            let product = q.mul(a[i], b[j]);
            let k = (i + j) % n;
            out[k] = if i + j < n {
                q.add(out[k], product)
            } else {
                q.sub(out[k], product)
            };
        }
    }
    out
}

#[test]
fn transforms_multiply_polynomials() {
    let mut random = Random::new();
    for degree in [256, 512, 1024, 2048] {
        for q in moduli(degree) {
            let a = random.residues(q.value(), degree);
            let b = random.residues(q.value(), degree);
            let expected = schoolbook(&q, &a, &b);
            for isa in Isa::available() {
                let table = NttTable::new(isa, degree, q).unwrap();
                let (mut x, mut y) = (a.clone(), b.clone());
                table.forward(&mut x);
                table.forward(&mut y);
                kernels::multiply_assign(isa, &q, &mut x, &y);
                table.inverse(&mut x);
                assert!(x == expected, "{} N={degree} q={}", isa.name(), q.value());
            }
        }
    }
}

#[test]
fn transforms_agree_and_invert_at_every_degree() {
    let mut random = Random::new();
    for log_degree in 8..=17 {
        let degree = 1usize << log_degree;
        for q in moduli(degree) {
            let a = random.residues(q.value(), degree);
            let mut expected: Option<Vec<u64>> = None;
            for isa in Isa::available() {
                let table = NttTable::new(isa, degree, q).unwrap();
                let mut x = a.clone();
                table.forward(&mut x);
                assert!(x.iter().all(|&v| v < q.value()));
                match &expected {
                    Some(values) => assert!(&x == values, "{} N={degree}", isa.name()),
                    None => expected = Some(x.clone()),
                }
                table.inverse_scaled(&mut x, 5);
                for (got, &word) in x.iter().zip(&a) {
                    assert_eq!(*got, q.mul(word, 5));
                }
            }
        }
    }
}

#[test]
fn the_order_of_a_transform_is_bit_reversed() {
    let (degree, mut random) = (256, Random::new());
    for q in moduli(degree) {
        let root = q.primitive_root(2 * degree as u64).unwrap();
        let a = random.residues(q.value(), degree);
        for isa in Isa::available() {
            let mut x = a.clone();
            NttTable::new(isa, degree, q).unwrap().forward(&mut x);
            for (i, &value) in x.iter().enumerate() {
                let point = q.pow(root, 2 * (i.reverse_bits() >> (64 - 8)) as u64 + 1);
                let sum = a
                    .iter()
                    .rev()
                    .fold(0, |sum, &c| q.add(q.mul(sum, point), c));
                assert_eq!(value, sum, "{}", isa.name());
            }
        }
    }
}

#[test]
fn elementwise_kernels_match_their_definition() {
    let mut random = Random::new();
    for q in moduli(1024) {
        for length in [8, 16, 24, 1000] {
            let a = random.residues(q.value(), length);
            let b = random.residues(q.value(), length);
            let c = random.residues(q.value(), length);
            let factor = q.multiplier(random.word());
            for isa in Isa::available() {
                let check = |name: &str, got: &[u64], expected: &dyn Fn(usize) -> u64| {
                    for (i, &word) in got.iter().enumerate() {
                        assert_eq!(word, expected(i), "{name} on {} at {i}", isa.name());
                    }
                };
                let mut x = a.clone();
                kernels::add_assign(isa, &q, &mut x, &b);
                check("add", &x, &|i| q.add(a[i], b[i]));
                let mut x = a.clone();
                kernels::sub_assign(isa, &q, &mut x, &b);
                check("sub", &x, &|i| q.sub(a[i], b[i]));
                let mut x = a.clone();
                kernels::negate_assign(isa, &q, &mut x);
                check("negate", &x, &|i| q.negate(a[i]));
                let mut x = a.clone();
                kernels::multiply_assign(isa, &q, &mut x, &b);
                check("multiply", &x, &|i| q.mul(a[i], b[i]));
                let mut x = a.clone();
                kernels::multiply_add_assign(isa, &q, &mut x, &b, &c);
                check("multiply_add", &x, &|i| q.add(a[i], q.mul(b[i], c[i])));
                let mut x = a.clone();
                kernels::scale_assign(isa, &q, &mut x, factor);
                check("scale", &x, &|i| q.mul(a[i], factor.value));
                let mut x = a.clone();
                kernels::subtract_scale_assign(isa, &q, &mut x, &b, factor);
                check("subtract_scale", &x, &|i| {
                    q.mul(q.sub(a[i], b[i]), factor.value)
                });
                let large: Vec<u64> = a.iter().map(|&w| w | 1 << 49).collect();
                let mut x = vec![0; length];
                kernels::scale_into(isa, &q, &mut x, &large, factor);
                check("scale_into", &x, &|i| q.mul(large[i], factor.value));
                let mut x = a.clone();
                kernels::scale_add_assign(isa, &q, &mut x, &large, factor);
                check("scale_add", &x, &|i| {
                    q.add(a[i], q.mul(large[i], factor.value))
                });
                let (mut d0, mut d1, mut d2) = (a.clone(), a.clone(), a.clone());
                kernels::tensor_into(isa, &q, [&mut d0, &mut d1, &mut d2], [&a, &b], [&c, &a]);
                check("tensor 0", &d0, &|i| q.mul(a[i], c[i]));
                check("tensor 1", &d1, &|i| {
                    q.add(q.mul(a[i], a[i]), q.mul(b[i], c[i]))
                });
                check("tensor 2", &d2, &|i| q.mul(b[i], a[i]));
            }
        }
    }
}

#[test]
fn sums_of_many_products_do_not_overflow() {
    let (mut random, length) = (Random::new(), 64);
    let source = prime(50, 1024);
    for q in moduli(1024) {
        for count in [1, 2, 7, 8, 14, 15, 29, 40] {
            let mut rows: Vec<Vec<u64>> = (0..count)
                .map(|_| random.residues(source, length))
                .collect();
            rows[0] = vec![source - 1; length];
            let weights = random.residues(q.value(), count);
            let views: Vec<&[u64]> = rows.iter().map(Vec::as_slice).collect();
            let reduced: Vec<Vec<u64>> = rows
                .iter()
                .map(|row| row.iter().map(|&w| w % q.value()).collect())
                .collect();
            let digits: Vec<&[u64]> = reduced.iter().map(Vec::as_slice).collect();
            let key = random.residues(q.value(), 2 * count * length);
            let packed = kernels::PackedRows::pack(&q, &key.chunks(length).collect::<Vec<_>>());
            for (row, words) in key.chunks(length).enumerate() {
                assert_eq!(packed.row(row), words);
            }
            let inverses = vec![1.0 / source as f64; count];
            let mut quotients: Option<Vec<u64>> = None;
            for isa in Isa::available() {
                let mut out = vec![0; length];
                kernels::combine(isa, &q, &mut out, &views, &weights);
                for i in 0..length {
                    let expected =
                        (0..count).fold(0, |sum, r| q.add(sum, q.mul(rows[r][i], weights[r])));
                    assert_eq!(out[i], expected, "combine {count} on {}", isa.name());
                }
                let (mut out0, mut out1) = (vec![0; length], vec![0; length]);
                for (first, length) in [(0, 32), (32, length - 32)] {
                    let outs = [&mut out0, &mut out1].map(|out| &mut out[first..first + length]);
                    kernels::inner_product(isa, &q, first, outs, &digits, &packed);
                }
                for i in 0..length {
                    for (half, out) in [&out0, &out1].into_iter().enumerate() {
                        let expected = (0..count).fold(0, |sum, d| {
                            q.add(sum, q.mul(digits[d][i], key[(2 * d + half) * length + i]))
                        });
                        assert_eq!(out[i], expected, "inner product on {}", isa.name());
                    }
                }
                let mut rounded = vec![0; length];
                kernels::rounded_quotient(isa, &mut rounded, &views, &inverses);
                match &quotients {
                    Some(expected) => assert_eq!(&rounded, expected, "{}", isa.name()),
                    None => {
                        for i in 0..length {
                            let sum: f64 = rows.iter().map(|r| r[i] as f64 / source as f64).sum();
                            assert!((rounded[i] as f64 - sum).abs() < 0.5 + 1e-9);
                        }
                        quotients = Some(rounded);
                    }
                }
            }
        }
    }
}

#[test]
fn automorphisms_permute_transforms() {
    let mut random = Random::new();
    for degree in [256usize, 512, 4096] {
        let q = Modulus::new(prime(45, degree)).unwrap();
        let a = random.residues(q.value(), degree);
        let b = random.residues(q.value(), degree);
        for element in [3, 5, 25, 2 * degree - 1, 2 * degree - 5, 77] {
            let mut image = vec![0; degree];
            for (i, &c) in a.iter().enumerate() {
                let k = i * element % (2 * degree);
                image[k % degree] = if k < degree { c } else { q.negate(c) };
            }
            for isa in Isa::available() {
                let table = NttTable::new(isa, degree, q).unwrap();
                let (mut x, mut expected) = (a.clone(), image.clone());
                table.forward(&mut x);
                table.forward(&mut expected);
                let permutation = kernels::BlockPermutation::automorphism(degree, element);
                let mut out = vec![0; degree];
                kernels::permute(isa, &permutation, &mut out, &x);
                assert!(out == expected, "{} N={degree} g={element}", isa.name());
                for length in [8, 64, degree / 2] {
                    for (i, out) in out.chunks_exact_mut(length).enumerate() {
                        let tile = permutation.tile(i * length, length);
                        let from = &x[tile.source()..tile.source() + length];
                        out.fill(0);
                        kernels::permute_tile(isa, tile, out, from);
                    }
                    assert!(out == expected, "{} tiles of {length}", isa.name());
                }
                let mut sum = b.clone();
                kernels::permute_add_assign(isa, &q, &permutation, &mut sum, &x);
                assert!((0..degree).all(|i| sum[i] == q.add(b[i], expected[i])));
            }
        }
    }
}
