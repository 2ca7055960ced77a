//! The program from its first argument to its exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::ArgMatches;

use crate::{
    Layers, Server, ServerError, Settings, logging, print, read, serve_command, server_command,
    summary,
};

/// Files that the process may open: connections are files too.
const FILES: u64 = 65_536;

/// Runs the program with the arguments and environment of the process.
#[must_use]
pub fn main() -> ExitCode {
    exit_code(&serve_command().get_matches())
}

/// Runs the program with arguments that were parsed by [`serve_command`].
#[must_use]
pub fn exit_code(matches: &ArgMatches) -> ExitCode {
    match run(matches) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            match error {
                ServerError::Setting { .. } => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(matches: &ArgMatches) -> Result<ExitCode, ServerError> {
    if let Some(("token", matches)) = matches.subcommand() {
        return Ok(say(&crate::token_command::run(matches)?));
    }
    let layers = match matches.subcommand() {
        Some(("server", matches)) => {
            if let Some(("upgrade", matches)) = matches.subcommand() {
                let settings = Settings::new(&server_command::layers(matches)?)?;
                let upgraded = runtime()?.block_on(server_command::upgrade(settings))?;
                return Ok(say(&upgraded));
            }
            if let Some(("import-mlflow", matches)) = matches.subcommand() {
                let settings = Settings::new(&server_command::layers(matches)?)?;
                let imported = runtime()?.block_on(server_command::import(settings, matches))?;
                return Ok(say(&imported));
            }
            server_command::layers(matches)?
        }
        _ => read(matches, std::env::vars_os())?,
    };
    let asked = |matches: &ArgMatches| matches.try_get_one("print-config").ok().flatten().copied();
    let inner = matches.subcommand().and_then(|(_, matches)| asked(matches));
    if asked(matches).unwrap_or(false) || inner.unwrap_or(false) {
        // What is wrong is better found here than at the start.
        Settings::new(&layers)?;
        return Ok(say(&print(&layers)));
    }
    serve(&layers)
}

fn serve(layers: &Layers) -> Result<ExitCode, ServerError> {
    let settings = Settings::new(layers)?;
    raise_file_limit();
    let threads = settings.threads;
    if threads > 0 {
        // Fails if the process has a pool already, whose size then holds.
        let _ = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global();
    }
    runtime()?.block_on(async {
        let traces = logging::begin(&settings.log)?;
        let stop = stop_signal()?;
        let server = Server::open(settings).await?;
        eprint!("{}", summary::summary(&server));
        let display = tracing::field::display;
        let (http, grpc) = (server.http().map(display), server.grpc().map(display));
        tracing::info!(http, grpc, "ready");
        if !server.run(stop).await {
            tracing::warn!("some requests were stopped");
        }
        tracing::info!("stopped");
        traces.finish();
        Ok(ExitCode::SUCCESS)
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, ServerError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| ServerError::System {
            what: "threads",
            source,
        })
}

fn say(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Ready when the process is asked to end.
fn stop_signal() -> Result<impl Future<Output = ()>, ServerError> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| {
        signal(kind).map_err(|source| ServerError::System {
            what: "signals",
            source,
        })
    };
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Many systems let a process open 1024 files unless it asks for more.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(FILES).min(FILES);
    if limit.current.is_some_and(|current| current < most) {
        limit.current = Some(most);
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
