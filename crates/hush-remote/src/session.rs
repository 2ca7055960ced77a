//! A data owner with keys at a model: predictions.

use std::collections::VecDeque;
use std::fs::File;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hush_client::{ClientError, Tensor, check_inputs, decrypt, encrypt, finish_outputs};
use hush_keys::SecureRng;
use hush_program::ClientSpec;
use tokio::task::JoinHandle;

use crate::progress::{Stage, tell};
use crate::retry::retrying;
use crate::rows::Rows;
use crate::size::Size;
use crate::upload::upload;
use crate::{Keys, Refusal, RemoteError, RemoteModel, Watcher};

/// How often a watcher is told while nothing moves.
const TICK: Duration = Duration::from_millis(100);

/// How predictions are made.
#[derive(Clone, Debug)]
pub struct PredictOptions {
    /// Leave out what the model does after decryption (Softmax, Sigmoid, ArgMax).
    pub raw: bool,
    /// Requests at the server at once.
    pub in_flight: usize,
    /// Bytes of ciphertexts of one request, its answer included; at least one group of samples is sent.
    pub request_bytes: u64,
    /// How long one request may take, in place of what the connection says.
    pub deadline: Option<Duration>,
}

impl Default for PredictOptions {
    fn default() -> Self {
        Self {
            raw: false,
            in_flight: 4,
            request_bytes: 32 << 20,
            deadline: None,
        }
    }
}

/// A data owner with keys at a model. May be used from several threads at once.
pub struct Session {
    model: RemoteModel,
    keys: Keys,
}

