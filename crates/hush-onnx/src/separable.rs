//! Linear maps of a sample that treat each axis on its own: slices, padding, averages, resizing.

use crate::node::{NodeContext, Problem};
use hush_graph::{Movement, Operator, Shape, SparseLinear, SparseMatrix, ValueId};
use std::collections::BTreeMap;

/// What one position of the result sums along one axis: (position of the input, weight), sorted.
pub(crate) type Row = Vec<(usize, f64)>;

/// What a row of an axis costs in memory, in units of an entry of a sparse matrix.
const ROW_COST: usize = 4;

/// The map whose weights are products of one weight per axis.
pub(crate) struct Separable {
    name: &'static str,
    /// Rows by axis, counted without the batch; other axes stay as they are.
    maps: BTreeMap<usize, Vec<Row>>,
    /// Elements of the result without any source hold this.
    fill: f64,
}

impl Separable {
    /// The identity; `name` stands in dumps.
    pub(crate) fn new(name: &'static str) -> Separable {
        Separable {
            name,
            maps: BTreeMap::new(),
            fill: 0.0,
        }
    }

    /// Elements that read nothing hold `fill`.
    pub(crate) fn fill(&mut self, fill: f64) {
        self.fill = fill;
    }

    /// Along `axis`, which has `old` positions, the result has `length`, and `row` says what each
    /// sums. A position may come twice in a row.
    pub(crate) fn along(
        &mut self,
        context: &mut NodeContext<'_>,
        axis: usize,
        old: usize,
        length: usize,
        row: impl Fn(usize) -> Row,
    ) -> Result<(), Problem> {
        let environment = &mut *context.environment;
        environment.spend_entries(length.saturating_add(old).saturating_mul(ROW_COST))?;
        let mut rows = Vec::with_capacity(length);
        for position in 0..length {
            let mut row = row(position);
            environment.spend_entries(row.len())?;
            row.sort_by_key(|&(source, _)| source);
            row.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 += next.1;
                }
                same
            });
            rows.push(row);
        }
        self.maps.insert(axis, rows);
        Ok(())
    }

    /// Along `axis` the result takes one position after the other.
    pub(crate) fn select(
        &mut self,
        context: &mut NodeContext<'_>,
        axis: usize,
        sources: &[usize],
    ) -> Result<(), Problem> {
        self.along(context, axis, 0, sources.len(), |position| {
            vec![(sources[position], 1.0)]
        })
    }

    /// The dimensions of the result.
    fn dimensions(&self, input: &Shape) -> Vec<usize> {
        let axes = input.dimensions().iter().enumerate();
        axes.map(|(axis, &length)| self.maps.get(&axis).map_or(length, Vec::len))
            .collect()
    }

    fn is_identity(&self, input: &Shape) -> bool {
        self.maps.iter().all(|(&axis, rows)| {
            let own = |(position, row): (usize, &Row)| row.as_slice() == [(position, 1.0)];
            rows.len() == input.dimensions()[axis] && rows.iter().enumerate().all(own)
        })
    }

    /// Adds the map to the graph, leading to the result of the node at `output`, under another
    /// shape of the same size if `shape` is given. The identity adds nothing.
    pub(crate) fn emit(
        self,
        context: &mut NodeContext<'_>,
        output: usize,
        input: ValueId,
        shape: Option<Vec<usize>>,
    ) -> Result<ValueId, Problem> {
        let old = context.shape(input);
        let shape = Shape::new(shape.unwrap_or_else(|| self.dimensions(&old)))?;
        if self.is_identity(&old) {
            if shape == old {
                return Ok(input);
            }
            let reshape = Operator::Movement(Movement::Reshape { shape });
            return context.emit_output(output, reshape, &[input]);
        }
        let (matrix, bias) = self.matrix(context, &old)?;
        let sparse = SparseLinear {
            name: self.name,
            trained: false,
            matrix,
            bias,
            shape,
        };
        context.emit_output(output, Operator::Sparse(sparse), &[input])
    }

    fn matrix(
        &self,
        context: &mut NodeContext<'_>,
        input: &Shape,
    ) -> Result<(SparseMatrix, Option<Vec<f64>>), Problem> {
        let (mut rows, mut entries) = (1usize, 1usize);
        for (axis, &length) in input.dimensions().iter().enumerate() {
            let map = self.maps.get(&axis);
            rows = rows.saturating_mul(map.map_or(length, Vec::len));
            let on_axis = map.map_or(length, |rows| rows.iter().map(Vec::len).sum());
            entries = entries.saturating_mul(on_axis);
        }
        context
            .environment
            .spend_entries(rows.saturating_add(entries))?;
        let mut products: Vec<Row> = vec![vec![(0, 1.0)]];
        let mut matrix = SparseMatrix::empty(input.size());
        let mut bias = Vec::new();
        let last = input.rank().checked_sub(1);
        for (axis, &length) in input.dimensions().iter().enumerate() {
            let identity: Vec<Row>;
            let rows = match self.maps.get(&axis) {
                Some(rows) => rows,
                None => {
                    identity = (0..length).map(|position| vec![(position, 1.0)]).collect();
                    &identity
                }
            };
            let pairs = products
                .iter()
                .flat_map(|product| rows.iter().map(move |row| (product, row)));
            if Some(axis) != last {
                products = pairs
                    .map(|(product, row)| multiply(product, length, row).collect())
                    .collect();
                continue;
            }
            for (product, row) in pairs {
                let empty = product.is_empty() || row.is_empty();
                bias.push(if empty { self.fill } else { 0.0 });
                matrix.push_row(multiply(product, length, row));
            }
        }
        Ok((matrix, (self.fill != 0.0).then_some(bias)))
    }
}

/// The product of what is summed along earlier axes and along the next, which has `length`
/// positions.
fn multiply<'a>(
    product: &'a [(usize, f64)],
    length: usize,
    row: &'a [(usize, f64)],
) -> impl Iterator<Item = (usize, f64)> + 'a {
    product.iter().flat_map(move |&(start, factor)| {
        row.iter()
            .map(move |&(source, weight)| (start * length + source, factor * weight))
    })
}
