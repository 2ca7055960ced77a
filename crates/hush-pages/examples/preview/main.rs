//! The pages over a store with made-up runs, to look at: `preview FOLDER PORT [RUNS]`.
//!
//! The folder is filled at the first start and kept. One run goes on for as long as the server does, and the models that are
//! served are asked all the time, so that there is something to see. Without accounts and on loopback only.
#![forbid(unsafe_code)]

mod seed;
mod traffic;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use hush_pages::Pages;
use hush_serving::{Identity, KeyStoreOptions, Service, ServiceOptions, demo_models};
use hush_tracking::{Caller, Tracking, TrackingOptions};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

async fn local(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Caller::local());
    request.extensions_mut().insert(Identity::local());
    next.run(request).await
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("which folder?")?);
    let port: u16 = arguments.next().ok_or("which port?")?.parse()?;
    let runs: usize = arguments.next().map_or(Ok(10_000), |runs| runs.parse())?;
    std::fs::create_dir_all(&folder)?;
    let artifacts = folder.join("artifacts");
    let tracking = Tracking::open(TrackingOptions {
        store: format!(
            "sqlite:///{}",
            folder.canonicalize()?.join("store.db").display()
        ),
        artifacts: artifacts.display().to_string(),
        webhook_hosts: Vec::new(),
        upgrade: false,
    })
    .await?;
    let live = seed::fill(&tracking, &artifacts, runs).await?;
    tokio::spawn(seed::go_on(tracking.clone(), live));

    let options = ServiceOptions {
        keys: KeyStoreOptions {
            folder: folder.join("keys"),
            ..KeyStoreOptions::default()
        },
        demo_models: demo_models(),
        ..ServiceOptions::default()
    };
    let service = tokio::task::spawn_blocking(move || Service::open(options)).await??;
    tokio::spawn(traffic::ask(service.clone()));

    let pages = Pages::new(tracking.clone(), Some(service), None, false);
    let router: Router = hush_pages::router(pages)
        .merge(hush_pages::root())
        .merge(hush_tracking::router(&tracking, None))
        .layer(from_fn(local));
    let listener =
        tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    println!("ready on http://{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}
