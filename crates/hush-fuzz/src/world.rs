//! What the targets read into: a model, somebody with keys, a server without a network.

use std::future::Future;
use std::sync::OnceLock;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use hush_runtime::{Deployment, Model, Options};
use hush_serving::{Identity, Limits, Service, ServiceOptions, demo_models};
use tokio::runtime::Runtime;
use tower::ServiceExt;

use crate::common::{Sandbox, User};

/// Made once a process.
pub(crate) struct World {
    /// Whose keys the server has.
    pub(crate) user: User,
    /// Whose keys it has not.
    pub(crate) newcomer: User,
    pub(crate) deployment: Deployment,
    /// The model's file.
    pub(crate) model: Vec<u8>,
    /// An encrypted sample for it.
    pub(crate) ciphertexts: Bytes,
    rest: Router,
    grpc: Router,
    runtime: Runtime,
    _sandbox: Sandbox,
}

/// The world.
pub(crate) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::new)
}

impl World {
    fn new() -> Self {
        let (sandbox, spec) = Sandbox::with_square();
        let user = User::new("local", &spec);
        let model = std::fs::read(sandbox.path("models/square.model")).expect("just written");
        let deployment = Model::read(&model[..]).expect("just written");
        let deployment = Deployment::new(deployment, Options::default()).expect("a valid model");
        let service = Service::open(ServiceOptions {
            demo_models: demo_models(),
            ..sandbox.options()
        });
        let service = service.expect("a valid model");
        let limits = Limits {
            message: 16 << 20,
            decompressed: 16 << 20,
            body_memory: 64 << 20,
        };
        let runtime = Runtime::new().expect("threads");
        runtime.block_on(user.upload(&service));
        let ciphertexts = user.encrypt(&[0.5, -1.0, 0.0]);
        Self {
            rest: hush_serving::rest(&service, &limits),
            grpc: hush_serving::grpc(&service, &limits),
            newcomer: User::new("local", &spec),
            user,
            deployment,
            model,
            ciphertexts,
            runtime,
            _sandbox: sandbox,
        }
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// What the server answers over HTTP.
    pub(crate) fn ask_rest(&self, request: Request<Body>) -> StatusCode {
        self.ask(self.rest.clone(), request)
    }

    /// What the server answers over gRPC.
    pub(crate) fn ask_grpc(&self, request: Request<Body>) -> StatusCode {
        self.ask(self.grpc.clone(), request)
    }

    fn ask(&self, router: Router, mut request: Request<Body>) -> StatusCode {
        request.extensions_mut().insert(Identity::local());
        self.block_on(async {
            let answer = match router.oneshot(request).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            };
            let status = answer.status();
            assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{answer:?}");
            // Whether all of it arrives does not matter, only that it ends.
            let _ = answer.into_body().collect().await;
            status
        })
    }
}
