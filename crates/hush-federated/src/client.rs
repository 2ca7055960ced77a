//! The client's side: one type for each state, each consumed by the step that leaves it.
//!
//! `Client` announces its keys, `Announced` shares its secrets, `Shared` masks its vector, `Masked` signs who survived,
//! `Consented` gives one share of each neighbour. A client that fails at a step is over, and its secrets are zeroized.

use std::collections::BTreeMap;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::agreement::{AgreementKey, Use};
use crate::identity::SIGNATURE;
use crate::mask::{Sign, Stream, apply};
use crate::message::{self, ANNOUNCEMENT, Entries, Kind, SEALED};
use crate::pack::{Lane, low, pack};
use crate::server::Roster;
use crate::shamir::{self, Secret};
use crate::{Directory, FederatedError, Held, Identity, Settings};

/// A client that has taken no step yet.
pub struct Client<'a> {
    settings: Held<'a, Settings>,
    directory: Held<'a, Directory>,
    identity: Held<'a, Identity>,
    index: u32,
}

/// A client that has announced its keys.
pub struct Announced<'a> {
    client: Client<'a>,
    secrets: Secrets,
    announcement: Vec<u8>,
}

/// A client that has shared its secrets.
pub struct Shared<'a> {
    client: Client<'a>,
    secrets: Secrets,
    roster: Roster,
    neighbours: Vec<u32>,
}

/// A client that has sent its masked vector.
pub struct Masked<'a> {
    client: Client<'a>,
    roster: Roster,
    neighbours: Vec<u32>,
    /// Shares of the own mask and of the mask key of each neighbour that shared, by index.
    shares: BTreeMap<u32, (Secret, Secret)>,
}

/// A client that has signed who survived.
pub struct Consented<'a> {
    masked: Masked<'a>,
    survivors: Vec<u32>,
    statement: Vec<u8>,
}

struct Secrets {
    /// Decrypts the shares of neighbours.
    share_key: AgreementKey,
    /// Makes the masks shared with neighbours.
    mask_key: AgreementKey,
    /// Makes the own mask.
    own: Secret,
}

/// What an announcement's signature covers.
pub(crate) fn announcement_statement(settings: &Settings, index: u32, keys: &[u8]) -> Vec<u8> {
    let mut statement = b"hush-federated announcement v1".to_vec();
    statement.extend_from_slice(&settings.digest());
    statement.extend_from_slice(&index.to_le_bytes());
    statement.extend_from_slice(keys);
    statement
}

/// What a consent's signature covers: the roster, and through it settings and session, and the survivors.
pub(crate) fn survivors_statement(roster: &[u8; 32], survivors: &[u32]) -> Vec<u8> {
    let mut statement = b"hush-federated survivors v1".to_vec();
    statement.extend_from_slice(roster);
    statement.extend_from_slice(&message::indices(survivors));
    statement
}

/// What a client commits to in its announcement: the secret of its own mask.
pub(crate) fn commitment(own: &Secret) -> [u8; 32] {
    blake3::derive_key("hush-federated commitment v1", &**own)
}

impl<'a> Client<'a> {
    /// Client `index` of `directory`.
    ///
    /// # Errors
    /// If the directory has another identity by that index.
    pub fn new(
        settings: impl Into<Held<'a, Settings>>,
        directory: impl Into<Held<'a, Directory>>,
        identity: impl Into<Held<'a, Identity>>,
        index: u32,
    ) -> Result<Self, FederatedError> {
        let (settings, directory, identity) = (settings.into(), directory.into(), identity.into());
        if *directory.identity(index)? != identity.public() {
            return Err(FederatedError::Signature {
                client: index,
                kind: Kind::Announcement,
            });
        }
        Ok(Self {
            settings,
            directory,
            identity,
            index,
        })
    }

