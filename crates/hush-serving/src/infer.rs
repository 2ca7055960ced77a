//! A request for a prediction: what is checked of it, and the run.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hush_ckks::EvaluationKeys;
use hush_runtime::{Answer, Inputs, RuntimeError};
use hush_wire::DirectionV1;

use crate::blocking::{blocking, broken};
use crate::keys::KeyStore;
use crate::models::{Deployed, explained};
use crate::schedule::{Permit, Scheduler, Stop, Wanted};
use crate::{
    DataType, ErrorKind, Identity, ModelStatistics, ServingError, Stage, Tensor, TensorData,
};

/// Name of the one tensor that goes into an encrypted model and comes out of it: of type BYTES and shape `[1]`, its
/// element a whole file of ciphertexts.
pub const CIPHERTEXTS: &str = "ciphertexts";

/// A header longer than this is not read on a thread that serves connections.
const LONG_HEADER: usize = 1 << 16;

/// A request for a prediction.
#[derive(Clone, Debug, Default)]
pub struct InferRequest {
    /// Name of the model.
    pub model: String,
    /// Version; the latest one that is ready if there is none or it is empty.
    pub version: Option<String>,
    /// What the caller calls the request; comes back in the answer.
    pub id: String,
    /// What goes in.
    pub inputs: Vec<Tensor>,
    /// Names of the tensors that the caller wants; all of them if empty.
    pub outputs: Vec<String>,
    /// When the answer is of no use any more.
    pub deadline: Option<Instant>,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct InferResponse {
    /// Name of the model.
    pub model: String,
    /// The version that answered.
    pub version: String,
    /// As in the request.
    pub id: String,
    /// What comes out.
    pub outputs: Vec<Tensor>,
}

/// What an encrypted request needs of the service.
pub(crate) struct Encrypted<'a> {
    pub(crate) model: Arc<Deployed>,
    pub(crate) keys: &'a KeyStore,
    pub(crate) scheduler: &'a Scheduler,
    pub(crate) statistics: Arc<ModelStatistics>,
}

/// Ciphertexts whose header fits the model.
type Opened = Inputs<Cursor<Bytes>>;

impl Encrypted<'_> {
    /// Checks a request, waits for its turn and runs it.
    pub(crate) async fn infer(
        self,
        identity: &Identity,
        inputs: Vec<Tensor>,
        outputs: &[String],
        deadline: Option<Instant>,
    ) -> Result<Vec<Tensor>, ServingError> {
        let statistics = &self.statistics;
        let file = the_ciphertexts(inputs, outputs)?;
        statistics.bytes_in.add(file.len() as u64);
        let arrived = file.len() as u64;
        let inputs = open(&self.model, file).await?;
        let record = self.keys.record(identity, inputs.key_id()).await;
        // Of the request, it is the ciphertexts that are wrong.
        let record = record.map_err(|error| match error.kind() {
            ErrorKind::NotFound => ServingError::new(
                ErrorKind::InvalidArgument,
                format!("these ciphertexts cannot be used: {error}"),
            ),
            _ => error,
        })?;
        let runtime = self.model.deployment.runtime();
        KeyStore::check_parameters(&record, runtime.parameters(), &self.model.title())?;

        let spec = self.model.deployment.client_spec();
        let groups = spec.groups(inputs.header().samples);
        let working = runtime.memory().working;
        let degree = runtime.parameters().degree() as u64;
        let leaving = groups
            .saturating_mul(spec.ciphertexts_per_group(DirectionV1::Output) as u64)
            .saturating_mul(2 * (spec.output_level as u64 + 1) * degree * 8);
        let bytes = working.saturating_add(arrived).saturating_add(leaving);
        let wanted = Wanted {
            model: self.model.name.as_str().into(),
            identity: Arc::clone(&identity.name),
            bytes: bytes.saturating_add(self.keys.load_bytes(&record)),
            held: arrived,
        };
        let stop = self.scheduler.stop(deadline);
        let _cancelled = stop.cancel_on_drop();
        let begun = Instant::now();
        let mut permit = self.scheduler.enter(wanted).await?;
        statistics.stage(Stage::Queue).record(begun.elapsed());

        let begun = Instant::now();
        let keys = self.keys.load(&record, runtime.parameters()).await?;
        permit.shrink(bytes);
        statistics.stage(Stage::Keys).record(begun.elapsed());

        let run = Run {
            model: Arc::clone(&self.model),
            statistics: Arc::clone(statistics),
            inputs,
            keys,
            permit,
            stop,
        };
        let store = self.keys.clone();
        // Not a thread of the rayon pool: the run chooses between that and one of its own.
        let answer = blocking(move || {
            let answer = run.answer();
            store.trim();
            answer
        });
        let answer: Bytes = answer.await?;
        statistics.bytes_out.add(answer.len() as u64);
        let tensor = Deployed::tensor();
        Ok(vec![Tensor {
            name: tensor.name,
            data_type: tensor.data_type,
            shape: tensor.shape,
            data: TensorData::Strings(vec![answer]),
        }])
    }
}

/// A request whose turn has come.
struct Run {
    model: Arc<Deployed>,
    statistics: Arc<ModelStatistics>,
    inputs: Opened,
    keys: Arc<EvaluationKeys>,
    permit: Permit,
    stop: Stop,
}

