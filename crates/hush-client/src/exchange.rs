//! Tensors to files of ciphertexts and back.

use std::io::{Read, Write};

use hush_ckks::encoder::{decode_real, encode_real};
use hush_ckks::{Ciphertext, KeyId, Level, Scale};
use hush_keys::{Flooding, SecretKey, SecureRng};
use hush_program::ClientSpec;
use hush_wire::{
    CiphertextShapeV1, CiphertextsHeaderV1, CiphertextsReader, CiphertextsWriter, DirectionV1,
    FormV1,
};
use rayon::iter::{IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};
use zeroize::Zeroizing;

use crate::{ClientError, Tensor, check_inputs, decode_outputs, encode_group, parallel};

/// What [`encrypt`] wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encrypted {
    /// Samples of the batch.
    pub samples: usize,
    /// Ciphertexts that they take.
    pub ciphertexts: usize,
}

/// Encrypts a batch, one tensor an input of the model, a few ciphertexts at a time on the current
/// rayon pool, and writes each as it is made; `progress` is told how many of how many are done.
///
/// # Errors
/// As [`check_inputs`]; if the key has other parameters; if a value is too large for the
/// parameters; if the output fails.
pub fn encrypt<W: Write>(
    spec: &ClientSpec,
    tensors: &[Tensor],
    key: &SecretKey,
    rng: &mut SecureRng,
    output: W,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(W, Encrypted), ClientError> {
    let samples = check_inputs(spec, tensors)?;
    let parameters = key.parameters();
    spec.check_parameters("the secret key", &parameters.to_wire())?;
    let groups = samples.div_ceil(spec.packing.samples);
    let ciphertexts = groups * spec.ciphertexts_per_group(DirectionV1::Input);
    let shape = CiphertextShapeV1 {
        limbs: Level(spec.input_level).limbs() as u32,
        log_slots: spec.slots.trailing_zeros(),
        scale: spec.input_scale,
        form: FormV1::Seeded,
    };
    let header = CiphertextsHeaderV1 {
        parameters: parameters.to_wire(),
        program_id: spec.program_id,
        key_id: key.key_id().0,
        direction: DirectionV1::Input,
        samples: samples as u64,
        shapes: vec![shape; ciphertexts],
    };
    let mut writer = CiphertextsWriter::new(output, header)?;
    let (scale, level) = (Scale::new(spec.input_scale)?, Level(spec.input_level));
    let mut done = 0;
    let mut vectors = (0..groups).flat_map(|group| encode_group(spec, tensors, group));
    while done < ciphertexts {
        progress(done, ciphertexts);
        let some: Vec<_> = vectors.by_ref().take(parallel::width()).collect();
        let some = Zeroizing::new(some);
        let fresh = parallel::map(&some, rng, |vector, rng| {
            let message = encode_real(parameters, vector, spec.slots, scale, level)?;
            Ok(key.encrypt_symmetric(&message, rng)?.to_wire())
        })?;
        for ciphertext in fresh {
            writer.write(&ciphertext)?;
            done += 1;
        }
    }
    progress(done, ciphertexts);
    let encrypted = Encrypted {
        samples,
        ciphertexts,
    };
    Ok((writer.finish()?, encrypted))
}

/// Decrypts a file of outputs: one tensor an output of the model, before its post operations (see
/// [`crate::finish_outputs`]). What it returns is for the key's owner alone: see [`decrypt_flooded`].
///
/// # Errors
/// If the file is damaged, or belongs to another model or key.
pub fn decrypt(
    spec: &ClientSpec,
    key: &SecretKey,
    input: impl Read,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Tensor>, ClientError> {
    open_each(spec, key, input, progress, &mut |some| {
        let messages = some.par_iter().map(|ciphertext| {
            let message = key.decrypt(ciphertext)?;
            Ok(decode_real(&message))
        });
        messages.collect()
    })
}

/// [`decrypt`] with noise added that hides what the results' errors tell of the key, so that they may be shown.
///
/// # Errors
/// As [`decrypt`]; if there is no room for the noise under the outputs' modulus.
pub fn decrypt_flooded(
    spec: &ClientSpec,
    key: &SecretKey,
    input: impl Read,
    flooding: &Flooding,
    rng: &mut SecureRng,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Tensor>, ClientError> {
    open_each(spec, key, input, progress, &mut |some| {
        parallel::map(some, rng, |ciphertext, rng| {
            let message = key.decrypt_flooded(ciphertext, flooding, rng)?;
            Ok(decode_real(&message))
        })
    })
}

/// Flooding for outputs whose error has at most the standard deviation `error`, with so many bits of statistical
/// security for so many results. The deviation of an output with it is [`flooded_deviation`].
///
/// # Errors
/// If the error is not positive and finite, or no result is asked for.
pub fn output_flooding(
    spec: &ClientSpec,
    error: f64,
    bits: u32,
    results: u64,
) -> Result<Flooding, ClientError> {
    let coefficient = error * spec.output_scale / (spec.slots as f64).sqrt();
    Ok(Flooding::new(coefficient, bits, results)?)
}

/// The standard deviation that flooding gives each output.
pub fn flooded_deviation(spec: &ClientSpec, flooding: &Flooding) -> f64 {
    flooding.deviation() * (spec.slots as f64).sqrt() / spec.output_scale
}

/// What opening some ciphertexts gives: the slots of each.
type Opened = Result<Vec<Vec<f64>>, ClientError>;

/// Reads a file of outputs a few ciphertexts at a time and has each lot opened.
fn open_each(
    spec: &ClientSpec,
    key: &SecretKey,
    input: impl Read,
    progress: &mut dyn FnMut(usize, usize),
    open: &mut dyn FnMut(&[Ciphertext]) -> Opened,
) -> Result<Vec<Tensor>, ClientError> {
    let mut reader = CiphertextsReader::open(input)?;
    let header = reader.header();
    spec.check_ciphertexts(header, DirectionV1::Output)?;
    if header.key_id != key.key_id().0 {
        return Err(ClientError::OtherKey {
            expected: key.key_id(),
            found: KeyId(header.key_id),
        });
    }
    let (samples, count) = (header.samples, header.shapes.len());
    let samples = usize::try_from(samples).unwrap_or(usize::MAX);
    let mut vectors = Vec::new();
    while vectors.len() < count {
        progress(vectors.len(), count);
        let mut some = Vec::new();
        while some.len() < parallel::width() {
            let Some(stored) = reader.next_ciphertext()? else {
                break;
            };
            some.push(stored);
        }
        let some = some.into_par_iter().map(|stored| {
            let ciphertext = Ciphertext::from_wire(key.parameters(), key.key_id(), &stored)?;
            Ok(ciphertext)
        });
        vectors.extend(open(&some.collect::<Result<Vec<_>, ClientError>>()?)?);
    }
    reader.finish()?;
    progress(count, count);
    decode_outputs(spec, samples, &vectors)
}
