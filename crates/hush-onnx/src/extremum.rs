//! The largest or smallest element of windows along one axis, in a few rounds of pairs.

use crate::node::{NodeContext, Problem};
use crate::separable::Separable;
use hush_graph::{BinaryOperator, Operator, ValueId};
use std::collections::BTreeMap;

/// What a position costs in memory, in units of an entry of a sparse matrix.
const PLACE_COST: usize = 8;

/// Windows along one axis, each of `taps` elements that lie `dilation` apart.
pub(crate) struct Windows {
    /// Where each window starts; negative in the padding before the input.
    pub(crate) starts: Vec<i64>,
    pub(crate) taps: usize,
    pub(crate) dilation: usize,
}

impl Windows {
    /// One window over all of an axis.
    pub(crate) fn whole(length: usize) -> Windows {
        Windows {
            starts: vec![0],
            taps: length,
            dilation: 1,
        }
    }
}

/// Adds the extremum of each window along `axis` to the graph. Elements outside the input do not
/// count; windows must hold some element of it.
///
/// A round doubles the length of the runs whose extremum is known, so there are log2(taps) rounds,
/// and one node of `binary` in each.
pub(crate) fn along(
    context: &mut NodeContext<'_>,
    name: &'static str,
    binary: BinaryOperator,
    input: ValueId,
    axis: usize,
    windows: &Windows,
) -> Result<ValueId, Problem> {
    let length = context.shape(input).dimensions()[axis];
    context
        .environment
        .spend_entries(PLACE_COST.saturating_mul(windows.starts.len() + length))?;
    let run = Run { length, windows };
    if !windows
        .starts
        .iter()
        .all(|&start| run.holds(start, windows.taps))
    {
        return Err(Problem::malformed("one of its windows holds only padding"));
    }
    let mut lengths = vec![windows.taps];
    while let Some(&taps) = lengths.last().filter(|&&taps| taps > 1) {
        lengths.push(taps.div_ceil(2));
    }
    // From the last round to the first: which runs the rounds after it read.
    let mut needed = vec![windows.starts.clone()];
    for pair in lengths.windows(2) {
        let later = needed.last().map(Vec::as_slice).unwrap_or_default();
        let mut starts: Vec<i64> = later
            .iter()
            .flat_map(|&start| run.halves(start, pair[0], pair[1]))
            .collect();
        starts.sort_unstable();
        starts.dedup();
        context.environment.spend_entries(starts.len())?;
        needed.push(starts);
    }
    // Runs of one element are the input itself.
    let mut places: BTreeMap<i64, usize> = (0..length).map(|place| (place as i64, place)).collect();
    let mut value = input;
    for (round, pair) in lengths.windows(2).enumerate().rev() {
        let starts = &needed[round];
        let mut sides = [Vec::new(), Vec::new()];
        for &start in starts {
            let halves = run.halves(start, pair[0], pair[1]);
            for (side, half) in sides.iter_mut().zip(halves) {
                side.push(places[&half]);
            }
        }
        let [left, right] = sides;
        let first = select(context, name, value, axis, &left)?;
        value = match left == right {
            true => first,
            false => {
                let second = select(context, name, value, axis, &right)?;
                context.emit(Operator::Binary(binary), &[first, second])?
            }
        };
        places = starts
            .iter()
            .enumerate()
            .map(|(place, &start)| (start, place))
            .collect();
    }
    if lengths.len() > 1 {
        return Ok(value);
    }
    let sources: Vec<usize> = windows.starts.iter().map(|start| places[start]).collect();
    select(context, name, value, axis, &sources)
}

fn select(
    context: &mut NodeContext<'_>,
    name: &'static str,
    value: ValueId,
    axis: usize,
    sources: &[usize],
) -> Result<ValueId, Problem> {
    let mut selection = Separable::new(name);
    selection.select(context, axis, sources)?;
    selection.emit(context, 0, value, None)
}

struct Run<'a> {
    length: usize,
    windows: &'a Windows,
}

impl Run<'_> {
    /// Whether some of `taps` elements from `start` on lie inside the input.
    fn holds(&self, start: i64, taps: usize) -> bool {
        let dilation = self.windows.dilation as i64;
        let skipped = if start < 0 {
            (-start).div_euclid(dilation) + i64::from((-start).rem_euclid(dilation) != 0)
        } else {
            0
        };
        skipped < taps as i64 && start + skipped * dilation < self.length as i64
    }

    /// The starts of two runs of `half` elements that together make up the run of `taps`; the
    /// same twice if the other lies in the padding.
    fn halves(&self, start: i64, taps: usize, half: usize) -> [i64; 2] {
        let second = start + ((taps - half) * self.windows.dilation) as i64;
        match (self.holds(start, half), self.holds(second, half)) {
            (true, true) => [start, second],
            (true, false) => [start; 2],
            _ => [second; 2],
        }
    }
}
