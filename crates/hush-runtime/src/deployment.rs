//! A model made ready: files of encrypted inputs in, files of encrypted outputs out.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use hush_ckks::{Ciphertext, EvaluationKeys, KeyId, Level, Scale};
use hush_program::{ClientSpec, Observer};
use hush_wire::{
    CiphertextShapeV1, CiphertextsHeaderV1, CiphertextsReader, CiphertextsWriter, DirectionV1,
    EvaluationKeysHeaderV1, EvaluationKeysReader, FormV1,
};

use crate::seat::Place;
use crate::{Model, Options, Runtime, RuntimeError};

/// A model with its plaintexts encoded, ready to answer under any key.
pub struct Deployment {
    runtime: Runtime,
    client_spec: ClientSpec,
    report_json: String,
}

/// Encrypted inputs whose header fits the model; the ciphertexts have not been read.
pub struct Inputs<R> {
    reader: CiphertextsReader<R>,
}

impl<R: Read> Inputs<R> {
    /// Opens a file of encrypted inputs for a model.
    ///
    /// # Errors
    /// [`RuntimeError::Ciphertexts`] for damaged bytes, [`RuntimeError::Exchange`] for ciphertexts of another model.
    pub fn open(client_spec: &ClientSpec, input: R) -> Result<Self, RuntimeError> {
        let reader = CiphertextsReader::open(input).map_err(RuntimeError::Ciphertexts)?;
        client_spec.check_ciphertexts(reader.header(), DirectionV1::Input)?;
        Ok(Self { reader })
    }

    /// What the file says of itself.
    #[must_use]
    pub fn header(&self) -> &CiphertextsHeaderV1 {
        self.reader.header()
    }

    /// The key that they are encrypted under.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        KeyId(self.header().key_id)
    }
}

/// What a run wrote, and how long it took.
#[derive(Debug)]
pub struct Answer<W> {
    /// Where the encrypted outputs went.
    pub output: W,
    /// Groups of ciphertexts that ran.
    pub groups: u64,
    /// For each lot of groups that ran side by side: how many, and for how long.
    pub lots: Vec<(usize, Duration)>,
    /// How long reading the ciphertexts took.
    pub reading: Duration,
    /// How long writing the ciphertexts took.
    pub writing: Duration,
}

impl Deployment {
    /// Checks a model and encodes its plaintexts.
    ///
    /// # Errors
    /// As [`Runtime::with_options`].
    pub fn new(model: Model, options: Options) -> Result<Self, RuntimeError> {
        Ok(Self {
            runtime: Runtime::with_options(model.program, options)?,
            client_spec: model.client_spec,
            report_json: model.report_json,
        })
    }

    /// What runs the program.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The public half of the model.
    #[must_use]
    pub fn client_spec(&self) -> &ClientSpec {
        &self.client_spec
    }

    /// What the compiler reported, as JSON.
    #[must_use]
    pub fn report_json(&self) -> &str {
        &self.report_json
    }

    /// Refuses evaluation keys of other parameters from their header alone.
    ///
    /// # Errors
    /// [`RuntimeError::Exchange`].
    pub fn check_key_header(&self, header: &EvaluationKeysHeaderV1) -> Result<(), RuntimeError> {
        let what = "the evaluation key file";
        Ok(self
            .client_spec
            .check_parameters(what, &header.parameters)?)
    }

    /// Reads the evaluation keys that follow an opened header; `progress` is called after each.
    ///
    /// # Errors
    /// [`RuntimeError::Exchange`] for other parameters, [`RuntimeError::Keys`] for damaged bytes,
    /// [`RuntimeError::MissingKeys`] if the program needs more.
    pub fn read_keys<R: Read + Send>(
        &self,
        mut reader: EvaluationKeysReader<R>,
        progress: &mut dyn FnMut(),
    ) -> Result<EvaluationKeys, RuntimeError> {
        self.check_key_header(reader.header())?;
        let key_id = KeyId(reader.header().key_id);
        let mut keys = EvaluationKeys::empty(self.runtime.parameters(), key_id);
        let mut next = reader.next_key();
        while let Some(stored) = next.map_err(RuntimeError::Keys)? {
            // One key is expanded while the next is read.
            let more;
            (more, next) = rayon::join(|| keys.with_wire(&stored), || reader.next_key());
            keys = more?;
            progress();
        }
        reader.finish().map_err(RuntimeError::Keys)?;
        self.runtime.check_keys(&keys)?;
        Ok(keys)
    }

