//! What the checks refuse, and the stored form.

mod sample;

use std::collections::BTreeMap;

use hush_program::count::count;
use hush_program::{
    ClientSpec, KeyManifest, Operation, Plain, PostOperation, Program, ProgramError, Register,
};
use hush_wire::program::{ClientSpecV1, ProgramV1, canonical_bytes};
use proptest::prelude::*;

use sample::{client_spec, program};

#[test]
fn broken_programs_are_refused() {
    type Break = fn(&mut Program);
    let cases: [(&str, Break); 12] = [
        ("slots", |p| p.slots = 12),
        ("slots", |p| p.slots = 1 << 13),
        ("parameters", |p| p.parameters.moduli[1] += 2),
        ("parameters", |p| p.parameters.log_degree = 9),
        ("input_level", |p| p.input_level = 9),
        ("input_scale", |p| p.input_scale = f64::NAN),
        ("before it is written", |p| p.outputs[0] = Register(77)),
        ("before it is written", |p| p.instructions.swap(0, 1)),
        ("second time", |p| {
            p.instructions[2].results[0] = Register(0)
        }),
        ("level", |p| p.instructions[1].level = 2),
        ("scale", |p| p.instructions[5].scale *= 1.0001),
        ("wrong number of results", |p| {
            p.instructions[3].results.push(Register(50))
        }),
    ];
    for (hint, break_it) in cases {
        let mut program = program();
        break_it(&mut program);
        let error = program.check().expect_err(hint);
        assert!(error.to_string().contains(hint), "{error}");
    }
    let mut program = program();
    if let Operation::Linear { blocks, .. } = &mut program.instructions[0].operation {
        blocks[0].diagonals.insert(1, Plain::Slots(vec![0.0; 7]));
    }
    assert!(matches!(
        program.check(),
        Err(ProgramError::Instruction { index: 0, .. })
    ));
}

#[test]
fn the_stored_form_keeps_everything() {
    let program = program();
    program.check().unwrap();
    let stored = ProgramV1::from(&program);
    let bytes = canonical_bytes(&stored).unwrap();
    let back: ProgramV1 = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(Program::try_from(back).unwrap(), program);
    assert_eq!(program.id().unwrap(), *blake3::hash(&bytes).as_bytes());
    let spec = client_spec();
    assert_eq!(
        ClientSpec::try_from(ClientSpecV1::from(&spec)).unwrap(),
        spec
    );
}

#[test]
fn broken_client_specs_are_refused() {
    type Break = fn(&mut ClientSpec);
    let cases: [(&str, Break); 7] = [
        ("tensor", |s| s.inputs[0].shape = vec![5]),
        ("tensor", |s| s.inputs[0].places[0][0].slot = 8),
        ("tensor", |s| {
            s.outputs[0].places[1] = s.outputs[0].places[0].clone()
        }),
        ("packing", |s| s.packing.samples = 9),
        ("keys", |s| {
            s.keys = KeyManifest {
                relinearization: None,
                rotations: BTreeMap::from([(8, 0)]),
            }
        }),
        ("post", |s| {
            s.post = vec![PostOperation::Softmax { axis: 0 }]
        }),
        ("levels", |s| s.output_level = 5),
    ];
    for (hint, break_it) in cases {
        let mut spec = client_spec();
        break_it(&mut spec);
        let error = spec.check().expect_err(hint);
        assert!(error.to_string().contains(hint), "{error}");
        assert!(ClientSpec::try_from(ClientSpecV1::from(&spec)).is_err());
    }
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(position in 0usize..400, bit in 0u32..8, cut in 0usize..400) {
        let mut bytes = canonical_bytes(&ProgramV1::from(&program())).unwrap();
        let position = position % bytes.len();
        bytes[position] ^= 1 << bit;
        for bytes in [&bytes[..], &bytes[..cut.min(bytes.len())]] {
            if let Ok(stored) = postcard::from_bytes::<ProgramV1>(bytes)
                && let Ok(program) = Program::try_from(stored)
            {
                prop_assert!(program.check().is_ok() && count(&program).is_ok());
            }
        }
    }
}
