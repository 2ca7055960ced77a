//! Where the elements of a vector stand in the slots of one sample, and how a matrix moves between layouts.
//!
//! All sizes are powers of two and count the slots n of one sample; several samples interleave, so that a rotation
//! by r here is one by r times the number of samples in the program. Only fast rules are listed; each is checked
//! against the matrix it stands for by the tests of this folder.
//! Sources: Halevi and Shoup, CRYPTO 2014 (diagonals); Gazelle, USENIX Security 2018 (hybrid).

use hush_program::Place;

/// Positions of elements in the slots of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// An input that the data owner can still place in any way.
    Free,
    /// Slot t holds element `(t / block % blocks) * step + t % step`. No garbage.
    Spread {
        /// Slots per block.
        block: usize,
        /// Elements per block.
        step: usize,
        /// Blocks before the pattern repeats.
        blocks: usize,
    },
    /// Slot t of ciphertext c holds element `c * period + t % period`. No garbage.
    Periodic {
        /// The period.
        period: usize,
    },
    /// Element e stands at slot `(e / step) * period + e % step` only; other slots hold garbage.
    Strided {
        /// Slots per block.
        period: usize,
        /// Elements per block.
        step: usize,
    },
}

/// How a matrix takes one layout to another: one level, some rotations before the rescale, some folds after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// Periodic or Free to Periodic: diagonals, then folds over what remains of the input's period.
    Diagonals {
        /// Period of the input.
        input: usize,
        /// Period of the output.
        output: usize,
    },
    /// Periodic or Free to Strided: the period holds one output's products (or `step` outputs'), folded together.
    FoldLow {
        /// Period of the input.
        input: usize,
        /// Outputs per period, and diagonals.
        step: usize,
    },
    /// Any single place per element to Periodic: one diagonal per output, folded over all slots.
    Gather {
        /// Layout of the input.
        from: Layout,
        /// Period of the output.
        output: usize,
    },
    /// Free to Periodic: the data owner spreads the input, so that products stand where they are folded.
    FoldHigh {
        /// Period of the output.
        output: usize,
        /// Inputs per block of `output` slots, and diagonals.
        step: usize,
        /// Blocks.
        blocks: usize,
    },
}

/// One weight's way: rotate `input` by `rotation`, multiply at `slot` (and every `repeat` slots further), add to
/// `output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Output ciphertext.
    pub output: usize,
    /// Input ciphertext.
    pub input: usize,
    /// Rotation.
    pub rotation: usize,
    /// First slot of the weight.
    pub slot: usize,
    /// Distance of its copies.
    pub repeat: usize,
}

impl Layout {
    /// Ciphertexts for a vector.
    pub fn ciphertexts(self, elements: usize) -> usize {
        match self {
            Layout::Periodic { period } => elements.div_ceil(period),
            _ => 1,
        }
    }

    /// Whether every slot holds an element or zero (or an activation of zero).
    pub fn is_clean(self) -> bool {
        !matches!(self, Layout::Strided { .. })
    }

    /// All places of an element in n slots.
    pub fn places(self, element: usize, slots: usize) -> Vec<Place> {
        let in_first = |slot| Place {
            ciphertext: 0,
            slot,
        };
        match self {
            Layout::Free => Vec::new(),
            Layout::Spread {
                block,
                step,
                blocks,
            } => {
                let residue = element % step;
                let repeats = (0..slots).step_by(block * blocks);
                let starts = repeats.map(|start| start + (element / step) * block);
                starts
                    .flat_map(|start| {
                        (residue..block)
                            .step_by(step)
                            .map(move |t| in_first(start + t))
                    })
                    .collect()
            }
            Layout::Periodic { period } => (element % period..slots)
                .step_by(period)
                .map(|slot| Place {
                    ciphertext: element / period,
                    slot,
                })
                .collect(),
            Layout::Strided { period, step } => {
                vec![in_first((element / step) * period + element % step)]
            }
        }
    }

