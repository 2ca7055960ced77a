//! The server: opened, then run until it is told to stop.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use hush_serving::{KeyStoreOptions, ScheduleOptions, Service, ServiceOptions, demo_models};
use hush_tracking::Tracking;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::accounts::Accounts;
use crate::connections::{ConnectionStatistics, Listener, tls};
use crate::deployments::{Deployments, Drift, reports};
use crate::layers::authenticate::{Door, authenticate};
use crate::layers::observe::observe;
use crate::metrics::{Metrics, metrics};
use crate::traffic::Traffic;
use crate::{ServerError, Settings, pages, tracking};

/// A server whose models are loaded and whose listeners are open.
pub struct Server {
    settings: Settings,
    service: Service,
    tracking: Option<Tracking>,
    deployments: Option<Deployments>,
    drift: Drift,
    accounts: Option<Accounts>,
    listeners: Vec<Listener>,
    http: Option<SocketAddr>,
    grpc: Option<SocketAddr>,
}

impl Server {
    /// Loads the models and opens the listeners. Blocks while models load.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn open(settings: Settings) -> Result<Self, ServerError> {
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        let accounts = Accounts::open(&settings)?;
        // Before the models: a port that is taken should not cost the time that they take to load.
        let http = bind(settings.http).await?;
        let grpc = bind(settings.grpc).await?;
        let tracking = tracking::open(&settings).await?;
        let options = service_options(&settings);
        let service = tokio::task::spawn_blocking(move || Service::open(options))
            .await
            .map_err(|error| ServerError::System {
                what: "a thread",
                source: error.into(),
            })??;
        let drift = Drift::default();
        let deployments = Deployments::open(&settings, &service, tracking.as_ref(), &drift).await?;
        let mut server = Self {
            accounts,
            tracking,
            deployments: Some(deployments),
            drift,
            listeners: Vec::new(),
            http: local(http.as_ref()),
            grpc: local(grpc.as_ref()),
            service,
            settings,
        };
        server.listen(http, grpc, tls);
        Ok(server)
    }

    fn listen(
        &mut self,
        http: Option<TcpListener>,
        grpc: Option<TcpListener>,
        tls: Option<TlsAcceptor>,
    ) {
        let traffic = Traffic::new();
        let door = Door {
            accounts: self.accounts.clone(),
            public_metrics: self.settings.public_metrics,
            tracking: self.tracking.is_some(),
        };
        let guarded = |router: Router| {
            router
                .layer(from_fn_with_state(door.clone(), authenticate))
                .layer(from_fn_with_state(traffic.clone(), observe))
        };
        let limits = &self.settings.limits;
        let mut connections = Vec::new();
        let mut listener = |protocol, tcp, router| {
            let statistics = Arc::new(ConnectionStatistics::default());
            connections.push((protocol, Arc::clone(&statistics)));
            Listener {
                tcp,
                tls: tls.clone(),
                limits: self.settings.connections.clone(),
                router,
                statistics,
            }
        };
        if let Some(tcp) = grpc {
            let router = guarded(hush_serving::grpc(&self.service, limits));
            self.listeners.push(listener("grpc", tcp, router));
        }
        if let Some(tcp) = http {
            let mut rest = listener("http", tcp, Router::new());
            let shown = Metrics {
                service: self.service.clone(),
                traffic: traffic.clone(),
                connections,
                public: self.settings.public_metrics,
            };
            let page = Router::new()
                .route("/metrics", get(metrics))
                .with_state(shown);
            let mut router = hush_serving::rest(&self.service, limits).merge(page);
            router = router.merge(reports(&self.service, &self.drift));
            if let Some(store) = &self.tracking {
                let accounts = self.accounts.as_ref();
                let shown = pages::routes(store, &self.service, accounts, &self.settings);
                router = tracking::beside(router, shown, store, &self.settings);
            }
            rest.router = guarded(router);
            self.listeners.push(rest);
        }
    }

    /// Where REST is served.
    #[must_use]
    pub fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Where gRPC is served.
    #[must_use]
    pub fn grpc(&self) -> Option<SocketAddr> {
        self.grpc
    }

    /// What is served.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The store of runs and models, if the server has one.
    #[must_use]
    pub fn tracking(&self) -> Option<&Tracking> {
        self.tracking.as_ref()
    }

    /// What the server is told.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Accounts in the file; `None` if callers need none.
    pub(crate) fn accounts(&self) -> Option<usize> {
        self.accounts.as_ref().map(Accounts::count)
    }

    /// Serves until `stop` is ready. Then the server says that it is not ready, takes no more requests for predictions,
    /// lets those that run finish within the time that is set, and closes its connections. False if some had to be
    /// stopped.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> bool {
        let (tell, told) = watch::channel(false);
        let serving: Vec<_> = self
            .listeners
            .into_iter()
            .map(|listener| tokio::spawn(listener.serve(told.clone())))
            .collect();
        let following = self
            .accounts
            .map(|accounts| tokio::spawn(accounts.follow_file()));
        let deployments = self.deployments.take().map(Deployments::start);
        stop.await;
        tracing::info!("stopping: waiting for running requests");
        let finished = self.service.drain(self.settings.drain_timeout).await;
        if let Some(deployments) = deployments {
            deployments.stop().await;
        }
        let _ = tell.send(true);
        for listener in serving {
            let _ = listener.await;
        }
        if let Some(following) = following {
            following.abort();
        }
        finished
    }
}

fn service_options(settings: &Settings) -> ServiceOptions {
    let keys = &settings.keys;
    ServiceOptions {
        models: settings.models.clone(),
        model_memory: settings.model_memory,
        keys: KeyStoreOptions {
            folder: keys.folder.clone(),
            url: keys.url.clone(),
            memory: keys.memory,
            largest: keys.largest,
            each: keys.each,
            lifetime: keys.lifetime,
            unfinished_lifetime: keys.unfinished_lifetime,
            uploads: keys.uploads,
        },
        schedule: ScheduleOptions {
            threads: settings.threads,
            queue: settings.queue,
            memory: settings.memory,
        },
        demo_models: if settings.demo_models {
            demo_models()
        } else {
            Vec::new()
        },
    }
}

async fn bind(address: Option<SocketAddr>) -> Result<Option<TcpListener>, ServerError> {
    let Some(address) = address else {
        return Ok(None);
    };
    let listener = TcpListener::bind(address).await;
    listener
        .map(Some)
        .map_err(|source| ServerError::Listen { address, source })
}

fn local(listener: Option<&TcpListener>) -> Option<SocketAddr> {
    listener.and_then(|listener| listener.local_addr().ok())
}
