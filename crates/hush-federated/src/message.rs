//! Messages in their binary form.
//!
//! Every message starts with eight bytes (`HFSA`, version, kind, two zeros), the name of the session and the index of
//! the client that sends it or that it is for. What follows has a length that the receiver knows: from the settings,
//! and from the roster and lists that came before. Numbers are little-endian.

use crate::identity::SIGNATURE;
use crate::{FederatedError, Settings};

const MAGIC: [u8; 4] = *b"HFSA";
const VERSION: u8 = 1;
/// Bytes before the body.
pub const HEADER: usize = 8 + 32 + 4;
/// Bytes of a client's announcement: two public keys, a commitment, a signature.
pub(crate) const ANNOUNCEMENT: usize = 3 * 32 + SIGNATURE;
/// Bytes of an encrypted pair of shares.
pub(crate) const SEALED: usize = 64 + 16;
/// Bytes of an index.
const INDEX: usize = 4;

/// The index in messages that are the same for all clients.
pub(crate) const EVERYONE: u32 = u32::MAX;

/// The messages of an aggregation, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// Client: its keys of this session, signed.
    Announcement = 1,
    /// Server: everybody's announcements.
    Roster = 2,
    /// Client: shares of its secrets, encrypted for each neighbour.
    Shares = 3,
    /// Server: the shares that a client's neighbours made for it.
    SharesReceived = 4,
    /// Client: its masked vector.
    Masked = 5,
    /// Server: whose masked vectors arrived.
    Survivors = 6,
    /// Client: its signature of the survivors.
    Consent = 7,
    /// Server: a quorum of signatures.
    Consents = 8,
    /// Client: one share of each neighbour's secrets.
    Unmasking = 9,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Announcement,
        Self::Roster,
        Self::Shares,
        Self::SharesReceived,
        Self::Masked,
        Self::Survivors,
        Self::Consent,
        Self::Consents,
        Self::Unmasking,
    ];
}

impl std::fmt::Display for Kind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Announcement => "announcement",
            Self::Roster => "roster",
            Self::Shares => "shares",
            Self::SharesReceived => "received shares",
            Self::Masked => "masked vector",
            Self::Survivors => "survivors",
            Self::Consent => "consent",
            Self::Consents => "consents",
            Self::Unmasking => "unmasking",
        })
    }
}

/// The kind of a message, from its first bytes; for a transport that sorts messages.
pub fn kind(bytes: &[u8]) -> Option<Kind> {
    let start = bytes.get(..8)?;
    if start[..4] != MAGIC || start[4] != VERSION || start[6..] != [0, 0] {
        return None;
    }
    Kind::ALL.into_iter().find(|kind| *kind as u8 == start[5])
}

/// The most bytes that a message of `kind` can have; for a transport that bounds what it reads.
pub fn most_bytes(kind: Kind, settings: &Settings) -> usize {
    let (clients, neighbours) = (settings.clients(), settings.neighbours() + 1);
    HEADER
        + match kind {
            Kind::Announcement => ANNOUNCEMENT,
            Kind::Roster => INDEX + clients * (INDEX + ANNOUNCEMENT),
            Kind::Shares => neighbours * SEALED,
            Kind::SharesReceived => INDEX + neighbours * (INDEX + SEALED),
            Kind::Masked => settings.packed_bytes(),
            Kind::Survivors => INDEX + clients * INDEX,
            Kind::Consent => SIGNATURE,
            Kind::Consents => INDEX + clients * (INDEX + SIGNATURE),
            Kind::Unmasking => neighbours * 32,
        }
}

/// A message's header.
pub(crate) fn start(kind: Kind, settings: &Settings, client: u32, body: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + body);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[VERSION, kind as u8, 0, 0]);
    bytes.extend_from_slice(settings.session());
    bytes.extend_from_slice(&client.to_le_bytes());
    bytes
}