impl Run {
    /// Runs the program; what it held is free when this returns.
    fn answer(self) -> Result<Bytes, ServingError> {
        let Self {
            model,
            statistics,
            inputs,
            keys,
            mut permit,
            stop,
        } = self;
        if let Some(reason) = stop.reason() {
            return Err(reason);
        }
        let samples = inputs.header().samples;
        let runtime = model.deployment.runtime();
        let lot = |left: u64| {
            // Groups side by side take threads for themselves; others that run would have none.
            let more = runtime.groups_at_once(left) - 1;
            1 + permit.widen(more, runtime.memory().working)
        };
        let answer = model
            .deployment
            .answer_in_lots(inputs, &keys, Vec::new(), lot, |_| stop.clone());
        let answer = answer.map_err(|error| refused(&error, &stop))?;
        count(&model, &statistics, &answer, samples);
        Ok(answer.output.into())
    }
}

fn count(model: &Deployed, statistics: &ModelStatistics, answer: &Answer<Vec<u8>>, samples: u64) {
    let compute = answer.lots.iter().map(|(_, time)| *time).sum();
    for (stage, time) in [
        (Stage::Decode, answer.reading),
        (Stage::Compute, compute),
        (Stage::Encode, answer.writing),
    ] {
        statistics.stage(stage).record(time);
    }
    statistics.samples.add(samples);
    let each = &model.count;
    for (counter, count) in [
        (&statistics.rotations, each.rotations),
        (&statistics.multiplications, each.multiplications),
        (
            &statistics.plain_multiplications,
            each.plain_multiplications,
        ),
        (&statistics.key_switches, each.key_switches),
        (&statistics.rescales, each.rescales),
        (&statistics.levels, each.levels),
    ] {
        counter.add(answer.groups * count as u64);
    }
}

/// The one byte string that an encrypted model takes.
fn the_ciphertexts(inputs: Vec<Tensor>, outputs: &[String]) -> Result<Bytes, ServingError> {
    let refuse = |message: String| {
        Err(ServingError::new(
            ErrorKind::InvalidArgument,
            format!(
                "{message}; send one tensor `{CIPHERTEXTS}` of type BYTES and shape [1]: a file of ciphertexts"
            ),
        ))
    };
    if let Some(other) = outputs.iter().find(|name| *name != CIPHERTEXTS) {
        let shown: String = other
            .chars()
            .take(128)
            .flat_map(char::escape_debug)
            .collect();
        return Err(ServingError::new(
            ErrorKind::InvalidArgument,
            format!("the model has no output `{shown}`; its only output is `{CIPHERTEXTS}`"),
        ));
    }
    let count = inputs.len();
    let Ok([tensor]) = <[Tensor; 1]>::try_from(inputs) else {
        return refuse(format!("{count} tensors were sent to an encrypted model"));
    };
    if tensor.name != CIPHERTEXTS {
        let shown: String = tensor
            .name
            .chars()
            .take(128)
            .flat_map(char::escape_debug)
            .collect();
        return refuse(format!("the model has no input `{shown}`"));
    }
    if tensor.data_type != DataType::Bytes {
        let found = tensor.data_type.name();
        return refuse(format!("the tensor `{CIPHERTEXTS}` is of type {found}"));
    }
    match tensor.data {
        TensorData::Strings(mut strings) if tensor.shape == [1] && strings.len() == 1 => {
            Ok(strings.remove(0))
        }
        _ => refuse(format!(
            "the tensor `{CIPHERTEXTS}` has shape {:?}",
            tensor.shape
        )),
    }
}

/// The program that ciphertexts are for, if they are any.
pub(crate) async fn program_of(inputs: &[Tensor]) -> Option<[u8; 32]> {
    let [
        Tensor {
            data: TensorData::Strings(strings),
            ..
        },
    ] = inputs
    else {
        return None;
    };
    let [file] = &strings[..] else { return None };
    let file = file.clone();
    let read = move || {
        let reader = hush_wire::CiphertextsReader::open(&file[..]).ok();
        Ok(reader.map(|reader| reader.header().program_id))
    };
    blocking(read).await.ok().flatten()
}

/// Compares a file's header with the model, and its length with what it says.
async fn open(model: &Arc<Deployed>, file: Bytes) -> Result<Opened, ServingError> {
    let long = match file.get(8..12) {
        Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]) as usize > LONG_HEADER,
        _ => false,
    };
    if long {
        let model = Arc::clone(model);
        return blocking(move || open_now(&model, file)).await;
    }
    open_now(model, file)
}

fn open_now(model: &Deployed, file: Bytes) -> Result<Opened, ServingError> {
    let invalid = |error: RuntimeError| {
        // Who has several models or versions wants to know which of them it is.
        let whose = match error {
            RuntimeError::Exchange(_) => format!("{}: ", model.title()),
            _ => String::new(),
        };
        ServingError::new(
            ErrorKind::InvalidArgument,
            format!("{whose}{}", explained(&error)),
        )
    };
    let envelope = hush_wire::Reader::open(&file[..], hush_wire::Kind::Ciphertexts);
    let stated = match envelope {
        Ok(reader) => reader.envelope().file_length(),
        Err(error) => return Err(invalid(RuntimeError::Ciphertexts(error))),
    };
    let length = file.len() as u64;
    let inputs =
        Inputs::open(model.deployment.client_spec(), Cursor::new(file)).map_err(invalid)?;
    if stated != length {
        return Err(ServingError::new(
            ErrorKind::InvalidArgument,
            format!(
                "the file of ciphertexts says it has {stated} bytes, {length} arrived; send the whole file"
            ),
        ));
    }
    Ok(inputs)
}

/// Why a run ended early.
fn refused(error: &RuntimeError, stop: &Stop) -> ServingError {
    let kind = match error {
        RuntimeError::Execute(_) | RuntimeError::Output(_) | RuntimeError::Threads(_) => {
            return stop.reason().unwrap_or_else(broken);
        }
        _ => ErrorKind::InvalidArgument,
    };
    ServingError::new(kind, explained(error))
}
