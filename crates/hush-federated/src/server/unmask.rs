//! The masks that are left in the sum, rebuilt from shares.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::Server;
use crate::FederatedError;
use crate::agreement::{AgreementKey, Use};
use crate::client::commitment;
use crate::mask::{Sign, Stream};
use crate::shamir::{self, Secret};

impl Server<'_> {
    /// What has to be applied to the sum: the own masks of survivors, and the masks that survivors share with clients
    /// that dropped out.
    pub(super) fn streams(&self) -> Result<Vec<Stream>, FederatedError> {
        let mut shares: BTreeMap<u32, Vec<(u16, &Secret)>> = BTreeMap::new();
        for (&holder, given) in &self.unmaskings {
            let neighbours = self.sharing_neighbours(holder)?;
            for (neighbour, share) in neighbours.into_iter().zip(given) {
                shares
                    .entry(neighbour)
                    .or_default()
                    .push((shamir::point(holder), share));
            }
        }
        let clients: Vec<u32> = self.shares.keys().copied().collect();
        let streams: Result<Vec<_>, _> = clients
            .par_iter()
            .map(|&client| {
                let shares = shares.get(&client).map_or(&[][..], Vec::as_slice);
                if self.survivors.contains(&client) {
                    Ok(vec![self.own_mask(client, shares)?])
                } else {
                    self.pairwise_masks(client, shares)
                }
            })
            .collect();
        Ok(streams?.into_iter().flatten().collect())
    }

    fn rebuild(&self, client: u32, shares: &[(u16, &Secret)]) -> Result<Secret, FederatedError> {
        let (available, needed) = (shares.len(), self.settings.threshold());
        let enough = shares.get(..needed);
        enough
            .map(shamir::reconstruct)
            .ok_or(FederatedError::Neighbours {
                client,
                available,
                needed,
            })
    }

    fn own_mask(&self, client: u32, shares: &[(u16, &Secret)]) -> Result<Stream, FederatedError> {
        let secret = self.rebuild(client, shares)?;
        let roster = self.roster()?;
        if commitment(&secret) != *roster.keys(client)?.commitment() {
            return Err(FederatedError::Reconstruction { client });
        }
        Ok(Stream::own(&secret, roster.digest(), Sign::Minus))
    }

    fn pairwise_masks(
        &self,
        client: u32,
        shares: &[(u16, &Secret)],
    ) -> Result<Vec<Stream>, FederatedError> {
        let roster = self.roster()?;
        let mut neighbours = roster.graph().neighbours(client);
        neighbours.retain(|neighbour| self.survivors.contains(neighbour));
        if neighbours.is_empty() {
            return Ok(Vec::new());
        }
        let key = AgreementKey::from_secret(&self.rebuild(client, shares)?);
        if key.public() != *roster.keys(client)?.mask_key() {
            return Err(FederatedError::Reconstruction { client });
        }
        neighbours
            .into_iter()
            .map(|neighbour| {
                let purpose = Use::mask(roster.digest(), neighbour, client);
                let seed = key
                    .agree(roster.keys(neighbour)?.mask_key(), purpose)
                    .ok_or(FederatedError::Key { client: neighbour })?;
                Ok(Stream::pairwise(seed, neighbour, client).negated())
            })
            .collect()
    }
}
