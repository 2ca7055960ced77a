//! What each kernel costs, from its public sizes alone.

use hush_simd::words::Word;

use crate::protocol::{Cost, Kernel};
use crate::session::WINDOW;
use crate::share::{BLOCK, bit_words};

/// Rounds and bytes of a kernel on words of this ring. Vectors of more than half a million
/// elements are worked on in turns, which multiplies the rounds.
pub fn cost<W: Word>(kernel: Kernel) -> Cost {
    let word = u64::from(W::BITS / 8);
    let half = u64::from(<W::Half as Word>::BITS / 8);
    let turns = |blocks: usize| blocks.div_ceil(WINDOW) as u64;
    let of = |elements: usize, rounds: u32, bytes: u64| {
        let turns = turns(elements.div_ceil(BLOCK));
        Cost::new(u64::from(rounds) * turns, bytes * elements as u64)
    };
    let planes = |elements: usize, rounds: u32, planes: usize| {
        let turns = turns(elements.div_ceil(BLOCK));
        Cost::new(
            u64::from(rounds) * turns,
            8 * bit_words(elements, planes) as u64,
        )
    };
    match kernel {
        Kernel::Random(_) | Kernel::Prepare(_) => Cost::default(),
        Kernel::Input(count) => of(count, 1, word),
        Kernel::Reveal(count, receivers) => of(count, 1, word * receivers as u64),
        Kernel::RevealBits(count, bits, receivers) => planes(count, 1, bits * receivers),
        Kernel::Multiply(count)
        | Kernel::Bilinear(_, _, count, false)
        | Kernel::Prepared(_, count, false) => of(count, 1, 3 * word),
        Kernel::MultiplyTruncate(count)
        | Kernel::Bilinear(_, _, count, true)
        | Kernel::Prepared(_, count, true) => of(count, 2, 5 * word + half),
        Kernel::Truncate(count) => of(count, 2, 4 * word + half),
        Kernel::Sign(count, width) => {
            let (rounds, ands) = carry_tree(width);
            let width = width as usize;
            let first = if width > 1 { 2 * (width - 1) } else { 0 };
            planes(count, rounds, width + first + 3 * ands)
        }
        Kernel::IsZero(count, width) => {
            let width = width as usize;
            let depth = width.next_power_of_two().trailing_zeros();
            planes(count, 1 + depth, width + 3 * (width - 1))
        }
        Kernel::Decompose(count, width) => {
            let levels = super::adder::levels(width as usize - 1);
            let nodes = levels.iter().flatten();
            let ands: usize = nodes.map(|node| 1 + usize::from(node.2)).sum();
            let (first, rounds) = if width > 1 {
                (2 * (width as usize - 1), 2)
            } else {
                (0, 1)
            };
            planes(
                count,
                rounds + levels.len() as u32,
                width as usize + first + 3 * ands,
            )
        }
        Kernel::And(count, bits) => planes(count, 1, 3 * bits),
        Kernel::Inject(count) => of(count, 2, 4 * word),
        Kernel::BitsToWords(count, bits) => {
            let blocks = bits * count.div_ceil(BLOCK);
            Cost::new(2 * turns(blocks), 3 * word * (bits * count) as u64)
        }
        Kernel::Shuffle(count) => Cost::new(3, 6 * word * count as u64),
    }
}

/// Rounds of a sign, and ands of its tree of carries for one element.
fn carry_tree(width: u32) -> (u32, usize) {
    let mut count = width as usize - 1;
    if count == 0 {
        return (1, 0);
    }
    let (mut rounds, mut ands) = (2, 0);
    while count > 1 {
        let pairs = count / 2;
        ands += 2 * pairs - 1;
        rounds += 1;
        count -= pairs;
    }
    (rounds, ands)
}
