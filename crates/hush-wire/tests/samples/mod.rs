//! One small file of every kind, the same in every run, and a reader that uses each whole.

use hush_wire::program::{
    BasisV1, BlockV1, ClientSpecV1, InstructionV1, ModelV1, OperationV1, PackingKindV1, PackingV1,
    PlainV1, PostOperationV1, ProgramParametersV1, ProgramV1, TensorSpecV1,
};
use hush_wire::{
    CiphertextShapeV1, CiphertextV1, CiphertextsHeaderV1, CiphertextsReader, CiphertextsWriter,
    DirectionV1, EvaluationKeysHeaderV1, EvaluationKeysReader, EvaluationKeysWriter, FormV1, Kind,
    ParametersV1, PartV1, ProtectionV1, SecretKeyHeaderV1, SwitchV1, SwitchingKeyShapeV1,
    SwitchingKeyV1, WireError, pack_ternary, read_message, read_secret_key, unpack_ternary,
    write_message, write_secret_key,
};

/// A file name, its bytes, and a function that reads such a file to its end.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) read: fn(&[u8]) -> Result<(), WireError>,
}

pub(crate) fn all() -> Vec<Sample> {
    vec![
        Sample {
            name: "model.hush",
            bytes: message(Kind::Model, &model()),
            read: |bytes| read_message::<ModelV1>(bytes, Kind::Model).map(drop),
        },
        Sample {
            name: "client.hush",
            bytes: message(Kind::Client, &client_spec()),
            read: |bytes| read_message::<ClientSpecV1>(bytes, Kind::Client).map(drop),
        },
        Sample {
            name: "secret_key.hush",
            bytes: secret_key(ProtectionV1::None),
            read: read_secret_key_whole,
        },
        Sample {
            name: "secret_key_wrapped.hush",
            bytes: secret_key(ProtectionV1::Argon2id {
                salt: [1; 16],
                memory: 65536,
                passes: 3,
                lanes: 1,
                nonce: [2; 24],
            }),
            read: read_secret_key_whole,
        },
        Sample {
            name: "evaluation_keys.hush",
            bytes: evaluation_keys(),
            read: read_evaluation_keys,
        },
        Sample {
            name: "ciphertexts.hush",
            bytes: ciphertexts(),
            read: read_ciphertexts,
        },
    ]
}

fn parameters() -> ParametersV1 {
    ParametersV1 {
        log_degree: 4,
        moduli: vec![97, 193, 257],
        special_moduli: vec![353, 449],
    }
}

fn client_spec() -> ClientSpecV1 {
    let tensor = |name: &str, elements: u64| TensorSpecV1 {
        name: name.to_owned(),
        shape: vec![elements],
        ciphertexts: 1,
        places: (0..elements).map(|slot| vec![(0, slot)]).collect(),
        range: (name == "x").then_some((-1.0, 2.5)),
    };
    ClientSpecV1 {
        program_id: [7; 32],
        name: "sample".to_owned(),
        parameters: program_parameters(),
        slots: 8,
        input_level: 2,
        input_scale: 64.0,
        output_level: 0,
        output_scale: 32.0,
        inputs: vec![tensor("x", 3)],
        outputs: vec![tensor("y", 2)],
        packing: PackingV1 {
            kind: PackingKindV1::Latency,
            samples: 2,
            sample_stride: 4,
        },
        relinearization: Some(1),
        rotations: vec![(1, 2), (2, 2)],
        post: vec![PostOperationV1::Softmax { axis: 1 }],
    }
}

fn model() -> ModelV1 {
    ModelV1 {
        program: ProgramV1 {
            name: "sample".to_owned(),
            parameters: program_parameters(),
            slots: 8,
            inputs: vec![0],
            input_level: 2,
            input_scale: 64.0,
            instructions: vec![
                InstructionV1 {
                    label: "dense".to_owned(),
                    operation: OperationV1::Linear {
                        inputs: vec![0],
                        blocks: vec![BlockV1 {
                            output: 0,
                            input: 0,
                            diagonals: vec![
                                (0, PlainV1::Constant(0.5)),
                                (1, PlainV1::Slots(vec![0.25; 8])),
                            ],
                        }],
                        baby_step: 2,
                        folds: vec![4],
                        bias: vec![None],
                    },
                    results: vec![1],
                    level: 1,
                    scale: 64.0,
                },
                InstructionV1 {
                    label: "square".to_owned(),
                    operation: OperationV1::Polynomial {
                        input: 1,
                        coefficients: vec![0.0, 0.0, 1.0],
                        basis: BasisV1::Power,
                    },
                    results: vec![2],
                    level: 0,
                    scale: 32.0,
                },
            ],
            outputs: vec![2],
        },
        client_spec: client_spec(),
        report_text: "report".to_owned(),
        report_json: "{}".to_owned(),
    }
}

