//! Every kernel of every protocol against plain integers, and its declared cost against the link.

mod common;

use common::{Kind, Random, open, share};
use hush_mpc::{BLOCK, BilinearMap, Bits, Cost, Kernel, Parties, Protocol, Share, Word};

/// Lengths around the borders of planes and blocks.
const LENGTHS: [usize; 7] = [1, 10, 64, 129, 1000, BLOCK, 2 * BLOCK + 77];

/// Sum over the parties, greatest depth.
fn total(costs: &[Cost]) -> Cost {
    Cost::new(
        costs.iter().map(|cost| cost.rounds).max().unwrap(),
        costs.iter().map(|cost| cost.bytes).sum(),
    )
}

/// Runs a kernel on shares of `inputs` at all parties and checks its cost; gives what party 0 says.
fn run<W: Word, T: Send>(
    kind: Kind,
    inputs: &[Vec<W>],
    kernel: Kernel,
    call: impl Fn(&mut dyn Protocol<W>, &[Share<W>]) -> T + Sync,
    finish: impl Fn(&mut dyn Protocol<W>, T) -> Vec<W> + Sync,
) -> Vec<W> {
    let results = kind.run::<W, _>(|protocol| {
        let shares: Vec<_> = inputs
            .iter()
            .enumerate()
            .map(|(owner, words)| share(protocol, owner % 3, words))
            .collect();
        let before = protocol.spent();
        let depth = protocol.depth();
        let result = call(protocol, &shares);
        let spent = protocol.spent().since(before);
        let depth = (depth, protocol.depth());
        (finish(protocol, result), spent, depth)
    });
    let costs: Vec<Cost> = results.iter().map(|result| result.1).collect();
    assert!(
        costs.iter().all(|cost| cost.rounds == costs[0].rounds),
        "{kernel:?}: rounds {costs:?}"
    );
    assert_eq!(total(&costs), kind.cost::<W>()(kernel), "{kernel:?}");
    let most = |depth: fn(&(u64, u64)) -> u64| {
        results.iter().map(|result| depth(&result.2)).max().unwrap()
    };
    let depth = most(|depth| depth.1) - most(|depth| depth.0);
    assert!(
        depth <= costs[0].rounds,
        "{kernel:?}: {depth} messages wait for each other"
    );
    assert!(
        results.iter().all(|result| result.0 == results[0].0),
        "{kernel:?}: parties open different words"
    );
    results[0].0.clone()
}

fn reveal_words<W: Word>(protocol: &mut dyn Protocol<W>, result: Share<W>) -> Vec<W> {
    open(protocol, &result)
}

fn reveal_bits<W: Word>(protocol: &mut dyn Protocol<W>, bits: Bits) -> Vec<W> {
    let opened = protocol
        .reveal_bits(Parties::all(3), &bits)
        .unwrap()
        .unwrap();
    opened.into_iter().map(W::from_u64).collect()
}

fn products<W: Word>(kind: Kind) {
    let mut random = Random::new();
    for length in LENGTHS {
        let (x, y) = (random.words::<W>(length), random.words::<W>(length));
        let found = run(
            kind,
            &[x.clone(), y.clone()],
            Kernel::Multiply(length),
            |protocol, shares| protocol.multiply(&shares[0], &shares[1]).unwrap(),
            reveal_words,
        );
        let expected: Vec<W> = x.iter().zip(&y).map(|(x, y)| x.times(*y)).collect();
        assert!(found == expected);
    }
}

/// `found` must be the exact quotient or differ by less than one.
fn check_quotients<W: Word>(exact: &[i128], found: &[W], bits: u32) {
    for (exact, found) in exact.iter().zip(found) {
        let error = (found.signed() << bits) - exact;
        assert!(
            error.abs() < 1 << bits,
            "{exact} / 2^{bits} gave {}",
            found.signed()
        );
    }
}

