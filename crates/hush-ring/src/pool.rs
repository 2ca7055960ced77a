//! Recycled buffers: large vectors are costly to map and to fault in, so a ring keeps
//! those it has used.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A buffer serves for lengths down to its own divided by this.
const SLACK: usize = 2;
/// Words of a cache line. Buffers begin on one: a vector across two costs two accesses.
const LINE: usize = 8;

/// Buffers shared by all polynomials of a ring.
///
/// Those in use and those kept together never take more than the most that was in use at once:
/// keeping costs no memory that a run did not need anyway.
#[derive(Debug, Default)]
pub struct Pool {
    stock: Mutex<Stock>,
}

#[derive(Debug, Default)]
struct Stock {
    /// Buffers at hand by their capacity; no list is empty.
    free: BTreeMap<usize, Vec<Vec<u64>>>,
    /// Words of the buffers at hand.
    kept: usize,
    /// Words of the buffers in use.
    used: usize,
    /// The most words in use so far.
    most: usize,
}

impl Stock {
    /// The smallest buffer that serves.
    fn best(&mut self, length: usize) -> Option<Vec<u64>> {
        let range = length..=length.saturating_mul(SLACK);
        let capacity = *self.free.range(range).next()?.0;
        Some(self.remove(capacity))
    }

    fn remove(&mut self, capacity: usize) -> Vec<u64> {
        let same = self.free.entry(capacity).or_default();
        let words = same.pop().unwrap_or_default();
        if same.is_empty() {
            self.free.remove(&capacity);
        }
        self.kept -= capacity;
        words
    }

    /// Takes out the largest buffers until the others fit; they are freed outside the lock.
    fn spare(&mut self) -> Vec<Vec<u64>> {
        let mut spare = Vec::new();
        while self.used + self.kept > self.most
            && let Some((&capacity, _)) = self.free.last_key_value()
        {
            spare.push(self.remove(capacity));
        }
        spare
    }
}

/// A vector of words that goes back to its pool when dropped. Its contents at first are
/// whatever the last owner left.
#[derive(Debug)]
pub struct Buffer {
    words: Vec<u64>,
    /// Where those that count begin: the first whole line.
    start: usize,
    length: usize,
    pool: Arc<Pool>,
}

impl Pool {
    fn stock(&self) -> MutexGuard<'_, Stock> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer of `length` words with unspecified contents.
    pub fn take(self: &Arc<Self>, length: usize) -> Buffer {
        let (recycled, spare) = {
            let mut stock = self.stock();
            let recycled = stock.best(length);
            stock.used += recycled.as_ref().map_or(length, |words| capacity(words));
            stock.most = stock.most.max(stock.used);
            (recycled, stock.spare())
        };
        drop(spare);
        let words = recycled.unwrap_or_else(|| vec![0; length + LINE - 1]);
        let start = words.as_ptr().align_offset(LINE * size_of::<u64>());
        Buffer {
            start: start.min(LINE - 1),
            length,
            words,
            pool: Arc::clone(self),
        }
    }

    /// [`Pool::take`], filled with zeros.
    pub fn zeros(self: &Arc<Self>, length: usize) -> Buffer {
        let mut buffer = self.take(length);
        buffer.fill(0);
        buffer
    }
}

/// Words that a buffer's vector has room for, wherever its first whole line begins.
fn capacity(words: &[u64]) -> usize {
    words.len().saturating_sub(LINE - 1)
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let words = std::mem::take(&mut self.words);
        let capacity = capacity(&words);
        let mut stock = self.pool.stock();
        stock.used -= capacity;
        if capacity > 0 {
            stock.kept += capacity;
            stock.free.entry(capacity).or_default().push(words);
        }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = self.pool.take(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

impl Deref for Buffer {
    type Target = [u64];
    fn deref(&self) -> &[u64] {
        &self.words[self.start..self.start + self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u64] {
        &mut self.words[self.start..self.start + self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_begin_on_a_line() {
        let pool = Arc::new(Pool::default());
        for length in [1, 8, 100, 4096, 1 << 20] {
            let buffer = pool.take(length);
            assert_eq!(buffer.len(), length);
            assert_eq!(buffer.as_ptr().align_offset(64), 0, "{length} words");
        }
    }

    #[test]
    fn buffers_are_recycled_by_length() {
        let pool = Arc::new(Pool::default());
        let (mut first, another) = (pool.take(16), pool.take(40));
        first[3] = 7;
        let address = first.as_ptr();
        drop((first, another));
        assert_ne!(pool.take(7).as_ptr(), address, "too short for it");
        let again = pool.zeros(12);
        assert_eq!(again.as_ptr(), address);
        assert_eq!(again.len(), 12);
        assert!(again.iter().all(|&word| word == 0));
    }

    #[test]
    fn no_more_is_kept_than_was_used_at_once() {
        let pool = Arc::new(Pool::default());
        let state = || {
            let stock = pool.stock();
            (stock.used, stock.kept, stock.most)
        };
        drop((pool.take(100), pool.take(100)));
        assert_eq!(state(), (0, 200, 200));
        let large = pool.take(250);
        assert_eq!(state(), (250, 0, 250), "what is too short makes room");
        let small = pool.take(10);
        drop(large);
        assert_eq!(state(), (10, 250, 260));
        drop(small);
    }
}
