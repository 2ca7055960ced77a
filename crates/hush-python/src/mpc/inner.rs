//! Values, and where the statements about them go: to parties on threads of this process, or into a program.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hush_mpc::calculation::{CalculationLiteral, Scope, Statement, Value};
use hush_mpc::{Fixed, MpcError};
use pyo3::prelude::*;

use super::party::{Errand, Reply, Stop, Work};
use super::world::SecretHandle;
use crate::failure::Failure;
use crate::task::refuse_forks;

/// Parties of every protocol.
pub(super) const PARTIES: usize = 3;
/// How often Python looks for interruptions.
const TICK: Duration = Duration::from_millis(50);

/// Where statements go.
pub(super) enum Side {
    /// To threads, at once.
    Threads(Mutex<Vec<Sender<Errand>>>),
    /// Into a program.
    Recorded(Mutex<Recorded>),
}

/// A program that is being written.
#[derive(Default)]
pub(super) struct Recorded {
    pub(super) literal: CalculationLiteral,
    /// This process's own inputs.
    pub(super) given: BTreeMap<String, Vec<f64>>,
}

/// Values and where they are.
pub(super) struct Inner {
    pub(super) side: Side,
    /// The number of the next value, with the shapes of all.
    scope: Mutex<(u64, Scope)>,
    /// Values of earlier programs are gone.
    epoch: Mutex<u64>,
    pub(super) fixed: Fixed,
    pub(super) protocol: String,
    pub(super) ring_bits: u32,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn closed() -> Failure {
    Failure::new("the parties are closed").hint("start new ones with hushml.mpc.local()")
}

impl Inner {
    pub(super) fn new(side: Side, fixed: Fixed, protocol: &str, ring_bits: u32) -> Self {
        Self {
            side,
            scope: Mutex::default(),
            epoch: Mutex::default(),
            fixed,
            protocol: protocol.to_owned(),
            ring_bits,
        }
    }

    /// Gives the same work to every party, in the same order at all, and waits for what they give; `progress` is told of
    /// the steps of a training. Interruptions end a training after a step that all parties do.
    pub(super) fn everywhere(
        &self,
        py: Python<'_>,
        work: Work,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<(Vec<Reply>, usize)> {
        refuse_forks()?;
        let Side::Threads(doors) = &self.side else {
            return Err(Failure::new("this is known only when the parties have run")
                .hint("call `run` first, or leave the `with` block")
                .into());
        };
        let (reply, replies) = channel();
        let stop = Arc::new(Stop::default());
        let work = Arc::new(work);
        for door in lock(doors).iter() {
            let errand = Errand {
                work: Arc::clone(&work),
                reply: reply.clone(),
                stop: Arc::clone(&stop),
            };
            // A party that is gone is noticed below.
            let _ = door.send(errand);
        }
        drop(reply);
        let mut results = BTreeMap::new();
        let (mut replies, mut steps, mut told) = (replies, 0, 0);
        let mut interruption = None;
        loop {
            let listening = &mut replies;
            match py.detach(move || listening.recv_timeout(TICK)) {
                Ok((0, Ok(Reply::Step(done, total)))) => {
                    steps = done;
                    if let (Some(progress), true) = (progress, done == total || done > told) {
                        told = done;
                        let heard = progress.call1(("training", done, total));
                        if let (Err(error), None) = (heard, &interruption) {
                            stop.set();
                            interruption = Some(error);
                        }
                    }
                }
                Ok((_, Ok(Reply::Step(..)))) => {}
                Ok((party, result)) => {
                    results.insert(party, result);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if interruption.is_none()
                && let Err(error) = py.check_signals()
            {
                stop.set();
                interruption = Some(error);
            }
        }
        if let Some(error) = interruption {
            return Err(error);
        }
        if results.len() < PARTIES {
            return Err(closed().into());
        }
        let results: Result<Vec<Reply>, MpcError> = results.into_values().collect();
        Ok((results.map_err(Failure::from)?, steps))
    }

    pub(super) fn forget(&self, value: Value) {
        let Side::Threads(doors) = &self.side else {
            return;
        };
        lock(&self.scope).1.forget(value);
        let work = Arc::new(Work::Forget(value));
        for door in lock(doors).iter() {
            let (reply, _) = channel();
            let _ = door.send(Errand {
                work: Arc::clone(&work),
                reply,
                stop: Arc::default(),
            });
        }
    }

    /// Checks a statement and gives its value a number; then it is executed or written down.
    pub(super) fn state(
        self: &Arc<Self>,
        py: Python<'_>,
        statement: Statement,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<(SecretHandle, usize)> {
        let handle = self.define(&statement)?;
        let mut steps = 0;
        match &self.side {
            Side::Threads(_) => {
                let work = Work::Execute(handle.value, statement);
                steps = self.everywhere(py, work, progress)?.1;
            }
            Side::Recorded(recorded) => lock(recorded).literal.statements.push(statement),
        }
        Ok((handle, steps))
    }

    pub(super) fn define(self: &Arc<Self>, statement: &Statement) -> Result<SecretHandle, Failure> {
        let mut scope = lock(&self.scope);
        let value = Value(scope.0);
        let shape = scope.1.define(value, statement).map_err(Failure::from)?;
        scope.0 += 1;
        Ok(SecretHandle {
            inner: Arc::clone(self),
            value,
            epoch: *lock(&self.epoch),
            shape: shape.unwrap_or_default(),
        })
    }

    /// What was written down, for one session; what follows starts anew.
    pub(super) fn take(&self) -> Result<Recorded, Failure> {
        let Side::Recorded(recorded) = &self.side else {
            return Err(Failure::new("parties on this machine have nothing to run"));
        };
        let mut scope = lock(&self.scope);
        *lock(&self.epoch) += 1;
        *scope = (0, Scope::new());
        Ok(std::mem::take(&mut *lock(recorded)))
    }

    /// The values of handles, if they are of these parties and of the program that is being written.
    pub(super) fn values(&self, handles: &[&SecretHandle]) -> Result<Vec<Value>, Failure> {
        let epoch = *lock(&self.epoch);
        handles
            .iter()
            .map(|handle| {
                if !std::ptr::eq(&*handle.inner, self) {
                    return Err(Failure::new(
                        "the tensors are shared among different parties",
                    ));
                }
                if handle.epoch != epoch {
                    return Err(Failure::new(
                        "the tensor or network belongs to a session that has run",
                    )
                    .hint("what is needed again is kept under a name with `save`, and loaded"));
                }
                Ok(handle.value)
            })
            .collect()
    }

    pub(super) fn recorded(&self) -> Result<MutexGuard<'_, Recorded>, Failure> {
        match &self.side {
            Side::Recorded(recorded) => Ok(lock(recorded)),
            Side::Threads(_) => Err(Failure::new("parties on this machine write nothing down")),
        }
    }

    pub(super) fn parameters(&self, network: Value) -> Result<Vec<Vec<usize>>, Failure> {
        let scope = lock(&self.scope);
        Ok(scope.1.parameters(network).map_err(Failure::from)?.to_vec())
    }

    pub(super) fn trained(&self, network: Value) -> Result<usize, Failure> {
        lock(&self.scope).1.trained(network).map_err(Failure::from)
    }
}
