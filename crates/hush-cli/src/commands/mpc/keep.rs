//! `hush mpc keep`: the weights of a model, in shares at the computing parties.

use std::path::PathBuf;

use clap::Args;
use hush_mpc::execute::Options;
use hush_party::Given;
use hush_party::predict::{Prediction, Roles, WEIGHTS};
use serde_json::json;

use super::participants::{Participants, Sharing};
use crate::commands::party::read_model;
use crate::failure::Result;
use crate::terminal::{Outcome, Terminal, counted};

/// Leave an ONNX model in shares with the computing parties, which serve predictions with it from then on
#[derive(Args, Debug)]
pub(crate) struct KeepArguments {
    /// The model (.onnx); parties that compute learn its structure, not its weights
    model: PathBuf,
    /// Under which name the parties keep it; what they kept under it before is replaced
    #[arg(long = "as", value_name = "NAME")]
    name_there: String,
    #[command(flatten)]
    participants: Participants,
    #[command(flatten)]
    sharing: Sharing,
}

pub(crate) fn run(arguments: &KeepArguments, terminal: Terminal) -> Result<Outcome> {
    let KeepArguments {
        name_there,
        sharing,
        ..
    } = arguments;
    let options = Options {
        fixed: sharing.fixed(),
        ..Options::default()
    };
    let prediction = Prediction::new(read_model(&arguments.model)?, options)?
        .on(sharing.protocol(), sharing.ring);
    let name = sharing.program_name(&arguments.model);
    let program = prediction.program(&name, &sharing.program_version)?;
    let mut given = Given::new();
    if arguments.participants.model_owner.is_none() {
        given.insert(WEIGHTS.to_owned(), prediction.weights()?);
    }
    let world = arguments.participants.world()?;
    let servers = world.servers(sharing.protocol());
    let owner = arguments.participants.model_owner.clone();
    let roles = Roles {
        proposer: world.me.clone(),
        servers: servers.clone(),
        model_owner: owner.unwrap_or_else(|| world.me.clone()),
        data_owner: world.me.clone(),
        receiver: world.me.clone(),
    };
    let job = prediction.job_that_keeps(roles, name_there);
    world.propose(&program, job, given, ("keep", terminal))?;
    let weights = prediction.plan().weight_count();
    let servers = servers.join(", ");
    Ok(Outcome {
        text: format!(
            "{servers} keep shares of {} as {name_there}",
            counted(weights, "weight")
        ),
        json: json!({ "name": name_there, "weights": weights }),
    })
}
