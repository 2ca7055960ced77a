//! The server's side: it collects one message a client and step, and closes a step when enough have come.
//!
//! Steps go in the order announcement, shares, masked vector, consent, unmasking. [`Server::receive`] takes what came; a
//! refused message harms nobody else. [`Server::close`] ends the step and gives what to send. [`Server::finish`] ends
//! the last step and gives the sum.

mod roster;
mod unmask;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::client::{announcement_statement, survivors_statement};
use crate::identity::SIGNATURE;
use crate::message::{self, ANNOUNCEMENT, EVERYONE, Kind, SEALED};
use crate::pack::{add_packed, low};
use crate::shamir::Secret;
use crate::{Directory, FederatedError, Held, Settings};

pub(crate) use roster::{Keys, Roster};

/// A message for one client.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Index of the client.
    pub client: u32,
    /// The message; shared where all get the same.
    pub bytes: Arc<[u8]>,
}

/// What an aggregation ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Sums modulo 2^bits.
    pub words: Vec<u64>,
    /// Whose vectors are in the sum.
    pub survivors: Vec<u32>,
    /// Who announced itself and is not in the sum.
    pub dropped: Vec<u32>,
}

/// The server of one aggregation.
pub struct Server<'a> {
    settings: Held<'a, Settings>,
    directory: Held<'a, Directory>,
    /// The message that is due.
    phase: Kind,
    announcements: BTreeMap<u32, Vec<u8>>,
    roster: Option<Roster>,
    /// Encrypted shares by who made them, in the order of its neighbours.
    shares: BTreeMap<u32, Vec<u8>>,
    survivors: BTreeSet<u32>,
    sum: Sum,
    statement: Vec<u8>,
    consents: BTreeMap<u32, [u8; SIGNATURE]>,
    /// Shares by who gave them, in the order of its neighbours that shared.
    unmaskings: BTreeMap<u32, Vec<Secret>>,
}

/// Sums in the smallest words that hold them.
enum Sum {
    Narrow(Vec<u32>),
    Wide(Vec<u64>),
}

impl<'a> Server<'a> {
    /// A server that waits for announcements. Holds one vector, whatever the number of clients.
    pub fn new(
        settings: impl Into<Held<'a, Settings>>,
        directory: impl Into<Held<'a, Directory>>,
    ) -> Self {
        let (settings, directory) = (settings.into(), directory.into());
        let length = settings.length();
        let sum = if settings.bits() <= 32 {
            Sum::Narrow(vec![0; length])
        } else {
            Sum::Wide(vec![0; length])
        };
        Self {
            settings,
            directory,
            phase: Kind::Announcement,
            announcements: BTreeMap::new(),
            roster: None,
            shares: BTreeMap::new(),
            survivors: BTreeSet::new(),
            sum,
            statement: Vec::new(),
            consents: BTreeMap::new(),
            unmaskings: BTreeMap::new(),
        }
    }

    /// The kind of message that is due now.
    pub fn phase(&self) -> Kind {
        self.phase
    }

    /// Who has sent the message that is due now.
    pub fn received(&self) -> Vec<u32> {
        match self.phase {
            Kind::Announcement => self.announcements.keys().copied().collect(),
            Kind::Shares => self.shares.keys().copied().collect(),
            Kind::Masked => self.survivors.iter().copied().collect(),
            Kind::Consent => self.consents.keys().copied().collect(),
            _ => self.unmaskings.keys().copied().collect(),
        }
    }

    /// Who may send the message that is due now; before announcements, everybody in the directory.
    pub fn expected(&self) -> Vec<u32> {
        match self.phase {
            Kind::Announcement => (0..self.directory.size() as u32).collect(),
            Kind::Shares => self.announcements.keys().copied().collect(),
            Kind::Masked => self.shares.keys().copied().collect(),
            Kind::Consent => self.survivors.iter().copied().collect(),
            _ => self.consents.keys().copied().collect(),
        }
    }