fn truncations<W: Word>(kind: Kind, bits: u32) {
    let mut random = Random::new();
    for length in LENGTHS {
        let x = random.signed::<W>(W::BITS - 1, length);
        let exact: Vec<i128> = x.iter().map(|x| x.signed()).collect();
        let found = run(
            kind,
            &[x],
            Kernel::Truncate(length),
            |protocol, shares| protocol.truncate(&shares[0], bits).unwrap(),
            reveal_words,
        );
        // Fits: a quarter of the ring has room for the comparison.
        let found: Vec<W> = found;
        for (exact, found) in exact.iter().zip(&found) {
            let floor = exact >> bits;
            let found = found.signed();
            assert!(
                found == floor || found == floor + 1,
                "{exact} / 2^{bits} gave {found}"
            );
        }
        let half = W::BITS / 2 - 1;
        let (x, y) = (
            random.signed::<W>(half, length),
            random.signed::<W>(half, length),
        );
        let exact: Vec<i128> = x
            .iter()
            .zip(&y)
            .map(|(x, y)| x.signed() * y.signed())
            .collect();
        let found = run(
            kind,
            &[x, y],
            Kernel::MultiplyTruncate(length),
            |protocol, shares| {
                protocol
                    .multiply_truncate(&shares[0], &shares[1], bits)
                    .unwrap()
            },
            reveal_words,
        );
        check_quotients(&exact, &found, bits);
    }
}

fn comparisons<W: Word>(kind: Kind, widths: &[u32]) {
    let mut random = Random::new();
    for (&width, length) in widths
        .iter()
        .cycle()
        .zip(LENGTHS.into_iter().cycle())
        .take(7 * widths.len())
    {
        // Private comparison works digit by digit.
        if kind == Kind::SecureNn && length > 1000 && width > 33 {
            continue;
        }
        let x = random.signed::<W>(width, length);
        let found = run(
            kind,
            std::slice::from_ref(&x),
            Kernel::Sign(length, width),
            |protocol, shares| protocol.sign(&shares[0], width).unwrap(),
            reveal_bits,
        );
        assert!(
            found
                .iter()
                .zip(&x)
                .all(|(bit, x)| bit.limb(0) == u64::from(x.signed() < 0)),
            "width {width}"
        );
        let found = run(
            kind,
            std::slice::from_ref(&x),
            Kernel::IsZero(length, width),
            |protocol, shares| protocol.is_zero(&shares[0], width).unwrap(),
            reveal_bits,
        );
        assert!(
            found
                .iter()
                .zip(&x)
                .all(|(bit, x)| bit.limb(0) == u64::from(x.signed() == 0)),
            "width {width}"
        );
        if width <= 64 {
            let found = run(
                kind,
                std::slice::from_ref(&x),
                Kernel::Decompose(length, width),
                |protocol, shares| protocol.decompose(&shares[0], width).unwrap(),
                reveal_bits,
            );
            let kept = u64::MAX >> (64 - width);
            assert!(
                found
                    .iter()
                    .zip(&x)
                    .all(|(bits, x)| bits.limb(0) == x.limb(0) & kept),
                "width {width}"
            );
        }
    }
}

/// Ands, bits times words, and bits as words.
fn bits<W: Word>(kind: Kind) {
    let mut random = Random::new();
    for length in LENGTHS {
        let (x, y) = (random.words::<W>(length), random.words::<W>(length));
        let results = kind.run::<W, _>(|protocol| {
            let protocol: &mut dyn Protocol<W> = protocol;
            let shares = [share(protocol, 1, &x), share(protocol, 2, &y)];
            let [a, b] = [0, 1].map(|i: usize| protocol.decompose(&shares[i], 5).unwrap());
            let mut spent = Vec::new();
            let mut last = protocol.spent();
            let mut note = |protocol: &mut dyn Protocol<W>| {
                spent.push(protocol.spent().since(last));
                last = protocol.spent();
            };
            let both = protocol.and(&a, &b).unwrap();
            note(protocol);
            let injected = protocol.inject(&a.plane(3), &shares[1]).unwrap();
            note(protocol);
            let words = protocol.bits_to_words(&a).unwrap();
            note(protocol);
            let different = a.clone().xor(&b).not(protocol.constant_part());
            let both = reveal_bits(protocol, both);
            let different = reveal_bits(protocol, different);
            (
                spent,
                both,
                open(protocol, &injected),
                open(protocol, &words),
                different,
            )
        });
        let kernels = [
            Kernel::And(length, 5),
            Kernel::Inject(length),
            Kernel::BitsToWords(length, 5),
        ];
        for (index, kernel) in kernels.into_iter().enumerate() {
            let costs: Vec<Cost> = results.iter().map(|result| result.0[index]).collect();
            assert_eq!(total(&costs), kind.cost::<W>()(kernel), "{kernel:?}");
        }
        let (_, both, injected, words, different) = &results[0];
        let bit = |x: &W, plane: u32| x.right(plane).limb(0) & 1;
        for (element, (x, y)) in x.iter().zip(&y).enumerate() {
            assert_eq!(both[element].limb(0), x.and(*y).limb(0) & 31);
            assert_eq!(different[element].limb(0), !x.xor(*y).limb(0) & 31);
            assert!(injected[element] == y.times(W::from_u64(bit(x, 3))));
            for plane in 0..5 {
                assert_eq!(
                    words[plane * length + element].limb(0),
                    bit(x, plane as u32)
                );
            }
        }
    }
}

