//! What each kernel costs, from its public sizes alone; what is dealt is counted.

use hush_simd::words::Word;

use crate::protocol::rep3::adder_levels;
use crate::protocol::{Cost, Kernel};
use crate::session::WINDOW;
use crate::share::{BLOCK, bit_words};

/// Rounds and bytes of a kernel on words of this ring, for an input of a server and receivers that are
/// servers.
pub fn cost<W: Word>(kernel: Kernel) -> Cost {
    let word = u64::from(W::BITS / 8);
    let half = u64::from(<W::Half as Word>::BITS / 8);
    let turns = |blocks: usize| blocks.div_ceil(WINDOW) as u64;
    let blocks = |elements: usize| turns(elements.div_ceil(BLOCK));
    let of = |elements: usize, rounds: u64, bytes: u64| {
        Cost::new(rounds * blocks(elements), bytes * elements as u64)
    };
    let plane = |elements: usize, planes: usize| 8 * bit_words(elements, planes) as u64;
    let truncate = |count: usize| of(count, 1, 3 * word + half);
    let multiply = |count: usize| of(count, 1, 5 * word);
    let plus = |mut left: Cost, right: Cost| {
        left += right;
        left
    };
    // Five bits for an and: two of each server and one that is dealt.
    let circuit = |count: usize, width: usize, rounds: u32, ands: usize| {
        let bytes = 2 * word * count as u64 + plane(count, width + 5 * ands);
        Cost::new((1 + u64::from(rounds)) * blocks(count), bytes)
    };
    match kernel {
        Kernel::Input(_) | Kernel::Random(_) => Cost::default(),
        Kernel::Reveal(count, receivers) => Cost::new(1, word * (count * receivers) as u64),
        Kernel::RevealBits(count, bits, receivers) => Cost::new(1, plane(count, bits * receivers)),
        Kernel::Multiply(count) => multiply(count),
        Kernel::MultiplyTruncate(count) => plus(multiply(count), truncate(count)),
        Kernel::Bilinear(left, right, count, cut) => {
            let product = Cost::new(1, word * (2 * (left + right) + count) as u64);
            if cut {
                plus(product, truncate(count))
            } else {
                product
            }
        }
        Kernel::Prepare(count) => Cost::new(1, 2 * word * count as u64),
        Kernel::Prepared(left, count, cut) => {
            let product = Cost::new(1, word * (2 * left + count) as u64);
            if cut {
                plus(product, truncate(count))
            } else {
                product
            }
        }
        Kernel::Truncate(count) => truncate(count),
        Kernel::Sign(count, width) => {
            let (mut left, mut rounds, mut ands) = (width as usize - 1, 0, 0);
            while left > 1 {
                ands += 2 * (left / 2) - 1;
                rounds += 1;
                left -= left / 2;
            }
            circuit(count, width as usize, rounds, ands)
        }
        Kernel::IsZero(count, width) => {
            let rounds = width.next_power_of_two().trailing_zeros();
            circuit(count, width as usize, rounds, width as usize - 1)
        }
        Kernel::Decompose(count, width) => {
            let levels = adder_levels(width as usize - 1);
            let ands = levels
                .iter()
                .flatten()
                .map(|node| 1 + usize::from(node.2))
                .sum();
            circuit(count, width as usize, levels.len() as u32, ands)
        }
        Kernel::And(count, bits) => Cost::new(1, plane(count, 5 * bits)),
        Kernel::BitsToWords(count, bits) => {
            let turns = turns(bits * count.div_ceil(BLOCK));
            Cost::new(turns, plane(count, 2 * bits) + word * (bits * count) as u64)
        }
        Kernel::Inject(count) => {
            let words = Cost::new(blocks(count), plane(count, 2) + word * count as u64);
            plus(words, multiply(count))
        }
        Kernel::Shuffle(count) => Cost::new(2, 4 * word * count as u64),
    }
}