/// The body of a message whose length is known.
pub(crate) fn body<'a>(
    bytes: &'a [u8],
    kind: Kind,
    settings: &Settings,
    client: u32,
    expected: usize,
) -> Result<&'a [u8], FederatedError> {
    let body = body_of_any_length(bytes, kind, settings, client)?;
    if body.len() == expected {
        return Ok(body);
    }
    Err(FederatedError::Length {
        kind,
        client,
        expected: HEADER + expected,
        found: bytes.len(),
    })
}

fn body_of_any_length<'a>(
    bytes: &'a [u8],
    kind: Kind,
    settings: &Settings,
    client: u32,
) -> Result<&'a [u8], FederatedError> {
    let found = self::kind(bytes);
    if found != Some(kind) {
        let found = found.map_or_else(|| "something else".to_owned(), |kind| format!("a {kind}"));
        return Err(FederatedError::Unexpected {
            client,
            expected: kind,
            found,
        });
    }
    let Some((header, body)) = bytes.split_at_checked(HEADER) else {
        return Err(FederatedError::Length {
            kind,
            client,
            expected: HEADER,
            found: bytes.len(),
        });
    };
    if header[8..40] != *settings.session() {
        return Err(FederatedError::Session { client });
    }
    let named = index(&header[40..]);
    let for_all = matches!(kind, Kind::Roster | Kind::Survivors | Kind::Consents);
    if named != if for_all { EVERYONE } else { client } {
        return Err(FederatedError::Sender { client, named });
    }
    Ok(body)
}

/// Entries of one size, each led by the index of a client; indices ascend and every one is below the directory's size.
pub(crate) struct Entries<'a> {
    bytes: &'a [u8],
    size: usize,
}

impl<'a> Entries<'a> {
    /// The list of a message in which nothing else stands; its count, the first four bytes, must be at most `most`.
    pub(crate) fn read(
        bytes: &'a [u8],
        kind: Kind,
        settings: &Settings,
        client: u32,
        size: usize,
        most: usize,
    ) -> Result<Self, FederatedError> {
        let body = body_of_any_length(bytes, kind, settings, client)?;
        let inconsistent = |reason| FederatedError::Inconsistent {
            client,
            kind,
            reason,
        };
        let (count, rest) = body
            .split_first_chunk::<INDEX>()
            .ok_or(FederatedError::Length {
                kind,
                client,
                expected: HEADER + INDEX,
                found: bytes.len(),
            })?;
        let count = u32::from_le_bytes(*count) as usize;
        if count > most {
            return Err(inconsistent("it lists more clients than there are"));
        }
        let expected = count * (INDEX + size);
        if rest.len() != expected {
            return Err(FederatedError::Length {
                kind,
                client,
                expected: HEADER + INDEX + expected,
                found: bytes.len(),
            });
        }
        let entries = Self { bytes: rest, size };
        let mut last = None;
        for (client, _) in entries.iter() {
            if last.is_some_and(|last| last >= client) {
                return Err(inconsistent("its clients are not in ascending order"));
            }
            last = Some(client);
        }
        Ok(entries)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (u32, &'a [u8])> + use<'a> {
        self.bytes
            .chunks_exact(INDEX + self.size)
            .map(|entry| (index(entry), &entry[INDEX..]))
    }

    pub(crate) fn clients(&self) -> Vec<u32> {
        self.iter().map(|(client, _)| client).collect()
    }
}

/// A message that is a list; `entries` ascend by index.
pub(crate) fn list<'a>(
    kind: Kind,
    settings: &Settings,
    client: u32,
    entries: impl ExactSizeIterator<Item = (u32, &'a [u8])>,
) -> Vec<u8> {
    let mut bytes = start(kind, settings, client, 0);
    bytes.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    for (index, entry) in entries {
        bytes.extend_from_slice(&index.to_le_bytes());
        bytes.extend_from_slice(entry);
    }
    bytes
}

fn index(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(
        bytes[..INDEX]
            .try_into()
            .expect("callers give at least four bytes"),
    )
}

/// Indices of clients as bytes, for signatures.
pub(crate) fn indices(clients: &[u32]) -> Vec<u8> {
    clients
        .iter()
        .flat_map(|index| index.to_le_bytes())
        .collect()
}
