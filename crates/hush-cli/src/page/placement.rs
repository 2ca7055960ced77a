//! Where boxes and edges of the network's picture go: rows by the longest way from the inputs, columns so that chains
//! run straight down.
//!
//! An edge that passes rows holds a place in each of them, so that it runs beside the boxes and not through them.

/// The place of every node, and the way of every edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Placement {
    /// Row and column of each node.
    pub(super) nodes: Vec<(usize, usize)>,
    /// From node to node, with the columns that it passes in the rows between.
    pub(super) edges: Vec<Edge>,
    /// Whether each column holds a box; the others hold edges only.
    pub(super) boxes: Vec<bool>,
    /// Number of rows.
    pub(super) rows: usize,
}

/// One edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) passes: Vec<usize>,
}

/// Places nodes; `inputs[node]` lists earlier nodes that it reads.
pub(super) fn place(inputs: &[Vec<usize>]) -> Placement {
    let rows = rows(inputs);
    let count = rows.iter().map(|row| row + 1).max().unwrap_or(0);
    let mut edges: Vec<Edge> = inputs
        .iter()
        .enumerate()
        .flat_map(|(to, inputs)| {
            inputs.iter().map(move |&from| Edge {
                from,
                to,
                passes: Vec::new(),
            })
        })
        .collect();
    let mut nodes: Vec<(usize, usize)> = rows.iter().map(|&row| (row, 0)).collect();
    let mut boxes = Vec::new();
    for row in 0..count {
        let mut taken: Vec<bool> = Vec::new();
        let mut take = |wanted: usize| {
            let free = (wanted..).find(|&column| taken.get(column) != Some(&true));
            let column = free.unwrap_or(wanted);
            if taken.len() <= column {
                taken.resize(column + 1, false);
            }
            taken[column] = true;
            column
        };
        let here = (0..nodes.len()).filter(|&node| rows[node] == row);
        // An input that comes late stands beside the layers, not in their way.
        let mut here: Vec<(bool, usize, usize)> = here
            .map(|node| {
                let column = wanted(node, &edges, &nodes, &rows);
                (inputs[node].is_empty(), column, node)
            })
            .collect();
        here.sort_unstable();
        for (_, column, node) in here {
            nodes[node].1 = take(column);
            boxes.resize(boxes.len().max(nodes[node].1 + 1), false);
            boxes[nodes[node].1] = true;
        }
        for edge in &mut edges {
            if rows[edge.from] < row && row < rows[edge.to] {
                let before = edge.passes.last().copied();
                let column = take(before.unwrap_or(nodes[edge.from].1));
                edge.passes.push(column);
                boxes.resize(boxes.len().max(column + 1), false);
            }
        }
    }
    Placement {
        nodes,
        edges,
        boxes,
        rows: count,
    }
}

/// The longest way from an input; inputs that are read late stand just before.
fn rows(inputs: &[Vec<usize>]) -> Vec<usize> {
    let mut rows = vec![0; inputs.len()];
    for (node, reads) in inputs.iter().enumerate() {
        rows[node] = reads.iter().map(|&read| rows[read] + 1).max().unwrap_or(0);
    }
    for node in 0..inputs.len() {
        if inputs[node].is_empty() {
            let readers = (0..inputs.len()).filter(|&other| inputs[other].contains(&node));
            let first = readers.map(|reader| rows[reader]).min();
            rows[node] = first.map_or(0, |first: usize| first.saturating_sub(1));
        }
    }
    rows
}

/// The column that a node would like: that of the nearest node it reads.
fn wanted(node: usize, edges: &[Edge], nodes: &[(usize, usize)], rows: &[usize]) -> usize {
    let columns = edges.iter().filter(|edge| edge.to == node).map(|edge| {
        let distance = rows[node] - rows[edge.from];
        let column = edge.passes.last().copied();
        (distance, column.unwrap_or(nodes[edge.from].1))
    });
    columns.min().map_or(0, |(_, column)| column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_runs_straight_down() {
        let placement = place(&[vec![], vec![0], vec![1], vec![2]]);
        assert_eq!(placement.nodes, [(0, 0), (1, 0), (2, 0), (3, 0)]);
        assert_eq!((placement.boxes, placement.rows), (vec![true], 4));
    }

    #[test]
    fn a_shortcut_runs_beside_the_boxes() {
        let placement = place(&[vec![], vec![0], vec![1], vec![2, 0]]);
        assert_eq!(placement.nodes, [(0, 0), (1, 0), (2, 0), (3, 0)]);
        let shortcut = placement
            .edges
            .iter()
            .find(|edge| edge.from == 0 && edge.to == 3);
        assert_eq!(shortcut.map(|edge| edge.passes.clone()), Some(vec![1, 1]));
        assert_eq!(placement.boxes, [true, false]);
    }

    #[test]
    fn branches_stand_side_by_side_and_late_inputs_late() {
        let branches = place(&[vec![], vec![0], vec![0], vec![1, 2]]);
        assert_eq!(branches.nodes, [(0, 0), (1, 0), (1, 1), (2, 0)]);
        let late = place(&[vec![], vec![], vec![0], vec![2], vec![3, 1]]);
        assert_eq!(late.nodes[1], (2, 1));
        assert_eq!(place(&[]), Placement::default());
    }

    #[test]
    fn nothing_shares_a_place() {
        let inputs: Vec<Vec<usize>> = (0..40usize)
            .map(|node| {
                let mut reads: Vec<usize> = [1, 3, 8]
                    .iter()
                    .filter(|&&back| (node * 7 + back) % 3 > 0 && back <= node)
                    .map(|back| node - back)
                    .collect();
                reads.dedup();
                reads
            })
            .collect();
        let placement = place(&inputs);
        let mut places = placement.nodes.clone();
        for edge in &placement.edges {
            let first = placement.nodes[edge.from].0 + 1;
            places.extend(
                edge.passes
                    .iter()
                    .enumerate()
                    .map(|(index, &column)| (first + index, column)),
            );
        }
        let total = places.len();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), total);
    }
}
