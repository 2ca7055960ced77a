//! Secret tensors as Python sees them: statements that parties on threads of this process execute at once, or that are
//! written down to be one session of real parties.

use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use hush_mpc::Fixed;
use hush_mpc::calculation::{KeptLiteral, Operation, OutputLiteral, Statement, Value, check_fixed};
use hush_mpc::link::memory::mesh;
use numpy::{IntoPyArray, PyArray1, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use rand_core::{OsRng, TryRngCore};

use super::inner::{Inner, PARTIES, Side, lock};
use super::party::{Errand, Reply, Work, serve};
use super::session::protocol_of;
use crate::failure::Failure;
use crate::task::refuse_forks;

/// A tensor that the parties share, or a network; they forget it with the handle.
#[pyclass(module = "hushml._hushml", frozen)]
pub(crate) struct SecretHandle {
    pub(super) inner: Arc<Inner>,
    pub(super) value: Value,
    pub(super) epoch: u64,
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
        self.inner.forget(self.value);
    }
}

/// Three parties: threads of this process, or real ones for which a program is written.
#[pyclass(module = "hushml._hushml", frozen)]
pub(crate) struct World {
    pub(super) inner: Arc<Inner>,
}

fn check_ring(fixed: Fixed, ring_bits: u32) -> Result<(), Failure> {
    match ring_bits {
        64 => Ok(check_fixed::<u64>(fixed)?),
        128 => Ok(check_fixed::<u128>(fixed)?),
        _ => Err(Failure::new(format!(
            "a ring of {ring_bits} bits is neither one of 64 nor of 128"
        ))),
    }
}

impl World {
    fn with(side: Side, fixed: Fixed, protocol: &str, ring_bits: u32) -> Self {
        let inner = Inner::new(side, fixed, protocol, ring_bits);
        Self {
            inner: Arc::new(inner),
        }
    }
}

#[pymethods]
impl World {
    #[new]
    fn new(
        integer_bits: u32,
        fraction_bits: u32,
        protocol: &str,
        ring_bits: u32,
    ) -> Result<Self, Failure> {
        refuse_forks()?;
        let (fixed, kind) = (
            Fixed::new(integer_bits, fraction_bits),
            protocol_of(protocol)?,
        );
        check_ring(fixed, ring_bits)?;
        let mut name = [0; 32];
        rand_core::RngCore::fill_bytes(&mut OsRng.unwrap_err(), &mut name);
        let mut doors = Vec::new();
        for (party, link) in mesh(PARTIES).into_iter().enumerate() {
            let (door, errands) = channel::<Errand>();
            doors.push(door);
            thread::Builder::new()
                .name(format!("server{party}"))
                .stack_size(8 << 20)
                .spawn(move || match ring_bits {
                    64 => serve::<u64>(kind, link, &name, fixed, &errands),
                    _ => serve::<u128>(kind, link, &name, fixed, &errands),
                })?;
        }
        let side = Side::Threads(Mutex::new(doors));
        Ok(Self::with(side, fixed, protocol, ring_bits))
    }

    /// Without parties: statements are written down.
    #[staticmethod]
    fn recorded(
        integer_bits: u32,
        fraction_bits: u32,
        protocol: &str,
        ring_bits: u32,
    ) -> Result<Self, Failure> {
        let fixed = Fixed::new(integer_bits, fraction_bits);
        protocol_of(protocol)?;
        check_ring(fixed, ring_bits)?;
        Ok(Self::with(
            Side::Recorded(Mutex::default()),
            fixed,
            protocol,
            ring_bits,
        ))
    }

    /// Ends parties on threads; their shares are gone.
    fn close(&self) {
        if let Side::Threads(doors) = &self.inner.side {
            lock(doors).clear();
        }
    }

    /// Shares numbers of party `owner`, a thread.
    fn input(
        &self,
        py: Python<'_>,
        owner: usize,
        shape: Vec<usize>,
        values: PyReadonlyArray1<'_, f64>,
    ) -> PyResult<SecretHandle> {
        let values = values.to_vec()?;
        // Only the owner would notice, and the others would wait for it.
        let fits = match self.inner.ring_bits {
            64 => self.inner.fixed.encode_all::<u64>(&values).map(|_| ()),
            _ => self.inner.fixed.encode_all::<u128>(&values).map(|_| ()),
        };
        fits.map_err(Failure::from)?;
        let handle = self.inner.define(&Statement::Input {
            name: "input".to_owned(),
            shape: shape.clone(),
            owner: format!("server{owner}"),
        })?;
        let work = Work::Input {
            value: handle.value,
            owner,
            shape,
            values,
        };
        self.inner.everywhere(py, work, None)?;
        Ok(handle)
    }

