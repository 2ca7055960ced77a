//! Which diagonals a matrix has under a scheme, and how best to split their rotations.

use std::collections::BTreeSet;

use hush_program::cost::Work;
use hush_program::count::LinearShape;

use super::Limits;
use crate::pack::layout::Scheme;
use hush_graph::SparseMatrix;

/// (output, input, rotation) of every diagonal that is not zero, for one sample.
pub(super) fn rotations(
    scheme: Scheme,
    matrix: &SparseMatrix,
    slots: usize,
) -> BTreeSet<(usize, usize, usize)> {
    let outputs = scheme.result().ciphertexts(matrix.rows());
    let inputs = scheme.argument().ciphertexts(matrix.columns());
    let mut seen = vec![false; outputs * inputs * slots];
    for (o, e, _) in matrix.entries() {
        let path = scheme.path(o, e, slots);
        seen[(path.output * inputs + path.input) * slots + path.rotation] = true;
    }
    // An output that depends on nothing still needs one (zero) diagonal.
    for output in 0..outputs {
        let span = output * inputs * slots..(output + 1) * inputs * slots;
        if !seen[span.clone()].contains(&true) {
            seen[span.start] = true;
        }
    }
    let index = |flat: usize| (flat / slots / inputs, flat / slots % inputs, flat % slots);
    seen.iter()
        .enumerate()
        .filter(|&(_, &seen)| seen)
        .map(|(flat, _)| index(flat))
        .collect()
}

/// The baby-step width with the least work, and that work.
pub(super) fn baby_step(
    limits: Limits,
    slots: usize,
    terms: &BTreeSet<(usize, usize, usize)>,
    outputs: usize,
    folds: usize,
    level: usize,
) -> (usize, Work) {
    let mut best = (
        slots,
        LinearShape::from_rotations(outputs, terms.iter().copied(), slots),
    );
    let cost = |shape: &LinearShape| {
        shape
            .work(limits.model, level, folds)
            .nanoseconds(limits.log_degree)
    };
    let mut least = cost(&best.1);
    let widest = terms
        .iter()
        .map(|&(.., rotation)| rotation)
        .max()
        .unwrap_or(0);
    let widths = std::iter::successors(Some(1), |&width| Some(width * 2))
        .take_while(|&width| width <= widest);
    for width in widths {
        let shape = LinearShape::from_rotations(outputs, terms.iter().copied(), width);
        let own = cost(&shape);
        if own < least {
            (least, best) = (own, (width, shape));
        }
    }
    (best.0, best.1.work(limits.model, level, folds))
}

/// Work of one term of a linear stage with the results at `level`.
pub(super) fn term_cost(
    limits: Limits,
    slots: usize,
    scheme: Scheme,
    matrix: &SparseMatrix,
    level: usize,
) -> Work {
    let terms = rotations(scheme, matrix, slots);
    let outputs = scheme.result().ciphertexts(matrix.rows());
    baby_step(
        limits,
        slots,
        &terms,
        outputs,
        scheme.folds(slots).len(),
        level,
    )
    .1
}
