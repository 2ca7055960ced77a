//! Networks that tests of several passes share.

use hush_graph::SparseMatrix;
use hush_program::Polynomial;

use crate::network::{Network, Port, Stage, StageKind, Vector};

/// `3 p(w x + b) - 1` of one number, with the weight and bias of `first`.
pub(crate) fn around(polynomial: Polynomial, first: (f64, f64)) -> Network {
    let vector = |name: &str| Vector {
        name: name.to_owned(),
        shape: vec![1],
        elements: 1,
    };
    let linear = |source, weight, bias, output| Stage {
        label: "fc".to_owned(),
        output,
        kind: StageKind::Linear {
            terms: vec![(source, SparseMatrix::from_rows(1, vec![vec![(0, weight)]]))],
            bias: vec![bias],
        },
    };
    let port = |value| Port {
        name: "p".to_owned(),
        shape: vec![1],
        value,
        positions: None,
    };
    let activation = StageKind::Polynomial {
        source: 1,
        polynomial,
    };
    Network {
        name: "n".to_owned(),
        values: ["x", "a", "b", "y"].map(vector).to_vec(),
        inputs: vec![port(0)],
        stages: vec![
            linear(0, first.0, first.1, 1),
            Stage {
                label: "act".to_owned(),
                output: 2,
                kind: activation,
            },
            linear(2, 3.0, -1.0, 3),
        ],
        outputs: vec![port(3)],
        post: Vec::new(),
    }
}