    /// Runs the model on encrypted inputs, as many groups side by side as threads and memory allow, and writes the
    /// encrypted outputs as they come. `observer` makes the observer of a group from its number; one that breaks
    /// ends the run.
    ///
    /// # Errors
    /// Those of [`Runtime::run`]; [`RuntimeError::Ciphertexts`] if the inputs turn out damaged;
    /// [`RuntimeError::Output`] if the output fails.
    pub fn answer<R: Read + Send, W: Write + Send, O: Observer + Send>(
        &self,
        inputs: Inputs<R>,
        keys: &EvaluationKeys,
        output: W,
        observer: impl Fn(u64) -> O,
    ) -> Result<Answer<W>, RuntimeError> {
        let at_once = self
            .runtime
            .groups_at_once(self.client_spec.groups(inputs.header().samples));
        self.answer_in_lots(inputs, keys, output, |_| at_once, observer)
    }

    /// [`Deployment::answer`] where others run at the same time: `lot` is asked before each lot of groups how many of
    /// so many that are left may run side by side, each on a thread of its own. With one, a group shares the current
    /// rayon pool with whatever else runs there, unless its observer is [`Observer::alone`].
    ///
    /// # Errors
    /// As [`Deployment::answer`].
    pub fn answer_in_lots<R: Read + Send, W: Write + Send, O: Observer + Send>(
        &self,
        inputs: Inputs<R>,
        keys: &EvaluationKeys,
        output: W,
        mut lot: impl FnMut(u64) -> usize,
        observer: impl Fn(u64) -> O,
    ) -> Result<Answer<W>, RuntimeError> {
        let mut reader = inputs.reader;
        let spec = &self.client_spec;
        let parameters = self.runtime.parameters();
        let groups = spec.groups(reader.header().samples);
        let per_group = spec.ciphertexts_per_group(DirectionV1::Input);
        let scale = Scale::new(spec.output_scale)?;
        let header = self.output_header(reader.header());
        let mut writer = CiphertextsWriter::new(output, header).map_err(RuntimeError::Output)?;
        let mut lots = Vec::new();
        let (mut reading, mut writing) = (Duration::ZERO, Duration::ZERO);
        let mut place = Place::default();
        let mut first = 0;
        while first < groups {
            let begun = Instant::now();
            let end = groups.min(first + lot(groups - first).max(1) as u64);
            let mut observers: Vec<O> = (first..end).map(&observer).collect();
            let alone = |observers: &[O]| observers.iter().any(Observer::alone);
            let read = || {
                let group = |_| -> Result<_, RuntimeError> {
                    let mut inputs = Vec::with_capacity(per_group);
                    while inputs.len() < per_group {
                        let stored = reader.next_ciphertext();
                        let Some(stored) = stored.map_err(RuntimeError::Ciphertexts)? else {
                            break;
                        };
                        inputs.push(Ciphertext::from_wire(parameters, keys.key_id(), &stored)?);
                    }
                    Ok(inputs)
                };
                (first..end).map(group).collect::<Result<Vec<_>, _>>()
            };
            let mut together = place.perform(alone(&observers), read)??;
            reading += begun.elapsed();
            let begun = Instant::now();
            let outputs = match (&mut together[..], &mut observers[..]) {
                ([inputs], [observer]) => {
                    let inputs = std::mem::take(inputs);
                    let runtime = &self.runtime;
                    vec![runtime.run_at(&mut place, inputs, keys, observer)?]
                }
                _ => {
                    let together = together.into_iter().zip(observers.iter_mut());
                    self.runtime.run_groups(together.collect(), keys)?
                }
            };
            lots.push(((end - first) as usize, begun.elapsed()));
            let begun = Instant::now();
            let write = || -> Result<(), RuntimeError> {
                for ciphertext in outputs.into_iter().flatten() {
                    let stored = ciphertext.restated(scale)?.to_wire();
                    writer.write(&stored).map_err(RuntimeError::Output)?;
                }
                Ok(())
            };
            place.perform(alone(&observers), write)??;
            writing += begun.elapsed();
            first = end;
        }
        reader.finish().map_err(RuntimeError::Ciphertexts)?;
        let output = writer.finish().map_err(RuntimeError::Output)?;
        Ok(Answer {
            output,
            groups,
            lots,
            reading,
            writing,
        })
    }

    fn output_header(&self, inputs: &CiphertextsHeaderV1) -> CiphertextsHeaderV1 {
        let spec = &self.client_spec;
        let shape = CiphertextShapeV1 {
            limbs: Level(spec.output_level).limbs() as u32,
            log_slots: spec.slots.trailing_zeros(),
            scale: spec.output_scale,
            form: FormV1::Full { parts: 2 },
        };
        let groups = spec.groups(inputs.samples) as usize;
        let count = groups * spec.ciphertexts_per_group(DirectionV1::Output);
        CiphertextsHeaderV1 {
            parameters: self.runtime.parameters().to_wire(),
            direction: DirectionV1::Output,
            shapes: vec![shape; count],
            ..inputs.clone()
        }
    }
}
