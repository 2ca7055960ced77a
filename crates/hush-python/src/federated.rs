//! Secure aggregation: state machines that take and give bytes.

use std::sync::Arc;

use hush_federated::accountant::{self, Round};
use hush_federated::client::{self, Announced, Consented, Masked, Shared};
use hush_federated::noise::DiscreteGaussian;
use hush_federated::sampling::{Sampling, cohort};
use hush_federated::server::Server;
use hush_federated::{
    Directory, FederatedError, Identity, Outliers, Quantizer, QuantizerLiteral, Settings,
    SettingsLiteral, clip_norm, message,
};
use numpy::{IntoPyArray, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, SeedableRng, TryRngCore};

use crate::failure::Failure;

/// What all sides of an aggregation agree on.
#[pyclass(module = "hushml._hushml", frozen)]
pub(crate) struct Aggregation {
    settings: Arc<Settings>,
    quantizer: Quantizer,
}

#[pymethods]
impl Aggregation {
    #[new]
    #[pyo3(signature = (session, clients, neighbours, threshold, quorum, values, bound, precision, weight_most, noise_variance))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        session: [u8; 32],
        clients: usize,
        neighbours: usize,
        threshold: usize,
        quorum: usize,
        values: usize,
        bound: f64,
        precision: u32,
        weight_most: u64,
        noise_variance: Option<u64>,
    ) -> Result<Self, Failure> {
        let noise = noise_variance.map(DiscreteGaussian::new).transpose()?;
        let quantizer = Quantizer::new(QuantizerLiteral {
            values,
            bound,
            precision,
            weight_most,
            clients,
            noise,
        })?;
        let settings = Settings::new(SettingsLiteral {
            session,
            clients,
            neighbours,
            threshold,
            quorum,
            length: quantizer.length(),
            bits: quantizer.bits(),
        })?;
        Ok(Self {
            settings: Arc::new(settings),
            quantizer,
        })
    }

    /// Bits of each summed word.
    #[getter]
    fn bits(&self) -> u32 {
        self.quantizer.bits()
    }

    /// The distance of two levels that values are rounded to.
    #[getter]
    fn resolution(&self) -> f64 {
        self.quantizer.resolution()
    }

    /// Bytes of a masked vector.
    #[getter]
    fn upload_bytes(&self) -> usize {
        self.settings.packed_bytes() + message::HEADER
    }

    /// How far one vector of Euclidean norm `norm` moves the sum, in levels.
    fn sensitivity(&self, norm: f64) -> f64 {
        self.quantizer.sensitivity(norm)
    }
}

