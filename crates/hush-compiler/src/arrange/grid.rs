//! Where the elements of an image stand: channels in zones, and in the gaps that strides leave.
//!
//! An element (c, y, x) of a tensor with gap g stands at
//! `zone * (c / g²) + pitch * (g y + c % g² / g) + (g x + c % g)`. With equal pitches and zones before and after, a
//! convolution moves every element of a kernel tap by the same distance, whatever its stride; the channels that a
//! stride makes fill the gaps that it leaves. Source: Lee et al., ICML 2022 (ePrint 2021/1688), multiplexed packing,
//! here for any number of axes.

/// One axis of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Axis {
    /// Positions between neighbours of an image without gaps.
    pub pitch: usize,
    /// Steps from one element to the next; other channels stand between them.
    pub gap: usize,
}

/// Positions of the elements of a `[channels, axes…]` tensor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grid {
    /// Positions from one zone of channels to the next.
    pub zone: usize,
    /// One entry per axis after the channels.
    pub axes: Vec<Axis>,
}

impl Grid {
    /// Without gaps, rows and zones rounded up by `round`. `None` for a tensor without axes to stride over.
    pub fn dense(shape: &[usize], round: impl Fn(usize) -> usize) -> Option<Self> {
        let (_, sizes) = shape.split_first()?;
        if sizes.iter().all(|&size| size == 1) {
            return None;
        }
        let mut zone = 1;
        let mut axes = Vec::new();
        for &size in sizes.iter().rev() {
            axes.push(Axis {
                pitch: zone,
                gap: 1,
            });
            zone = round(zone * size);
        }
        axes.reverse();
        Some(Self { zone, axes })
    }

    /// Channels that share a zone.
    fn shared(&self) -> usize {
        self.axes.iter().map(|axis| axis.gap).product()
    }

    /// Whether all elements of a tensor have positions of their own.
    pub fn holds(&self, shape: &[usize]) -> bool {
        let Some((_, sizes)) = shape.split_first() else {
            return false;
        };
        let outer = std::iter::once(self.zone).chain(self.axes.iter().map(|axis| axis.pitch));
        sizes.len() == self.axes.len()
            && self
                .axes
                .iter()
                .zip(sizes)
                .zip(outer)
                .all(|((axis, size), outer)| axis.gap > 0 && axis.pitch * axis.gap * size <= outer)
    }

    /// Positions up to the last one in use, whole zones.
    pub fn length(&self, shape: &[usize]) -> usize {
        shape[0].div_ceil(self.shared()) * self.zone
    }

    /// The position of every element, row-major.
    pub fn positions(&self, shape: &[usize]) -> Vec<usize> {
        let mut positions = Vec::with_capacity(shape.iter().product());
        for channel in 0..shape[0] {
            let mut offset = channel % self.shared();
            let mut starts = vec![channel / self.shared() * self.zone];
            let mut inner = self.shared();
            for (axis, &size) in self.axes.iter().zip(&shape[1..]) {
                inner /= axis.gap;
                let own = offset / inner;
                offset %= inner;
                let at = |step: usize| (step * axis.gap + own) * axis.pitch;
                starts = starts
                    .into_iter()
                    .flat_map(|start| (0..size).map(move |step| start + at(step)))
                    .collect();
            }
            positions.extend(starts);
        }
        positions
    }

    /// The same pitches with other gaps.
    pub fn with_gaps(&self, gaps: &[usize]) -> Self {
        let axes = self.axes.iter().zip(gaps);
        Self {
            zone: self.zone,
            axes: axes.map(|(axis, &gap)| Axis { gap, ..*axis }).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn channels_fill_gaps_before_zones() {
        let grid = Grid::dense(&[1, 4, 4], usize::next_power_of_two).unwrap();
        let strided = grid.with_gaps(&[2, 2]);
        assert!(strided.holds(&[5, 2, 2]));
        let positions = strided.positions(&[5, 2, 2]);
        assert_eq!(positions[..4], [0, 2, 8, 10]);
        assert_eq!(positions[4..8], [1, 3, 9, 11]);
        assert_eq!(positions[8..12], [4, 6, 12, 14]);
        assert_eq!(positions[16..], [16, 18, 24, 26]);
        assert_eq!(strided.length(&[5, 2, 2]), 32);
        assert!(!strided.holds(&[1, 3, 2]));
    }

    #[test]
    fn no_two_elements_share_a_position() {
        for (shape, gaps) in [
            (vec![7, 5, 3], vec![2, 3]),
            (vec![3, 4], vec![4]),
            (vec![9, 2, 3, 2], vec![1, 2, 2]),
        ] {
            let sizes: Vec<usize> = std::iter::once(1)
                .chain(shape[1..].iter().zip(&gaps).map(|(size, gap)| size * gap))
                .collect();
            let dense = Grid::dense(&sizes, |size| size).unwrap();
            let grid = dense.with_gaps(&gaps);
            assert!(grid.holds(&shape));
            let positions = grid.positions(&shape);
            let distinct: BTreeSet<_> = positions.iter().collect();
            assert_eq!(distinct.len(), shape.iter().product::<usize>());
            assert!(**distinct.last().unwrap() < grid.length(&shape));
        }
        assert!(Grid::dense(&[10], |size| size).is_none());
        assert!(Grid::dense(&[10, 1, 1], |size| size).is_none());
    }
}