    /// Makes the keys of this session and the announcement of them.
    pub fn announce<R: CryptoRng + ?Sized>(self, rng: &mut R) -> (Announced<'a>, Vec<u8>) {
        let mut own = Zeroizing::new([0; 32]);
        rng.fill_bytes(own.as_mut());
        let secrets = Secrets {
            share_key: AgreementKey::random(rng),
            mask_key: AgreementKey::random(rng),
            own,
        };
        let mut message =
            message::start(Kind::Announcement, &self.settings, self.index, ANNOUNCEMENT);
        let keys = [
            secrets.share_key.public(),
            secrets.mask_key.public(),
            commitment(&secrets.own),
        ]
        .concat();
        let statement = announcement_statement(&self.settings, self.index, &keys);
        let announcement = [keys, self.identity.sign(&statement).to_vec()].concat();
        message.extend_from_slice(&announcement);
        let announced = Announced {
            client: self,
            secrets,
            announcement,
        };
        (announced, message)
    }
}

impl<'a> Announced<'a> {
    /// Reads the roster and shares this client's secrets among its neighbours.
    ///
    /// # Errors
    /// If the roster is malformed, has too few clients, not this one or a neighbour whose signature is wrong.
    pub fn share<R: CryptoRng + ?Sized>(
        self,
        roster: &[u8],
        rng: &mut R,
    ) -> Result<(Shared<'a>, Vec<u8>), FederatedError> {
        let Client {
            ref settings,
            ref directory,
            index,
            ..
        } = self.client;
        let roster = Roster::read(roster, settings, directory, index)?;
        let inconsistent = |reason| FederatedError::Inconsistent {
            client: index,
            kind: Kind::Roster,
            reason,
        };
        if roster.announcement(index) != Some(self.announcement.as_slice()) {
            return Err(inconsistent(
                "it does not hold this client's own announcement",
            ));
        }
        let neighbours = roster.graph().neighbours(index);
        if neighbours.len() < settings.threshold() {
            return Err(inconsistent(
                "it leaves this client fewer neighbours than the threshold",
            ));
        }
        for &neighbour in &neighbours {
            let (keys, signature) = roster.keys(neighbour)?.split();
            let statement = announcement_statement(settings, neighbour, keys);
            if !directory.verifies(neighbour, &statement, signature) {
                return Err(FederatedError::Signature {
                    client: neighbour,
                    kind: Kind::Announcement,
                });
            }
        }

        let points: Vec<u16> = neighbours
            .iter()
            .map(|&neighbour| shamir::point(neighbour))
            .collect();
        let threshold = settings.threshold();
        let own_shares = shamir::split(&self.secrets.own, threshold, &points, rng);
        let key_shares = shamir::split(&self.secrets.mask_key.secret(), threshold, &points, rng);
        let mut message = message::start(Kind::Shares, settings, index, neighbours.len() * SEALED);
        for (&neighbour, (own, key)) in neighbours.iter().zip(own_shares.iter().zip(&key_shares)) {
            let purpose = Use::share(roster.digest(), index, neighbour);
            let public = roster.keys(neighbour)?.share_key();
            let secret = self
                .secrets
                .share_key
                .agree(public, purpose)
                .ok_or(FederatedError::Key { client: neighbour })?;
            let mut pair = Zeroizing::new([0; 64]);
            pair[..32].copy_from_slice(&**own);
            pair[32..].copy_from_slice(&**key);
            message.extend_from_slice(&seal(&secret, &pair));
        }
        let shared = Shared {
            client: self.client,
            secrets: self.secrets,
            roster,
            neighbours,
        };
        Ok((shared, message))
    }
}

