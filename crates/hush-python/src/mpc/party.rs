//! One party on a thread of this process: its protocol and its machine, which alone hold its shares.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use hush_mpc::calculation::{Machine, Statement, Value};
use hush_mpc::link::memory::MemoryLink;
use hush_mpc::{Cost, Fixed, MpcError, Parties, Protocol, Secret, Word};
use hush_party::ProtocolName;

/// What every party is given to do, in the same order.
pub(super) enum Work {
    Execute(Value, Statement),
    /// Numbers of one party.
    Input {
        value: Value,
        owner: usize,
        shape: Vec<usize>,
        values: Vec<f64>,
    },
    Reveal(Value, usize),
    Forget(Value),
    Spent,
    /// Writes a tensor's shares to one file a party.
    Save {
        value: Value,
        files: Vec<PathBuf>,
        label: [u8; 32],
    },
    /// Reads them again.
    Load {
        value: Value,
        files: Vec<PathBuf>,
        label: [u8; 32],
        shape: Vec<usize>,
    },
}

/// What a party gives back.
pub(super) enum Reply {
    Done,
    Numbers(Vec<f64>),
    Spent(Cost),
    /// Steps of a training that are done, of how many; more follows.
    Step(usize, usize),
}

/// Work, who waits for it, and where it may be stopped.
pub(super) struct Errand {
    pub(super) work: Arc<Work>,
    pub(super) reply: Sender<(usize, Result<Reply, MpcError>)>,
    pub(super) stop: Arc<Stop>,
}

/// Ends a training at all parties after the same step: the last that any of them has begun.
#[derive(Default)]
pub(super) struct Stop(Mutex<(usize, Option<usize>)>);

impl Stop {
    /// The parties do no step beyond those that have begun.
    pub(super) fn set(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 = Some(state.0);
    }

    /// Whether a party that has done so many steps may begin the next one.
    fn goes_on(&self, done: usize) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.1.is_some_and(|last| done > last) {
            return false;
        }
        state.0 = state.0.max(done);
        true
    }
}

/// Does what comes until nobody can send any more.
pub(super) fn serve<W: Word>(
    kind: ProtocolName,
    link: MemoryLink,
    name: &[u8; 32],
    fixed: Fixed,
    errands: &Receiver<Errand>,
) {
    // Without a session the door closes, which the next piece of work notices.
    let Ok(mut protocol) = kind.establish::<W>(Box::new(link), name) else {
        return;
    };
    let Ok(mut machine) = Machine::<W>::new(fixed) else {
        return;
    };
    for Errand { work, reply, stop } in errands {
        let party = protocol.party();
        let result = perform(&mut machine, &mut *protocol, &work, &mut |done, total| {
            if !stop.goes_on(done) {
                return Err(MpcError::Calculation {
                    place: "fit".to_owned(),
                    reason: "interrupted".to_owned(),
                });
            }
            // Nobody listens any more after an interruption.
            let _ = reply.send((party, Ok(Reply::Step(done, total))));
            Ok(())
        });
        let _ = reply.send((party, result));
    }
}

fn perform<W: Word>(
    machine: &mut Machine<W>,
    protocol: &mut dyn Protocol<W>,
    work: &Work,
    step: &mut dyn FnMut(usize, usize) -> Result<(), MpcError>,
) -> Result<Reply, MpcError> {
    match work {
        Work::Execute(value, statement) => {
            machine.execute(protocol, *value, statement, &mut |done, total, _| {
                step(done, total)
            })?;
        }
        Work::Input {
            value,
            owner,
            shape,
            values,
        } => {
            let own = (protocol.party() == *owner).then_some(&values[..]);
            let secret = Secret::input(protocol, *owner, shape, machine.fixed(), own)?;
            machine.insert(*value, secret);
        }
        Work::Reveal(value, receiver) => {
            let secret = machine.tensor(*value)?;
            let opened = secret.reveal(protocol, Parties::one(*receiver))?;
            return Ok(opened.map_or(Reply::Done, Reply::Numbers));
        }
        Work::Forget(value) => machine.forget(*value),
        Work::Spent => return Ok(Reply::Spent(protocol.spent())),
        Work::Save {
            value,
            files,
            label,
        } => {
            let bytes = machine.tensor(*value)?.to_bytes(protocol, label);
            write(&files[protocol.party()], &bytes)?;
        }
        Work::Load {
            value,
            files,
            label,
            shape,
        } => {
            let path = &files[protocol.party()];
            let bytes = std::fs::read(path).map_err(|error| stored(path, &error))?;
            let secret = Secret::from_bytes(protocol, label, &bytes)?;
            let fits = secret.shape() == shape
                && secret.fixed().fraction_bits == machine.fixed().fraction_bits;
            if !fits {
                return Err(MpcError::Stored {
                    reason: "it is of another shape or another fixed point".to_owned(),
                });
            }
            let most = machine.fixed().integer_bits;
            machine.insert(*value, secret.declare_at_most(most));
        }
    }
    Ok(Reply::Done)
}

fn stored(path: &std::path::Path, error: &dyn std::fmt::Display) -> MpcError {
    MpcError::Stored {
        reason: format!("{}: {error}", path.display()),
    }
}

/// All of it or nothing.
fn write(path: &std::path::Path, bytes: &[u8]) -> Result<(), MpcError> {
    let folder = path.parent().unwrap_or(std::path::Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| stored(path, &error))?;
    std::io::Write::write_all(&mut file, bytes).map_err(|error| stored(path, &error))?;
    file.persist(path).map_err(|error| stored(path, &error))?;
    Ok(())
}
