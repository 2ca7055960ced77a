//! The clients of a session with the keys that they announced.

use std::collections::BTreeMap;

use crate::message::{ANNOUNCEMENT, Entries, Kind};
use crate::{Directory, FederatedError, Graph, Settings};

/// Announcements by client, and what everybody computes from them.
pub(crate) struct Roster {
    announcements: BTreeMap<u32, Vec<u8>>,
    clients: Vec<u32>,
    digest: [u8; 32],
    graph: Graph,
}

/// A view of an announcement: two public keys, a commitment, a signature.
pub(crate) struct Keys<'a>(&'a [u8]);

impl Roster {
    pub(crate) fn new(announcements: BTreeMap<u32, Vec<u8>>, settings: &Settings) -> Self {
        let clients: Vec<u32> = announcements.keys().copied().collect();
        let mut hasher = blake3::Hasher::new_derive_key("hush-federated roster v1");
        hasher.update(&settings.digest());
        for (client, announcement) in &announcements {
            hasher.update(&client.to_le_bytes());
            hasher.update(announcement);
        }
        let digest: [u8; 32] = hasher.finalize().into();
        let seed = blake3::derive_key("hush-federated graph v1", &digest);
        let graph = Graph::new(&clients, settings.neighbours(), seed);
        Self {
            announcements,
            clients,
            digest,
            graph,
        }
    }

    /// The roster in a message to client `index`.
    pub(crate) fn read(
        bytes: &[u8],
        settings: &Settings,
        directory: &Directory,
        index: u32,
    ) -> Result<Self, FederatedError> {
        let kind = Kind::Roster;
        let most = settings.clients();
        let entries = Entries::read(bytes, kind, settings, index, ANNOUNCEMENT, most)?;
        let (available, needed) = (entries.iter().len(), settings.quorum());
        if available < needed {
            return Err(FederatedError::Unavailable {
                kind,
                available,
                needed,
            });
        }
        for (client, _) in entries.iter() {
            directory.identity(client)?;
        }
        let announcements = entries
            .iter()
            .map(|(client, announcement)| (client, announcement.to_vec()))
            .collect();
        Ok(Self::new(announcements, settings))
    }

    /// Clients, ascending.
    pub(crate) fn clients(&self) -> &[u32] {
        &self.clients
    }

    /// All announcements, by client.
    pub(crate) fn announcements(&self) -> impl ExactSizeIterator<Item = (u32, &[u8])> {
        self.announcements
            .iter()
            .map(|(client, announcement)| (*client, announcement.as_slice()))
    }

    pub(crate) fn announcement(&self, client: u32) -> Option<&[u8]> {
        self.announcements.get(&client).map(Vec::as_slice)
    }

    pub(crate) fn keys(&self, client: u32) -> Result<Keys<'_>, FederatedError> {
        let unknown = FederatedError::Unknown {
            client,
            size: self.clients.len(),
        };
        self.announcement(client).map(Keys).ok_or(unknown)
    }

    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }
}

impl<'a> Keys<'a> {
    /// An announcement that has the right length.
    pub(crate) fn new(announcement: &'a [u8]) -> Self {
        Self(announcement)
    }

    /// What is signed, and the signature.
    pub(crate) fn split(&self) -> (&'a [u8], &'a [u8]) {
        self.0.split_at(96)
    }

    /// The key for messages between clients.
    pub(crate) fn share_key(&self) -> &'a [u8; 32] {
        self.part(0)
    }

    /// The key that masks come from.
    pub(crate) fn mask_key(&self) -> &'a [u8; 32] {
        self.part(32)
    }

    /// The commitment to the secret of the own mask.
    pub(crate) fn commitment(&self) -> &'a [u8; 32] {
        self.part(64)
    }

    fn part(&self, start: usize) -> &'a [u8; 32] {
        self.0[start..start + 32].try_into().expect("32 bytes")
    }
}
