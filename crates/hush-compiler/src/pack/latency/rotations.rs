//! Which diagonals a matrix has under a scheme, and how best to split their rotations; each question is answered once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use hush_graph::SparseMatrix;
use hush_program::cost::Work;
use hush_program::count::LinearShape;

use super::Limits;
use crate::pack::layout::Scheme;

/// (output, input, rotation) of every diagonal that is not zero, for one sample; sorted.
pub(super) type Diagonals = Vec<(usize, usize, usize)>;

/// A term of a linear stage under a scheme, in so many slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Case {
    /// Position of the stage.
    pub stage: usize,
    /// Which of its terms.
    pub term: usize,
    /// How it is computed.
    pub scheme: Scheme,
    /// Slots of a sample.
    pub slots: usize,
}

/// What the width of a split depends on, apart from the case: special primes, ring degree, level.
type Setting = (usize, u32, usize);

/// Answers that were already found.
#[derive(Default)]
pub(super) struct Rotations {
    diagonals: RefCell<BTreeMap<Case, Rc<Diagonals>>>,
    splits: RefCell<BTreeMap<(Case, Setting), (usize, Work)>>,
}

impl Rotations {
    /// The diagonals of a matrix.
    pub(super) fn diagonals(&self, case: Case, matrix: &SparseMatrix) -> Rc<Diagonals> {
        if let Some(known) = self.diagonals.borrow().get(&case) {
            return Rc::clone(known);
        }
        let found = Rc::new(diagonals(case.scheme, matrix, case.slots));
        self.diagonals.borrow_mut().insert(case, Rc::clone(&found));
        found
    }

    /// The baby-step width with the least work, and that work, with the results at `level`.
    pub(super) fn split(
        &self,
        limits: Limits,
        case: Case,
        matrix: &SparseMatrix,
        level: usize,
    ) -> (usize, Work) {
        let setting = (limits.model.special, limits.log_degree, level);
        if let Some(&known) = self.splits.borrow().get(&(case, setting)) {
            return known;
        }
        let outputs = case.scheme.result().ciphertexts(matrix.rows());
        let folds = case.scheme.folds(case.slots).len();
        let diagonals = self.diagonals(case, matrix);
        let found = baby_step(limits, case.slots, &diagonals, outputs, folds, level);
        self.splits.borrow_mut().insert((case, setting), found);
        found
    }
}

fn diagonals(scheme: Scheme, matrix: &SparseMatrix, slots: usize) -> Diagonals {
    let outputs = scheme.result().ciphertexts(matrix.rows());
    let inputs = scheme.argument().ciphertexts(matrix.columns());
    let mut seen = vec![false; outputs * inputs * slots];
    for (o, e, _) in matrix.entries() {
        let path = scheme.path(o, e, slots);
        seen[(path.output * inputs + path.input) * slots + path.rotation] = true;
    }
    // An output that depends on nothing still needs one (zero) diagonal.
    for output in seen.chunks_mut(inputs * slots) {
        if !output.contains(&true) {
            output[0] = true;
        }
    }
    let index = |flat: usize| (flat / slots / inputs, flat / slots % inputs, flat % slots);
    seen.iter()
        .enumerate()
        .filter(|&(_, &seen)| seen)
        .map(|(flat, _)| index(flat))
        .collect()
}

fn baby_step(
    limits: Limits,
    slots: usize,
    terms: &Diagonals,
    outputs: usize,
    folds: usize,
    level: usize,
) -> (usize, Work) {
    let widest = terms
        .iter()
        .map(|&(.., rotation)| rotation)
        .max()
        .unwrap_or(0);
    let widths = std::iter::successors(Some(1), |&width| Some(width * 2))
        .take_while(|&width| width <= widest);
    let work = |width: usize| {
        LinearShape::from_rotations(outputs, terms.iter().copied(), width).work(
            limits.model,
            level,
            folds,
        )
    };
    let mut best = (slots, work(slots));
    for width in widths {
        let own = work(width);
        if own.nanoseconds(limits.log_degree) < best.1.nanoseconds(limits.log_degree) {
            best = (width, own);
        }
    }
    best
}
