//! Files of every kind that is sent. Their checksums are made right again first, for what lies behind them: who means harm can
//! do that too.

use std::ops::ControlFlow;

use hush_program::{ClientSpec, Instruction, Observer};
use hush_runtime::{Deployment, Inputs, Model, Options};
use hush_wire::program::ClientSpecV1;
use hush_wire::{
    CiphertextsReader, EvaluationKeysCheck, EvaluationKeysReader, Kind, Limits, read_message,
    write_message,
};

use super::Target;
use crate::world::world;

/// Bytes of an envelope before its header and after its body, both checksums included.
const ENVELOPE: usize = 84;
/// Bytes that a deployed model may take.
const MEMORY: u64 = 64 << 20;

/// Encrypted inputs: the envelope, each ciphertext, and what the runtime makes of them.
pub(super) const CIPHERTEXTS: Target = Target {
    name: "ciphertexts",
    seeds: || vec![world().ciphertexts.to_vec()],
    run: |bytes| {
        let world = world();
        let bytes = &sealed(bytes)[..];
        let whole = CiphertextsReader::open(bytes).and_then(|mut reader| {
            while reader.next_ciphertext()?.is_some() {}
            reader.finish()
        });
        let keys = EvaluationKeysReader::open(&world.user.evaluation[..]).expect("valid keys");
        let inputs = Inputs::open(world.deployment.client_spec(), bytes);
        let answer = inputs.and_then(|inputs| {
            let keys = world.deployment.read_keys(keys, &mut || ())?;
            let step = |_| Few(0);
            world.deployment.answer(inputs, &keys, Vec::new(), step)
        });
        whole.is_ok() && answer.is_ok()
    },
};

/// Evaluation keys: as they are checked while they arrive, and as they are read.
pub(super) const EVALUATION_KEYS: Target = Target {
    name: "evaluation_keys",
    seeds: || vec![world().user.evaluation.to_vec()],
    run: |bytes| {
        let bytes = &sealed(bytes)[..];
        let mut check = EvaluationKeysCheck::new(Limits::of(Kind::EvaluationKeys));
        let pieces = bytes.chunks(10_007);
        let arrived = pieces.map(|piece| check.push(piece)).all(|it| it.is_ok());
        let arrived = arrived && check.finish().is_ok();
        let read = EvaluationKeysReader::open(bytes)
            .is_ok_and(|reader| world().deployment.read_keys(reader, &mut || ()).is_ok());
        assert!(arrived || !read, "keys are read that the check refuses");
        read
    },
};

/// What a data owner fetches: parameters, layouts, needed keys.
pub(super) const CLIENT: Target = Target {
    name: "client",
    seeds: || {
        let stored = ClientSpecV1::from(&world().user.spec);
        let mut file = Vec::new();
        write_message(&mut file, Kind::Client, &stored).expect("a valid client spec");
        vec![file]
    },
    run: |bytes| {
        let stored = read_message::<ClientSpecV1>(&sealed(bytes)[..], Kind::Client);
        let spec = stored
            .ok()
            .and_then(|stored| ClientSpec::try_from(stored).ok());
        spec.is_some_and(|spec| {
            // What a client does with it before it sends anything.
            let request = hush_client::key_request(&spec);
            hush_client::parameters(&spec).is_ok() && request.rotations.len() < usize::MAX
        })
    },
};

/// A model that is deployed.
pub(super) const MODEL: Target = Target {
    name: "model",
    seeds: || vec![world().model.clone()],
    run: |bytes| {
        let model = Model::read(&sealed(bytes)[..]);
        let options = Options {
            memory: Some(MEMORY),
        };
        model.is_ok_and(|model| Deployment::new(model, options).is_ok())
    },
};

/// Ends a run that goes on for long.
struct Few(usize);

impl Observer for Few {
    fn before(&mut self, _: usize, _: usize, _: &Instruction) -> ControlFlow<()> {
        self.0 += 1;
        match self.0 < 10 {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }
}

/// The bytes with lengths and checksums made right.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if bytes.len() < ENVELOPE {
        return bytes;
    }
    let most = bytes.len() - ENVELOPE;
    let header = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    let header = usize::try_from(header).map_or(most, |header| header.min(most));
    bytes[8..12].copy_from_slice(&(header as u32).to_le_bytes());
    bytes[12..20].copy_from_slice(&((most - header) as u64).to_le_bytes());
    for end in [20 + header, bytes.len() - 32] {
        let checksum = blake3::hash(&bytes[..end]);
        bytes[end..end + 32].copy_from_slice(checksum.as_bytes());
    }
    bytes
}
