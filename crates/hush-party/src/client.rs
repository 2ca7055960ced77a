//! A participant that does not compute: it gives inputs, is shown outputs, or only proposed.

use std::time::Instant;

use hush_mpc::link::tls::{Purpose, SessionName, TlsIdentity, dial};
use rand_core::{OsRng, TryRngCore};

use crate::agreement::{Agreement, BYTES};
use crate::channel::{Channel, Kind, Wait};
use crate::configuration::Configuration;
use crate::error::PartyError;
use crate::halt::Halt;
use crate::job::{Input, Job};
use crate::peers::Peers;
use crate::player::PlayerOptions;
use crate::propose::Given;
use crate::words::Words;

/// Names the connections of participants that do not compute, which differ from those among computing parties.
pub(crate) fn client_session(proposal: &SessionName) -> SessionName {
    blake3::derive_key("hush-party client connection v1", proposal)
}

/// What this party gives as an input, if it has as many elements as the job says.
pub(crate) fn own_input<'g>(
    job: &Job,
    input: &Input,
    given: &'g Given,
) -> Result<&'g Words, PartyError> {
    let found = given.get(&input.name);
    let fits = |words: &&Words| {
        words.len() as u64 == input.elements && words.ring_bits() == job.literal().ring_bits
    };
    found.filter(fits).ok_or_else(|| PartyError::InputLength {
        input: input.name.clone(),
        expected: input.elements,
        found: found.map_or(0, |words| words.len() as u64),
    })
}

/// A participant's part of a session.
pub(crate) struct Participation<'a> {
    pub(crate) job: &'a Job,
    pub(crate) agreement: &'a Agreement,
    pub(crate) proposal: &'a SessionName,
    pub(crate) configuration: &'a Configuration,
    pub(crate) identity: &'a TlsIdentity,
    pub(crate) me: &'a str,
    pub(crate) options: &'a PlayerOptions,
    pub(crate) halt: &'a Halt,
}

impl Participation<'_> {
    /// Connects to all computing parties, checks that they agreed to the same, gives `inputs`, takes outputs and waits
    /// for the end. `control` is the connection to the proposer, if that is another party.
    pub(crate) fn run(
        &self,
        control: Option<&mut Channel>,
        inputs: &Given,
    ) -> Result<Given, PartyError> {
        let mut servers = self.connect()?;
        let mut channels: Vec<&mut Channel> = control.into_iter().collect();
        let first = channels.len();
        channels.extend(servers.iter_mut());
        let mut peers = Peers::new(channels, self.halt);
        let result = self.talk(&mut peers, first, inputs);
        if let Err(error) = &result {
            peers.explain(first, error);
        }
        result
    }

    fn connect(&self) -> Result<Vec<Channel>, PartyError> {
        let deadline = Instant::now() + self.options.set_up;
        let session = client_session(self.proposal);
        let mut servers = Vec::new();
        for name in &self.job.literal().servers {
            let party = self.configuration.party(name)?;
            let stream = dial(
                party.socket_address()?,
                self.identity,
                party.fingerprint,
                Purpose::Link,
                &session,
                deadline,
            )
            .map_err(PartyError::connection(name))?;
            let mut server = Channel::new(stream, name, self.options.timing);
            // It answers once it is connected with the others.
            server.beat_from_now(self.options.set_up);
            servers.push(server);
        }
        Ok(servers)
    }

    fn talk(
        &self,
        peers: &mut Peers<'_>,
        first: usize,
        inputs: &Given,
    ) -> Result<Given, PartyError> {
        let literal = self.job.literal();
        let sharing = self.job.sharing();
        for server in 0..literal.servers.len() {
            let due = ("an agreement", Wait::Patience);
            let theirs = peers.receive_exact(first + server, Kind::Ready, BYTES as u64, due)?;
            let theirs = theirs.try_into().expect("its length is checked");
            if let Some(field) = self.agreement.difference(&theirs) {
                return Err(PartyError::Mismatch {
                    party: literal.servers[server].clone(),
                    field,
                });
            }
        }
        let mut rng = OsRng.unwrap_err();
        for input in &literal.inputs {
            if input.owner != self.me {
                continue;
            }
            let words = own_input(self.job, input, inputs)?;
            for (server, share) in sharing.split(words, &mut rng).iter().enumerate() {
                // Who only deals is not even sent an empty message.
                if sharing.holds(server) {
                    peers.send(first + server, Kind::Input, &[share])?;
                }
            }
        }
        let mut outputs = Given::new();
        for output in &literal.outputs {
            if output.receiver != self.me {
                continue;
            }
            let bytes = sharing.output_bytes(output.elements);
            let mut messages = Vec::new();
            for server in (0..literal.servers.len()).filter(|&server| sharing.holds(server)) {
                let due = ("an output", Wait::Alive);
                messages.push(peers.receive_exact(first + server, Kind::Output, bytes, due)?);
            }
            let words = sharing.join(&output.name, &messages)?;
            outputs.insert(output.name.clone(), words);
        }
        for server in 0..literal.servers.len() {
            peers.receive_exact(first + server, Kind::Done, 0, ("the end", Wait::Alive))?;
            peers.close(first + server);
        }
        Ok(outputs)
    }
}
