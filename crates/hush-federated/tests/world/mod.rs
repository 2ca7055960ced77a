//! A server and its clients in one thread.

use std::collections::BTreeMap;

use hush_federated::client::{Announced, Client, Consented, Masked, Shared};
use hush_federated::server::{Outcome, Server};
use hush_federated::{Directory, FederatedError, Identity, Settings, SettingsLiteral};
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, RngCore, SeedableRng, TryRngCore};

pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) directory: Directory,
    identities: Vec<Identity>,
    words: Vec<Vec<u64>>,
}

/// The first message that a client does not send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leave {
    Announcement,
    Shares,
    Vector,
    Consent,
    Unmasking,
}

impl Leave {
    pub(crate) fn at(step: usize) -> Self {
        [
            Self::Announcement,
            Self::Shares,
            Self::Vector,
            Self::Consent,
            Self::Unmasking,
        ][step % 5]
    }
}

pub(crate) fn rng() -> (ChaCha20Rng, u64) {
    let seed = OsRng.unwrap_err().next_u64();
    (ChaCha20Rng::seed_from_u64(seed), seed)
}

pub(crate) fn literal(
    clients: usize,
    neighbours: usize,
    length: usize,
    bits: u32,
) -> SettingsLiteral {
    SettingsLiteral::recommended([42; 32], clients, neighbours, length, bits)
}

type Tamper<'t> = &'t mut dyn FnMut(usize, u32, &[u8]) -> Vec<u8>;

impl World {
    pub(crate) fn new(literal: SettingsLiteral, rng: &mut ChaCha20Rng) -> Self {
        let bits = literal.bits;
        let mut words = rng.clone();
        Self::with_words(literal, |_, _| words.next_u64() >> (64 - bits), rng)
    }

    pub(crate) fn with_words(
        literal: SettingsLiteral,
        mut word: impl FnMut(usize, usize) -> u64,
        rng: &mut ChaCha20Rng,
    ) -> Self {
        let identities: Vec<Identity> = (0..literal.clients)
            .map(|_| {
                let mut seed = [0; 32];
                rng.fill_bytes(&mut seed);
                Identity::from_seed(&seed)
            })
            .collect();
        let directory = Directory::new(identities.iter().map(Identity::public).collect()).unwrap();
        let words = (0..literal.clients)
            .map(|client| (0..literal.length).map(|i| word(client, i)).collect())
            .collect();
        Self {
            settings: Settings::new(literal).unwrap(),
            directory,
            identities,
            words,
        }
    }

    /// The sum of the survivors' vectors, calculated in the open.
    pub(crate) fn expected(&self, survivors: &[u32]) -> Vec<u64> {
        (0..self.settings.length())
            .map(|i| {
                let sum = survivors.iter().fold(0u64, |sum, &client| {
                    sum.wrapping_add(self.words[client as usize][i])
                });
                sum & (u64::MAX >> (64 - self.settings.bits()))
            })
            .collect()
    }

    pub(crate) fn announcing(
        &self,
        rng: &mut ChaCha20Rng,
    ) -> (Vec<Announced<'_>>, Server<'_>, Vec<Vec<u8>>) {
        let (clients, messages) = self
            .identities
            .iter()
            .enumerate()
            .map(|(index, identity)| {
                Client::new(&self.settings, &self.directory, identity, index as u32)
                    .unwrap()
                    .announce(rng)
            })
            .unzip();
        (
            clients,
            Server::new(&self.settings, &self.directory),
            messages,
        )
    }

    pub(crate) fn announced(&self, rng: &mut ChaCha20Rng) -> (Vec<Announced<'_>>, Server<'_>) {
        let (clients, mut server, messages) = self.announcing(rng);
        for (index, message) in messages.iter().enumerate() {
            server.receive(index as u32, message).unwrap();
        }
        (clients, server)
    }

    /// Everybody up to the masked vector.
    pub(crate) fn masked(&self, rng: &mut ChaCha20Rng) -> (Vec<Masked<'_>>, Server<'_>) {
        let (clients, server, _) = self.masking(rng);
        (clients, server)
    }

    pub(crate) fn masked_vectors(&self, rng: &mut ChaCha20Rng) -> Vec<Vec<u8>> {
        self.masking(rng).2
    }

    fn masking(&self, rng: &mut ChaCha20Rng) -> (Vec<Masked<'_>>, Server<'_>, Vec<Vec<u8>>) {
        let (clients, mut server) = self.announced(rng);
        let roster = server.close().unwrap();
        let mut shared = Vec::new();
        for (index, client) in clients.into_iter().enumerate() {
            let (client, message) = client.share(&roster[index].bytes, rng).unwrap();
            server.receive(index as u32, &message).unwrap();
            shared.push(client);
        }
        let shares = server.close().unwrap();
        let (mut masked, mut vectors) = (Vec::new(), Vec::new());
        for (index, client) in shared.into_iter().enumerate() {
            let (client, message) = client
                .mask(&shares[index].bytes, &self.words[index])
                .unwrap();
            server.receive(index as u32, &message).unwrap();
            masked.push(client);
            vectors.push(message);
        }
        (masked, server, vectors)
    }

