//! Work that needs randomness, on several threads.

use hush_keys::SecureRng;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::ClientError;

/// How many items to work on at once: enough for every thread, few enough to stay in memory.
pub(crate) fn width() -> usize {
    2 * rayon::current_num_threads()
}

/// Applies `function` to every item, in order, each with a generator of its own.
pub(crate) fn map<T: Sync, R: Send>(
    items: &[T],
    rng: &mut SecureRng,
    function: impl Fn(&T, &mut SecureRng) -> Result<R, ClientError> + Sync,
) -> Result<Vec<R>, ClientError> {
    let pairs: Vec<_> = items.iter().map(|item| (item, rng.fork())).collect();
    pairs
        .into_par_iter()
        .map(|(item, mut rng)| function(item, &mut rng))
        .collect()
}
