//! Keys for a model, and how they lie on disk.

use std::io::{Read, Write};

use hush_ckks::{KeyId, Level, Parameters, ParametersLiteral};
use hush_keys::{KeyRequest, SecretKey, SecureRng};
use hush_program::ClientSpec;
use hush_wire::{EvaluationKeysHeaderV1, EvaluationKeysWriter, ProtectionV1, SecretKeyHeaderV1};
use rand_core::CryptoRng;

use crate::passphrase::{self, Passphrase};
use crate::{ClientError, parallel};

/// The model's parameters, checked; insecure ones are refused.
///
/// # Errors
/// [`ClientError::Ckks`].
pub fn parameters(spec: &ClientSpec) -> Result<Parameters, ClientError> {
    Ok(Parameters::new(ParametersLiteral {
        log_degree: spec.parameters.log_degree,
        moduli: spec.parameters.moduli.clone(),
        special_moduli: spec.parameters.special_moduli.clone(),
    })?)
}

/// The evaluation keys that the model's manifest names.
pub fn key_request(spec: &ClientSpec) -> KeyRequest {
    let rotations = spec.keys.rotations.iter();
    KeyRequest {
        relinearization: spec.keys.relinearization.map(Level),
        rotations: rotations
            .map(|(&steps, &level)| (steps, Level(level)))
            .collect(),
        conjugation: None,
    }
}

/// A fresh secret key for the model.
///
/// # Errors
/// As [`parameters`].
pub fn generate_secret_key(
    spec: &ClientSpec,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<SecretKey, ClientError> {
    Ok(SecretKey::generate(&parameters(spec)?, rng))
}

/// Writes the secret key, wrapped if there is a passphrase.
///
/// # Errors
/// If the output fails.
pub fn write_secret_key(
    key: &SecretKey,
    passphrase: Option<&Passphrase>,
    rng: &mut (impl CryptoRng + ?Sized),
    output: impl Write,
) -> Result<(), ClientError> {
    let mut header = SecretKeyHeaderV1 {
        parameters: key.parameters().to_wire(),
        key_id: key.key_id().0,
        protection: ProtectionV1::None,
    };
    let secret = key.pack_secret()?;
    match passphrase {
        Some(passphrase) => {
            let wrapped = passphrase::wrap(passphrase, &mut header, &secret, rng)?;
            hush_wire::write_secret_key(output, &header, &wrapped)?;
        }
        None => hush_wire::write_secret_key(output, &header, &secret)?,
    }
    Ok(())
}

/// Reads the secret key for the model.
///
/// # Errors
/// If the file is damaged, made for other parameters, or its passphrase is missing or wrong.
pub fn read_secret_key(
    spec: &ClientSpec,
    passphrase: Option<&Passphrase>,
    input: impl Read,
) -> Result<SecretKey, ClientError> {
    let (header, body) = hush_wire::read_secret_key(input)?;
    spec.check_parameters("the secret key", &header.parameters)?;
    let secret = passphrase::unwrap(passphrase, &header, body)?;
    let parameters = parameters(spec)?;
    let key = SecretKey::unpack_secret(&parameters, KeyId(header.key_id), &secret)?;
    Ok(key)
}

/// Makes the evaluation keys of the model's manifest, a few at a time on the current rayon pool, and
/// writes each as it is made; `progress` is told how many of how many are done.
///
/// # Errors
/// If the output fails, or the manifest asks for levels above the chain.
pub fn write_evaluation_keys<W: Write>(
    spec: &ClientSpec,
    key: &SecretKey,
    rng: &mut SecureRng,
    output: W,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<W, ClientError> {
    let shapes = key_request(spec).shapes(key.parameters())?;
    let header = EvaluationKeysHeaderV1 {
        parameters: key.parameters().to_wire(),
        key_id: key.key_id().0,
        keys: shapes.clone(),
    };
    let mut writer = EvaluationKeysWriter::new(output, header)?;
    let (mut done, count) = (0, shapes.len());
    for shapes in shapes.chunks(parallel::width()) {
        progress(done, count);
        let keys = parallel::map(shapes, rng, |shape, rng| {
            Ok(key.switching_key(*shape, rng)?.to_wire(shape.switch))
        })?;
        for key in keys {
            writer.write(&key)?;
            done += 1;
        }
    }
    progress(count, count);
    Ok(writer.finish()?)
}