fn shuffles<W: Word>(kind: Kind) {
    let mut random = Random::new();
    for (rows, row) in [(1, 1), (10, 3), (1000, 1)] {
        let x = random.words::<W>(rows * row);
        let found = run(
            kind,
            std::slice::from_ref(&x),
            Kernel::Shuffle(rows * row),
            |protocol, shares| protocol.shuffle(&shares[0], row).unwrap(),
            reveal_words,
        );
        let sorted = |words: &[W]| {
            let rows = words
                .chunks(row)
                .map(|row| row.iter().map(|word| word.signed()).collect::<Vec<_>>());
            let mut rows: Vec<_> = rows.collect();
            rows.sort_unstable();
            rows
        };
        assert!(sorted(&x) == sorted(&found));
        assert!(rows < 100 || x != found);
    }
}

#[test]
fn bits_times_words() {
    for kind in Kind::ALL {
        bits::<u64>(kind);
        bits::<u128>(kind);
    }
}

#[test]
fn shuffled_rows_stay_whole() {
    for kind in Kind::ALL {
        shuffles::<u64>(kind);
        shuffles::<u128>(kind);
    }
}

struct Sum(usize);

impl<W: Word> BilinearMap<W> for Sum {
    fn length(&self) -> usize {
        1
    }
    fn add_into(&self, left: &[W], right: &[W], result: &mut [W]) {
        for i in 0..self.0 {
            result[0] = result[0].plus(left[i].times(right[i]));
        }
    }
}

#[test]
fn products_are_exact() {
    for kind in Kind::ALL {
        products::<u64>(kind);
        products::<u128>(kind);
    }
}

#[test]
fn quotients_are_off_by_less_than_one() {
    for kind in Kind::ALL {
        truncations::<u64>(kind, 16);
        truncations::<u64>(kind, 1);
        truncations::<u64>(kind, 31);
        truncations::<u128>(kind, 32);
    }
}

#[test]
fn signs_zeros_and_bits_are_exact() {
    for kind in Kind::ALL {
        comparisons::<u64>(kind, &[33, 64, 1, 2, 17, 32]);
        comparisons::<u128>(kind, &[65, 128, 49]);
    }
}

#[test]
fn bilinear_maps() {
    for kind in Kind::ALL {
        let mut random = Random::new();
        let (x, y) = (random.signed::<u64>(26, 300), random.signed::<u64>(26, 300));
        let exact: i128 = x.iter().zip(&y).map(|(x, y)| x.signed() * y.signed()).sum();
        let found = run(
            kind,
            &[x.clone(), y.clone()],
            Kernel::Bilinear(300, 300, 1, false),
            |protocol, shares| {
                protocol
                    .bilinear(&Sum(300), &shares[0], &shares[1], 0)
                    .unwrap()
            },
            reveal_words,
        );
        assert_eq!(found[0].signed(), exact);
        let found = run(
            kind,
            &[x, y],
            Kernel::Bilinear(300, 300, 1, true),
            |protocol, shares| {
                protocol
                    .bilinear(&Sum(300), &shares[0], &shares[1], 16)
                    .unwrap()
            },
            reveal_words,
        );
        check_quotients(&[exact], &found, 16);
    }
}
