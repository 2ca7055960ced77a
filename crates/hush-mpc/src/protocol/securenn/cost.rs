//! What each kernel costs, from its public sizes alone.

use hush_simd::words::Word;

use crate::protocol::{Cost, Kernel, pond};
use crate::session::WINDOW;
use crate::share::{BLOCK, bit_words};

/// Rounds and bytes of a kernel on words of this ring.
pub fn cost<W: Word>(kernel: Kernel) -> Cost {
    let sign = |count: usize, width: u32| {
        let turns = count.div_ceil(BLOCK).div_ceil(WINDOW) as u64;
        let element = 2 * u64::from(W::BITS / 8) + 3 * u64::from(width - 1);
        Cost::new(
            3 * turns,
            element * count as u64 + 8 * bit_words(count, 1) as u64,
        )
    };
    match kernel {
        Kernel::Sign(count, width) if width >= 2 => sign(count, width),
        Kernel::IsZero(count, width) if width > 0 && width < W::BITS => sign(2 * count, width + 1),
        other => pond::cost::<W>(other),
    }
}