impl Session {
    pub(crate) fn open(
        model: RemoteModel,
        keys: Keys,
        watcher: Watcher<'_>,
    ) -> Result<Self, RemoteError> {
        let session = Self { model, keys };
        let connection = session.model.connection();
        match connection.block_on(session.upload(watcher)) {
            // Somebody else may have uploaded them for whoever may only predict.
            Err(error) if error.refusal() == Some(Refusal::PermissionDenied) => {}
            uploaded => uploaded?,
        }
        Ok(session)
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &RemoteModel {
        &self.model
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Predicts a batch: one tensor an input of the model, one an output. The watcher is told samples.
    ///
    /// # Errors
    /// If an input does not fit the model; of the server.
    pub fn predict(
        &self,
        tensors: Vec<Tensor>,
        options: &PredictOptions,
        watcher: Watcher<'_>,
    ) -> Result<Vec<Tensor>, RemoteError> {
        let samples = check_inputs(self.model.spec(), &tensors)? as u64;
        let mut joined: Vec<(Vec<usize>, Vec<f64>)> = Vec::new();
        let mut keep = |outputs: Vec<Tensor>| {
            joined.resize_with(outputs.len(), Default::default);
            for (output, (shape, data)) in outputs.into_iter().zip(&mut joined) {
                let first = shape.first().copied().unwrap_or(0);
                *shape = output.shape().to_vec();
                if let Some(batch) = shape.first_mut() {
                    *batch += first;
                }
                data.extend(output.into_data());
            }
            Ok::<_, RemoteError>(())
        };
        let batches = std::iter::once(Ok(tensors));
        self.predict_each(batches, Some(samples), options, &mut keep, watcher)?;
        let outputs = joined
            .into_iter()
            .map(|(shape, data)| Tensor::new(shape, data));
        Ok(outputs.collect::<Result<_, _>>()?)
    }

    /// Predicts batches as they come, in bounded memory: each batch is one tensor an input, and `sink` gets one tensor
    /// an output for some of the samples, in order. Batches of a multiple of [`Session::group`] samples waste nothing.
    /// Returns the number of samples; `total` is only shown.
    ///
    /// # Errors
    /// As [`Session::predict`]; of the batches and the sink.
    pub fn predict_each<E: From<RemoteError> + From<ClientError>>(
        &self,
        batches: impl Iterator<Item = Result<Vec<Tensor>, E>>,
        total: Option<u64>,
        options: &PredictOptions,
        sink: &mut dyn FnMut(Vec<Tensor>) -> Result<(), E>,
        watcher: Watcher<'_>,
    ) -> Result<u64, E> {
        let connection = self.model.connection();
        connection.block_on(self.predict_all(batches, total, options, sink, watcher))
    }

    /// Samples that share ciphertexts: what a request holds is rounded up to a multiple of it.
    #[must_use]
    pub fn group(&self) -> usize {
        self.model.spec().packing.samples
    }

    async fn predict_all<E: From<RemoteError> + From<ClientError>>(
        &self,
        batches: impl Iterator<Item = Result<Vec<Tensor>, E>>,
        total: Option<u64>,
        options: &PredictOptions,
        sink: &mut dyn FnMut(Vec<Tensor>) -> Result<(), E>,
        watcher: Watcher<'_>,
    ) -> Result<u64, E> {
        let spec = self.model.spec();
        let mut rows = Rows::new(batches);
        let mut size = Size::new(spec, options.request_bytes);
        let mut rng = SecureRng::from_os().map_err(RemoteError::from)?;
        let mut flying = VecDeque::new();
        let mut done = 0;
        loop {
            while flying.len() < options.in_flight.max(1) {
                tell(watcher, Stage::Predict, done, total)?;
                let Some(tensors) = rows.next(size.samples(), |batch| check_inputs(spec, batch))?
                else {
                    break;
                };
                flying.push_back(self.launch(tensors, options, &mut rng)?);
            }
            let Some(mut flight) = flying.pop_front() else {
                return Ok(done);
            };
            let answer = match flight.land(watcher, done, total).await? {
                Ok(answer) => answer,
                Err(error) => {
                    self.recover(error, watcher).await?;
                    flight.request = self.send(flight.file.clone(), options);
                    flight.land(watcher, done, total).await??
                }
            };
            size.took(flight.samples, flight.begun.elapsed());
            let outputs = self.open_answer(&answer, options)?;
            done += flight.samples as u64;
            sink(outputs)?;
        }
    }

    fn launch(
        &self,
        tensors: Vec<Tensor>,
        options: &PredictOptions,
        rng: &mut SecureRng,
    ) -> Result<Flight, RemoteError> {
        let (spec, key) = (self.model.spec(), &self.keys.secret);
        let (file, encrypted) = encrypt(spec, &tensors, key, rng, Vec::new(), &mut |_, _| ())?;
        let file = Bytes::from(file);
        Ok(Flight {
            request: self.send(file.clone(), options),
            file,
            samples: encrypted.samples,
            begun: Instant::now(),
        })
    }

    fn send(&self, file: Bytes, options: &PredictOptions) -> Request {
        let inner = Arc::clone(self.model.connection().inner());
        let (model, deadline) = (self.model.name().clone(), options.deadline);
        let connection = self.model.connection().inner();
        Request(connection.spawn(async move { inner.infer(&model, file, deadline).await }))
    }

    fn open_answer(
        &self,
        answer: &[u8],
        options: &PredictOptions,
    ) -> Result<Vec<Tensor>, RemoteError> {
        let (spec, key) = (self.model.spec(), &self.keys.secret);
        let outputs = decrypt(spec, key, answer, &mut |_, _| ())?;
        if options.raw {
            return Ok(outputs);
        }
        Ok(finish_outputs(spec, outputs)?)
    }

    /// Makes good what a refusal may come from: keys that the server has no more. What is refused again was refused for
    /// something else.
    ///
    /// # Errors
    /// The refusal, if it is of another kind.
    async fn recover(&self, error: RemoteError, watcher: Watcher<'_>) -> Result<(), RemoteError> {
        if !matches!(error.refusal(), Some(Refusal::Invalid | Refusal::NotFound)) {
            return Err(error);
        }
        let inner = self.model.connection().inner();
        let id = self.keys.id();
        let known = inner.within(inner.transport.key_status(&id)).await;
        match known {
            Ok(known) if !known.as_ref().is_some_and(|known| known.complete) => {
                self.upload(watcher).await
            }
            _ if self.is_replaced().await => Err(RemoteError::ModelChanged {
                model: self.model.name().name.clone(),
            }),
            // Another request of the same keys may have put them there meanwhile.
            _ => Ok(()),
        }
    }

    async fn upload(&self, watcher: Watcher<'_>) -> Result<(), RemoteError> {
        let inner = self.model.connection().inner();
        let id = self.keys.id();
        let known = retrying(inner.options.patience, async || {
            inner.within(inner.transport.key_status(&id)).await
        });
        if known.await?.is_some_and(|known| known.complete) {
            return Ok(());
        }
        let path = &self.keys.evaluation;
        let mut file = File::open(path).map_err(|source| RemoteError::File {
            path: path.clone(),
            source,
        })?;
        upload(inner, &id, &mut file, watcher).await.map(|_| ())
    }

    /// Whether the server has another model under the name by now.
    async fn is_replaced(&self) -> bool {
        let inner = self.model.connection().inner();
        let file = inner
            .within(inner.transport.client_file(self.model.name()))
            .await;
        let spec = file.and_then(|file| self.model.read_spec(&file));
        spec.is_ok_and(|spec: ClientSpec| spec.program_id != self.model.spec().program_id)
    }
}

/// A request that the server works on.
struct Flight {
    request: Request,
    /// What was sent, for another try.
    file: Bytes,
    samples: usize,
    begun: Instant,
}

impl Flight {
    /// Waits for the answer, telling the watcher meanwhile; the outer error is the watcher's.
    async fn land(
        &mut self,
        watcher: Watcher<'_>,
        done: u64,
        total: Option<u64>,
    ) -> Result<Result<Bytes, RemoteError>, RemoteError> {
        loop {
            tokio::select! {
                biased;
                answer = &mut self.request => return Ok(answer),
                () = tokio::time::sleep(TICK) => tell(watcher, Stage::Predict, done, total)?,
            }
        }
    }
}

/// A request on another thread; given up when dropped, so that the server stops working on it.
struct Request(JoinHandle<Result<Bytes, RemoteError>>);

impl Future for Request {
    type Output = Result<Bytes, RemoteError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.0).poll(context);
        answer.map(|answer| answer.unwrap_or_else(|error| Err(std::io::Error::other(error).into())))
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.0.abort();
    }
}