    /// Takes a message from client `from`, whom the transport has authenticated.
    ///
    /// # Errors
    /// Says why the message is refused; the aggregation goes on without it.
    pub fn receive(&mut self, from: u32, bytes: &[u8]) -> Result<(), FederatedError> {
        self.directory.identity(from)?;
        let kind = self.phase;
        if let Some(found) = message::kind(bytes).filter(|&found| found < kind) {
            return Err(FederatedError::Late {
                client: from,
                kind: found,
            });
        }
        let length = match kind {
            Kind::Announcement => ANNOUNCEMENT,
            Kind::Shares => self.roster()?.graph().degree() * SEALED,
            Kind::Masked => self.settings.packed_bytes(),
            Kind::Consent => SIGNATURE,
            _ => self.sharing_neighbours(from)?.len() * 32,
        };
        let body = message::body(bytes, kind, &self.settings, from, length)?;
        if self.took_part(from, kind) {
            return Err(FederatedError::Twice { client: from, kind });
        }
        let before = match kind {
            Kind::Announcement => true,
            Kind::Shares => self.took_part(from, Kind::Announcement),
            Kind::Masked => self.took_part(from, Kind::Shares),
            Kind::Consent => self.took_part(from, Kind::Masked),
            _ => self.took_part(from, Kind::Consent),
        };
        if !before {
            return Err(FederatedError::Dropped { client: from, kind });
        }
        match kind {
            Kind::Announcement => self.receive_announcement(from, body)?,
            Kind::Shares => {
                self.shares.insert(from, body.to_vec());
            }
            Kind::Masked => {
                let bits = self.settings.bits();
                match &mut self.sum {
                    Sum::Narrow(sum) => add_packed(sum, bits, body),
                    Sum::Wide(sum) => add_packed(sum, bits, body),
                }
                self.survivors.insert(from);
            }
            Kind::Consent => {
                if !self.directory.verifies(from, &self.statement, body) {
                    return Err(FederatedError::Signature { client: from, kind });
                }
                let signature = body.try_into().expect("the length is checked");
                self.consents.insert(from, signature);
            }
            _ => {
                let (shares, _) = body.as_chunks::<32>();
                let shares = shares.iter().map(|share| Secret::new(*share)).collect();
                self.unmaskings.insert(from, shares);
            }
        }
        Ok(())
    }

    fn receive_announcement(&mut self, from: u32, body: &[u8]) -> Result<(), FederatedError> {
        if self.announcements.len() == self.settings.clients() {
            return Err(FederatedError::Late {
                client: from,
                kind: Kind::Announcement,
            });
        }
        let (keys, signature) = Keys::new(body).split();
        let statement = announcement_statement(&self.settings, from, keys);
        if !self.directory.verifies(from, &statement, signature) {
            return Err(FederatedError::Signature {
                client: from,
                kind: Kind::Announcement,
            });
        }
        self.announcements.insert(from, body.to_vec());
        Ok(())
    }

    fn took_part(&self, client: u32, kind: Kind) -> bool {
        match kind {
            Kind::Announcement => self.announcements.contains_key(&client),
            Kind::Shares => self.shares.contains_key(&client),
            Kind::Masked => self.survivors.contains(&client),
            Kind::Consent => self.consents.contains_key(&client),
            _ => self.unmaskings.contains_key(&client),
        }
    }

    fn roster(&self) -> Result<&Roster, FederatedError> {
        self.roster
            .as_ref()
            .ok_or(FederatedError::Phase { phase: self.phase })
    }

    /// The neighbours of `client` whose shares it got.
    fn sharing_neighbours(&self, client: u32) -> Result<Vec<u32>, FederatedError> {
        let mut neighbours = self.roster()?.graph().neighbours(client);
        neighbours.retain(|neighbour| self.shares.contains_key(neighbour));
        Ok(neighbours)
    }

