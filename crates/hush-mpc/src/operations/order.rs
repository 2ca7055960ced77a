//! Largest elements, their places, and sorting.

use hush_simd::words::Word;

use super::comparison::{is_negative, maximum, relu};
use crate::secret::integer_bits;
use crate::{Fixed, MpcError, Protocol, Secret, Share};

/// The largest element along `axis`, which goes away: a tree of comparisons.
pub fn max_along<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    axis: usize,
) -> Result<Secret<W>, MpcError> {
    let mut x = x.clone();
    check_axis("maximum", &x, axis)?;
    while x.shape()[axis] > 1 {
        let (length, half) = (x.shape()[axis], x.shape()[axis] / 2);
        let larger = maximum(
            protocol,
            &x.slice(axis, 0..half)?,
            &x.slice(axis, half..2 * half)?,
        )?;
        x = Secret::concatenate(axis, &[&larger, &x.slice(axis, 2 * half..length)?])?;
    }
    let mut shape = x.shape().to_vec();
    shape.remove(axis);
    x.reshape(shape)
}

/// The largest element of all.
pub fn largest<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let count = x.len();
    max_along(protocol, &x.clone().reshape(vec![count])?, 0)
}

fn check_axis<W: Word>(
    operation: &'static str,
    x: &Secret<W>,
    axis: usize,
) -> Result<usize, MpcError> {
    match x.shape().get(axis) {
        Some(&length) if length > 0 => Ok(length),
        _ => {
            let reason = format!("there is no element along dimension {axis}");
            Err(MpcError::Shape {
                operation,
                shape: x.shape().to_vec(),
                reason,
            })
        }
    }
}

/// The place of the largest element along `axis`, which goes away, as a whole number; of equal ones
/// the first, or the last if `last`.
pub fn arg_max<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    axis: usize,
    last: bool,
) -> Result<Secret<W>, MpcError> {
    let length = check_axis("arg-max", x, axis)?;
    let (outer, _, inner) = x.around("arg-max", axis)?;
    let place = |element: usize| (element / inner % length) as f64;
    let places: Vec<f64> = (0..x.len()).map(place).collect();
    let index_type = Fixed::new(integer_bits(length as f64).max(1), 0);
    let mut index = Secret::public(&*protocol, x.shape(), index_type, &places)?;
    let mut x = x.clone();
    while x.shape()[axis] > 1 {
        // Neighbours, so that what stands on the left always comes from places before.
        let [left, right, rest] = neighbours(&x, axis)?;
        let [left_index, right_index, rest_index] = neighbours(&index, axis)?;
        let take_right = if last {
            is_negative(protocol, &right.sub(&left)?)?.not(protocol.constant_part())
        } else {
            is_negative(protocol, &left.sub(&right)?)?
        };
        let differences = [
            right.share().clone().sub(left.share()),
            right_index.share().clone().sub(left_index.share()),
        ];
        let count = left.len();
        let both = select_both(protocol, &take_right, &differences)?;
        let larger = left.with_share(x.fixed(), both.slice(0..count).add(left.share()));
        let place = left_index.with_share(
            index_type,
            both.slice(count..2 * count).add(left_index.share()),
        );
        x = Secret::concatenate(axis, &[&larger, &rest])?;
        index = Secret::concatenate(axis, &[&place, &rest_index])?;
    }
    debug_assert_eq!(index.len(), outer * inner);
    let mut shape = index.shape().to_vec();
    shape.remove(axis);
    index.reshape(shape)
}

/// Elements along an axis: the first, third and so on, those after them, and a last one that has none.
fn neighbours<W: Word>(x: &Secret<W>, axis: usize) -> Result<[Secret<W>; 3], MpcError> {
    let (outer, length, inner) = x.around("arg-max", axis)?;
    let pairs = length / 2;
    let pick = |places: Vec<usize>| {
        let mut shape = x.shape().to_vec();
        shape[axis] = places.len();
        let lines = (0..outer).flat_map(|block| {
            places
                .iter()
                .map(move |place| (block * length + place) * inner)
        });
        let sources: Vec<usize> = lines.flat_map(|start| start..start + inner).collect();
        x.gather(shape, &sources)
    };
    let left = pick((0..pairs).map(|pair| 2 * pair).collect())?;
    let right = pick((0..pairs).map(|pair| 2 * pair + 1).collect())?;
    Ok([left, right, pick((2 * pairs..length).collect())?])
}

