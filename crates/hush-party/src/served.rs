//! Models that computing parties keep: what a party has to know to propose predictions with them.

use std::time::Instant;

use hush_mpc::Fixed;
use hush_mpc::link::tls::{Purpose, dial};
use hush_wire::{KeptCommonV1, read_party_message};
use rand_core::{OsRng, RngCore, TryRngCore};

use crate::channel::{Channel, Kind, Wait};
use crate::configuration::{Configuration, Role};
use crate::error::PartyError;
use crate::halt::Halt;
use crate::identity::Identity;
use crate::peers::Peers;
use crate::player::{PlayerOptions, check_identity};
use crate::protocol::ProtocolName;

/// Longest description.
const DESCRIPTION_MOST: u64 = 64 << 20;

/// A model whose weights stay shared at the computing parties.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptModel {
    common: KeptCommonV1,
    protocol: ProtocolName,
}

impl KeptModel {
    /// Asks all computing parties that keep the model `name`. They must tell the same.
    ///
    /// # Errors
    /// If one keeps no such model, does not let party `me` use it, or keeps another one.
    pub fn ask(
        name: &str,
        me: &str,
        configuration: &Configuration,
        identity: &Identity,
        options: PlayerOptions,
    ) -> Result<Self, PartyError> {
        check_identity(me, configuration, identity)?;
        let ask = |server: &str| describe(name, server, configuration, identity, &options);
        let first = configuration.with_role(Role::ComputeServer);
        let first = first.first().ok_or_else(|| PartyError::Job {
            field: "computing parties",
            reason: "the configuration has no computing servers".to_owned(),
        })?;
        let common = ask(first)?;
        for server in &common.servers {
            if server != first && ask(server)? != common {
                return Err(PartyError::Mismatch {
                    party: server.clone(),
                    field: "the session that kept the shares",
                });
            }
        }
        let unexpected = |found: String| PartyError::Unexpected {
            party: first.clone(),
            expected: "a protocol and a ring".to_owned(),
            found,
        };
        let protocol = ProtocolName::parse(&common.protocol);
        let protocol = protocol.ok_or_else(|| unexpected(common.protocol.clone()))?;
        let sizes = [common.ring_bits, common.integer_bits, common.fraction_bits];
        if !matches!(sizes, [64 | 128, ..=128, ..=128]) || common.servers.len() != 3 {
            return Err(unexpected(format!("sizes of {sizes:?} bits")));
        }
        Ok(Self { common, protocol })
    }

    /// Under which name it is kept.
    pub fn name(&self) -> &str {
        &self.common.name
    }

    /// Which kind of programs predict with it.
    pub fn kind(&self) -> &str {
        &self.common.kind
    }

    /// What such programs need to know.
    pub fn description(&self) -> &[u8] {
        &self.common.description
    }

    /// How many weights it has.
    pub fn elements(&self) -> u64 {
        self.common.elements
    }

    /// Who keeps it, in the protocol's order.
    pub fn servers(&self) -> &[String] {
        &self.common.servers
    }

    /// The protocol that it was made by.
    pub fn protocol(&self) -> ProtocolName {
        self.protocol
    }

    /// Bits of a word.
    pub fn ring_bits(&self) -> u32 {
        self.common.ring_bits
    }

    /// The type of all numbers.
    pub fn fixed(&self) -> Fixed {
        Fixed::new(self.common.integer_bits, self.common.fraction_bits)
    }
}

fn describe(
    name: &str,
    server: &str,
    configuration: &Configuration,
    identity: &Identity,
    options: &PlayerOptions,
) -> Result<KeptCommonV1, PartyError> {
    let party = configuration.party(server)?;
    let mut session = [0; 32];
    OsRng.unwrap_err().fill_bytes(&mut session);
    let stream = dial(
        party.socket_address()?,
        &identity.tls(),
        party.fingerprint,
        Purpose::Control,
        &session,
        Instant::now() + options.set_up,
    )
    .map_err(PartyError::connection(server))?;
    let mut channel = Channel::new(stream, server, options.timing);
    channel.send(Kind::Describe, &[name.as_bytes()])?;
    let halt = Halt::default();
    let mut peers = Peers::new(vec![&mut channel], &halt);
    let limit = |kind| (kind == Kind::Description).then_some(DESCRIPTION_MOST);
    let expected = "the description of a kept model";
    let (_, body) = peers.receive(0, expected, Wait::Patience, limit)?;
    read_party_message("the description of a kept model", &body).map_err(|error| {
        PartyError::Unexpected {
            party: server.to_owned(),
            expected: expected.to_owned(),
            found: error.to_string(),
        }
    })
}
