//! A function beside the polynomial that stands for it, as points to plot.

/// Points of a curve.
const POINTS: usize = 161;

/// `[x, function(x), approximation(x)]` at evenly spaced points of an interval, to six digits.
pub fn curve(
    (lo, hi): (f64, f64),
    function: impl Fn(f64) -> f64,
    approximation: impl Fn(f64) -> f64,
) -> Vec<[f64; 3]> {
    let step = (hi - lo) / (POINTS - 1) as f64;
    (0..POINTS)
        .map(|index| lo + step * index as f64)
        .map(|x| [x, function(x), approximation(x)].map(rounded))
        .collect()
}

/// Six significant digits: as many as a plot shows, and short in a file.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let unit = 10f64.powi(value.abs().log10().floor() as i32 - 5);
    if unit == 0.0 {
        return 0.0;
    }
    (value / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_cover_their_interval_to_six_digits() {
        let points = curve((-1.0, 3.0), |x| x * x, |x| x / 3.0);
        assert_eq!((points.len(), points[0][0]), (161, -1.0));
        assert!((points[POINTS - 1][0] - 3.0).abs() < 1e-12);
        for [x, square, third] in points {
            assert!((square - x * x).abs() <= 1e-5 * x * x);
            assert!((third - x / 3.0).abs() <= 1e-5 * x.abs());
        }
        assert_eq!(rounded(0.0), 0.0);
        assert!(rounded(f64::MIN_POSITIVE).is_finite());
    }
}
