//! A cubic followed by a matrix in two levels instead of three, where the layout allows it.
//!
//! The matrix multiplies plaintext coefficients that the cubic needs anyway. That works where each weight meets its
//! element without a rotation, so it is a variant of the network for the packing search, not a rewrite for all.

use hush_program::{Basis, Polynomial};

use crate::network::{Index, Network, Stage, StageKind};

fn cubic(polynomial: &Polynomial) -> Option<[f64; 4]> {
    let &[c0, c1, c2, c3] = polynomial.coefficients.as_slice() else {
        return None;
    };
    match polynomial.basis {
        Basis::Power => Some([c0, c1, c2, c3]),
        // T_2 = 2x² − 1, T_3 = 4x³ − 3x.
        Basis::Chebyshev { lo: -1.0, hi: 1.0 } => {
            Some([c0 - c2, c1 - 3.0 * c3, 2.0 * c2, 4.0 * c3])
        }
        _ => None,
    }
}

/// The linear stage that alone reads a value, if it reads nothing else.
fn sole_linear_reader(network: &Network, value: Index) -> Option<usize> {
    let mut readers = (0..network.stages.len())
        .filter(|&position| network.stages[position].kind.reads().contains(&value));
    let position = readers.next()?;
    let output = network.outputs.iter().any(|port| port.value == value);
    let alone = matches!(&network.stages[position].kind, StageKind::Linear { terms, .. } if terms.len() == 1);
    (alone && !output && readers.next().is_none()).then_some(position)
}

/// The network with every cubic fused into the linear stage after it; `None` if there is none to fuse.
pub fn fuse(network: &Network) -> Option<Network> {
    let mut result = network.clone();
    let mut removed = Vec::new();
    for (position, stage) in network.stages.iter().enumerate() {
        let StageKind::Polynomial { source, polynomial } = &stage.kind else {
            continue;
        };
        let Some(cubic) = cubic(polynomial) else {
            continue;
        };
        let Some(reader) = sole_linear_reader(network, stage.output) else {
            continue;
        };
        let StageKind::Linear { terms, bias } = &network.stages[reader].kind else {
            continue;
        };
        let matrix = terms[0].1.clone();
        let mut bias = bias.clone();
        matrix.apply_add(&vec![cubic[0]; matrix.columns()], &mut bias);
        let label = format!("{} + {}", stage.label, network.stages[reader].label);
        let kind = StageKind::Fused {
            source: *source,
            cubic,
            matrix,
            bias,
        };
        result.stages[reader] = Stage {
            label,
            output: network.stages[reader].output,
            kind,
        };
        removed.push(position);
    }
    for &position in removed.iter().rev() {
        result.stages.remove(position);
    }
    (!removed.is_empty()).then_some(result)
}
