//! Keys that two clients of a session share without sending them.

use rand_core::CryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::shamir::Secret;

/// A client's X25519 key of one session and one use.
pub(crate) struct AgreementKey(StaticSecret);

impl AgreementKey {
    pub(crate) fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self::from_secret(&bytes)
    }

    pub(crate) fn from_secret(secret: &Secret) -> Self {
        Self(StaticSecret::from(**secret))
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        PublicKey::from(&self.0).to_bytes()
    }

    pub(crate) fn secret(&self) -> Secret {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The secret shared with the owner of `public`, bound to `context`; none if `public` is a point of small order.
    pub(crate) fn agree(&self, public: &[u8; 32], use_: Use<'_>) -> Option<Secret> {
        let shared = self.0.diffie_hellman(&PublicKey::from(*public));
        if !shared.was_contributory() {
            return None;
        }
        let mut hasher = blake3::Hasher::new_derive_key(match use_.purpose {
            Purpose::Mask => "hush-federated pairwise mask v1",
            Purpose::Share => "hush-federated encrypted share v1",
        });
        hasher.update(shared.as_bytes());
        hasher.update(use_.roster);
        hasher.update(&use_.from.to_le_bytes());
        hasher.update(&use_.to.to_le_bytes());
        Some(Zeroizing::new(hasher.finalize().into()))
    }
}

/// What a shared key is for; a key of one use says nothing about that of another.
#[derive(Clone, Copy)]
pub(crate) struct Use<'a> {
    pub(crate) purpose: Purpose,
    /// Digest of the roster, and through it of settings and session.
    pub(crate) roster: &'a [u8; 32],
    pub(crate) from: u32,
    pub(crate) to: u32,
}

#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Mask,
    Share,
}

impl<'a> Use<'a> {
    /// The mask between two clients, the same for both.
    pub(crate) fn mask(roster: &'a [u8; 32], one: u32, other: u32) -> Self {
        let (from, to) = (one.min(other), one.max(other));
        Self {
            purpose: Purpose::Mask,
            roster,
            from,
            to,
        }
    }

    /// The one message of shares from one client to another.
    pub(crate) fn share(roster: &'a [u8; 32], from: u32, to: u32) -> Self {
        Self {
            purpose: Purpose::Share,
            roster,
            from,
            to,
        }
    }
}
