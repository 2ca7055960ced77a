//! Recycled buffers: large vectors are costly to map and to fault in, so a ring keeps
//! those it has used.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Words kept for reuse at most: 1 GiB.
const KEPT_WORDS: usize = 1 << 27;
/// Words of a cache line. Buffers begin on one: a vector across two costs two accesses.
const LINE: usize = 8;

/// Buffers by length, shared by all polynomials of a ring.
#[derive(Debug, Default)]
pub struct Pool {
    free: Mutex<Free>,
}

#[derive(Debug, Default)]
struct Free {
    by_length: BTreeMap<usize, Vec<Vec<u64>>>,
    words: usize,
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
    /// A buffer of `length` words with unspecified contents.
    pub fn take(self: &Arc<Self>, length: usize) -> Buffer {
        let recycled = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let found = free.by_length.get_mut(&length).and_then(Vec::pop);
            if found.is_some() {
                free.words -= length;
            }
            found
        };
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

impl Drop for Buffer {
    fn drop(&mut self) {
        let words = std::mem::take(&mut self.words);
        let mut free = self
            .pool
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.length > 0 && free.words + self.length <= KEPT_WORDS {
            free.words += self.length;
            free.by_length.entry(self.length).or_default().push(words);
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
        let mut first = pool.take(16);
        first[3] = 7;
        let address = first.as_ptr();
        drop(first);
        assert_ne!(pool.take(8).as_ptr(), address);
        let again = pool.zeros(16);
        assert_eq!(again.as_ptr(), address);
        assert!(again.iter().all(|&word| word == 0));
    }
}
