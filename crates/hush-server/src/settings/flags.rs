//! The command line.

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::table::{SETTINGS, Setting, Shape};
use super::{CONFIG_VARIABLE, Layers};
use crate::ServerError;

const ABOUT: &str = "Serves encrypted models by the Open Inference Protocol.

Each setting is a flag, an environment variable (HUSH_SERVER_ and its name, as HUSH_SERVER_HTTP) and a key of the file \
that --config names. Flags win over the environment, and that over the file.";

/// The command with every setting.
#[must_use]
pub fn serve_command() -> Command {
    command("hush-server", &[])
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .subcommand(crate::token_command::command())
        .subcommand(crate::server_command::describe())
}

/// A command of that name with every setting; `defaults` are what holds there in place of the usual ones.
pub(crate) fn command(name: &'static str, defaults: &[(&str, &str)]) -> Command {
    let mut command = Command::new(name)
        .args_conflicts_with_subcommands(true)
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .help(format!("Settings in TOML, also named by {CONFIG_VARIABLE}")),
        )
        .arg(
            Arg::new("print-config")
                .long("print-config")
                .action(ArgAction::SetTrue)
                .help("Print what is set and by whom, and stop"),
        )
        .arg(
            Arg::new(POSITIONAL)
                .value_name("MODELS")
                .num_args(0..)
                .help("Model files, and folders of them; the same as --models"),
        );
    for setting in SETTINGS {
        let own = defaults.iter().find(|(key, _)| *key == setting.key);
        let default = own.map_or(setting.default, |(_, default)| default);
        command = command.arg(flag(setting, default));
    }
    command
}

const POSITIONAL: &str = "MODELS";

fn flag(setting: &'static Setting, default: &str) -> Arg {
    let help = if default.is_empty() || setting.shape == Shape::Truth {
        setting.about.to_owned()
    } else {
        format!("{} [default: {default}]", setting.about)
    };
    let arg = Arg::new(setting.key)
        .long(setting.key)
        .value_name(setting.value)
        .help(help)
        .help_heading(setting.heading);
    match setting.shape {
        Shape::One => arg,
        Shape::Many => arg.action(ArgAction::Append).value_delimiter(','),
        Shape::Truth => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
    }
}

/// Reads file, environment and flags.
///
/// # Errors
/// [`ServerError::File`], [`ServerError::Setting`].
pub fn read(
    matches: &ArgMatches,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Layers, ServerError> {
    let environment: Vec<(String, String)> = environment
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let named = matches.get_one::<String>("config").cloned();
    let file = named.or_else(|| {
        let variable = environment.iter().find(|(name, _)| name == CONFIG_VARIABLE);
        variable.map(|(_, value)| value.clone())
    });
    let mut layers = Layers::default();
    if let Some(file) = file.filter(|file| !file.is_empty()) {
        let text = std::fs::read_to_string(&file).map_err(|error| ServerError::File {
            path: file.clone().into(),
            reason: error.to_string(),
        })?;
        layers = layers.with_file(&file, &text)?;
    }
    layers = layers.with_environment(environment)?;
    for setting in SETTINGS {
        let mut values: Vec<String> = values(matches, setting.key);
        if setting.key == "models" {
            values.extend(self::values(matches, POSITIONAL));
        }
        if !values.is_empty() {
            layers = layers.with_flag(setting, values);
        }
    }
    Ok(layers)
}

fn values(matches: &ArgMatches, name: &str) -> Vec<String> {
    // Some commands have some of them only.
    let values = matches.try_get_many::<String>(name).ok().flatten();
    values
        .map(|values| values.cloned().collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    #[test]
    fn the_command_holds_together() {
        serve_command().debug_assert();
    }

    #[test]
    fn flags_are_read() {
        let matches = serve_command()
            .try_get_matches_from([
                "hush-server",
                "a.model",
                "folder",
                "--demo-models",
                "--threads",
                "3",
            ])
            .unwrap();
        let layers = read(&matches, []).unwrap();
        let settings = Settings::new(&layers).unwrap();
        assert_eq!(settings.models.len(), 2);
        assert!(settings.demo_models);
        assert_eq!(settings.threads, 3);
    }
}
