//! `hush-server server`: tracking, registry, artifacts and serving in one process, with the flags that MLflow's users know.

use clap::{Arg, ArgMatches, Command};
use hush_tracking::Tracking;

use crate::settings::Settings;
use crate::{Layers, ServerError, command, read};

const ABOUT: &str = "Tracks runs, keeps models and their files, and serves encrypted ones, for MLflow's clients and our own.

Without flags it keeps everything in the folder hush-tracking and listens on 127.0.0.1:5000. Clients find it by \
MLFLOW_TRACKING_URI=http://127.0.0.1:5000.";

/// What holds here if nobody sets it.
const DEFAULTS: [(&str, &str); 3] = [
    ("backend-store-uri", "sqlite:///hush-tracking/tracking.db"),
    ("grpc", "none"),
    // Of its own: `hush serve` may run in the same folder.
    ("keys", "hush-tracking/keys"),
];

/// The command.
pub(crate) fn describe() -> Command {
    command("server", &DEFAULTS)
        .about(ABOUT)
        .arg(
            Arg::new("host")
                .long("host")
                .value_name("HOST")
                .default_value("127.0.0.1")
                .help("Address to listen on; the same as the first part of --http"),
        )
        .arg(
            Arg::new("port")
                .short('p')
                .long("port")
                .value_name("PORT")
                .default_value("5000")
                .help("Port to listen on; the same as the second part of --http"),
        )
        .subcommand(
            Command::new("upgrade")
                .about("Bring the store's tables to the form that this version needs")
                .args(store_arguments()),
        )
        .subcommand(
            Command::new("import-mlflow")
                .about("Take over the experiments, runs and models of MLflow's own server, whose store is only read")
                .arg(
                    Arg::new("from")
                        .long("from")
                        .value_name("URI")
                        .required(true)
                        .help("The store of that server: sqlite:///FILE or postgresql://…"),
                )
                .arg(
                    Arg::new("from-artifacts")
                        .long("from-artifacts")
                        .value_name("PLACE")
                        .help("Where its files are: a folder, s3://…, gs://…, az://…; they stay there if it is left out"),
                )
                .args(store_arguments()),
        )
}

/// The arguments that say where the store is.
fn store_arguments() -> Vec<Arg> {
    let all = command("store", &DEFAULTS);
    all.get_arguments()
        .filter(|arg| is_store(arg.get_id().as_str()))
        .cloned()
        .collect()
}

fn is_store(key: &str) -> bool {
    matches!(
        key,
        "backend-store-uri" | "artifacts-destination" | "config"
    )
}

/// Everything that is set.
pub(crate) fn layers(matches: &ArgMatches) -> Result<Layers, ServerError> {
    let mut layers = read(matches, std::env::vars_os())?;
    for (key, value) in DEFAULTS {
        layers = layers.or(key, value)?;
    }
    let text = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned();
    if let (Some(host), Some(port)) = (text("host"), text("port")) {
        let host = match host.as_str() {
            "localhost" => "127.0.0.1".to_owned(),
            host if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
            host => host.to_owned(),
        };
        layers = layers.or("http", &format!("{host}:{port}"))?;
    }
    Ok(layers)
}

/// `import-mlflow`; what to print.
pub(crate) async fn import(
    settings: Settings,
    matches: &ArgMatches,
) -> Result<String, ServerError> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let Some(tracking) = settings.tracking else {
        return Ok(String::new());
    };
    let here = Tracking::open(tracking.options).await?;
    let from = text("from").unwrap_or_default();
    let done = here
        .import(from, text("from-artifacts"), |note| eprintln!("{note}"))
        .await?;
    Ok(format!(
        "took over {} experiments, {} runs with {} values of metrics, {} logged models, {} registered models with {} versions, \
         {} files of {} bytes\n",
        done.experiments,
        done.runs,
        done.metric_values,
        done.logged_models,
        done.registered_models,
        done.model_versions,
        done.files,
        done.bytes
    ))
}

/// `upgrade`; what to print.
pub(crate) async fn upgrade(settings: Settings) -> Result<String, ServerError> {
    if let Some(tracking) = settings.tracking {
        let mut options = tracking.options;
        options.upgrade = true;
        Tracking::open(options).await?;
    }
    Ok("the store has the tables of this version\n".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both may run in one folder, as the README has it.
    #[test]
    fn what_is_kept_is_not_where_hush_serve_keeps_it() {
        let matches = describe().try_get_matches_from(["server"]).unwrap();
        let tracking = Settings::new(&layers(&matches).unwrap()).unwrap();
        let serving = Settings::new(&Layers::default()).unwrap();
        assert_ne!(tracking.keys.folder, serving.keys.folder);
        let help = describe().render_long_help().to_string();
        assert!(help.contains("[default: hush-tracking/keys]"), "{help}");
    }
}
