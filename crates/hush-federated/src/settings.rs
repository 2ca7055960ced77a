//! What all sides of an aggregation agree on before it starts.

use crate::FederatedError;

/// Largest number of clients: shares stand at non-zero points of a field of 2^16 elements.
pub(crate) const CLIENTS_MOST: usize = 65_535;
/// Largest length of a vector.
const LENGTH_MOST: usize = 1 << 28;

/// Settings as somebody wrote them, unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsLiteral {
    /// Random name of the session, new for each aggregation.
    pub session: [u8; 32],
    /// Size of the cohort that is asked.
    pub clients: usize,
    /// Neighbours of each client in the graph of masks, at most `clients - 1`.
    pub neighbours: usize,
    /// Shares that rebuild a secret; more than half of the neighbours, so that two disjoint groups of neighbours cannot
    /// be made to give away both secrets of one client.
    pub threshold: usize,
    /// Clients that must stay until the end; more than half of the cohort and all who may work for the server, so that
    /// no two sets of survivors can both be signed.
    pub quorum: usize,
    /// Words of each vector.
    pub length: usize,
    /// Bits of each word; sums are modulo 2^bits.
    pub bits: u32,
}

/// Checked settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings(SettingsLiteral);

impl SettingsLiteral {
    /// Settings for a cohort with the thresholds that this crate recommends: two thirds of the neighbours and of the
    /// cohort.
    pub fn recommended(
        session: [u8; 32],
        clients: usize,
        neighbours: usize,
        length: usize,
        bits: u32,
    ) -> Self {
        let neighbours = neighbours.min(clients.saturating_sub(1));
        Self {
            session,
            clients,
            neighbours,
            threshold: neighbours * 2 / 3 + 1,
            quorum: clients * 2 / 3 + 1,
            length,
            bits,
        }
    }
}

impl Settings {
    /// Checks `literal`.
    ///
    /// # Errors
    /// [`FederatedError::Setting`] names the field at fault.
    pub fn new(literal: SettingsLiteral) -> Result<Self, FederatedError> {
        let fail = |field, found: usize, reason: String| {
            let found = found.to_string();
            Err(FederatedError::Setting {
                field,
                found,
                reason,
            })
        };
        let l = &literal;
        if !(3..=CLIENTS_MOST).contains(&l.clients) {
            return fail(
                "clients",
                l.clients,
                format!("is outside 3..={CLIENTS_MOST}"),
            );
        }
        if !(2..l.clients).contains(&l.neighbours) {
            return fail(
                "neighbours",
                l.neighbours,
                format!("is outside 2..={}", l.clients - 1),
            );
        }
        if l.threshold > l.neighbours {
            return fail(
                "threshold",
                l.threshold,
                format!("is more than the {} neighbours", l.neighbours),
            );
        }
        // A cohort of odd size rounds an odd number of neighbours up.
        if 2 * l.threshold <= l.neighbours + (l.neighbours & 1) {
            let reason = "is not more than half of the neighbours".to_owned();
            return fail("threshold", l.threshold, reason);
        }
        if l.quorum > l.clients || 2 * l.quorum <= l.clients {
            let reason = format!(
                "is not more than half of the {} clients, at most all",
                l.clients
            );
            return fail("quorum", l.quorum, reason);
        }
        if !(1..=LENGTH_MOST).contains(&l.length) {
            return fail("length", l.length, format!("is outside 1..={LENGTH_MOST}"));
        }
        if !(1..=64).contains(&l.bits) {
            return fail("bits", l.bits as usize, "is outside 1..=64".to_owned());
        }
        Ok(Self(literal))
    }

    /// Name of the session.
    pub fn session(&self) -> &[u8; 32] {
        &self.0.session
    }

    /// Size of the cohort.
    pub fn clients(&self) -> usize {
        self.0.clients
    }

    /// Neighbours of each client.
    pub fn neighbours(&self) -> usize {
        self.0.neighbours
    }

    /// Shares that rebuild a secret.
    pub fn threshold(&self) -> usize {
        self.0.threshold
    }

    /// Clients that must stay until the end.
    pub fn quorum(&self) -> usize {
        self.0.quorum
    }

    /// Words of each vector.
    pub fn length(&self) -> usize {
        self.0.length
    }

    /// Bits of each word.
    pub fn bits(&self) -> u32 {
        self.0.bits
    }

    /// Bytes of a packed vector.
    pub fn packed_bytes(&self) -> usize {
        (self.0.length * self.0.bits as usize).div_ceil(8)
    }

    /// A hash of everything agreed, which signatures and keys are bound to.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let l = &self.0;
        let mut hasher = blake3::Hasher::new_derive_key("hush-federated settings v1");
        hasher.update(&l.session);
        for number in [
            l.clients,
            l.neighbours,
            l.threshold,
            l.quorum,
            l.length,
            l.bits as usize,
        ] {
            hasher.update(&(number as u64).to_le_bytes());
        }
        hasher.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_could_give_a_client_away_are_refused() {
        let fine = SettingsLiteral::recommended([1; 32], 100, 21, 10, 32);
        assert!(Settings::new(fine.clone()).is_ok());
        let error = |literal| Settings::new(literal).unwrap_err().to_string();
        assert_eq!(
            error(SettingsLiteral {
                threshold: 11,
                ..fine.clone()
            }),
            "threshold is 11, which is not more than half of the neighbours"
        );
        assert_eq!(
            error(SettingsLiteral {
                quorum: 50,
                ..fine.clone()
            }),
            "quorum is 50, which is not more than half of the 100 clients, at most all"
        );
        assert_eq!(
            error(SettingsLiteral {
                neighbours: 100,
                ..fine.clone()
            }),
            "neighbours is 100, which is outside 2..=99"
        );
        assert_eq!(
            error(SettingsLiteral { bits: 65, ..fine }),
            "bits is 65, which is outside 1..=64"
        );
    }
}