fn program_parameters() -> ProgramParametersV1 {
    let parameters = parameters();
    ProgramParametersV1 {
        log_degree: parameters.log_degree,
        moduli: parameters.moduli,
        special_moduli: parameters.special_moduli,
    }
}

fn message<T: serde::Serialize>(kind: Kind, value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_message(&mut bytes, kind, value).expect("a sample is writable");
    bytes
}

fn secret_key(protection: ProtectionV1) -> Vec<u8> {
    let header = SecretKeyHeaderV1 {
        parameters: parameters(),
        key_id: [5; 16],
        protection,
    };
    let coefficients: Vec<i8> = (0..16).map(|index| (index % 3) as i8 - 1).collect();
    let body = pack_ternary(&coefficients).expect("the sample is ternary");
    let mut bytes = Vec::new();
    write_secret_key(&mut bytes, &header, &body).expect("a sample is writable");
    bytes
}

fn evaluation_keys() -> Vec<u8> {
    let header = EvaluationKeysHeaderV1 {
        parameters: parameters(),
        key_id: [5; 16],
        keys: vec![
            SwitchingKeyShapeV1 {
                switch: SwitchV1::Relinearization,
                limbs: 3,
            },
            SwitchingKeyShapeV1 {
                switch: SwitchV1::Galois { element: 5 },
                limbs: 2,
            },
        ],
    };
    let mut writer =
        EvaluationKeysWriter::new(Vec::new(), header.clone()).expect("a sample is writable");
    for shape in header.keys.clone() {
        let length = (shape.limbs as usize + 2) * header.digits(shape.limbs) * 16;
        let key = SwitchingKeyV1 {
            shape,
            seed: [3; 32],
            residues: (0..length as u64).map(|index| index * 7 % 97).collect(),
        };
        writer.write(&key).expect("a sample is writable");
    }
    writer.finish().expect("a sample is writable")
}

fn ciphertexts() -> Vec<u8> {
    let shape = |limbs, form| CiphertextShapeV1 {
        limbs,
        log_slots: 3,
        scale: 64.0,
        form,
    };
    let header = CiphertextsHeaderV1 {
        parameters: parameters(),
        program_id: [7; 32],
        key_id: [5; 16],
        direction: DirectionV1::Input,
        samples: 3,
        shapes: vec![
            shape(3, FormV1::Seeded),
            shape(1, FormV1::Full { parts: 2 }),
        ],
    };
    let residues = |limbs: u64| PartV1::Residues((0..limbs * 16).collect());
    let mut writer =
        CiphertextsWriter::new(Vec::new(), header.clone()).expect("a sample is writable");
    let all_parts = [
        vec![residues(3), PartV1::Seed([8; 32])],
        vec![residues(1), residues(1)],
    ];
    for (shape, parts) in header.shapes.iter().copied().zip(all_parts) {
        writer
            .write(&CiphertextV1 { shape, parts })
            .expect("a sample is writable");
    }
    writer.finish().expect("a sample is writable")
}

fn read_secret_key_whole(bytes: &[u8]) -> Result<(), WireError> {
    let (header, body) = read_secret_key(bytes)?;
    unpack_ternary(&body, header.parameters.degree()).map(drop)
}

fn read_evaluation_keys(bytes: &[u8]) -> Result<(), WireError> {
    let mut reader = EvaluationKeysReader::open(bytes)?;
    while reader.next_key()?.is_some() {}
    reader.finish()
}

fn read_ciphertexts(bytes: &[u8]) -> Result<(), WireError> {
    let mut reader = CiphertextsReader::open(bytes)?;
    while reader.next_ciphertext()?.is_some() {}
    reader.finish()
}
