//! Three parties in one process, for development: each has a thread, which alone holds its shares.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use hush_mpc::link::memory::mesh;
use hush_mpc::protocol::rep3::Rep3;
use hush_mpc::training::{Network, Optimizer};
use hush_mpc::{Cost, Fixed, MpcError, Parties, Protocol, Secret};
use numpy::{IntoPyArray, PyArray1, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use rand_core::{OsRng, TryRngCore};

use super::operation::{Arguments, apply};
use crate::failure::Failure;
use crate::task::refuse_forks;

/// Parties of the protocol.
pub(super) const PARTIES: usize = 3;

type Job = Box<dyn FnOnce(&mut Player) + Send>;

/// One party: everything that its thread holds.
pub(super) struct Player {
    pub(super) protocol: Rep3,
    pub(super) fixed: Fixed,
    secrets: BTreeMap<u64, Secret<u64>>,
    pub(super) networks: BTreeMap<u64, (Network<u64>, Optimizer<u64>)>,
}

impl Player {
    pub(super) fn secret(&self, id: u64) -> Result<Secret<u64>, MpcError> {
        // Handles keep what they name, so a missing one is a mistake of this module.
        self.secrets.get(&id).cloned().ok_or(MpcError::Count {
            what: "tensors of that number",
            expected: 1,
            found: 0,
        })
    }

    /// Keeps a result in the type of all tensors; gives its shape.
    pub(super) fn keep(&mut self, id: u64, secret: Secret<u64>) -> Result<Vec<usize>, MpcError> {
        let fraction = self.fixed.fraction_bits;
        let secret = match secret.fixed().fraction_bits == fraction {
            true => secret,
            false => hush_mpc::operations::rescale(&mut self.protocol, &secret, fraction)?,
        };
        let secret = secret.declare_at_most(self.fixed.integer_bits);
        let shape = secret.shape().to_vec();
        self.secrets.insert(id, secret);
        Ok(shape)
    }
}

/// The parties as the thread of Python sees them: nothing but doors to put work through.
pub(super) struct Inner {
    doors: Mutex<Vec<Sender<Job>>>,
    next: AtomicU64,
    pub(super) fixed: Fixed,
}

impl Inner {
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Gives the same work to every party, in the same order at all, and waits for what each of them gives.
    pub(super) fn everywhere<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl Fn(&mut Player) -> Result<T, MpcError> + Send + Sync + 'static,
    ) -> PyResult<Vec<T>> {
        refuse_forks()?;
        let work = Arc::new(work);
        let (sender, receiver) = channel();
        let results = py.detach(move || {
            {
                let doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
                for (party, door) in doors.iter().enumerate() {
                    let (work, sender) = (Arc::clone(&work), sender.clone());
                    // A party that is gone is noticed below.
                    let _ = door.send(Box::new(move |player| {
                        let _ = sender.send((party, work(player)));
                    }));
                }
            }
            drop(sender);
            let mut results: Vec<(usize, Result<T, MpcError>)> = receiver.iter().collect();
            results.sort_by_key(|(party, _)| *party);
            results
        });
        py.check_signals()?;
        if results.len() < PARTIES {
            return Err(Failure::new("the parties are closed")
                .hint("start new ones with hushml.mpc.local()")
                .into());
        }
        let results: Result<Vec<T>, MpcError> =
            results.into_iter().map(|(_, result)| result).collect();
        Ok(results.map_err(Failure::from)?)
    }

    fn forget(&self, id: u64) {
        let doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        for door in doors.iter() {
            let _ = door.send(Box::new(move |player: &mut Player| {
                player.secrets.remove(&id);
                player.networks.remove(&id);
            }));
        }
    }

    /// Does `work` at every party and keeps the tensor that it gives.
    pub(super) fn keep(
        self: &Arc<Self>,
        py: Python<'_>,
        work: impl Fn(&mut Player) -> Result<Secret<u64>, MpcError> + Send + Sync + 'static,
    ) -> PyResult<SecretHandle> {
        // Made first: if the work fails at one party, the others forget.
        let mut handle = SecretHandle {
            inner: Arc::clone(self),
            id: self.number(),
            shape: Vec::new(),
        };
        let id = handle.id;
        let shapes = self.everywhere(py, move |player| {
            let secret = work(player)?;
            player.keep(id, secret)
        })?;
        handle.shape = shapes.into_iter().next().unwrap_or_default();
        Ok(handle)
    }
}

/// A tensor that the parties share, or a network; they forget it with the handle.
#[pyclass(module = "hushml._hushml", frozen)]
pub(crate) struct SecretHandle {
    pub(super) inner: Arc<Inner>,
    pub(super) id: u64,
    pub(super) shape: Vec<usize>,
}

#[pymethods]
impl SecretHandle {
    #[getter]
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }
}

impl Drop for SecretHandle {
    fn drop(&mut self) {
        self.inner.forget(self.id);
    }
}

