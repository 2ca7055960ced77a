//! `hush top`: what a server is doing, live.

mod page;
mod view;

use std::io::{IsTerminal, Write, stdout};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::RangedU64ValueParser;

use crate::commands::server::ServerArguments;
use crate::failure::{Result, causes_of};
use crate::interrupt;
use crate::style::Painter;
use crate::terminal::{Outcome, Terminal};
use page::Page;
use view::View;

/// Watch a server: requests, latencies, queue, keys, memory
#[derive(Args, Debug)]
pub(crate) struct TopArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = RangedU64ValueParser::<u64>::new().range(1..=3600))]
    interval: u64,
    /// Look once, since the server's start, and end; also with --json and without a terminal
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(arguments: &TopArguments, terminal: Terminal) -> Result<Outcome> {
    let connection = arguments.server.connect(terminal)?;
    let look = || Ok::<_, anyhow::Error>((Page::parse(&connection.metrics()?), Instant::now()));
    let address = connection.address();
    let (mut before, mut since) = look()?;
    if arguments.once || terminal.json || !stdout().is_terminal() {
        let view = View::new(address, None, &before);
        return Ok(Outcome {
            text: view.text(Painter::stdout()),
            json: view.json(),
        });
    }
    interrupt::means(interrupt::Meaning::Done);
    let mut lines = 0;
    let mut shown = View::new(address, None, &before).text(Painter::stdout());
    loop {
        // Over what was shown before, down to the end of the screen.
        let mut out = stdout().lock();
        if lines > 0 {
            write!(out, "\x1b[{lines}A\x1b[J")?;
        }
        writeln!(out, "{shown}")?;
        out.flush()?;
        drop(out);
        lines = shown.lines().count();
        sleep(Duration::from_secs(arguments.interval));
        match look() {
            Ok((now, at)) => {
                let passed = at.duration_since(since);
                let view = View::new(address, Some((&before, passed)), &now);
                shown = view.text(Painter::stdout());
                (before, since) = (now, at);
            }
            Err(error) => {
                let paint = Painter::stdout();
                shown = format!(
                    "{}  {}",
                    paint.bold(address),
                    paint.bad(causes_of(&error).join(": "))
                );
            }
        }
    }
}