    /// In words.
    pub fn describe(self) -> String {
        match self {
            Layout::Free => "free".to_owned(),
            Layout::Spread { block, step: 1, .. } => format!("each input repeated {block} times"),
            Layout::Spread { block, step, .. } => {
                format!("{step} inputs in turn in blocks of {block}")
            }
            Layout::Periodic { period } => format!("repeated with period {period}"),
            Layout::Strided { period, step: 1 } => format!("one in {period} slots"),
            Layout::Strided { period, step } => format!("{step} in {period} slots"),
        }
    }
}

impl Scheme {
    /// The layout that it leads to.
    pub fn result(self) -> Layout {
        match self {
            Scheme::Diagonals { output, .. }
            | Scheme::Gather { output, .. }
            | Scheme::FoldHigh { output, .. } => Layout::Periodic { period: output },
            Scheme::FoldLow { input, step } => Layout::Strided {
                period: input,
                step,
            },
        }
    }

    /// The layout that a free input takes for it.
    pub fn argument(self) -> Layout {
        match self {
            Scheme::Diagonals { input, .. } | Scheme::FoldLow { input, .. } => {
                Layout::Periodic { period: input }
            }
            Scheme::Gather { from, .. } => from,
            Scheme::FoldHigh {
                output,
                step,
                blocks,
            } => Layout::Spread {
                block: output,
                step,
                blocks,
            },
        }
    }

    /// Rotate-and-add steps after the rescale, in n slots.
    pub fn folds(self, slots: usize) -> Vec<usize> {
        let (from, to) = match self {
            Scheme::Diagonals { input, output } => (output, input),
            Scheme::FoldLow { input, step } => (step, input),
            Scheme::Gather { output, .. } => (output, slots),
            Scheme::FoldHigh { output, blocks, .. } => (output, output * blocks),
        };
        let mut folds: Vec<usize> = std::iter::successors(Some(from), |&step| Some(step * 2))
            .take_while(|&step| step < to)
            .collect();
        folds.reverse();
        folds
    }

    /// The way of the weight from input element e to output element o.
    pub fn path(self, o: usize, e: usize, slots: usize) -> Path {
        let back =
            |from: usize, by: usize, modulus: usize| (from + modulus - by % modulus) % modulus;
        match self {
            Scheme::Diagonals { input, output } => {
                let (row, column) = (o % output, e % input);
                let rotation = back(column, row, output.min(input));
                let (slot, repeat) = if output >= input {
                    (row, output)
                } else {
                    (back(column, rotation, input), input)
                };
                Path {
                    output: o / output,
                    input: e / input,
                    rotation,
                    slot,
                    repeat,
                }
            }
            Scheme::FoldLow { input, step } => {
                let rotation = back(e, o % step, step);
                let slot = (o / step) * input + back(e, rotation, input);
                Path {
                    output: 0,
                    input: 0,
                    rotation,
                    slot,
                    repeat: slots,
                }
            }
            Scheme::Gather { from, output } => {
                let place = from.places(e, slots)[0];
                let rotation = back(place.slot, o % output, output);
                let slot = back(place.slot, rotation, slots);
                Path {
                    output: o / output,
                    input: place.ciphertext,
                    rotation,
                    slot,
                    repeat: slots,
                }
            }
            Scheme::FoldHigh {
                output,
                step,
                blocks,
            } => {
                let rotation = back(e % step, o, step);
                let block = e / step;
                let block = if o + rotation < output {
                    block
                } else {
                    back(block, 1, blocks)
                };
                Path {
                    output: 0,
                    input: 0,
                    rotation,
                    slot: block * output + o,
                    repeat: output * blocks,
                }
            }
        }
    }

