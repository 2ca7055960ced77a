//! Decoded keys in memory: those used last, under a limit of bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hush_ckks::{EvaluationKeys, KeyId};
use tokio::sync::watch;

use crate::blocking::{blocking, broken};
use crate::{KeyStatistics, ServingError};

/// A key and the digest of its content: a key that is replaced is another entry.
pub(crate) type Entry = (KeyId, String);

type Loaded = Result<Arc<EvaluationKeys>, ServingError>;

/// Decoded keys. One that is in use stays, even if all of them together exceed the limit then.
pub(crate) struct Cache {
    limit: u64,
    state: Mutex<State>,
    statistics: Arc<KeyStatistics>,
}

#[derive(Default)]
struct State {
    held: HashMap<Entry, Held>,
    loading: HashMap<Entry, watch::Receiver<Option<Loaded>>>,
    bytes: u64,
    clock: u64,
}

struct Held {
    keys: Arc<EvaluationKeys>,
    bytes: u64,
    used: u64,
}

impl Cache {
    pub(crate) fn new(limit: u64, statistics: Arc<KeyStatistics>) -> Self {
        Self {
            limit,
            state: Mutex::default(),
            statistics,
        }
    }

    /// Whether a key is in memory.
    pub(crate) fn holds(&self, entry: &Entry) -> bool {
        self.state().held.contains_key(entry)
    }

    /// A key, decoded by `read` on a blocking thread if it is not in memory; those who ask meanwhile wait for the
    /// same. Reading goes on if the caller goes away.
    pub(crate) async fn load(
        self: &Arc<Self>,
        entry: Entry,
        read: impl FnOnce() -> Result<EvaluationKeys, ServingError> + Send + 'static,
    ) -> Loaded {
        let mut receiver = {
            let mut state = self.state();
            state.clock += 1;
            let clock = state.clock;
            if let Some(held) = state.held.get_mut(&entry) {
                held.used = clock;
                self.statistics.hits.add(1);
                return Ok(Arc::clone(&held.keys));
            }
            self.statistics.misses.add(1);
            match state.loading.get(&entry) {
                Some(receiver) => receiver.clone(),
                None => {
                    let (sender, receiver) = watch::channel(None);
                    state.loading.insert(entry.clone(), receiver.clone());
                    let cache = Arc::clone(self);
                    tokio::spawn(async move {
                        let loaded = blocking(read).await.map(Arc::new);
                        cache.arrived(&entry, &loaded);
                        // Nobody may be waiting any more.
                        let _ = sender.send(Some(loaded));
                    });
                    receiver
                }
            }
        };
        let loaded = receiver.wait_for(Option::is_some).await;
        match loaded {
            Ok(loaded) => loaded.clone().unwrap_or_else(|| Err(broken())),
            Err(_) => Err(broken()),
        }
    }

    /// Forgets a key that was replaced or deleted; who uses it goes on.
    pub(crate) fn forget(&self, id: KeyId) {
        let mut state = self.state();
        state.loading.retain(|entry, _| entry.0 != id);
        state.held.retain(|entry, _| entry.0 != id);
        state.bytes = state.held.values().map(|held| held.bytes).sum();
        self.tell(&state);
    }

    /// Keeps the limit, where keys in use stood in the way of it before.
    pub(crate) fn trim(&self) {
        let mut state = self.state();
        if state.bytes > self.limit {
            self.make_room(&mut state, 0);
        }
    }

    fn arrived(&self, entry: &Entry, loaded: &Loaded) {
        let mut state = self.state();
        // One that was forgotten meanwhile is for those who wait only.
        if state.loading.remove(entry).is_none() {
            return;
        }
        let Ok(keys) = loaded else { return };
        let bytes = keys.bytes() as u64;
        self.make_room(&mut state, bytes);
        state.clock += 1;
        let held = Held {
            keys: Arc::clone(keys),
            bytes,
            used: state.clock,
        };
        state.bytes += bytes;
        state.held.insert(entry.clone(), held);
        self.tell(&state);
    }

    /// Drops what was used longest ago and is not in use, until `more` bytes fit.
    fn make_room(&self, state: &mut State, more: u64) {
        while state.bytes + more > self.limit {
            let unused = state.held.iter();
            let unused = unused.filter(|(_, held)| Arc::strong_count(&held.keys) == 1);
            let Some(entry) = unused.min_by_key(|(_, held)| held.used) else {
                break;
            };
            let entry = entry.0.clone();
            if let Some(held) = state.held.remove(&entry) {
                state.bytes -= held.bytes;
                self.statistics.evictions.add(1);
            }
        }
        self.tell(state);
    }

    fn tell(&self, state: &State) {
        self.statistics.cached.set(state.held.len() as u64);
        self.statistics.cached_bytes.set(state.bytes);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use hush_ckks::primes::ntt_primes;
    use hush_ckks::{Parameters, ParametersLiteral};
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn keys() -> EvaluationKeys {
        let mut moduli = ntt_primes(12, 34, 3, &BTreeSet::new()).unwrap();
        moduli.sort_unstable();
        let parameters = Parameters::new(ParametersLiteral {
            log_degree: 12,
            special_moduli: moduli.split_off(2),
            moduli,
        });
        EvaluationKeys::empty(&parameters.unwrap(), KeyId([1; 16]))
    }

    fn entry() -> Entry {
        (KeyId([1; 16]), "digest".to_owned())
    }

    #[tokio::test]
    async fn those_who_ask_at_once_wait_for_the_same() {
        let cache = Arc::new(Cache::new(0, Arc::default()));
        let reads = Arc::new(AtomicUsize::new(0));
        let load = || {
            let reads = Arc::clone(&reads);
            cache.load(entry(), move || {
                reads.fetch_add(1, Ordering::SeqCst);
                Ok(keys())
            })
        };
        let (first, second) = tokio::join!(load(), load());
        assert!(Arc::ptr_eq(&first.unwrap(), &second.unwrap()));
        assert_eq!(reads.load(Ordering::SeqCst), 1);
        assert!(cache.holds(&entry()));
        load().await.unwrap();
        assert_eq!(reads.load(Ordering::SeqCst), 1);
        cache.forget(KeyId([1; 16]));
        assert!(!cache.holds(&entry()));
        load().await.unwrap();
        assert_eq!(reads.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_failure_is_everybodys_and_not_kept() {
        let cache = Arc::new(Cache::new(0, Arc::default()));
        let failing = || cache.load(entry(), || Err(broken()));
        let (first, second) = tokio::join!(failing(), failing());
        for result in [first, second, cache.load(entry(), || panic!("a bug")).await] {
            assert_eq!(result.err().unwrap().kind(), ErrorKind::Internal);
        }
        assert!(cache.load(entry(), || Ok(keys())).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_forgotten_while_it_is_read_is_not_kept() {
        let cache = Arc::new(Cache::new(0, Arc::default()));
        let forgetting = Arc::clone(&cache);
        let loaded = cache.load(entry(), move || {
            forgetting.forget(KeyId([1; 16]));
            Ok(keys())
        });
        assert!(loaded.await.is_ok());
        assert!(!cache.holds(&entry()));
    }
}
