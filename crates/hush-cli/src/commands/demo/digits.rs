//! Images of digits: read from the example's archive, drawn on a terminal.

use std::path::Path;

use hush_client::Tensor;

use crate::arrays::{self, Named};
use crate::failure::{Failure, Result};

/// Archive of images and labels.
pub(super) const ARCHIVE: &str = "digits.npz";

/// Pixels of a side.
const SIDE: usize = 28;

/// Rows and columns without a margin, which MNIST leaves empty.
const DRAWN: std::ops::Range<usize> = 4..24;

/// Width of a drawing.
pub(super) const WIDTH: usize = DRAWN.end - DRAWN.start;

/// Grey from which a pixel is drawn.
const INK: f64 = 0.35;

/// Images as the networks take them, `[images, 1, 28, 28]` between 0 and 1.
pub(super) struct Digits {
    pub(super) calibration: Tensor,
    pub(super) test: Tensor,
    /// What the test images show.
    pub(super) labels: Vec<usize>,
}

/// Reads the archive.
pub(super) fn read(folder: &Path) -> Result<Digits> {
    let path = folder.join(ARCHIVE);
    let mut named = arrays::read(&path)?;
    let mut take = |name: &str| {
        let position = named
            .iter()
            .position(|array| array.name.as_deref() == Some(name));
        let array = position.map(|position| named.swap_remove(position));
        array.map(|Named { tensor, .. }| tensor).ok_or_else(|| {
            Failure::new(format!("`{}` has no array `{name}`", path.display()))
                .hint("restore the example folder")
        })
    };
    let (calibration, test, labels) = (
        take("calibration_images")?,
        take("test_images")?,
        take("test_labels")?,
    );
    let labels: Vec<usize> = labels.data().iter().map(|&label| label as usize).collect();
    let digits = Digits {
        calibration: images(calibration)?,
        test: images(test)?,
        labels,
    };
    if digits.labels.len() == digits.test.shape()[0] {
        Ok(digits)
    } else {
        Err(
            Failure::new(format!("`{}` has not one label an image", path.display()))
                .hint("restore the example folder")
                .into(),
        )
    }
}

fn images(bytes: Tensor) -> Result<Tensor> {
    let [count, SIDE, SIDE] = *bytes.shape() else {
        return Err(Failure::new(format!(
            "`{ARCHIVE}` holds no images of {SIDE} × {SIDE} pixels"
        ))
        .hint("restore the example folder")
        .into());
    };
    // The networks were trained in single precision.
    let pixels = bytes
        .data()
        .iter()
        .map(|&byte| f64::from(byte as f32 / 255.0));
    Ok(Tensor::new(vec![count, 1, SIDE, SIDE], pixels.collect())?)
}

/// Lines of half blocks, two pixels a character.
pub(super) fn draw(images: &Tensor, index: usize) -> Vec<String> {
    let pixels = &images.data()[index * SIDE * SIDE..(index + 1) * SIDE * SIDE];
    let inked = |row: usize, column: usize| pixels[row * SIDE + column] >= INK;
    let line = |row: usize| {
        let block = |column| match (inked(row, column), inked(row + 1, column)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        DRAWN.map(block).collect()
    };
    DRAWN.step_by(2).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_that_of_the_example() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/mnist");
        let digits = read(&folder).unwrap();
        assert_eq!(digits.calibration.shape(), [256, 1, 28, 28]);
        assert_eq!(digits.test.shape(), [64, 1, 28, 28]);
        assert_eq!(digits.labels[..8], [7, 2, 1, 0, 4, 1, 4, 9]);
        assert!(
            digits
                .test
                .data()
                .iter()
                .all(|pixel| (0.0..=1.0).contains(pixel))
        );
        // A seven: a bar at the top, ink in the lower middle, nothing at the lower right.
        let drawing = draw(&digits.test, 0);
        assert_eq!((drawing.len(), drawing[0].chars().count()), (10, WIDTH));
        assert!(drawing[2].contains("██████"), "{}", drawing.join("\n"));
        assert!(drawing[9].ends_with("       "), "{}", drawing.join("\n"));
    }
}