    /// Ends the present step, any but the last, and gives the messages that begin the next. Whoever has not sent its
    /// message has dropped out.
    ///
    /// # Errors
    /// If too few clients, or too few neighbours of one, are left; the aggregation cannot go on.
    pub fn close(&mut self) -> Result<Vec<Outgoing>, FederatedError> {
        let (available, needed) = (self.received().len(), self.settings.quorum());
        if available < needed {
            return Err(FederatedError::Unavailable {
                kind: self.phase,
                available,
                needed,
            });
        }
        match self.phase {
            Kind::Announcement => {
                let roster = Roster::new(self.announcements.clone(), &self.settings);
                let (available, needed) = (roster.graph().degree(), self.settings.threshold());
                if available < needed {
                    let client = roster.clients()[0];
                    return Err(FederatedError::Neighbours {
                        client,
                        available,
                        needed,
                    });
                }
                let message = message::list(
                    Kind::Roster,
                    &self.settings,
                    EVERYONE,
                    roster.announcements(),
                );
                let outgoing = broadcast(roster.clients().iter(), message);
                self.roster = Some(roster);
                self.phase = Kind::Shares;
                Ok(outgoing)
            }
            Kind::Shares => {
                let outgoing = self.forward_shares()?;
                self.phase = Kind::Masked;
                Ok(outgoing)
            }
            Kind::Masked => {
                let survivors: Vec<u32> = self.survivors.iter().copied().collect();
                self.enough_neighbours()?;
                self.statement = survivors_statement(self.roster()?.digest(), &survivors);
                let entries = survivors.iter().map(|&client| (client, [].as_slice()));
                let message = message::list(Kind::Survivors, &self.settings, EVERYONE, entries);
                self.phase = Kind::Consent;
                Ok(broadcast(survivors.iter(), message))
            }
            Kind::Consent => {
                let entries = self
                    .consents
                    .iter()
                    .map(|(client, signature)| (*client, signature.as_slice()));
                let message = message::list(Kind::Consents, &self.settings, EVERYONE, entries);
                self.phase = Kind::Unmasking;
                Ok(broadcast(self.consents.keys(), message))
            }
            phase => Err(FederatedError::Phase { phase }),
        }
    }

    /// Sorts encrypted shares by whom they are for.
    fn forward_shares(&self) -> Result<Vec<Outgoing>, FederatedError> {
        let graph = self.roster()?.graph();
        let mut received: BTreeMap<u32, Vec<(u32, &[u8])>> = BTreeMap::new();
        for (&from, shares) in &self.shares {
            for (to, sealed) in graph
                .neighbours(from)
                .into_iter()
                .zip(shares.chunks_exact(SEALED))
            {
                received.entry(to).or_default().push((from, sealed));
            }
        }
        let message = |client: u32| {
            let entries = received.get(&client).into_iter().flatten().copied();
            let entries: Vec<_> = entries.collect();
            message::list(
                Kind::SharesReceived,
                &self.settings,
                client,
                entries.into_iter(),
            )
        };
        Ok(self
            .shares
            .keys()
            .map(|&client| Outgoing {
                client,
                bytes: message(client).into(),
            })
            .collect())
    }

    /// Whether every mask can still be taken away.
    fn enough_neighbours(&self) -> Result<(), FederatedError> {
        let needed = self.settings.threshold();
        for &client in self.shares.keys() {
            let neighbours = self.sharing_neighbours(client)?;
            let available = neighbours
                .iter()
                .filter(|neighbour| self.survivors.contains(neighbour))
                .count();
            let matters = self.survivors.contains(&client) || available > 0;
            if matters && available < needed {
                return Err(FederatedError::Neighbours {
                    client,
                    available,
                    needed,
                });
            }
        }
        Ok(())
    }

    /// Ends the last step: rebuilds what masks are left and takes them away. One call of AES for each word and each
    /// survivor, and for each word and pair of neighbours of which one dropped out; on all threads of the rayon pool.
    ///
    /// # Errors
    /// If too few neighbours of a client answered, or their shares do not rebuild what it committed to.
    pub fn finish(mut self) -> Result<Outcome, FederatedError> {
        if self.phase != Kind::Unmasking {
            return Err(FederatedError::Phase { phase: self.phase });
        }
        let streams = self.streams()?;
        let mask = low(self.settings.bits());
        let words = match &mut self.sum {
            Sum::Narrow(sum) => {
                crate::mask::apply(&streams, sum);
                sum.iter().map(|&word| u64::from(word) & mask).collect()
            }
            Sum::Wide(sum) => {
                crate::mask::apply(&streams, sum);
                sum.iter().map(|&word| word & mask).collect()
            }
        };
        let mut dropped: Vec<u32> = self.announcements.keys().copied().collect();
        dropped.retain(|client| !self.survivors.contains(client));
        Ok(Outcome {
            words,
            survivors: self.survivors.into_iter().collect(),
            dropped,
        })
    }
}

fn broadcast<'c>(clients: impl Iterator<Item = &'c u32>, message: Vec<u8>) -> Vec<Outgoing> {
    let bytes: Arc<[u8]> = message.into();
    clients
        .map(|&client| Outgoing {
            client,
            bytes: bytes.clone(),
        })
        .collect()
}
