//! Sums over slots.

use hush_ckks::{Ciphertext, CkksError, EvaluationKeys, Evaluator};

/// Every slot becomes the sum of the `count` slots at distances 0, stride, …,
/// (count - 1) stride (cyclic). `count` is a power of two.
///
/// Cost: log2(count) key switches, no level; rotations by stride, 2 stride, 4 stride, ….
///
/// # Errors
/// [`CkksError::MissingRotationKey`] and mismatch of keys.
///
/// # Panics
/// If `count` is not a power of two.
pub fn sum_slots(
    evaluator: &Evaluator,
    a: &Ciphertext,
    count: usize,
    stride: usize,
    keys: &EvaluationKeys,
) -> Result<Ciphertext, CkksError> {
    assert!(count.is_power_of_two(), "the count is a power of two");
    let mut sum = a.clone();
    let mut reach = 1;
    while reach < count {
        sum = evaluator.rotate_sum(&sum, &[reach * stride], keys)?;
        reach *= 2;
    }
    Ok(sum)
}