    /// Writes down an input of a party; `values` if this process gives it.
    #[pyo3(signature = (name, shape, owner, values=None))]
    fn declare(
        &self,
        py: Python<'_>,
        name: String,
        shape: Vec<usize>,
        owner: String,
        values: Option<PyReadonlyArray1<'_, f64>>,
    ) -> PyResult<SecretHandle> {
        if let Some(values) = values {
            let values = values.to_vec()?;
            let fits = self.inner.fixed.encode_all::<u128>(&values);
            fits.map_err(Failure::from)?;
            self.inner.recorded()?.given.insert(name.clone(), values);
        }
        let statement = Statement::Input { name, shape, owner };
        Ok(self.inner.state(py, statement, None)?.0)
    }

    /// Writes down that a tensor is opened to a party at the end.
    fn output(&self, handle: &SecretHandle, name: String, receiver: String) -> PyResult<()> {
        let value = self.inner.values(&[handle])?[0];
        let output = OutputLiteral {
            name,
            value,
            receiver,
        };
        self.inner.recorded()?.literal.outputs.push(output);
        Ok(())
    }

    /// Writes down that the servers keep a tensor.
    fn keep(&self, handle: &SecretHandle, name: String) -> PyResult<()> {
        let value = self.inner.values(&[handle])?[0];
        let kept = KeptLiteral { name, value };
        self.inner.recorded()?.literal.kept.push(kept);
        Ok(())
    }

    /// Writes down a tensor that the servers kept.
    fn load(&self, py: Python<'_>, name: String, shape: Vec<usize>) -> PyResult<SecretHandle> {
        Ok(self
            .inner
            .state(py, Statement::Load { name, shape }, None)?
            .0)
    }

    /// Writes a tensor's shares to one file a party on threads.
    fn save_files(
        &self,
        py: Python<'_>,
        handle: &SecretHandle,
        files: Vec<PathBuf>,
        label: [u8; 32],
    ) -> PyResult<()> {
        let value = self.inner.values(&[handle])?[0];
        let work = Work::Save {
            value,
            files,
            label,
        };
        self.inner.everywhere(py, work, None)?;
        Ok(())
    }

    /// Reads what `save_files` wrote.
    fn load_files(
        &self,
        py: Python<'_>,
        shape: Vec<usize>,
        files: Vec<PathBuf>,
        label: [u8; 32],
    ) -> PyResult<SecretHandle> {
        let handle = self.inner.define(&Statement::Load {
            name: "loaded".to_owned(),
            shape: shape.clone(),
        })?;
        let work = Work::Load {
            value: handle.value,
            files,
            label,
            shape,
        };
        self.inner.everywhere(py, work, None)?;
        Ok(handle)
    }

    /// Numbers that every party knows, as shares.
    fn public(
        &self,
        py: Python<'_>,
        shape: Vec<usize>,
        values: PyReadonlyArray1<'_, f64>,
    ) -> PyResult<SecretHandle> {
        let values = values.to_vec()?;
        Ok(self
            .inner
            .state(py, Statement::Public { shape, values }, None)?
            .0)
    }

    /// Opens a tensor to one party on a thread and nobody else.
    fn reveal<'py>(
        &self,
        py: Python<'py>,
        handle: &SecretHandle,
        receiver: usize,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let value = self.inner.values(&[handle])?[0];
        let (replies, _) = self
            .inner
            .everywhere(py, Work::Reveal(value, receiver), None)?;
        let numbers = replies.into_iter().find_map(|reply| match reply {
            Reply::Numbers(numbers) => Some(numbers),
            _ => None,
        });
        Ok(numbers.unwrap_or_default().into_pyarray(py))
    }

    /// A tensor calculated from others.
    fn apply(
        &self,
        py: Python<'_>,
        operation: &str,
        operands: Vec<PyRef<'_, SecretHandle>>,
        numbers: Vec<f64>,
        counts: Vec<usize>,
    ) -> PyResult<SecretHandle> {
        let handles: Vec<&SecretHandle> = operands.iter().map(|handle| &**handle).collect();
        let statement = Statement::Apply {
            operation: Operation::parse(operation, numbers, counts).map_err(Failure::from)?,
            operands: self.inner.values(&handles)?,
        };
        Ok(self.inner.state(py, statement, None)?.0)
    }

    /// Rounds, and bytes that all parties on threads sent, since the start.
    fn spent(&self, py: Python<'_>) -> PyResult<(u64, u64)> {
        let (replies, _) = self.inner.everywhere(py, Work::Spent, None)?;
        let costs = replies.iter().filter_map(|reply| match reply {
            Reply::Spent(cost) => Some(*cost),
            _ => None,
        });
        Ok(costs.fold((0, 0), |(rounds, bytes), cost| {
            (cost.rounds.max(rounds), bytes + cost.bytes)
        }))
    }
}
