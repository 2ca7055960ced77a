//! What a caller is told while something takes long.

use std::ops::ControlFlow;

use crate::RemoteError;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Making keys; counted in keys.
    Keys,
    /// Uploading evaluation keys; counted in bytes.
    Upload,
    /// Predicting; counted in samples.
    Predict,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// How much of it is done.
    pub done: u64,
    /// How much there is, where that is known.
    pub total: Option<u64>,
}

/// Who is told, several times a second also while nothing moves, and may answer that it is enough:
/// [`RemoteError::Stopped`].
pub type Watcher<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// Tells a watcher.
///
/// # Errors
/// [`RemoteError::Stopped`].
pub(crate) fn tell(
    watcher: Watcher<'_>,
    stage: Stage,
    done: u64,
    total: Option<u64>,
) -> Result<(), RemoteError> {
    match watcher(Progress { stage, done, total }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(RemoteError::Stopped),
    }
}
