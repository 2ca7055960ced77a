//! Long-term signing keys of clients and the directory that pins them.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::FederatedError;

/// Bytes of a signature.
pub(crate) const SIGNATURE: usize = 64;

/// A client's long-term signing key (Ed25519).
pub struct Identity(Ed25519KeyPair);

/// The public half of an [`Identity`].
pub type PublicIdentity = [u8; 32];

/// The clients that may take part, by index, with their pinned identities. Every side has the same one, from a channel
/// that the server does not control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory(Vec<PublicIdentity>);

impl Identity {
    /// The identity with this secret seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(seed).expect("every seed of 32 bytes makes a key"))
    }

    /// What others pin.
    pub fn public(&self) -> PublicIdentity {
        let key = self.0.public_key().as_ref();
        key.try_into()
            .expect("public keys of Ed25519 have 32 bytes")
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE] {
        let signature = self.0.sign(message);
        signature
            .as_ref()
            .try_into()
            .expect("signatures of Ed25519 have 64 bytes")
    }
}

impl Directory {
    /// A directory of these identities, by index.
    ///
    /// # Errors
    /// If there are more than 65 535 or one is there twice.
    pub fn new(identities: Vec<PublicIdentity>) -> Result<Self, FederatedError> {
        let fail = |found: String, reason: &str| FederatedError::Setting {
            field: "directory",
            found,
            reason: reason.to_owned(),
        };
        if identities.len() > crate::settings::CLIENTS_MOST {
            return Err(fail(
                format!("{} clients", identities.len()),
                "is more than 65535",
            ));
        }
        let mut sorted: Vec<_> = identities.iter().collect();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(fail(
                format!("{} clients", identities.len()),
                "holds an identity twice",
            ));
        }
        Ok(Self(identities))
    }

    /// How many clients there are.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// The identity of client `index`.
    ///
    /// # Errors
    /// If there is none by that index.
    pub fn identity(&self, index: u32) -> Result<&PublicIdentity, FederatedError> {
        let unknown = FederatedError::Unknown {
            client: index,
            size: self.0.len(),
        };
        self.0.get(index as usize).ok_or(unknown)
    }

    /// Whether `signature` of `message` is that of client `index`.
    pub(crate) fn verifies(&self, index: u32, message: &[u8], signature: &[u8]) -> bool {
        self.identity(index).is_ok_and(|key| {
            UnparsedPublicKey::new(&ED25519, key)
                .verify(message, signature)
                .is_ok()
        })
    }
}
