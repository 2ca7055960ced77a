//! Several groups of ciphertexts at the same time.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use hush_ckks::{Ciphertext, EvaluationKeys};
use hush_program::Observer;

use crate::seat::Seat;
use crate::{Runtime, RuntimeError};

/// The ciphertexts of a group, and who watches its run.
pub type Group<O> = (Vec<Ciphertext>, O);

/// The place of a group, and what came of it.
type Done = (usize, Result<Vec<Ciphertext>, RuntimeError>);

impl Runtime {
    /// How many of `groups` groups to hand to [`Runtime::run_groups`] at once: one for each
    /// thread if there are as many, and if their ciphertexts fit the memory limit; else one,
    /// whose instructions the threads share.
    #[must_use]
    pub fn groups_at_once(&self, groups: u64) -> usize {
        let threads = rayon::current_num_threads();
        let more = (threads as u64 - 1) * self.memory().working;
        let limit = self.memory().limit;
        let fits = limit.is_none_or(|limit| self.memory().total().saturating_add(more) <= limit);
        if groups >= threads as u64 && fits {
            threads
        } else {
            1
        }
    }

    /// Runs the program on several groups, each on one thread, as many at a time as the
    /// current rayon pool has; a single group on all threads. Results are those of
    /// [`Runtime::run`], in order.
    ///
    /// Plaintexts and keys are shared: a further group costs the memory of its ciphertexts.
    ///
    /// # Errors
    /// As [`Runtime::run`], of the first group in order that failed.
    pub fn run_groups<O: Observer + Send>(
        &self,
        groups: Vec<Group<O>>,
        keys: &EvaluationKeys,
    ) -> Result<Vec<Vec<Ciphertext>>, RuntimeError> {
        let threads = rayon::current_num_threads().min(groups.len());
        if threads <= 1 {
            return groups
                .into_iter()
                .map(|(inputs, mut observer)| self.run(inputs, keys, &mut observer))
                .collect();
        }
        let count = groups.len();
        let waiting = Mutex::new(groups.into_iter().enumerate());
        let failed = AtomicBool::new(false);
        let done: Mutex<Vec<Done>> = Mutex::new(Vec::with_capacity(count));
        let next = || {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.next().filter(|_| !failed.load(Ordering::Relaxed))
        };
        let work = || {
            while let Some((index, (inputs, mut observer))) = next() {
                let result = self.run(inputs, keys, &mut observer);
                failed.fetch_or(result.is_err(), Ordering::Relaxed);
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.push((index, result));
            }
        };
        let seats = (0..threads)
            .map(|_| Seat::take())
            .collect::<Result<Vec<_>, _>>()?;
        std::thread::scope(|scope| {
            for seat in &seats {
                scope.spawn(|| seat.install(work));
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, result)| result).collect()
    }
}
