//! A small client spec for the tests of this crate.

use hush_program::{
    ClientSpec, KeyManifest, Packing, PackingKind, ParameterSpec, Place, TensorSpec,
};

/// One input `x` and one output `y` of two elements in slots 0 and 1 of one ciphertext with 16
/// slots; `samples` samples a group, `stride` slots apart.
pub(crate) fn spec(samples: usize, stride: usize) -> ClientSpec {
    let tensor = |name: &str| TensorSpec {
        name: name.to_owned(),
        shape: vec![2],
        ciphertexts: 1,
        places: (0..2)
            .map(|slot| {
                vec![Place {
                    ciphertext: 0,
                    slot,
                }]
            })
            .collect(),
        range: None,
    };
    ClientSpec {
        program_id: [7; 32],
        name: "test".to_owned(),
        parameters: ParameterSpec {
            log_degree: 12,
            moduli: vec![1_099_511_480_321, 1_099_511_603_201],
            special_moduli: vec![1_099_510_890_497],
        },
        slots: 16,
        input_level: 1,
        input_scale: 2f64.powi(30),
        output_level: 0,
        output_scale: 2f64.powi(30),
        inputs: vec![tensor("x")],
        outputs: vec![tensor("y")],
        packing: Packing {
            kind: PackingKind::Latency,
            samples,
            sample_stride: stride,
        },
        keys: KeyManifest::default(),
        post: Vec::new(),
    }
}
