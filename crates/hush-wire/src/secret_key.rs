//! The secret key file: a public header, and a body that may be wrapped with a passphrase.

use crate::{KeyIdV1, Kind, ParametersV1, Reader, WireError, Writer};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use zeroize::Zeroizing;

/// How the body of a secret key file is protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProtectionV1 {
    /// Not at all: whoever reads the file has the key.
    None,
    /// XChaCha20-Poly1305 under a key that Argon2id derives from a passphrase.
    Argon2id {
        /// Salt of the derivation.
        salt: [u8; 16],
        /// Memory in KiB.
        memory: u32,
        /// Passes over the memory.
        passes: u32,
        /// Lanes.
        lanes: u32,
        /// Nonce of the cipher.
        nonce: [u8; 24],
    },
}

/// The public header of a secret key file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretKeyHeaderV1 {
    /// The parameters the key is for.
    pub parameters: ParametersV1,
    /// The id of the key.
    pub key_id: KeyIdV1,
    /// How the body is protected.
    pub protection: ProtectionV1,
}

impl SecretKeyHeaderV1 {
    /// The canonical bytes of the header, to be authenticated together with a wrapped body.
    pub fn bytes(&self) -> Result<Vec<u8>, WireError> {
        crate::message_bytes(self)
    }
}

/// Writes a secret key file. `body` is the secret material, wrapped if the header says so.
pub fn write_secret_key(
    output: impl Write,
    header: &SecretKeyHeaderV1,
    body: &[u8],
) -> Result<(), WireError> {
    header.parameters.check()?;
    let mut writer = Writer::new(output, Kind::SecretKey, header, body.len() as u64)?;
    writer.write(body)?;
    writer.finish()?;
    Ok(())
}

/// Reads a secret key file; the body is as it was stored and is wiped when dropped.
pub fn read_secret_key(
    input: impl Read,
) -> Result<(SecretKeyHeaderV1, Zeroizing<Vec<u8>>), WireError> {
    let mut reader = Reader::open(input, Kind::SecretKey)?;
    let header: SecretKeyHeaderV1 = reader.header()?;
    header.parameters.check()?;
    if let ProtectionV1::Argon2id {
        memory,
        passes,
        lanes,
        ..
    } = header.protection
    {
        // Bounds what a hostile file can make the derivation spend: 4 GiB, 64 passes.
        if !(8..=4 << 20).contains(&memory) {
            return Err(WireError::out_of_range(
                "memory",
                memory,
                "8 to 4194304 KiB",
            ));
        }
        if !(1..=64).contains(&passes) {
            return Err(WireError::out_of_range("passes", passes, "1 to 64"));
        }
        if !(1..=16).contains(&lanes) {
            return Err(WireError::out_of_range("lanes", lanes, "1 to 16"));
        }
    }
    // A ternary key takes a quarter of a byte a coefficient, any coefficient form at most eight.
    let limit = 8 * header.parameters.degree() as u64 + 1024;
    let length = reader.envelope().body_length;
    if length > limit {
        return Err(WireError::Oversized {
            what: "the secret key",
            length,
            limit,
        });
    }
    let mut body = Zeroizing::new(vec![0; length as usize]);
    reader.read(&mut body)?;
    reader.finish()?;
    Ok((header, body))
}

/// Packs ternary coefficients (-1, 0 or 1) into two bits each: 0 for 0, 1 for 1, 2 for -1.
pub fn pack_ternary(coefficients: &[i8]) -> Result<Zeroizing<Vec<u8>>, WireError> {
    let mut bytes = Zeroizing::new(vec![0; coefficients.len().div_ceil(4)]);
    let mut invalid = 0u8;
    for (index, &coefficient) in coefficients.iter().enumerate() {
        // -1 -> 2, 0 -> 0, 1 -> 1, without a branch on the value.
        let negative = (coefficient as u8) >> 7;
        let magnitude = (coefficient as u8) & 1;
        let code = magnitude << negative;
        bytes[index / 4] |= code << (2 * (index % 4));
        let back = (code & 1) as i8 - (code >> 1) as i8;
        invalid |= (back ^ coefficient) as u8;
    }
    if invalid != 0 {
        return Err(WireError::out_of_range(
            "secret",
            "a coefficient",
            "-1, 0 or 1",
        ));
    }
    Ok(bytes)
}

/// Unpacks exactly `count` ternary coefficients.
pub fn unpack_ternary(bytes: &[u8], count: usize) -> Result<Zeroizing<Vec<i8>>, WireError> {
    if bytes.len() != count.div_ceil(4) {
        return Err(WireError::BodyLength {
            expected: count.div_ceil(4) as u64,
            found: bytes.len() as u64,
        });
    }
    let mut coefficients = Zeroizing::new(vec![0; count]);
    let mut invalid = 0u8;
    for position in 0..bytes.len() * 4 {
        let code = bytes[position / 4] >> (2 * (position % 4)) & 3;
        invalid |= code & (code >> 1);
        match coefficients.get_mut(position) {
            Some(coefficient) => *coefficient = (code & 1) as i8 - (code >> 1) as i8,
            None => invalid |= code,
        }
    }
    if invalid != 0 {
        return Err(WireError::out_of_range(
            "secret",
            "a coefficient",
            "-1, 0 or 1",
        ));
    }
    Ok(coefficients)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(protection: ProtectionV1) -> SecretKeyHeaderV1 {
        SecretKeyHeaderV1 {
            parameters: ParametersV1 {
                log_degree: 3,
                moduli: vec![97],
                special_moduli: vec![193],
            },
            key_id: [5; 16],
            protection,
        }
    }

    #[test]
    fn ternary_round_trips() {
        let coefficients = [-1, 0, 1, 1, 0, -1, 0];
        let bytes = pack_ternary(&coefficients).unwrap();
        assert_eq!(bytes.len(), 2);
        assert_eq!(&unpack_ternary(&bytes, 7).unwrap()[..], &coefficients);
        assert!(pack_ternary(&[2]).is_err());
        assert!(pack_ternary(&[-2]).is_err());
        assert!(pack_ternary(&[i8::MIN]).is_err());
        assert!(unpack_ternary(&[3], 1).is_err());
        assert!(unpack_ternary(&[4], 1).is_err());
        assert!(unpack_ternary(&[0, 0], 1).is_err());
    }

    #[test]
    fn file_round_trips() {
        let protection = ProtectionV1::Argon2id {
            salt: [1; 16],
            memory: 65536,
            passes: 3,
            lanes: 1,
            nonce: [2; 24],
        };
        for protection in [ProtectionV1::None, protection] {
            let header = header(protection);
            let mut file = Vec::new();
            write_secret_key(&mut file, &header, &[7; 18]).unwrap();
            let (back, body) = read_secret_key(&file[..]).unwrap();
            assert_eq!(back, header);
            assert_eq!(&body[..], &[7; 18]);
        }
    }

    #[test]
    fn costly_derivations_and_long_bodies_are_refused() {
        let header = header(ProtectionV1::Argon2id {
            salt: [1; 16],
            memory: u32::MAX,
            passes: 3,
            lanes: 1,
            nonce: [2; 24],
        });
        let mut file = Vec::new();
        write_secret_key(&mut file, &header, &[7; 18]).unwrap();
        assert!(matches!(
            read_secret_key(&file[..]),
            Err(WireError::OutOfRange { .. })
        ));
        let header = self::header(ProtectionV1::None);
        let mut file = Vec::new();
        write_secret_key(&mut file, &header, &[7; 2000]).unwrap();
        assert!(matches!(
            read_secret_key(&file[..]),
            Err(WireError::Oversized { .. })
        ));
    }
}
