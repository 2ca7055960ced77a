//! The functions of a network, and how their neighbours can take part in replacing them.

use hush_graph::Function;

use super::form::Notch;
use crate::calibrate::Calibrated;
use crate::error::CompileError;
use crate::network::{Index, Network, StageKind};

/// No element is scaled up by more than this, compared to the one with the largest arguments.
const LEAST_SCALE: f64 = 0.02;

/// Composite signs, and the error of the absolute value that each leaves on [−1, 1].
const SIGNS: [(&[usize], f64); 6] = [
    (&[15, 31], 2.2e-3),
    (&[31, 31], 1.1e-3),
    (&[15, 15, 15], 4.1e-4),
    (&[15, 15, 31], 2.0e-4),
    (&[15, 31, 31], 1.0e-4),
    (&[31, 31, 31], 5.3e-5),
];

/// The least error of the absolute value on [−1, 1] by a polynomial, times its degree.
const BERNSTEIN: f64 = 0.280_169_499;

/// A function to be replaced.
pub(super) struct Target {
    /// Position of the stage.
    pub(super) stage: usize,
    /// Names of the nodes.
    pub(super) label: String,
    /// The argument.
    pub(super) source: Index,
    /// The result.
    pub(super) output: Index,
    /// The function.
    pub(super) function: Function,
    /// Slopes left and right of zero, for functions that are straight on both sides: scaling an argument by a positive
    /// number scales their result.
    pub(super) slopes: Option<(f64, f64)>,
    /// Whether the argument is a linear stage that nothing else reads, and the result is read by linear stages only:
    /// then both can be scaled for nothing.
    pub(super) absorbs: bool,
    /// Whether the argument is a linear stage that nothing else reads.
    pub(super) alone: bool,
    /// Elements in a row that share a scale: those of a channel.
    group: usize,
}

/// The functions of a network in the order of their stages.
///
/// # Errors
/// [`CompileError::Domain`] for arguments at which a function is not defined, [`CompileError::Jump`] where it jumps.
pub(super) fn targets(
    network: &Network,
    calibrated: &Calibrated,
) -> Result<Vec<Target>, CompileError> {
    let uses = network.uses();
    let mut found = Vec::new();
    for (position, stage) in network.stages.iter().enumerate() {
        let StageKind::Function { source, function } = &stage.kind else {
            continue;
        };
        let (smallest, largest) = calibrated.ranges[*source];
        if !function.is_defined_on(smallest, largest) {
            return Err(CompileError::Domain {
                node: stage.label.clone(),
                function: function.to_string(),
                smallest,
                largest,
            });
        }
        let jump = function.jump();
        if let Some(at) = jump.filter(|at| (smallest..=largest).contains(at)) {
            return Err(CompileError::Jump {
                node: stage.label.clone(),
                function: function.to_string(),
                at,
                smallest,
                largest,
            });
        }
        let linear = |kind: &StageKind| matches!(kind, StageKind::Linear { .. });
        let mut readers = network.stages.iter().map(|stage| &stage.kind);
        let only_linear = readers.all(|kind| linear(kind) || !kind.reads().contains(&stage.output))
            && network
                .outputs
                .iter()
                .all(|port| port.value != stage.output);
        let mut producers = network.stages.iter().filter(|own| own.output == *source);
        let alone = uses[*source] == 1 && producers.any(|own| linear(&own.kind));
        let shape = &network.values[*source].shape;
        found.push(Target {
            stage: position,
            label: stage.label.clone(),
            source: *source,
            output: stage.output,
            function: function.clone(),
            slopes: slopes(function),
            absorbs: alone && only_linear,
            alone,
            group: shape.iter().skip(1).product::<usize>().max(1),
        });
    }
    Ok(found)
}

fn slopes(function: &Function) -> Option<(f64, f64)> {
    match function {
        Function::Relu => Some((0.0, 1.0)),
        Function::LeakyRelu { slope } => Some((*slope, 1.0)),
        Function::Abs => Some((-1.0, 1.0)),
        _ => None,
    }
}

impl Target {
    /// What can replace the function, with more levels from one to the next.
    pub(super) fn notches(&self, max_degree: usize) -> Vec<Notch> {
        let degree = |level: u32| match level {
            1 => 2,
            2 if self.absorbs => 4,
            _ => (1 << level) - 1,
        };
        let levels = if self.absorbs { 1 } else { 2 }..=10;
        let mut notches: Vec<Notch> = levels
            .map(degree)
            .filter(|&degree| degree < max_degree)
            .chain([max_degree])
            .map(Notch::Degree)
            .collect();
        let kinked = self.slopes.is_some();
        for (degrees, error) in SIGNS.iter().filter(|_| kinked) {
            let useful = *error < 0.9 * BERNSTEIN / max_degree as f64;
            if useful && degrees.iter().all(|&own| own <= max_degree) {
                notches.push(Notch::Sign(degrees.to_vec()));
            }
        }
        notches
    }

    /// Scales that make the arguments of all channels alike, where they cost nothing; otherwise ones. Between the
    /// largest size and the root mean square: a channel with rare large values does not spoil the others.
    pub(super) fn scales(&self, values: &[f64], lanes: usize) -> Vec<f64> {
        let elements = values.len() / lanes;
        if self.slopes.is_none() || !self.absorbs {
            return vec![1.0; elements];
        }
        let group = if elements.is_multiple_of(self.group) {
            self.group
        } else {
            1
        };
        let sizes: Vec<f64> = values
            .chunks_exact(lanes * group)
            .map(|numbers| {
                let largest = numbers.iter().fold(0.0f64, |most, x| most.max(x.abs()));
                let squares: f64 = numbers.iter().map(|x| x * x).sum();
                (largest * (squares / numbers.len() as f64).sqrt()).sqrt()
            })
            .collect();
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        let least = if largest > 0.0 {
            LEAST_SCALE * largest
        } else {
            1.0
        };
        let each = sizes.iter().map(|size| size.max(least));
        each.flat_map(|size| std::iter::repeat_n(size, group))
            .collect()
    }

    /// The range with a margin on both sides, inside the function's domain.
    pub(super) fn widen(&self, (lo, hi): (f64, f64), margin: f64) -> (f64, f64) {
        let width = (hi - lo).max(1e-6 * (1.0 + lo.abs().max(hi.abs())));
        let extra = 0.5 * margin * width;
        let wide = (lo - extra, hi + extra);
        if self.function.is_defined_on(wide.0, wide.1) {
            return wide;
        }
        // Half of the way to where the function ends.
        let (least, greatest) = self.function.domain();
        let inward = |end: f64, near: f64| {
            if end.is_finite() {
                0.5 * (end + near)
            } else {
                near
            }
        };
        if lo > least {
            (
                wide.0.max(inward(least, lo)),
                wide.1.min(inward(greatest, hi).max(hi)),
            )
        } else {
            (wide.0, wide.1.min(0.5 * hi))
        }
    }
}
