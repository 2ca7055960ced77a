//! How many samples one request takes.

use std::time::Duration;

use hush_program::ClientSpec;
use hush_wire::DirectionV1;

/// What a request should take: long enough that the way to the server does not matter, short enough that progress shows
/// and that a request that fails loses little.
const WANTED: Duration = Duration::from_secs(2);

/// How many samples one request takes: one group at first, then as many as the server answers in a good time, within a
/// bound on bytes.
pub(crate) struct Size {
    /// Samples of a group.
    group: usize,
    groups: usize,
    most: usize,
}

impl Size {
    pub(crate) fn new(spec: &ClientSpec, bytes: u64) -> Self {
        let of_group = group_bytes(spec).max(1);
        Self {
            group: spec.packing.samples.max(1),
            groups: 1,
            most: usize::try_from(bytes / of_group)
                .unwrap_or(usize::MAX)
                .max(1),
        }
    }

    /// Samples of the next request.
    pub(crate) fn samples(&self) -> usize {
        self.groups.saturating_mul(self.group)
    }

    /// A request of so many samples took so long.
    pub(crate) fn took(&mut self, samples: usize, time: Duration) {
        let groups = samples.div_ceil(self.group).max(1);
        let each = time.as_secs_f64() / groups as f64;
        let wanted = (WANTED.as_secs_f64() / each.max(1e-6)) as usize;
        self.groups = wanted
            .clamp(1, 2 * groups.max(self.groups.div_ceil(2)))
            .min(self.most);
    }
}

/// Bytes of ciphertexts of a group, there and back.
fn group_bytes(spec: &ClientSpec) -> u64 {
    let limbs = |level: usize| {
        let moduli = spec.parameters.moduli.iter().take(level + 1);
        moduli
            .map(|modulus| u64::from(modulus.ilog2()) + 1)
            .sum::<u64>()
    };
    let polynomial = |level| (limbs(level) << spec.parameters.log_degree) / 8;
    let count = |direction| spec.ciphertexts_per_group(direction) as u64;
    let there = count(DirectionV1::Input) * polynomial(spec.input_level);
    // Only what is fresh has a seed in place of its second half.
    let back = count(DirectionV1::Output) * 2 * polynomial(spec.output_level);
    there + back
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_grow_while_answers_are_fast() {
        let mut size = Size {
            group: 8,
            groups: 1,
            most: 20,
        };
        assert_eq!(size.samples(), 8);
        let mut sizes = Vec::new();
        for _ in 0..6 {
            size.took(size.samples(), Duration::from_millis(10));
            sizes.push(size.samples() / 8);
        }
        assert_eq!(sizes, [2, 4, 8, 16, 20, 20]);
        size.took(160, Duration::from_secs(20));
        assert_eq!(size.samples(), 16);
        size.took(16, Duration::from_secs(60));
        assert_eq!(size.samples(), 8);
    }
}
