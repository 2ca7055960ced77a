//! Damages bytes at random, to test what reads them.

/// A generator of damage. Prints its seed, which `HUSH_TEST_SEED` repeats.
pub(crate) struct Mutator(u64);

impl Mutator {
    pub(crate) fn new() -> Self {
        let given = std::env::var("HUSH_TEST_SEED").ok();
        let time = || {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            since.map_or(1, |since| since.as_nanos() as u64)
        };
        let seed = given
            .and_then(|seed| seed.parse().ok())
            .unwrap_or_else(time);
        println!("HUSH_TEST_SEED={seed}");
        Self(seed.max(1))
    }

    /// A number below this one (xorshift, Marsaglia 2003).
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }

    /// The bytes with a few changes: others, more, fewer, and some twice.
    pub(crate) fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let place = self.below(bytes.len());
            match self.below(5) {
                0 => bytes.insert(place, self.below(256) as u8),
                1 => bytes.truncate(place),
                2 => {
                    let end = place + self.below(bytes.len() - place + 1);
                    bytes.extend_from_within(place..end);
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(place) {
                        *byte = match self.below(3) {
                            0 => *byte ^ (1 << ((self.0 >> 32) % 8)),
                            1 => b"0123456789[]{},:\"-\xff\0"[self.below(20)],
                            _ => self.below(256) as u8,
                        };
                    }
                }
            }
        }
        bytes
    }
}
