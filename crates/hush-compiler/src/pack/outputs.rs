//! One scale for all outputs: what is decrypted states one.

use std::collections::BTreeMap;

use hush_program::{Operation, Register};

use super::{Packed, Planned, Scaling};

/// Joins the scale groups that the scales of the outputs come from, where they are free to choose.
pub(super) fn alike(mut packed: Packed) -> Packed {
    let written: BTreeMap<Register, &Planned> = packed
        .instructions
        .iter()
        .flat_map(|planned| planned.results.iter().map(move |&result| (result, planned)))
        .collect();
    let groups: Vec<usize> = packed
        .outputs
        .iter()
        .filter_map(|&output| group_of(&written, output))
        .collect();
    let Some(&joined) = groups.iter().min() else {
        return packed;
    };
    // Groups are numbered without gaps.
    let mut numbers = Vec::with_capacity(packed.groups);
    let mut next = 0;
    for group in 0..packed.groups {
        if group != joined && groups.contains(&group) {
            numbers.push(numbers[joined]);
        } else {
            numbers.push(next);
            next += 1;
        }
    }
    packed.groups = next;
    for planned in &mut packed.instructions {
        if let Scaling::Group(group) = &mut planned.scaling {
            *group = numbers[*group];
        }
    }
    packed
}

/// The group that sets the scale of a register; none for a product, whose scale follows from two.
fn group_of(written: &BTreeMap<Register, &Planned>, mut register: Register) -> Option<usize> {
    loop {
        let Some(planned) = written.get(&register) else {
            // An input.
            return Some(0);
        };
        register = match planned.scaling {
            Scaling::Group(group) => return Some(group),
            Scaling::Like(register) => register,
            Scaling::Derived => match &planned.operation {
                Operation::Multiply { .. } => return None,
                operation => *operation.reads().first()?,
            },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hush_program::{PackingKind, Plain};

    fn planned(operation: Operation, result: u32, scaling: Scaling) -> Planned {
        Planned {
            label: String::new(),
            operation,
            results: vec![Register(result)],
            depth: 1,
            scaling,
        }
    }

    fn linear(input: u32, result: u32, group: usize) -> Planned {
        let operation = Operation::Linear {
            inputs: vec![Register(input)],
            blocks: Vec::new(),
            baby_step: 1,
            folds: Vec::new(),
            bias: vec![None],
        };
        planned(operation, result, Scaling::Group(group))
    }

    fn packed(instructions: Vec<Planned>, outputs: &[u32], groups: usize) -> Packed {
        Packed {
            kind: PackingKind::Latency,
            slots: 1,
            samples: 1,
            sample_stride: 1,
            depth: 1,
            instructions,
            inputs: vec![Register(0)],
            outputs: outputs.iter().copied().map(Register).collect(),
            input_places: Vec::new(),
            output_places: Vec::new(),
            groups,
            notes: Vec::new(),
        }
    }

    #[test]
    fn groups_of_outputs_become_one_and_the_others_stay() {
        let shift = Operation::AddPlain {
            input: Register(2),
            plain: Plain::Constant(1.0),
        };
        let instructions = vec![
            linear(0, 1, 1),
            linear(0, 2, 2),
            planned(shift, 3, Scaling::Derived),
            linear(1, 4, 3),
            linear(1, 5, 4),
        ];
        let found = alike(packed(instructions, &[3, 5], 5));
        let scalings: Vec<_> = found.instructions.iter().map(|own| own.scaling).collect();
        let group = Scaling::Group;
        assert_eq!(
            scalings,
            [group(1), group(2), Scaling::Derived, group(3), group(2)]
        );
        assert_eq!(found.groups, 4);
    }

    #[test]
    fn one_output_changes_nothing() {
        let before = packed(vec![linear(0, 1, 1), linear(1, 2, 2)], &[2], 3);
        assert_eq!(alike(before.clone()), before);
    }

    #[test]
    fn an_input_that_is_an_output_sets_the_scale() {
        let found = alike(packed(vec![linear(0, 1, 1)], &[0, 1], 2));
        assert_eq!(found.instructions[0].scaling, Scaling::Group(0));
        assert_eq!(found.groups, 1);
    }
}