/// Three parties on threads of this process.
#[pyclass(module = "hushml._hushml", frozen)]
pub(crate) struct World {
    pub(super) inner: Arc<Inner>,
}

fn player(
    link: hush_mpc::link::memory::MemoryLink,
    name: [u8; 32],
    fixed: Fixed,
) -> Result<Player, MpcError> {
    Ok(Player {
        protocol: Rep3::establish(Box::new(link), &name, &mut OsRng.unwrap_err())?,
        fixed,
        secrets: BTreeMap::new(),
        networks: BTreeMap::new(),
    })
}

#[pymethods]
impl World {
    #[new]
    fn new(integer_bits: u32, fraction_bits: u32) -> Result<Self, Failure> {
        refuse_forks()?;
        let fixed = Fixed::new(integer_bits, fraction_bits);
        Fixed::new(integer_bits, 2 * fraction_bits).check_truncation::<u64>("numbers")?;
        let mut name = [0; 32];
        rand_core::RngCore::fill_bytes(&mut OsRng.unwrap_err(), &mut name);
        let mut doors = Vec::new();
        for (party, link) in mesh(PARTIES).into_iter().enumerate() {
            let (door, work) = channel::<Job>();
            doors.push(door);
            thread::Builder::new()
                .name(format!("server{party}"))
                .stack_size(8 << 20)
                .spawn(move || {
                    // Without a session the door closes, which the next piece of work notices.
                    let Ok(mut player) = player(link, name, fixed) else {
                        return;
                    };
                    work.iter().for_each(|job| job(&mut player));
                })?;
        }
        let inner = Arc::new(Inner {
            doors: Mutex::new(doors),
            next: AtomicU64::new(0),
            fixed,
        });
        Ok(Self { inner })
    }

    /// Ends the parties; their shares are gone.
    fn close(&self) {
        let doors = &self.inner.doors;
        doors.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Shares numbers of party `owner`.
    fn input(
        &self,
        py: Python<'_>,
        owner: usize,
        shape: Vec<usize>,
        values: PyReadonlyArray1<'_, f64>,
    ) -> PyResult<SecretHandle> {
        let values = values.to_vec()?;
        let fixed = self.inner.fixed;
        // Only the owner would notice, and the others would wait for it.
        fixed.encode_all::<u64>(&values).map_err(Failure::from)?;
        self.inner.keep(py, move |player| {
            let own = (Protocol::<u64>::party(&player.protocol) == owner).then_some(&values[..]);
            Secret::input(&mut player.protocol, owner, &shape, fixed, own)
        })
    }

    /// Numbers that every party knows, as shares.
    fn public(
        &self,
        py: Python<'_>,
        shape: Vec<usize>,
        values: PyReadonlyArray1<'_, f64>,
    ) -> PyResult<SecretHandle> {
        let values = values.to_vec()?;
        let fixed = self.inner.fixed;
        self.inner.keep(py, move |player| {
            Secret::public(&player.protocol, &shape, fixed, &values)
        })
    }

    /// Opens a tensor to one party and nobody else.
    fn reveal<'py>(
        &self,
        py: Python<'py>,
        handle: &SecretHandle,
        receiver: usize,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let id = handle.id;
        let opened = self.inner.everywhere(py, move |player| {
            let secret = player.secret(id)?;
            secret.reveal(&mut player.protocol, Parties::one(receiver))
        })?;
        let values = opened.into_iter().flatten().next().unwrap_or_default();
        Ok(values.into_pyarray(py))
    }

    /// A tensor calculated from others.
    fn apply(
        &self,
        py: Python<'_>,
        operation: String,
        operands: Vec<PyRef<'_, SecretHandle>>,
        numbers: Vec<f64>,
        counts: Vec<usize>,
    ) -> PyResult<SecretHandle> {
        let ids: Vec<u64> = operands.iter().map(|handle| handle.id).collect();
        if operands
            .iter()
            .any(|handle| !Arc::ptr_eq(&handle.inner, &self.inner))
        {
            return Err(Failure::new("the tensors are shared among different parties").into());
        }
        drop(operands);
        self.inner.keep(py, move |player| {
            let operands: Vec<Secret<u64>> = ids
                .iter()
                .map(|&id| player.secret(id))
                .collect::<Result<_, _>>()?;
            let arguments = Arguments {
                operands: &operands,
                numbers: &numbers,
                counts: &counts,
                fixed: player.fixed,
            };
            apply(&mut player.protocol, &operation, arguments)
        })
    }

    /// Rounds, and bytes that all parties sent, since the start.
    fn spent(&self, py: Python<'_>) -> PyResult<(u64, u64)> {
        let costs = self
            .inner
            .everywhere(py, |player| Ok(Protocol::<u64>::spent(&player.protocol)))?;
        let cost = costs.into_iter().next().unwrap_or(Cost::default());
        Ok((cost.rounds, cost.bytes))
    }
}