/// Where a client is.
enum State {
    New(client::Client<'static>),
    Announced(Announced<'static>),
    Shared(Shared<'static>),
    Masked(Masked<'static>),
    Consented(Consented<'static>),
    Over,
}

/// The client's side of an aggregation.
#[pyclass(module = "hushml._hushml")]
pub(crate) struct FederatedClient {
    aggregation: Py<Aggregation>,
    state: State,
    /// For keys and shares; noise has fresh randomness.
    random: ChaCha20Rng,
}

fn out_of_turn(step: &str) -> Failure {
    Failure::new(format!("the client cannot take the step `{step}` now")).hint(
        "steps go announce, share, mask, consent, unmask; a client that failed at one is over",
    )
}

#[pymethods]
impl FederatedClient {
    /// With a `seed`, keys and shares follow from it: whoever keeps it can take the same steps again.
    #[new]
    #[pyo3(signature = (aggregation, directory, identity, index, seed=None))]
    fn new(
        py: Python<'_>,
        aggregation: Py<Aggregation>,
        directory: Vec<[u8; 32]>,
        identity: [u8; 32],
        index: u32,
        seed: Option<[u8; 32]>,
    ) -> Result<Self, Failure> {
        let settings = Arc::clone(&aggregation.borrow(py).settings);
        let directory = Arc::new(Directory::new(directory)?);
        let identity = Arc::new(Identity::from_seed(&identity));
        let client = client::Client::new(settings, directory, identity, index)?;
        Ok(Self {
            aggregation,
            state: State::New(client),
            random: match seed {
                Some(seed) => ChaCha20Rng::from_seed(seed),
                None => ChaCha20Rng::from_rng(&mut OsRng.unwrap_err()),
            },
        })
    }

    fn announce<'py>(&mut self, py: Python<'py>) -> Result<Bound<'py, PyBytes>, Failure> {
        let State::New(client) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(out_of_turn("announce"));
        };
        let (next, message) = client.announce(&mut self.random);
        self.state = State::Announced(next);
        Ok(PyBytes::new(py, &message))
    }

    fn share<'py>(
        &mut self,
        py: Python<'py>,
        roster: &[u8],
    ) -> Result<Bound<'py, PyBytes>, Failure> {
        let State::Announced(client) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(out_of_turn("share"));
        };
        let random = &mut self.random;
        let (next, message) = py.detach(move || client.share(roster, random))?;
        self.state = State::Shared(next);
        Ok(PyBytes::new(py, &message))
    }

    /// `norm` scales the values down to that Euclidean norm first, `clip` takes those beyond the bound as the bound.
    #[pyo3(signature = (received, values, weight, clip, norm))]
    fn mask<'py>(
        &mut self,
        py: Python<'py>,
        received: &[u8],
        values: PyReadonlyArray1<'py, f32>,
        weight: u64,
        clip: bool,
        norm: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut values = values.to_vec()?;
        let State::Shared(client) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(out_of_turn("mask").into());
        };
        let aggregation = self.aggregation.get();
        let masked = py.detach(move || {
            if let Some(norm) = norm {
                clip_norm(&mut values, norm)?;
            }
            let outliers = if clip {
                Outliers::Clip
            } else {
                Outliers::Refuse
            };
            let mut rng = OsRng.unwrap_err();
            let words = aggregation
                .quantizer
                .encode(&values, weight, outliers, &mut rng)?;
            client.mask(received, &words)
        });
        let (next, message) = masked.map_err(Failure::from)?;
        self.state = State::Masked(next);
        Ok(PyBytes::new(py, &message))
    }

    fn consent<'py>(
        &mut self,
        py: Python<'py>,
        survivors: &[u8],
    ) -> Result<Bound<'py, PyBytes>, Failure> {
        let State::Masked(client) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(out_of_turn("consent"));
        };
        let (next, message) = client.consent(survivors)?;
        self.state = State::Consented(next);
        Ok(PyBytes::new(py, &message))
    }

    fn unmask<'py>(
        &mut self,
        py: Python<'py>,
        consents: &[u8],
    ) -> Result<Bound<'py, PyBytes>, Failure> {
        let State::Consented(client) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(out_of_turn("unmask"));
        };
        let message = py.detach(move || client.unmask(consents))?;
        Ok(PyBytes::new(py, &message))
    }
}

/// The server's side of an aggregation.
#[pyclass(module = "hushml._hushml")]
pub(crate) struct FederatedServer {
    aggregation: Py<Aggregation>,
    server: Option<Server<'static>>,
}

impl FederatedServer {
    fn server(&mut self) -> Result<&mut Server<'static>, Failure> {
        self.server
            .as_mut()
            .ok_or_else(|| Failure::new("the aggregation is over"))
    }
}

#[pymethods]
impl FederatedServer {
    #[new]
    fn new(
        py: Python<'_>,
        aggregation: Py<Aggregation>,
        directory: Vec<[u8; 32]>,
    ) -> Result<Self, Failure> {
        let settings = Arc::clone(&aggregation.borrow(py).settings);
        let directory = Arc::new(Directory::new(directory)?);
        Ok(Self {
            aggregation,
            server: Some(Server::new(settings, directory)),
        })
    }

    fn phase(&mut self) -> Result<String, Failure> {
        Ok(self.server()?.phase().to_string())
    }

    fn received(&mut self) -> Result<Vec<u32>, Failure> {
        Ok(self.server()?.received())
    }

