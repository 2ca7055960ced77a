//! Servers on loopback.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;

use hush_client::Tensor;
use hush_remote::{ConnectOptions, Connection, Progress};
use hush_serving::Service;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::common::{Sandbox, Square};

/// `hush-server` over a temporary folder with `square.model`, stopped when dropped.
pub(crate) struct Running {
    pub(crate) sandbox: Sandbox,
    pub(crate) service: Service,
    http: SocketAddr,
    grpc: SocketAddr,
    tls: bool,
    stop: Option<oneshot::Sender<()>>,
    _runtime: Runtime,
}

impl Running {
    pub(crate) fn new() -> Self {
        Self::with(Square::default(), |_| Vec::new())
    }

    /// With a model, and with more arguments; they may name files in the folder.
    pub(crate) fn with(model: Square, arguments: impl Fn(&Sandbox) -> Vec<String>) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("square.model", &model);
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let mut all: Vec<String> = ["hush-server", "--http=127.0.0.1:0", "--grpc=127.0.0.1:0"]
            .map(str::to_owned)
            .into();
        all.push(format!("--keys={}", text(sandbox.path("keys"))));
        all.push(text(sandbox.path("models")));
        let more = arguments(&sandbox);
        let tls = more
            .iter()
            .any(|argument| argument.starts_with("--tls-cert"));
        all.extend(more);
        let matches = hush_server::serve_command()
            .try_get_matches_from(all)
            .unwrap();
        let layers = hush_server::read(&matches, []).unwrap();
        let settings = hush_server::Settings::new(&layers).unwrap();
        let runtime = Runtime::new().unwrap();
        let server = runtime
            .block_on(hush_server::Server::open(settings))
            .unwrap();
        let (http, grpc) = (server.http().unwrap(), server.grpc().unwrap());
        let service = server.service().clone();
        let (stop, stopped) = oneshot::channel();
        runtime.spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self {
            sandbox,
            service,
            http,
            grpc,
            tls,
            stop: Some(stop),
            _runtime: runtime,
        }
    }

    /// Its addresses, one a protocol.
    pub(crate) fn urls(&self) -> [String; 2] {
        self.sockets()
            .map(|(scheme, address)| format!("{scheme}://{address}"))
    }

    pub(crate) fn sockets(&self) -> [(&'static str, SocketAddr); 2] {
        match self.tls {
            false => [("grpc", self.grpc), ("http", self.http)],
            true => [("grpcs", self.grpc), ("https", self.http)],
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

pub(crate) fn open(url: &str) -> Connection {
    Connection::open(url, ConnectOptions::default()).unwrap()
}

/// Looks at nothing.
pub(crate) fn silent(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// So many samples of three features.
pub(crate) fn samples(count: usize) -> Tensor {
    let value = |index: usize| (index % 41) as f64 / 20.0 - 1.0;
    Tensor::new(vec![count, 3], (0..3 * count).map(value).collect()).unwrap()
}

/// What the model makes of them.
pub(crate) fn assert_squares(input: &Tensor, output: &Tensor, constant: f64) {
    assert_eq!(input.shape(), output.shape());
    for (x, y) in input.data().iter().zip(output.data()) {
        assert!((x * x + constant - y).abs() < 1e-2, "{y} for {x}");
    }
}
