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
    let done = unpack_blocks(modulus, bytes, out)?;
    let read = done / BLOCK * residue_bits(modulus) as usize;
    unpack_rest(modulus, &bytes[read..], &mut out[done..]).map_err(|error| match error {
        WireError::Residue {
            index,
            value,
            modulus,
        } => WireError::Residue {
            index: index + done,
            value,
            modulus,
        },
        other => other,
    })
}

/// Residues that together begin and end at a byte.
const BLOCK: usize = 8;

/// Unpacks whole blocks while each residue lies in one word that can be read; returns how many residues that are.
fn unpack_blocks(modulus: u64, bytes: &[u8], out: &mut [u64]) -> Result<usize, WireError> {
    let bits = residue_bits(modulus) as usize;
    // A residue begins up to 7 bits into its word.
    if bits == 0 || bits > 57 {
        return Ok(0);
    }
    let mask = u64::MAX >> (64 - bits);
    let mut done = 0;
    for block in out.chunks_exact_mut(BLOCK) {
        let start = done / BLOCK * bits;
        let Some(bytes) = bytes.get(start..start + bits + 8) else {
            break;
        };
        let mut fine = true;
        for (index, slot) in block.iter_mut().enumerate() {
            let first = index * bits;
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[first / 8..first / 8 + 8]);
            *slot = u64::from_le_bytes(word) >> (first % 8) & mask;
            fine &= *slot < modulus;
        }
        if !fine {
            let found = block.iter().position(|&value| value >= modulus);
            let index = found.unwrap_or(0);
            return Err(WireError::Residue {
                index: done + index,
                value: block[index],
                modulus,
            });
        }
        done += BLOCK;
    }
    Ok(done)
}

/// Unpacks word by word, and checks the padding at the end.
fn unpack_rest(modulus: u64, bytes: &[u8], out: &mut [u64]) -> Result<(), WireError> {
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
    fn a_residue_at_the_modulus_is_found_wherever_it_stands() {
        let modulus = (1 << 45) - 1;
        let good = vec![modulus - 1; 100];
        let mut bytes = Vec::new();
        pack(modulus, &good, &mut bytes).unwrap();
        for index in 0..good.len() {
            // The lowest bit of the residue: 2^45 - 2 becomes the modulus.
            let bit = 45 * index;
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let found = unpack(modulus, &changed, &mut [0; 100]);
            assert!(
                matches!(found, Err(WireError::Residue { index: i, value, .. }) if i == index && value == modulus),
                "{index}"
            );
        }
    }

    #[test]
    fn padding_must_be_zero() {
        assert!(matches!(
            unpack(5, &[0b1100_1001], &mut [0; 2]),
            Err(WireError::Padding)
        ));
    }
}