impl<'a> Shared<'a> {
    /// Reads the shares of the neighbours and masks `words`, each below 2^bits. One call of AES for each word and
    /// neighbour.
    ///
    /// # Errors
    /// If the shares are malformed, of too few neighbours or not for this client, or `words` has another length or
    /// a word with too many bits.
    pub fn mask(
        self,
        received: &[u8],
        words: &[u64],
    ) -> Result<(Masked<'a>, Vec<u8>), FederatedError> {
        let Client {
            ref settings,
            index,
            ..
        } = self.client;
        let (length, bits) = (settings.length(), settings.bits());
        if words.len() != length {
            return Err(FederatedError::VectorLength {
                expected: length,
                found: words.len(),
            });
        }
        // All words are looked at, whatever they are.
        let excess = words.iter().fold(0, |excess, word| excess | word) & !low(bits);
        if excess != 0 {
            let index = words.iter().position(|word| word & !low(bits) != 0);
            return Err(FederatedError::Word {
                index: index.unwrap_or_default(),
                bits,
            });
        }
        let shares = self.open(received)?;
        let mut streams = vec![Stream::own(
            &self.secrets.own,
            self.roster.digest(),
            Sign::Plus,
        )];
        for &neighbour in shares.keys() {
            let purpose = Use::mask(self.roster.digest(), index, neighbour);
            let public = self.roster.keys(neighbour)?.mask_key();
            let seed = self
                .secrets
                .mask_key
                .agree(public, purpose)
                .ok_or(FederatedError::Key { client: neighbour })?;
            streams.push(Stream::pairwise(seed, index, neighbour));
        }
        let mut message = message::start(Kind::Masked, settings, index, settings.packed_bytes());
        if bits <= 32 {
            mask_and_pack::<u32>(&streams, words, bits, &mut message);
        } else {
            mask_and_pack::<u64>(&streams, words, bits, &mut message);
        }
        let masked = Masked {
            client: self.client,
            roster: self.roster,
            neighbours: self.neighbours,
            shares,
        };
        Ok((masked, message))
    }

    fn open(&self, received: &[u8]) -> Result<BTreeMap<u32, (Secret, Secret)>, FederatedError> {
        let Client {
            ref settings,
            index,
            ..
        } = self.client;
        let kind = Kind::SharesReceived;
        let most = self.neighbours.len();
        let entries = Entries::read(received, kind, settings, index, SEALED, most)?;
        let mut shares = BTreeMap::new();
        for (from, sealed) in entries.iter() {
            if self.neighbours.binary_search(&from).is_err() {
                return Err(FederatedError::Inconsistent {
                    client: index,
                    kind,
                    reason: "it holds a share of a client that is no neighbour",
                });
            }
            let purpose = Use::share(self.roster.digest(), from, index);
            let public = self.roster.keys(from)?.share_key();
            let secret = self
                .secrets
                .share_key
                .agree(public, purpose)
                .ok_or(FederatedError::Key { client: from })?;
            let pair = open(&secret, sealed).ok_or(FederatedError::Share { from, to: index })?;
            shares.insert(from, pair);
        }
        let (available, needed) = (shares.len(), settings.threshold());
        if available < needed {
            return Err(FederatedError::Neighbours {
                client: index,
                available,
                needed,
            });
        }
        Ok(shares)
    }
}

fn mask_and_pack<L: Lane>(streams: &[Stream], words: &[u64], bits: u32, message: &mut Vec<u8>) {
    let mut lanes: Vec<L> = words.iter().map(|&word| L::from_word(word)).collect();
    apply(streams, &mut lanes);
    pack(&lanes, bits, message);
}

