//! `hush mpc serve`: a computing party that predicts with a model that it keeps a share of, for some parties.

use clap::Args;
use hush_party::Policy;

use crate::commands::party::{Place, serve};
use crate::failure::Result;
use crate::terminal::Outcome;

/// Serve predictions with a kept model: each party gets the outputs of its own inputs and nothing else is allowed
#[derive(Args, Debug)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    place: Place,
    /// The name under which the model is kept
    #[arg(long, value_name = "NAME")]
    model: String,
    /// The parties that may ask for predictions
    #[arg(long, value_name = "PARTY", value_delimiter = ',', required = true)]
    to: Vec<String>,
}

pub(crate) fn run(arguments: &ServeArguments) -> Result<Outcome> {
    let policy = Policy::serving(&arguments.model, &arguments.to);
    serve(&arguments.place, policy, Some(&arguments.model))
}
