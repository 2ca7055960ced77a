//! A participant that does not compute: it gives inputs, is shown outputs, or only proposed.

use std::collections::BTreeMap;
use std::time::Instant;

use hush_mpc::link::tls::{Purpose, SessionName, TlsIdentity, dial};
use rand_core::{OsRng, TryRngCore};

use crate::agreement::{Agreement, BYTES};
use crate::channel::{Channel, Kind};
use crate::configuration::Configuration;
use crate::error::PartyError;
use crate::job::Job;
use crate::player::PlayerOptions;
use crate::sharing;

/// Names the connections of participants that do not compute, which differ from those among computing parties.
pub(crate) fn client_session(proposal: &SessionName) -> SessionName {
    blake3::derive_key("hush-party client connection v1", proposal)
}

/// Words by name.
pub(crate) type Words = BTreeMap<String, Vec<u64>>;

/// Connects to all computing parties, checks that they agreed to the same, gives `inputs` and takes outputs.
pub(crate) fn participate(
    job: &Job,
    agreement: &Agreement,
    proposal: &SessionName,
    configuration: &Configuration,
    identity: &TlsIdentity,
    me: &str,
    options: &PlayerOptions,
    inputs: &Words,
) -> Result<Words, PartyError> {
    let deadline = Instant::now() + options.set_up;
    let session = client_session(proposal);
    let mut servers = Vec::new();
    for name in &job.literal().servers {
        let party = configuration.party(name)?;
        let stream = dial(
            party.socket_address()?,
            identity,
            party.fingerprint,
            Purpose::Link,
            &session,
            deadline,
        )
        .map_err(PartyError::connection(name))?;
        servers.push(Channel::new(stream, name, options.timing.patience));
    }
    for server in &mut servers {
        let theirs = server.receive_exact(Kind::Ready, BYTES as u64)?;
        let theirs = theirs.try_into().expect("its length is checked");
        if let Some(field) = agreement.difference(&theirs) {
            let mismatch = PartyError::Mismatch {
                party: server.party.clone(),
                field,
            };
            let reason = format!("its view of the {field} differs");
            servers
                .iter_mut()
                .for_each(|server| server.explain(Kind::Failed, &reason));
            return Err(mismatch);
        }
    }
    let mut rng = OsRng.unwrap_err();
    for input in job
        .literal()
        .inputs
        .iter()
        .filter(|input| input.owner == me)
    {
        let words = inputs
            .get(&input.name)
            .filter(|words| words.len() as u64 == input.elements)
            .ok_or_else(|| PartyError::InputLength {
                input: input.name.clone(),
                expected: input.elements,
                found: inputs
                    .get(&input.name)
                    .map_or(0, |words| words.len() as u64),
            });
        let words = match words {
            Ok(words) => words,
            Err(error) => {
                servers
                    .iter_mut()
                    .for_each(|server| server.explain(Kind::Failed, &error.to_string()));
                return Err(error);
            }
        };
        for (server, share) in servers.iter_mut().zip(sharing::split(words, &mut rng)) {
            server.send(Kind::Input, &[&share])?;
        }
    }
    let mut outputs = Words::new();
    for output in &job.literal().outputs {
        if output.receiver != me {
            continue;
        }
        let bytes = sharing::output_bytes(output.elements);
        let mut messages = Vec::new();
        for server in &mut servers {
            messages.push(server.receive_exact(Kind::Output, bytes)?);
        }
        let messages: [Vec<u8>; 3] = messages.try_into().expect("a job has three servers");
        outputs.insert(output.name.clone(), sharing::join(&output.name, &messages)?);
    }
    Ok(outputs)
}
