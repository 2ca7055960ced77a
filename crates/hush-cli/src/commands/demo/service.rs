//! The same network as a service: some users, each with keys of their own, ask one server at the same time.

use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use anyhow::Context;
use hush_client::Tensor;
use hush_remote::{ConnectOptions, Connection, PredictOptions, Session};

use super::first;
use crate::commands::serve;
use crate::failure::{Failure, Result};
use crate::output::WorkFolder;
use crate::terminal::{Terminal, milliseconds};

/// Users that ask: as many as the notebook shows that the example comes from.
const USERS: usize = 10;

/// What the users were told.
pub(super) struct Answers {
    /// One row a user.
    pub(super) outputs: Tensor,
    /// Milliseconds that each waited for its prediction, encryption and decryption included.
    pub(super) waits: Vec<f64>,
    /// Milliseconds until all had keys, on their disks and at the server.
    pub(super) keys: f64,
    /// Milliseconds until all had their answers.
    pub(super) all: f64,
}

/// Starts `hush-server` with a model and has the first users ask; `None` where the program is not beside this one.
pub(super) fn ask(
    model: &Path,
    name: &str,
    samples: &Tensor,
    folder: &WorkFolder,
    terminal: Terminal,
) -> Result<Option<Answers>> {
    let Some(program) = serve::beside() else {
        return Ok(None);
    };
    let samples = first(samples.clone(), USERS)?;
    let spinner = terminal.progress.spinner("serve");
    spinner.set_message(format!("{} users", samples.shape()[0]));
    let server = Server::start(&program, model, &folder.join("service"))?;
    let width: usize = samples.shape()[1..].iter().product();
    let users = samples.data().chunks(width);
    let barrier = Barrier::new(users.len() + 1);
    let (told, keys, all) = thread::scope(|scope| {
        let begun = Instant::now();
        let users: Vec<_> = users
            .enumerate()
            .map(|(user, row)| {
                let (folder, url, barrier) =
                    (folder.join(&format!("user-{user}")), &server.url, &barrier);
                scope.spawn(move || {
                    let session = open(url, name, &folder);
                    barrier.wait();
                    let begun = Instant::now();
                    let output = predict(&session?, row)?;
                    Ok::<_, anyhow::Error>((output, milliseconds(begun.elapsed())))
                })
            })
            .collect();
        barrier.wait();
        let (keys, begun) = (milliseconds(begun.elapsed()), Instant::now());
        let told: Vec<_> = users
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        (told, keys, milliseconds(begun.elapsed()))
    });
    spinner.finish_and_clear();
    let (mut outputs, mut waits) = (Vec::new(), Vec::new());
    for one in told {
        let one = one.map_err(|_| Failure::new("a user of the service panicked"))?;
        let (output, wait) = one.context("the service did not answer a user")?;
        outputs.extend(output);
        waits.push(wait);
    }
    let shape = vec![waits.len(), outputs.len() / waits.len()];
    Ok(Some(Answers {
        outputs: Tensor::new(shape, outputs)?,
        waits,
        keys,
        all,
    }))
}

fn open(url: &str, name: &str, folder: &Path) -> Result<Session> {
    let model = Connection::open(url, ConnectOptions::default())?.model(name)?;
    Ok(model.keys(folder, None, &mut |_| ControlFlow::Continue(()))?)
}

fn predict(session: &Session, row: &[f64]) -> Result<Vec<f64>> {
    let sample = Tensor::new(vec![1, row.len()], row.to_vec())?;
    let mut outputs = session.predict(vec![sample], &PredictOptions::default(), &mut |_| {
        ControlFlow::Continue(())
    })?;
    Ok(outputs.swap_remove(0).into_data())
}

/// A server that ends with this value.
struct Server {
    process: Child,
    url: String,
    /// Kept open: who writes to a closed pipe fails.
    _said: Box<dyn Read>,
}

impl Server {
    fn start(program: &Path, model: &Path, folder: &Path) -> Result<Self> {
        let mut process = Command::new(program)
            .arg(model)
            .args([
                "--http",
                "none",
                "--grpc",
                "127.0.0.1:0",
                "--log-level",
                "error",
            ])
            .arg("--keys")
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start `hush-server`")?;
        let said = process.stderr.take();
        let mut said = BufReader::new(said.context("`hush-server` has no standard error")?);
        let mut lines = String::new();
        let url = loop {
            let start = lines.len();
            if said.read_line(&mut lines)? == 0 {
                let _ = process.wait();
                return Err(Failure::new(format!("`hush-server` ended: {}", lines.trim())).into());
            }
            let url = lines[start..]
                .split_whitespace()
                .find(|word| word.starts_with("grpc://"));
            if let Some(url) = url {
                break url.to_owned();
            }
        };
        Ok(Self {
            process,
            url,
            _said: Box::new(said),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Everything that it keeps is in the demo's own folder.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
