//! The client spec that belongs to a program.

use hush_program::{ClientSpec, Packing, ProgramError, TensorSpec};

use crate::calibrate::Calibrated;
use crate::network::{Network, Port};
use crate::pack::Placement;
use crate::search::Chosen;

/// Puts together what the data owner needs.
///
/// # Errors
/// If the program cannot be encoded or the result fails its own check.
pub fn client_spec(
    network: &Network,
    calibrated: &Calibrated,
    chosen: &Chosen,
) -> Result<ClientSpec, ProgramError> {
    let (packed, program) = (&chosen.packed, &chosen.program);
    let tensors = |ports: &[Port], placements: &[Placement]| {
        ports
            .iter()
            .zip(placements)
            .map(|(port, placement)| TensorSpec {
                name: port.name.clone(),
                shape: port.shape.clone(),
                ciphertexts: placement.ciphertexts,
                places: placement.places.clone(),
                range: None,
            })
            .collect::<Vec<_>>()
    };
    let mut inputs = tensors(&network.inputs, &packed.input_places);
    for (index, input) in inputs.iter_mut().enumerate() {
        input.range = calibrated.input_range(index);
    }
    let output_scale = program
        .instructions
        .iter()
        .rev()
        .find(|instruction| instruction.results.contains(&program.outputs[0]))
        .map_or(program.input_scale, |instruction| instruction.scale);
    let spec = ClientSpec {
        program_id: program.id()?,
        name: program.name.clone(),
        parameters: program.parameters.clone(),
        slots: program.slots,
        input_level: program.input_level,
        input_scale: program.input_scale,
        output_level: program.input_level - packed.depth,
        output_scale,
        inputs,
        outputs: tensors(&network.outputs, &packed.output_places),
        packing: Packing {
            kind: packed.kind,
            samples: packed.samples,
            sample_stride: packed.sample_stride,
        },
        keys: chosen.count.keys.clone(),
        post: network.post.clone(),
    };
    spec.check()?;
    Ok(spec)
}