    pub(crate) fn run(
        &self,
        leave: &[(u32, Leave)],
        rng: &mut ChaCha20Rng,
    ) -> Result<Outcome, FederatedError> {
        self.run_with(leave, rng, &mut |_, _, bytes| bytes.to_vec())
    }

    pub(crate) fn run_tampered(&self, rng: &mut ChaCha20Rng) -> Result<Outcome, FederatedError> {
        let mut random = rng.clone();
        let victim = random.next_u32() % self.settings.clients() as u32;
        let step = [0, 1, 3, 4][random.next_u32() as usize % 4];
        self.run_with(&[], rng, &mut |at, client, bytes| {
            let mut bytes = bytes.to_vec();
            if at == step && client == victim {
                let bit = random.next_u32() as usize % (bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            bytes
        })
    }

    fn run_with(
        &self,
        leave: &[(u32, Leave)],
        rng: &mut ChaCha20Rng,
        tamper: Tamper<'_>,
    ) -> Result<Outcome, FederatedError> {
        let stays = |client: u32, step| {
            !leave
                .iter()
                .any(|&(leaver, at)| leaver == client && at <= Leave::at(step))
        };
        let (clients, mut server, messages) = self.announcing(rng);
        let mut announced = BTreeMap::new();
        for (index, (client, message)) in (0u32..).zip(clients.into_iter().zip(&messages)) {
            if stays(index, 0) && server.receive(index, &tamper(0, index, message)).is_ok() {
                announced.insert(index, client);
            }
        }
        let mut shared: BTreeMap<u32, Shared<'_>> = BTreeMap::new();
        for outgoing in server.close()? {
            let index = outgoing.client;
            let client = announced.remove(&index).unwrap();
            if !stays(index, 1) {
                continue;
            }
            let Ok((client, message)) = client.share(&outgoing.bytes, rng) else {
                continue;
            };
            if server.receive(index, &tamper(1, index, &message)).is_ok() {
                shared.insert(index, client);
            }
        }
        let mut masked: BTreeMap<u32, Masked<'_>> = BTreeMap::new();
        for outgoing in server.close()? {
            let index = outgoing.client;
            let client = shared.remove(&index).unwrap();
            if !stays(index, 2) {
                continue;
            }
            let Ok((client, message)) = client.mask(&outgoing.bytes, &self.words[index as usize])
            else {
                continue;
            };
            server.receive(index, &tamper(2, index, &message)).unwrap();
            masked.insert(index, client);
        }
        let mut consented: BTreeMap<u32, Consented<'_>> = BTreeMap::new();
        for outgoing in server.close()? {
            let index = outgoing.client;
            let client = masked.remove(&index).unwrap();
            if !stays(index, 3) {
                continue;
            }
            let Ok((client, message)) = client.consent(&outgoing.bytes) else {
                continue;
            };
            if server.receive(index, &tamper(3, index, &message)).is_ok() {
                consented.insert(index, client);
            }
        }
        for outgoing in server.close()? {
            let index = outgoing.client;
            let client = consented.remove(&index).unwrap();
            if !stays(index, 4) {
                continue;
            }
            let message = client.unmask(&outgoing.bytes)?;
            let _ = server.receive(index, &tamper(4, index, &message));
        }
        server.finish()
    }
}

/// A list of bare indices without one of them.
pub(crate) fn without_entry(list: &[u8], client: u32) -> Vec<u8> {
    without_entry_of(list, client as usize, 4)
}

/// A list without its entry at `position`.
pub(crate) fn without_entry_of(list: &[u8], position: usize, size: usize) -> Vec<u8> {
    let mut bytes = list.to_vec();
    let count = u32::from_le_bytes(list[44..48].try_into().unwrap());
    bytes[44..48].copy_from_slice(&(count - 1).to_le_bytes());
    bytes.drain(48 + position * size..48 + (position + 1) * size);
    bytes
}

/// A list whose second entry is its first.
pub(crate) fn repeat_first_entry(list: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = list.to_vec();
    bytes.copy_within(48..48 + size, 48 + size);
    bytes
}

/// What a server would make of these consents.
pub(crate) fn consents(settings: &Settings, signatures: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"HFSA\x01\x08\0\0".to_vec();
    bytes.extend_from_slice(settings.session());
    bytes.extend_from_slice(&u32::MAX.to_le_bytes());
    bytes.extend_from_slice(&(signatures.len() as u32).to_le_bytes());
    for (client, message) in signatures {
        bytes.extend_from_slice(&client.to_le_bytes());
        bytes.extend_from_slice(&message[44..]);
    }
    bytes
}
