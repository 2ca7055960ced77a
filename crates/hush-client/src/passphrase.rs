//! Wraps the body of a secret key file with a passphrase.
//!
//! The passphrase is stretched with Argon2id (RFC 9106) and encrypts with XChaCha20-Poly1305; the
//! public header of the file is authenticated along. The cost is that of the RFC's second
//! recommended option (64 MiB, three passes), with one lane.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hush_wire::{ProtectionV1, SecretKeyHeaderV1};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::ClientError;

const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// A passphrase; wiped when dropped.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase as typed; bytes count, nothing is normalised.
    ///
    /// # Errors
    /// [`ClientError::EmptyPassphrase`].
    pub fn new(text: Zeroizing<String>) -> Result<Self, ClientError> {
        if text.is_empty() {
            return Err(ClientError::EmptyPassphrase);
        }
        Ok(Self(text))
    }
}

/// Sets the protection of `header` to one with a fresh salt and nonce, and returns the wrapped
/// body. Takes about a tenth of a second and 64 MiB.
///
/// # Errors
/// [`ClientError::Derivation`] if the memory is missing.
pub fn wrap(
    passphrase: &Passphrase,
    header: &mut SecretKeyHeaderV1,
    body: &[u8],
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<Vec<u8>, ClientError> {
    let (mut salt, mut nonce) = ([0; 16], [0; 24]);
    rng.fill_bytes(&mut salt);
    rng.fill_bytes(&mut nonce);
    header.protection = ProtectionV1::Argon2id {
        salt,
        memory: MEMORY_KIB,
        passes: PASSES,
        lanes: LANES,
        nonce,
    };
    let (cipher, nonce) = cipher(passphrase, header)?;
    let payload = Payload {
        msg: body,
        aad: &header.bytes()?,
    };
    cipher
        .encrypt(&nonce, payload)
        .map_err(|_| ClientError::Derivation)
}

/// Returns the body as it was before [`wrap`]; a body that is not wrapped is returned as it is.
///
/// # Errors
/// [`ClientError::PassphraseNeeded`] if it is wrapped and there is no passphrase,
/// [`ClientError::WrongPassphrase`] if the passphrase is wrong or the file was changed.
pub fn unwrap(
    passphrase: Option<&Passphrase>,
    header: &SecretKeyHeaderV1,
    body: Zeroizing<Vec<u8>>,
) -> Result<Zeroizing<Vec<u8>>, ClientError> {
    if header.protection == ProtectionV1::None {
        return Ok(body);
    }
    let passphrase = passphrase.ok_or(ClientError::PassphraseNeeded)?;
    let (cipher, nonce) = cipher(passphrase, header)?;
    let payload = Payload {
        msg: &body,
        aad: &header.bytes()?,
    };
    let opened = cipher
        .decrypt(&nonce, payload)
        .map_err(|_| ClientError::WrongPassphrase)?;
    Ok(Zeroizing::new(opened))
}

fn cipher(
    passphrase: &Passphrase,
    header: &SecretKeyHeaderV1,
) -> Result<(XChaCha20Poly1305, XNonce), ClientError> {
    let ProtectionV1::Argon2id {
        salt,
        memory,
        passes,
        lanes,
        nonce,
    } = header.protection
    else {
        return Err(ClientError::Derivation);
    };
    let params =
        Params::new(memory, passes, lanes, Some(32)).map_err(|_| ClientError::Derivation)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.0.as_bytes(), &salt, key.as_mut_slice())
        .map_err(|_| ClientError::Derivation)?;
    Ok((
        XChaCha20Poly1305::new(&Key::from(*key)),
        XNonce::from(nonce),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hush_keys::SecureRng;
    use hush_wire::ParametersV1;

    fn header() -> SecretKeyHeaderV1 {
        SecretKeyHeaderV1 {
            parameters: ParametersV1 {
                log_degree: 3,
                moduli: vec![97],
                special_moduli: vec![193],
            },
            key_id: [5; 16],
            protection: ProtectionV1::None,
        }
    }

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
    }

    #[test]
    fn only_the_passphrase_opens_and_only_an_unchanged_file() {
        let mut header = header();
        let body = wrap(
            &passphrase("open"),
            &mut header,
            b"secret",
            &mut SecureRng::from_os().unwrap(),
        )
        .unwrap();
        assert_eq!(body.len(), 6 + 16);
        let open = |words: Option<&str>, header: &SecretKeyHeaderV1, body: &[u8]| {
            let words = words.map(passphrase);
            unwrap(words.as_ref(), header, Zeroizing::new(body.to_vec()))
        };
        assert_eq!(&open(Some("open"), &header, &body).unwrap()[..], b"secret");
        assert!(matches!(
            open(Some("Open"), &header, &body),
            Err(ClientError::WrongPassphrase)
        ));
        assert!(matches!(
            open(None, &header, &body),
            Err(ClientError::PassphraseNeeded)
        ));
        let mut changed = body.clone();
        changed[0] ^= 1;
        assert!(open(Some("open"), &header, &changed).is_err());
        let mut renamed = header.clone();
        renamed.key_id[0] ^= 1;
        assert!(open(Some("open"), &renamed, &body).is_err());
    }

    #[test]
    fn two_wraps_differ() {
        let (mut first, mut second) = (header(), header());
        let words = passphrase("same");
        let a = wrap(
            &words,
            &mut first,
            b"secret",
            &mut SecureRng::from_os().unwrap(),
        )
        .unwrap();
        let b = wrap(
            &words,
            &mut second,
            b"secret",
            &mut SecureRng::from_os().unwrap(),
        )
        .unwrap();
        assert_ne!(a, b);
        assert_ne!(first, second);
    }

    #[test]
    fn bodies_without_protection_pass_and_empty_passphrases_do_not() {
        let body = unwrap(None, &header(), Zeroizing::new(vec![1, 2])).unwrap();
        assert_eq!(&body[..], [1, 2]);
        assert!(matches!(
            Passphrase::new(Zeroizing::default()),
            Err(ClientError::EmptyPassphrase)
        ));
    }
}
