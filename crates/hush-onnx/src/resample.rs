//! Interpolation along one axis: which positions of the input an element of the result mixes.

use crate::separable::Row;

/// From a position of the result to a place in the input (`coordinate_transformation_mode`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    TensorflowHalfPixel,
    /// A region of the input, in units of its length.
    TensorflowCrop {
        start: f64,
        end: f64,
    },
}

/// How a place becomes a position (`nearest_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    PreferFloor,
    PreferCeil,
    Floor,
    Ceil,
}

/// How elements around a place are mixed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Interpolation {
    Nearest(Rounding),
    Linear,
    Cubic {
        /// The free coefficient of the cubic kernel.
        coefficient: f64,
        /// Elements outside the input weigh nothing instead of repeating the border.
        exclude_outside: bool,
    },
}

/// One axis to resample.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    pub(crate) length: usize,
    pub(crate) new_length: usize,
    /// As the model states it, in 32 bits; not always the quotient of the lengths.
    pub(crate) scale: f64,
    pub(crate) coordinates: Coordinates,
    pub(crate) interpolation: Interpolation,
}

impl Axis {
    /// What the result holds at `position`; nothing if that lies outside a crop.
    pub(crate) fn row(&self, position: usize) -> Row {
        let place = self.place(position);
        let last = (self.length - 1) as f64;
        let cropped = matches!(self.coordinates, Coordinates::TensorflowCrop { .. });
        if cropped && !(0.0..=last).contains(&place) {
            return Vec::new();
        }
        match self.interpolation {
            Interpolation::Nearest(rounding) => {
                let position = match rounding {
                    Rounding::PreferFloor => (place - 0.5).ceil(),
                    Rounding::PreferCeil => (place + 0.5).floor(),
                    Rounding::Floor => place.floor(),
                    Rounding::Ceil => place.ceil(),
                };
                vec![(self.inside(position), 1.0)]
            }
            Interpolation::Linear => {
                let place = place.clamp(0.0, last);
                let (before, fraction) = (place.floor(), place - place.floor());
                vec![
                    (self.inside(before), 1.0 - fraction),
                    (self.inside(before + 1.0), fraction),
                ]
            }
            Interpolation::Cubic {
                coefficient,
                exclude_outside,
            } => self.cubic(place, coefficient, exclude_outside),
        }
    }

    fn cubic(&self, place: f64, coefficient: f64, exclude_outside: bool) -> Row {
        let before = place.floor();
        let last = (self.length - 1) as f64;
        let taps = (-1..=2).map(|step| before + f64::from(step));
        let mut weights: Vec<(f64, f64)> = taps
            .map(|tap| (tap, cubic_kernel((place - tap).abs(), coefficient)))
            .collect();
        if exclude_outside {
            weights.retain(|(tap, _)| (0.0..=last).contains(tap));
            let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
            weights.iter_mut().for_each(|(_, weight)| *weight /= sum);
        }
        let weights = weights.into_iter();
        weights
            .map(|(tap, weight)| (self.inside(tap), weight))
            .collect()
    }

    /// The nearest position of the input.
    fn inside(&self, position: f64) -> usize {
        position.clamp(0.0, (self.length - 1) as f64) as usize
    }

    /// In 32 bits, as runtimes compute it: a tie between two positions must fall as it does there.
    fn place(&self, position: usize) -> f64 {
        let (length, new_length) = (self.length as f32, self.new_length as f32);
        let (position, scale) = (position as f32, self.scale as f32);
        let half_pixel = (position + 0.5) / scale - 0.5;
        f64::from(match self.coordinates {
            Coordinates::HalfPixel => half_pixel,
            Coordinates::HalfPixelSymmetric => {
                let adjustment = new_length / (scale * length);
                length / 2.0 * (1.0 - adjustment) + half_pixel
            }
            Coordinates::PytorchHalfPixel if self.new_length == 1 => 0.0,
            Coordinates::PytorchHalfPixel => half_pixel,
            Coordinates::AlignCorners if self.new_length == 1 => 0.0,
            Coordinates::AlignCorners => position * (length - 1.0) / (new_length - 1.0),
            Coordinates::Asymmetric => position / scale,
            Coordinates::TensorflowHalfPixel => (position + 0.5) / scale,
            Coordinates::TensorflowCrop { start, end } => {
                let (start, end) = (start as f32, end as f32);
                if self.new_length == 1 {
                    0.5 * (start + end) * (length - 1.0)
                } else {
                    let reach = position * (end - start) * (length - 1.0);
                    start * (length - 1.0) + reach / (new_length - 1.0)
                }
            }
        })
    }
}

/// Keys' kernel at `distance`, of which there are two pieces.
fn cubic_kernel(distance: f64, a: f64) -> f64 {
    let d = distance;
    if d <= 1.0 {
        ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    } else if d < 2.0 {
        ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(length: usize, new_length: usize, coordinates: Coordinates) -> Axis {
        Axis {
            length,
            new_length,
            scale: new_length as f64 / length as f64,
            coordinates,
            interpolation: Interpolation::Linear,
        }
    }

    #[test]
    fn weights_sum_to_one() {
        let kinds = [
            Interpolation::Linear,
            Interpolation::Nearest(Rounding::PreferCeil),
            Interpolation::Cubic {
                coefficient: -0.75,
                exclude_outside: false,
            },
            Interpolation::Cubic {
                coefficient: -0.5,
                exclude_outside: true,
            },
        ];
        let coordinates = [
            Coordinates::HalfPixel,
            Coordinates::HalfPixelSymmetric,
            Coordinates::PytorchHalfPixel,
            Coordinates::AlignCorners,
            Coordinates::Asymmetric,
            Coordinates::TensorflowHalfPixel,
        ];
        for (coordinates, interpolation) in coordinates
            .into_iter()
            .flat_map(|coordinates| kinds.map(|kind| (coordinates, kind)))
        {
            for (length, new_length) in [(1, 1), (1, 4), (5, 1), (5, 3), (3, 8), (4, 8)] {
                let axis = Axis {
                    interpolation,
                    ..axis(length, new_length, coordinates)
                };
                for position in 0..new_length {
                    let row = axis.row(position);
                    let sum: f64 = row.iter().map(|(_, weight)| weight).sum();
                    assert!((sum - 1.0).abs() < 1e-12, "{axis:?} {position}: {row:?}");
                    assert!(row.iter().all(|&(source, _)| source < length));
                }
            }
        }
    }

    #[test]
    fn doubling_by_half_pixels() {
        let doubled = axis(2, 4, Coordinates::HalfPixel);
        let rows: Vec<Row> = (0..4).map(|position| doubled.row(position)).collect();
        assert_eq!(rows[0], [(0, 1.0), (1, 0.0)]);
        assert_eq!(rows[1], [(0, 0.75), (1, 0.25)]);
        assert_eq!(rows[2], [(0, 0.25), (1, 0.75)]);
        assert_eq!(rows[3], [(1, 1.0), (1, 0.0)]);
    }

    #[test]
    fn ties_of_the_nearest_position() {
        let at = |rounding| {
            let axis = Axis {
                interpolation: Interpolation::Nearest(rounding),
                ..axis(4, 2, Coordinates::HalfPixel)
            };
            axis.row(0)[0].0
        };
        // The place is 0.5.
        assert_eq!(at(Rounding::PreferFloor), 0);
        assert_eq!(at(Rounding::PreferCeil), 1);
        assert_eq!(at(Rounding::Floor), 0);
        assert_eq!(at(Rounding::Ceil), 1);
    }
}
