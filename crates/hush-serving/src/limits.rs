//! What one request may weigh.

/// Bounds on the bodies of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one request. The default is 1 GiB: a request of many samples for a deep network is hundreds of
    /// megabytes of ciphertexts, [`Limits::body_memory`] bounds what all of them take, and the service only
    /// runs what fits its memory.
    pub message: usize,
    /// Bytes that a compressed body may grow to. The default is 64 MiB: ciphertexts do not compress, so what is
    /// compressed is JSON.
    pub decompressed: usize,
    /// Bytes that the bodies of all requests may take together while they arrive and are worked on; 4 GiB by
    /// default. Uploads of keys count only while they wait for the disk.
    pub body_memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 1 << 30,
            decompressed: 64 << 20,
            body_memory: 4 << 30,
        }
    }
}
