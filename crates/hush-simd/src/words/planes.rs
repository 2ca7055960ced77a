//! Words turned into planes of bits, 64 elements a word, and back.
//!
//! Of `n` words, `columns = plane_words(n)`, element `e` has its bits in word `e % columns` of each
//! plane, at bit `e / columns`: the words are read as rows of `columns`, so that the transposition
//! works on vectors of neighbouring words.

use super::{Word, vectorized};
use crate::Isa;

/// Elements in one word of a plane.
pub const PLANE_ROWS: usize = 64;

/// The words in one plane of so many elements.
pub const fn plane_words(elements: usize) -> usize {
    elements.div_ceil(PLANE_ROWS)
}

/// Transposes 64 rows of `LANES` words each: bit `r` of row `p` was bit `p` of row `r`.
#[inline(always)]
fn transpose<const LANES: usize>(rows: &mut [[u64; LANES]; PLANE_ROWS]) {
    let mut distance = PLANE_ROWS / 2;
    let mut mask = u64::MAX >> 32;
    while distance > 0 {
        let mut row = 0;
        while row < PLANE_ROWS {
            for lane in 0..LANES {
                let (low, high) = (rows[row][lane], rows[row + distance][lane]);
                let change = ((low >> distance) ^ high) & mask;
                rows[row + distance][lane] = high ^ change;
                rows[row][lane] = low ^ (change << distance);
            }
            // The next row whose bit `distance` is not set.
            row = (row + distance + 1) & !distance;
        }
        distance /= 2;
        mask ^= mask << distance;
    }
}

/// The lowest `planes.len() / columns` bits of each word, one plane a bit, lowest first. Elements
/// that fill up the last row give zero bits.
///
/// # Panics
/// If `planes` is not whole planes, at most as many as a word has bits.
pub fn planes_of_words<W: Word>(isa: Isa, words: &[W], planes: &mut [u64]) {
    let columns = plane_words(words.len());
    if columns == 0 {
        return;
    }
    let count = planes.len() / columns;
    assert_eq!(planes.len() % columns, 0, "whole planes");
    assert!(count <= W::BITS as usize, "no more planes than bits");
    vectorized(isa, || {
        for (limb, part) in planes.chunks_mut(columns * PLANE_ROWS).enumerate() {
            let mut column = 0;
            while column + 8 <= columns {
                to_planes::<W, 8>(words, limb as u32, column, columns, part);
                column += 8;
            }
            while column < columns {
                to_planes::<W, 1>(words, limb as u32, column, columns, part);
                column += 1;
            }
        }
    });
}

#[inline(always)]
fn to_planes<W: Word, const LANES: usize>(
    words: &[W],
    limb: u32,
    column: usize,
    columns: usize,
    planes: &mut [u64],
) {
    let mut rows = [[0; LANES]; PLANE_ROWS];
    for (row, start) in rows.iter_mut().zip((column..).step_by(columns)) {
        if let Some(from) = words.get(start..start + LANES) {
            for lane in 0..LANES {
                row[lane] = from[lane].limb(limb);
            }
        } else {
            for lane in 0..LANES {
                row[lane] = words.get(start + lane).map_or(0, |word| word.limb(limb));
            }
        }
    }
    transpose(&mut rows);
    for (row, plane) in rows.iter().zip(planes.chunks_exact_mut(columns)) {
        plane[column..column + LANES].copy_from_slice(row);
    }
}

/// The words whose lowest bits the planes are; other bits are zero. The inverse of
/// [`planes_of_words`].
///
/// # Panics
/// If `planes` is not whole planes, at most 64.
pub fn words_of_planes(isa: Isa, planes: &[u64], words: &mut [u64]) {
    let columns = plane_words(words.len());
    if columns == 0 {
        return;
    }
    assert_eq!(planes.len() % columns, 0, "whole planes");
    assert!(planes.len() <= columns * PLANE_ROWS, "at most 64 planes");
    vectorized(isa, || {
        let mut column = 0;
        while column + 8 <= columns {
            from_planes::<8>(planes, column, columns, words);
            column += 8;
        }
        while column < columns {
            from_planes::<1>(planes, column, columns, words);
            column += 1;
        }
    });
}

#[inline(always)]
fn from_planes<const LANES: usize>(
    planes: &[u64],
    column: usize,
    columns: usize,
    words: &mut [u64],
) {
    let mut rows = [[0; LANES]; PLANE_ROWS];
    for (row, plane) in rows.iter_mut().zip(planes.chunks_exact(columns)) {
        row.copy_from_slice(&plane[column..column + LANES]);
    }
    transpose(&mut rows);
    for (row, start) in rows.iter().zip((column..).step_by(columns)) {
        for lane in 0..LANES {
            if let Some(word) = words.get_mut(start + lane) {
                *word = row[lane];
            }
        }
    }
}

/// For each element, all bits set where its bit in `plane` is one, none where it is zero.
///
/// # Panics
/// If `plane` has not as many words as so many elements take.
pub fn mask_of_plane<W: Word>(isa: Isa, plane: &[u64], masks: &mut [W]) {
    let columns = plane_words(masks.len());
    assert_eq!(plane.len(), columns, "one plane");
    if columns == 0 {
        return;
    }
    vectorized(isa, || {
        for (row, masks) in masks.chunks_mut(columns).enumerate() {
            for (mask, &word) in masks.iter_mut().zip(plane) {
                *mask = W::mask((word >> row) & 1);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(count: usize) -> Vec<u64> {
        let mut state = 0x1234_5678_9abc_def1u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn planes_hold_the_bits_on_every_isa() {
        for isa in Isa::available() {
            for count in [1, 2, 63, 64, 65, 128, 500, 512, 1000, 1024, 16384] {
                for planes in [1, 33, 64] {
                    let words = words(count);
                    let columns = plane_words(count);
                    let mut bits = vec![7; planes * columns];
                    planes_of_words(isa, &words, &mut bits);
                    for plane in 0..planes {
                        for (element, word) in words.iter().enumerate() {
                            let found = bits[plane * columns + element % columns];
                            assert_eq!((found >> (element / columns)) & 1, (word >> plane) & 1);
                        }
                    }
                    let mut back = vec![0; count];
                    words_of_planes(isa, &bits, &mut back);
                    let kept = u64::MAX >> (64 - planes);
                    assert!(back.iter().zip(&words).all(|(b, w)| *b == w & kept));
                    let mut masks = vec![0u64; count];
                    mask_of_plane(isa, &bits[..columns], &mut masks);
                    assert!(
                        masks
                            .iter()
                            .zip(&words)
                            .all(|(m, w)| *m == 0u64.wrapping_sub(w & 1))
                    );
                }
            }
        }
    }

    #[test]
    fn wide_words_give_their_high_bits_too() {
        let wide: Vec<u128> = words(200)
            .chunks(2)
            .map(|w| (w[0] as u128) << 64 | w[1] as u128)
            .collect();
        for isa in Isa::available() {
            let columns = plane_words(wide.len());
            let mut bits = vec![0; 128 * columns];
            planes_of_words(isa, &wide, &mut bits);
            for plane in 0..128 {
                for (element, word) in wide.iter().enumerate() {
                    let found = bits[plane * columns + element % columns];
                    assert_eq!(
                        (found >> (element / columns)) as u128 & 1,
                        (word >> plane) & 1
                    );
                }
            }
        }
    }
}