impl<'a> Masked<'a> {
    /// Reads who survived and signs it.
    ///
    /// # Errors
    /// If the list is malformed, has fewer clients than the quorum, not this client, or a neighbour that never shared
    /// its secrets with this client, or too few neighbours.
    pub fn consent(self, survivors: &[u8]) -> Result<(Consented<'a>, Vec<u8>), FederatedError> {
        let Client {
            ref settings,
            ref identity,
            index,
            ..
        } = self.client;
        let kind = Kind::Survivors;
        let most = self.roster.clients().len();
        let survivors = Entries::read(survivors, kind, settings, index, 0, most)?.clients();
        let inconsistent = |reason| FederatedError::Inconsistent {
            client: index,
            kind,
            reason,
        };
        let (available, needed) = (survivors.len(), settings.quorum());
        if available < needed {
            return Err(FederatedError::Unavailable {
                kind,
                available,
                needed,
            });
        }
        if survivors
            .iter()
            .any(|&survivor| self.roster.announcement(survivor).is_none())
        {
            return Err(inconsistent("it lists a client that is not on the roster"));
        }
        if survivors.binary_search(&index).is_err() {
            return Err(inconsistent("it does not list this client"));
        }
        let near: Vec<u32> = self
            .neighbours
            .iter()
            .copied()
            .filter(|neighbour| survivors.binary_search(neighbour).is_ok())
            .collect();
        if near
            .iter()
            .any(|neighbour| !self.shares.contains_key(neighbour))
        {
            return Err(inconsistent(
                "it lists a neighbour that had dropped out before",
            ));
        }
        let (available, needed) = (near.len(), settings.threshold());
        if available < needed {
            return Err(FederatedError::Neighbours {
                client: index,
                available,
                needed,
            });
        }
        let statement = survivors_statement(self.roster.digest(), &survivors);
        let mut message = message::start(Kind::Consent, settings, index, SIGNATURE);
        message.extend_from_slice(&identity.sign(&statement));
        Ok((
            Consented {
                masked: self,
                survivors,
                statement,
            },
            message,
        ))
    }
}

impl Consented<'_> {
    /// Checks that a quorum signed the same survivors as this client, and gives one share of each neighbour: of its own
    /// mask if it survived, of its mask key if it did not. The client is over.
    ///
    /// # Errors
    /// If the list is malformed, a signature is wrong or there are fewer than the quorum.
    pub fn unmask(self, consents: &[u8]) -> Result<Vec<u8>, FederatedError> {
        let Masked { client, shares, .. } = &self.masked;
        let Client {
            ref settings,
            ref directory,
            index,
            ..
        } = *client;
        let kind = Kind::Consents;
        let most = self.survivors.len();
        let entries = Entries::read(consents, kind, settings, index, SIGNATURE, most)?;
        for (signer, signature) in entries.iter() {
            let survived = self.survivors.binary_search(&signer).is_ok();
            if !survived || !directory.verifies(signer, &self.statement, signature) {
                return Err(FederatedError::Signature {
                    client: signer,
                    kind: Kind::Consent,
                });
            }
        }
        let (available, needed) = (entries.iter().len(), settings.quorum());
        if available < needed {
            return Err(FederatedError::Unavailable {
                kind,
                available,
                needed,
            });
        }
        let mut message = message::start(Kind::Unmasking, settings, index, shares.len() * 32);
        for (neighbour, (own, key)) in shares {
            let survived = self.survivors.binary_search(neighbour).is_ok();
            message.extend_from_slice(&**if survived { own } else { key });
        }
        Ok(message)
    }
}

/// Encrypts a pair of shares under a key that is used for nothing else, so the nonce may be fixed.
fn seal(key: &Secret, pair: &[u8; 64]) -> Vec<u8> {
    let payload = Payload {
        msg: pair,
        aad: b"hush-federated",
    };
    ChaCha20Poly1305::new(&(**key).into())
        .encrypt(&Nonce::default(), payload)
        .expect("64 bytes are not too many")
}

fn open(key: &Secret, sealed: &[u8]) -> Option<(Secret, Secret)> {
    let payload = Payload {
        msg: sealed,
        aad: b"hush-federated",
    };
    let mut pair = ChaCha20Poly1305::new(&(**key).into())
        .decrypt(&Nonce::default(), payload)
        .ok()?;
    let (mut own, mut secret) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
    own.copy_from_slice(pair.get(..32)?);
    secret.copy_from_slice(pair.get(32..64)?);
    pair.zeroize();
    Some((own, secret))
}
