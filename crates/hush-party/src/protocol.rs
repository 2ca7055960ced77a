//! The protocol that a job names, made of its link: the one place that knows all of them.

use hush_mpc::link::Link;
use hush_mpc::protocol::pond::{self, Pond};
use hush_mpc::protocol::rep3::{self, Rep3};
use hush_mpc::protocol::securenn::{self, SecureNn};
use hush_mpc::{Cost, Kernel, MpcError, Protocol, Word};
use rand_core::{OsRng, TryRngCore};

/// A way of sharing among three computing parties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolName {
    /// Three servers, each with two of three parts.
    #[default]
    Aby3,
    /// Two servers with one part each, and a third party that deals correlated randomness and holds nothing.
    Pond,
    /// As Pond, with comparisons in three rounds; the third party assists.
    SecureNn,
}

impl ProtocolName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Aby3, Self::Pond, Self::SecureNn];

    /// As jobs and policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aby3 => "aby3",
            Self::Pond => "pond",
            Self::SecureNn => "securenn",
        }
    }

    /// The protocol of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.name() == name)
    }

    /// How many parts of a share computing party `server` holds.
    pub fn parts(self, server: usize) -> usize {
        match self {
            Self::Aby3 => 2,
            Self::Pond | Self::SecureNn => usize::from(server != pond::DEALER),
        }
    }

    /// Whether the third party only deals or assists.
    pub fn has_dealer(self) -> bool {
        self != Self::Aby3
    }

    /// What its kernels cost.
    pub fn cost<W: Word>(self) -> fn(Kernel) -> Cost {
        match self {
            Self::Aby3 => rep3::cost::<W>,
            Self::Pond => pond::cost::<W>,
            Self::SecureNn => securenn::cost::<W>,
        }
    }

    /// The protocol at one party. All parties call this with the same name of a session that was never used before.
    ///
    /// # Errors
    /// If a peer fails; names it.
    pub fn establish<W: Word>(
        self,
        link: Box<dyn Link>,
        session: &[u8; 32],
    ) -> Result<Box<dyn Protocol<W>>, MpcError> {
        let mut rng = OsRng.unwrap_err();
        Ok(match self {
            Self::Aby3 => Box::new(Rep3::establish(link, session, &mut rng)?),
            Self::Pond => Box::new(Pond::establish(link, session, &mut rng)?),
            Self::SecureNn => Box::new(SecureNn::establish(link, session, &mut rng)?),
        })
    }
}

impl std::fmt::Display for ProtocolName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}
