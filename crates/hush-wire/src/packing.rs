//! Residues at the true bit width of their modulus.
//!
//! A limb of `n` residues modulo `q` takes `ceil(n * bits(q) / 8)` bytes, where `bits(q)` is the
//! number of bits of `q - 1`; residues follow each other, least significant bit first.

use crate::WireError;

/// Bits that a residue modulo `modulus` needs: those of `modulus - 1`.
pub fn residue_bits(modulus: u64) -> u32 {
    u64::BITS - modulus.saturating_sub(1).leading_zeros()
}

/// Bytes that `count` residues modulo `modulus` take.
pub fn packed_length(modulus: u64, count: usize) -> u64 {
    (count as u64 * u64::from(residue_bits(modulus))).div_ceil(8)
}

/// Appends the packed residues to `out`.
///
/// Fails with [`WireError::Residue`] if one is not below the modulus.
pub fn pack(modulus: u64, residues: &[u64], out: &mut Vec<u8>) -> Result<(), WireError> {
    let bits = residue_bits(modulus);
    out.reserve(packed_length(modulus, residues.len()) as usize);
    let mut pending = 0u128;
    let mut held = 0u32;
    for (index, &value) in residues.iter().enumerate() {
        if value >= modulus {
            return Err(WireError::Residue {
                index,
                value,
                modulus,
            });
        }
        pending |= u128::from(value) << held;
        held += bits;
        if held >= 64 {
            out.extend_from_slice(&(pending as u64).to_le_bytes());
            pending >>= 64;
            held -= 64;
        }
    }
    let rest = held.div_ceil(8) as usize;
    out.extend_from_slice(&(pending as u64).to_le_bytes()[..rest]);
    Ok(())
}

/// Unpacks residues from exactly [`packed_length`] bytes into `out`.
///
/// Fails with [`WireError::Residue`] if one is not below the modulus, and with
/// [`WireError::Padding`] if the unused bits at the end are not zero.
///
/// # Panics
/// If `bytes` is not exactly as long as `out` asks for.
pub fn unpack(modulus: u64, bytes: &[u8], out: &mut [u64]) -> Result<(), WireError> {
    assert_eq!(
        bytes.len() as u64,
        packed_length(modulus, out.len()),
        "packed length"
    );
    let bits = residue_bits(modulus);
    let mask = if bits == 64 {
        u64::MAX
    } else {
        (1u64 << bits) - 1
    };
    let mut words = bytes.chunks(8).map(|chunk| {
        let mut word = [0u8; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    let mut pending = 0u128;
    let mut held = 0u32;
    for (index, slot) in out.iter_mut().enumerate() {
        if held < bits {
            // The length was checked, so a word is there whenever bits are missing.
            pending |= u128::from(words.next().unwrap_or(0)) << held;
            held += 64;
        }
        let value = pending as u64 & mask;
        if value >= modulus {
            return Err(WireError::Residue {
                index,
                value,
                modulus,
            });
        }
        *slot = value;
        pending >>= bits;
        held -= bits;
    }
    if pending != 0 || words.next().is_some() {
        return Err(WireError::Padding);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn widths_are_those_of_the_largest_residue() {
        assert_eq!(residue_bits(2), 1);
        assert_eq!(residue_bits(3), 2);
        assert_eq!(residue_bits(1 << 40), 40);
        assert_eq!(residue_bits((1 << 40) + 1), 41);
        assert_eq!(packed_length((1 << 40) + 1, 1024), 1024 * 41 / 8);
    }

    proptest! {
        #[test]
        fn packing_round_trips(
            modulus in 2u64..=u64::MAX,
            shift in 0u32..63,
            seeds in proptest::collection::vec(any::<u64>(), 0..200),
        ) {
            let modulus = (modulus >> shift).max(2);
            let residues: Vec<u64> = seeds.iter().map(|seed| seed % modulus).collect();
            let mut bytes = Vec::new();
            pack(modulus, &residues, &mut bytes).unwrap();
            prop_assert_eq!(bytes.len() as u64, packed_length(modulus, residues.len()));
            let mut back = vec![0; residues.len()];
            unpack(modulus, &bytes, &mut back).unwrap();
            prop_assert_eq!(back, residues);
        }

        #[test]
        fn any_bytes_give_residues_below_the_modulus_or_an_error(
            modulus in 2u64..1 << 50,
            bytes in proptest::collection::vec(any::<u8>(), 400),
        ) {
            let count = 50;
            let mut out = vec![0; count];
            let bytes = &bytes[..packed_length(modulus, count) as usize];
            if unpack(modulus, bytes, &mut out).is_ok() {
                prop_assert!(out.iter().all(|&value| value < modulus));
            }
        }
    }

    #[test]
    fn a_residue_at_the_modulus_is_refused_both_ways() {
        let modulus = 5;
        assert!(matches!(
            pack(modulus, &[1, 5], &mut Vec::new()),
            Err(WireError::Residue { index: 1, .. })
        ));
        assert!(matches!(
            unpack(modulus, &[0b101_001], &mut [0; 2]),
            Err(WireError::Residue { index: 1, .. })
        ));
    }

    #[test]
    fn padding_must_be_zero() {
        assert!(matches!(
            unpack(5, &[0b1100_1001], &mut [0; 2]),
            Err(WireError::Padding)
        ));
    }
}
