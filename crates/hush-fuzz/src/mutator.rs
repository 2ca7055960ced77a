//! Damages bytes at random.

/// A generator of damage; the same for the same seed.
pub struct Mutator(u64);

impl Mutator {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Seeds that follow each other begin far apart (Steele et al. 2014).
        Self(
            seed.wrapping_add(1)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .max(1),
        )
    }

    /// A number below this one (xorshift, Marsaglia 2003).
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }

    /// The bytes with a few changes: others, more, fewer, some twice, numbers at their limits.
    pub fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            // Headers are short and decide much.
            let within = match self.below(2) {
                0 => bytes.len().min(200),
                _ => bytes.len(),
            };
            let place = self.below(within);
            match self.below(12) {
                0 | 1 => bytes.insert(place, self.below(256) as u8),
                2 => bytes.truncate(place),
                3 => {
                    let end = place + self.below(bytes.len() - place + 1);
                    bytes.extend_from_within(place..end.min(place + 300));
                }
                4 => {
                    let end = place + self.below((bytes.len() - place + 1).min(16));
                    bytes.drain(place..end);
                }
                5 => {
                    let limit =
                        [[0xff; 8], [0; 8], [0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0]][self.below(3)];
                    let width = [2, 4, 8][self.below(3)];
                    for (byte, limit) in bytes[place..].iter_mut().zip(&limit[..width]) {
                        *byte = *limit;
                    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_does_the_same_damage() {
        let damage = |seed| {
            let mut mutator = Mutator::new(seed);
            (0..50)
                .map(|_| mutator.mutate(b"some bytes"))
                .collect::<Vec<_>>()
        };
        assert_eq!(damage(7), damage(7));
        assert_ne!(damage(7), damage(8));
        assert!(damage(0).iter().any(|bytes| bytes != b"some bytes"));
    }
}
