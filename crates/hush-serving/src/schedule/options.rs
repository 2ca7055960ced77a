//! How requests share the machine.

/// How requests share the machine.
#[derive(Clone, Debug)]
pub struct ScheduleOptions {
    /// Requests that run at once; one for each thread of the current rayon pool if 0. One that runs alone uses all
    /// threads.
    pub threads: usize,
    /// Requests of one model that may wait; one identity may have three quarters of them.
    pub queue: usize,
    /// Bytes that running requests may take together: ciphertexts, intermediate sums, keys being loaded. Estimates. Those
    /// that wait may take as much for what was sent with them. No limit if `None`.
    pub memory: Option<u64>,
}

impl Default for ScheduleOptions {
    fn default() -> Self {
        Self {
            threads: 0,
            queue: 256,
            memory: None,
        }
    }
}