/// Two shares times the same bits, at the same time.
fn select_both<W: Word>(
    protocol: &mut dyn Protocol<W>,
    bit: &crate::Bits,
    shares: &[Share<W>; 2],
) -> Result<Share<W>, MpcError> {
    let joined = Share::concatenate(&[&shares[0], &shares[1]]);
    let bits = bit.repeat(2);
    protocol.inject(&bits, &joined)
}

/// Each line along the last axis in ascending order, by Batcher's network of compare and exchange:
/// about log2(n)²/2 layers of a comparison each, whatever the values are.
pub fn sort<W: Word>(protocol: &mut dyn Protocol<W>, x: &Secret<W>) -> Result<Secret<W>, MpcError> {
    let axis = x.shape().len().saturating_sub(1);
    let length = check_axis("sort", x, axis)?;
    let lines = x.len() / length;
    let mut share = x.share().clone();
    for layer in network(length) {
        let places = |pick: fn(&(usize, usize)) -> usize| -> Vec<usize> {
            let lines = 0..lines;
            lines
                .flat_map(|line| layer.iter().map(move |pair| line * length + pick(pair)))
                .collect()
        };
        let (low, high) = (places(|pair| pair.0), places(|pair| pair.1));
        let (a, b) = (share.gather(&low), share.gather(&high));
        let wider = Fixed {
            integer_bits: x.fixed().integer_bits + 1,
            ..x.fixed()
        };
        let difference = Secret::new(vec![low.len()], wider, a.clone().sub(&b))?;
        let excess = relu(protocol, &difference)?;
        let (smaller, larger) = (a.sub(excess.share()), b.add(excess.share()));
        for part in 0..share.parts().len() {
            let words = share.part_mut(part);
            for (&place, &word) in low.iter().zip(&smaller.parts()[part]) {
                words[place] = word;
            }
            for (&place, &word) in high.iter().zip(&larger.parts()[part]) {
                words[place] = word;
            }
        }
    }
    Ok(x.with_share(x.fixed(), share))
}

/// Layers of pairs that are compared at the same time. Knuth, volume 3, algorithm 5.2.2M.
fn network(length: usize) -> Vec<Vec<(usize, usize)>> {
    let mut layers = Vec::new();
    let mut run = 1;
    while run < length {
        let mut distance = run;
        while distance > 0 {
            let mut layer = Vec::new();
            let mut start = distance % run;
            while start + distance < length {
                for offset in 0..distance.min(length - start - distance) {
                    let (low, high) = (start + offset, start + offset + distance);
                    if low / (2 * run) == high / (2 * run) {
                        layer.push((low, high));
                    }
                }
                start += 2 * distance;
            }
            layers.push(layer);
            distance /= 2;
        }
        run *= 2;
    }
    layers
}

/// The `count` largest elements along the last axis, largest first.
pub fn top<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    count: usize,
) -> Result<Secret<W>, MpcError> {
    let axis = x.shape().len().saturating_sub(1);
    let length = check_axis("top", x, axis)?;
    let sorted = sort(protocol, x)?;
    let count = count.min(length);
    let lines = x.len() / length;
    let places =
        (0..lines).flat_map(|line| (0..count).map(move |place| (line + 1) * length - 1 - place));
    let mut shape = x.shape().to_vec();
    shape[axis] = count;
    sorted.gather(shape, &places.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn networks_sort_every_sequence_of_zeros_and_ones() {
        for length in 1..=11 {
            let layers = network(length);
            for sequence in 0u32..1 << length {
                let mut bits: Vec<u32> = (0..length).map(|place| sequence >> place & 1).collect();
                for &(low, high) in layers.iter().flatten() {
                    if bits[low] > bits[high] {
                        bits.swap(low, high);
                    }
                }
                assert!(bits.is_sorted(), "length {length}, sequence {sequence:b}");
            }
        }
    }
}