    fn expected(&mut self) -> Result<Vec<u32>, Failure> {
        Ok(self.server()?.expected())
    }

    fn receive(&mut self, client: u32, message: &[u8]) -> Result<(), Failure> {
        Ok(self.server()?.receive(client, message)?)
    }

    fn close<'py>(&mut self, py: Python<'py>) -> Result<Vec<(u32, Bound<'py, PyBytes>)>, Failure> {
        let server = self.server()?;
        let outgoing = py.detach(|| server.close())?;
        // Messages that are the same for all clients become one object.
        let mut last: Option<(*const u8, Bound<'py, PyBytes>)> = None;
        let messages = outgoing.into_iter().map(|outgoing| {
            let bytes = match &last {
                Some((start, bytes)) if *start == outgoing.bytes.as_ptr() => bytes.clone(),
                _ => PyBytes::new(py, &outgoing.bytes),
            };
            last = Some((outgoing.bytes.as_ptr(), bytes.clone()));
            (outgoing.client, bytes)
        });
        Ok(messages.collect())
    }

    /// `sum` (weighted), `weight`, `survivors`, `dropped`.
    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let server = self
            .server
            .take()
            .ok_or_else(|| Failure::new("the aggregation is over"))?;
        let aggregation = self.aggregation.get();
        let finished = py.detach(move || {
            let outcome = server.finish()?;
            let (sums, weight) = aggregation
                .quantizer
                .sums(&outcome.words, outcome.survivors.len())?;
            Ok::<_, FederatedError>((sums, weight, outcome.survivors, outcome.dropped))
        });
        let (sums, weight, survivors, dropped) = finished.map_err(Failure::from)?;
        let resolution = aggregation.quantizer.resolution();
        let sum: Vec<f64> = sums.iter().map(|&sum| sum as f64 * resolution).collect();
        let result = PyDict::new(py);
        result.set_item("sum", sum.into_pyarray(py))?;
        result.set_item("weight", weight)?;
        result.set_item("survivors", survivors)?;
        result.set_item("dropped", dropped)?;
        Ok(result)
    }
}

/// How much privacy many rounds leave.
#[pyclass(module = "hushml._hushml")]
pub(crate) struct Accountant(accountant::Accountant);

#[pymethods]
impl Accountant {
    #[new]
    fn new() -> Self {
        Self(accountant::Accountant::new())
    }

    #[pyo3(signature = (noise_multiplier, sampling_rate=1.0, rounds=1))]
    fn add(
        &mut self,
        noise_multiplier: f64,
        sampling_rate: f64,
        rounds: u64,
    ) -> Result<(), Failure> {
        let round = Round {
            noise_multiplier,
            sampling_rate,
        };
        Ok(self.0.add(round, rounds)?)
    }

    fn epsilon(&self, delta: f64) -> f64 {
        self.0.epsilon(delta)
    }
}

/// The public half of the identity with this secret seed.
#[pyfunction]
pub(crate) fn federated_identity<'py>(py: Python<'py>, seed: [u8; 32]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &Identity::from_seed(&seed).public())
}

/// The noise multiplier of a sum to which `clients` honest clients each add noise.
#[pyfunction]
pub(crate) fn federated_noise_multiplier(
    variance: u64,
    clients: usize,
    sensitivity: f64,
    values: usize,
) -> f64 {
    accountant::distributed_noise_multiplier(variance, clients, sensitivity, values)
}

/// The cohort that `seed` draws: `count` clients, or each with probability `rate`.
#[pyfunction]
#[pyo3(signature = (available, seed, count=None, rate=None))]
pub(crate) fn federated_cohort(
    available: Vec<u32>,
    seed: [u8; 32],
    count: Option<usize>,
    rate: Option<f64>,
) -> Result<Vec<u32>, Failure> {
    let sampling = match (count, rate) {
        (Some(count), None) => Sampling::Fixed(count),
        (None, Some(rate)) => Sampling::Poisson(rate),
        _ => return Err(Failure::new("a cohort is drawn by count or by rate")),
    };
    Ok(cohort(&available, sampling, seed)?)
}