    /// Every scheme for a matrix of `rows` outputs and `columns` inputs from a layout, in n slots. Powers of two.
    pub fn candidates(from: Layout, rows: usize, columns: usize, slots: usize) -> Vec<Scheme> {
        let output = rows.next_power_of_two().min(slots);
        let steps = |limit: usize| {
            std::iter::successors(Some(1), |&step| Some(step * 2)).take_while(move |&s| s <= limit)
        };
        let mut found = Vec::new();
        match from {
            Layout::Free => {
                let input = columns.next_power_of_two().min(slots);
                found.extend(Self::candidates(
                    Layout::Periodic { period: input },
                    rows,
                    columns,
                    slots,
                ));
                let fits = |step: usize| output * (input / step) <= slots;
                if rows <= slots && columns <= slots {
                    let widths = steps(output.min(input)).filter(|&step| fits(step));
                    found.extend(widths.map(|step| Scheme::FoldHigh {
                        output,
                        step,
                        blocks: input / step,
                    }));
                }
            }
            Layout::Periodic { period } => {
                found.push(Scheme::Diagonals {
                    input: period,
                    output,
                });
                if columns <= period {
                    let fits = |step: usize| rows.div_ceil(step) * period <= slots;
                    let widths = steps(period / 2).filter(|&step| fits(step));
                    found.extend(widths.map(|step| Scheme::FoldLow {
                        input: period,
                        step,
                    }));
                }
            }
            Layout::Strided { .. } => found.push(Scheme::Gather { from, output }),
            Layout::Spread { .. } => {}
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies a scheme to known vectors by the rules that the instruction follows.
    fn apply(scheme: Scheme, matrix: &[Vec<f64>], vector: &[f64], slots: usize) -> Vec<f64> {
        let argument = scheme.argument();
        let mut x = vec![vec![0.0; slots]; argument.ciphertexts(vector.len())];
        if !argument.is_clean() {
            x.iter_mut().flatten().for_each(|slot| *slot = 1e6);
        }
        for (element, &value) in vector.iter().enumerate() {
            for place in argument.places(element, slots) {
                x[place.ciphertext][place.slot] = value;
            }
        }
        let result = scheme.result();
        let mut y = vec![vec![0.0; slots]; result.ciphertexts(matrix.len())];
        for (o, row) in matrix.iter().enumerate() {
            for (e, weight) in row.iter().enumerate() {
                let path = scheme.path(o, e, slots);
                for slot in (path.slot..slots).step_by(path.repeat) {
                    y[path.output][slot] += weight * x[path.input][(slot + path.rotation) % slots];
                }
            }
        }
        for fold in scheme.folds(slots) {
            for y in &mut y {
                *y = (0..slots)
                    .map(|slot| y[slot] + y[(slot + fold) % slots])
                    .collect();
            }
        }
        let mut found = Vec::new();
        for o in 0..matrix.len() {
            let places = result.places(o, slots);
            let first = y[places[0].ciphertext][places[0].slot];
            for place in &places {
                assert!(
                    (y[place.ciphertext][place.slot] - first).abs() < 1e-9,
                    "{scheme:?} replicas of {o} differ"
                );
            }
            found.push(first);
        }
        found
    }

    #[test]
    fn every_scheme_multiplies_by_the_matrix() {
        let mut tried = 0;
        for (rows, columns) in [
            (16usize, 30usize),
            (2, 16),
            (1, 5),
            (10, 3),
            (7, 7),
            (40, 12),
            (3, 40),
        ] {
            let matrix: Vec<Vec<f64>> = (0..rows)
                .map(|o| {
                    (0..columns)
                        .map(|e| ((o * 31 + e * 17) % 23) as f64 - 11.0)
                        .collect()
                })
                .collect();
            let vector: Vec<f64> = (0..columns).map(|e| (e * e % 13) as f64 - 6.0).collect();
            let expected: Vec<f64> = matrix
                .iter()
                .map(|row| row.iter().zip(&vector).map(|(w, x)| w * x).sum())
                .collect();
            for log_slots in 3..=10 {
                let slots = 1 << log_slots;
                let period = columns.next_power_of_two();
                let mut starts = vec![Layout::Free];
                for wide in [period, 2 * period, 4 * period] {
                    starts.push(Layout::Periodic {
                        period: wide.min(slots),
                    });
                }
                for step in [1, 2, 4] {
                    if columns.div_ceil(step) * 8 <= slots {
                        starts.push(Layout::Strided { period: 8, step });
                    }
                }
                for from in starts {
                    for scheme in Scheme::candidates(from, rows, columns, slots) {
                        let found = apply(scheme, &matrix, &vector, slots);
                        for (found, expected) in found.iter().zip(&expected) {
                            assert!(
                                (found - expected).abs() < 1e-6,
                                "{scheme:?} {rows}x{columns} in {slots}"
                            );
                        }
                        tried += 1;
                    }
                }
            }
        }
        assert!(tried > 300, "{tried}");
    }
}
