//! Products of stacks of matrices, of which one or both depend on the data.

use crate::node::{NodeContext, Problem};
use hush_graph::{
    BinaryOperator, Movement, Operator, Shape, SparseLinear, SparseMatrix, Tensor, ValueId,
    broadcast_shape,
};

/// Which matrices of two stacks meet, and their sizes: `rows × inner` and `inner × columns`.
struct Stacks {
    /// Dimensions of the stack of results.
    dimensions: Vec<usize>,
    /// For each result the left and the right matrix.
    pairs: Vec<(usize, usize)>,
    rows: usize,
    inner: usize,
    columns: usize,
}

impl Stacks {
    /// Both shapes have at least two dimensions.
    fn new(left: &[usize], right: &[usize]) -> Result<Stacks, Problem> {
        let (left_stack, left_matrix) = left.split_at(left.len() - 2);
        let (right_stack, right_matrix) = right.split_at(right.len() - 2);
        let bad = || {
            Problem::malformed(format!(
                "matrices of shapes {left:?} and {right:?} have no product"
            ))
        };
        if left_matrix[1] != right_matrix[0] {
            return Err(bad());
        }
        let dimensions = broadcast_shape(left_stack, right_stack).ok_or_else(bad)?;
        let sources = |stack: &[usize]| -> Result<Vec<usize>, Problem> {
            let shape = Shape::new(dimensions.clone())?;
            Ok(Movement::Expand { shape }.sources(&Shape::new(stack.to_vec())?))
        };
        let pairs = sources(left_stack)?.into_iter().zip(sources(right_stack)?);
        Ok(Stacks {
            pairs: pairs.collect(),
            dimensions,
            rows: left_matrix[0],
            inner: left_matrix[1],
            columns: right_matrix[1],
        })
    }

    /// How many products of two numbers there are, taken from the budget.
    fn spend(&self, context: &mut NodeContext<'_>) -> Result<(), Problem> {
        let sizes = [self.rows, self.columns, self.inner + 1];
        let entries = sizes.iter().fold(self.pairs.len(), |product, &size| {
            product.saturating_mul(size)
        });
        context.environment.spend_entries(entries)
    }

    fn shape(&self, last: &[usize]) -> Result<Shape, Problem> {
        Ok(Shape::new([self.dimensions.as_slice(), last].concat())?)
    }

    /// For each element of the result the pairs (left element, right element) whose products it sums.
    fn sums(&self) -> impl Iterator<Item = impl Iterator<Item = (usize, usize)> + '_> + '_ {
        let (rows, inner, columns) = (self.rows, self.inner, self.columns);
        self.pairs.iter().flat_map(move |&(left, right)| {
            (0..rows * columns).map(move |element| {
                let (row, column) = (element / columns, element % columns);
                (0..inner).map(move |step| {
                    (
                        (left * rows + row) * inner + step,
                        (right * inner + step) * columns + column,
                    )
                })
            })
        })
    }
}

/// A stack of values times a constant stack of matrices: one linear map.
pub(crate) fn times_constant(
    context: &mut NodeContext<'_>,
    value: ValueId,
    weight: &Tensor,
) -> Result<ValueId, Problem> {
    let shape = context.shape(value);
    let stacks = Stacks::new(shape.dimensions(), weight.shape())?;
    linear(context, value, &stacks, |(source, place)| {
        (source, weight.data()[place])
    })
}

/// A constant stack of matrices times a stack of values.
pub(crate) fn constant_times(
    context: &mut NodeContext<'_>,
    weight: &Tensor,
    value: ValueId,
) -> Result<ValueId, Problem> {
    let shape = context.shape(value);
    let stacks = Stacks::new(weight.shape(), shape.dimensions())?;
    linear(context, value, &stacks, |(place, source)| {
        (source, weight.data()[place])
    })
}

fn linear(
    context: &mut NodeContext<'_>,
    value: ValueId,
    stacks: &Stacks,
    entry: impl Fn((usize, usize)) -> (usize, f64),
) -> Result<ValueId, Problem> {
    stacks.spend(context)?;
    let mut matrix = SparseMatrix::empty(context.shape(value).size());
    for sum in stacks.sums() {
        matrix.push_pattern(sum.map(&entry));
    }
    let shape = stacks.shape(&[stacks.rows, stacks.columns])?;
    sparse(context, value, matrix, shape, true)
}

/// Two stacks of values: every pair of numbers that meet is put side by side, multiplied and summed.
pub(crate) fn times(
    context: &mut NodeContext<'_>,
    left: ValueId,
    right: ValueId,
) -> Result<ValueId, Problem> {
    let (left_shape, right_shape) = (context.shape(left), context.shape(right));
    if left_shape.rank() != right_shape.rank() || left_shape.rank() < 2 {
        return Err(Problem::mixes_samples(format!(
            "it multiplies {left_shape} by {right_shape} along the batch"
        )));
    }
    let stacks = Stacks::new(left_shape.dimensions(), right_shape.dimensions())?;
    for _ in 0..3 {
        stacks.spend(context)?;
    }
    let apart = stacks.shape(&[stacks.rows, stacks.columns, stacks.inner])?;
    let mut lefts = SparseMatrix::empty(left_shape.size());
    let mut rights = SparseMatrix::empty(right_shape.size());
    let mut sums = SparseMatrix::empty(apart.size());
    let mut place = 0;
    for sum in stacks.sums() {
        for (left, right) in sum {
            lefts.push_row([(left, 1.0)]);
            rights.push_row([(right, 1.0)]);
        }
        sums.push_row((place..place + stacks.inner).map(|column| (column, 1.0)));
        place += stacks.inner;
    }
    let lefts = sparse(context, left, lefts, apart.clone(), false)?;
    let rights = sparse(context, right, rights, apart, false)?;
    let products = Operator::Binary(BinaryOperator::Multiply);
    let products = context.emit(products, &[lefts, rights])?;
    let shape = stacks.shape(&[stacks.rows, stacks.columns])?;
    sparse(context, products, sums, shape, false)
}

fn sparse(
    context: &mut NodeContext<'_>,
    value: ValueId,
    matrix: SparseMatrix,
    shape: Shape,
    trained: bool,
) -> Result<ValueId, Problem> {
    let linear = SparseLinear {
        name: "mat_mul",
        trained,
        matrix,
        bias: None,
        shape,
    };
    context.emit(Operator::Sparse(linear), &[value])
}
