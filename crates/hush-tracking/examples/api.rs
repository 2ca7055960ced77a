//! The API alone, on loopback and without accounts, to try out changes; or an import into its store.
//!
//! usage: api STORE ARTIFACTS PORT
//!        api STORE ARTIFACTS import SOURCE [FILES]

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use hush_tracking::{Caller, Tracking, TrackingOptions, router};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [store, artifacts, rest @ ..] = arguments.as_slice() else {
        return Err("usage: api STORE ARTIFACTS PORT".into());
    };
    let options = TrackingOptions {
        store: store.clone(),
        artifacts: artifacts.clone(),
        webhook_hosts: vec!["127.0.0.1".into()],
        upgrade: false,
    };
    let tracking = Tracking::open(options).await?;
    match rest {
        [verb, source, files @ ..] if verb == "import" => {
            let files = files.first().map(String::as_str);
            let done = tracking
                .import(source, files, |note| println!("{note}"))
                .await?;
            println!("{done:?}");
        }
        [port] => {
            let known = async |mut request: Request, next: Next| {
                request.extensions_mut().insert(Caller::local());
                next.run(request).await
            };
            let router = router(&tracking, None).layer(from_fn(known));
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
            axum::serve(listener, router).await?;
        }
        _ => return Err("usage: api STORE ARTIFACTS PORT".into()),
    }
    Ok(())
}
