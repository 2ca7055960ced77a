//! What the server is told: a file, then the environment, then flags; the later wins.

mod deployments;
mod flags;
mod layers;
mod print;
mod table;
pub(crate) mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hush_serving::{Limits, Role, Roles};
use hush_tracking::{Permission, TrackingOptions};

use crate::ServerError;
use crate::connections::ConnectionLimits;

pub(crate) use deployments::DeploymentSettings;
pub(crate) use flags::command;
pub use flags::{read, serve_command};
pub use layers::{Layers, Origin};
pub use print::print;
use table::Setting;

/// Names the file of settings, as `--config` does.
pub(crate) const CONFIG_VARIABLE: &str = "HUSH_SERVER_CONFIG";

/// Everything the server is told, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) models: Vec<PathBuf>,
    pub(crate) http: Option<SocketAddr>,
    pub(crate) grpc: Option<SocketAddr>,
    pub(crate) keys: Keys,
    pub(crate) memory: Option<u64>,
    pub(crate) model_memory: Option<u64>,
    pub(crate) threads: usize,
    pub(crate) queue: usize,
    pub(crate) demo_models: bool,
    pub(crate) tracking: Option<Tracking>,
    pub(crate) deployments: DeploymentSettings,
    pub(crate) tokens: Option<PathBuf>,
    pub(crate) tls: Option<Tls>,
    pub(crate) oidc: Option<Oidc>,
    pub(crate) public_metrics: bool,
    pub(crate) limits: Limits,
    pub(crate) connections: ConnectionLimits,
    pub(crate) drain_timeout: Duration,
    pub(crate) log: Log,
}

/// Where evaluation keys are kept.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) folder: PathBuf,
    pub(crate) url: Option<String>,
    pub(crate) memory: u64,
    pub(crate) largest: u64,
    pub(crate) each: u64,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) unfinished_lifetime: Duration,
    pub(crate) uploads: usize,
}

/// Where runs and models are kept.
#[derive(Clone, Debug)]
pub(crate) struct Tracking {
    pub(crate) options: TrackingOptions,
    pub(crate) default: Permission,
    pub(crate) pages: Option<PathBuf>,
}

/// Files for TLS.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client_ca: Option<PathBuf>,
}

/// Whose tokens are accepted.
#[derive(Clone, Debug)]
pub(crate) struct Oidc {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) claim: String,
    pub(crate) roles: Roles,
}

/// How logs are written.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    /// Where traces are sent.
    pub(crate) traces: Option<String>,
    pub(crate) level: tracing::Level,
    pub(crate) json: bool,
}

impl Settings {
    /// Checks what is set.
    ///
    /// # Errors
    /// [`ServerError::Setting`], which says where the value comes from.
    pub fn new(layers: &Layers) -> Result<Self, ServerError> {
        let values = Values(layers);
        let settings = Self {
            models: values.model_paths(),
            http: values.address("http")?,
            grpc: values.address("grpc")?,
            keys: Keys {
                folder: values.required("keys", |text| Ok(PathBuf::from(text)))?,
                url: values.optional("keys-url", |text| Ok(text.to_owned()))?,
                memory: values.required("keys-memory", value::bytes)?,
                largest: values.required("max-key", value::bytes)?,
                each: values.required("max-keys-each", value::bytes)?,
                lifetime: values.optional("keys-lifetime", value::duration)?,
                unfinished_lifetime: values.required("unfinished-lifetime", value::duration)?,
                uploads: values.required("uploads", count)?,
            },
            memory: values.optional("memory", value::bytes)?,
            model_memory: values.optional("model-memory", value::bytes)?,
            threads: values.required("threads", count)?,
            queue: values.required("queue", count)?,
            demo_models: values.required("demo-models", value::truth)?,
            tracking: values.tracking()?,
            deployments: values.deployments()?,
            tokens: values.path("tokens")?,
            tls: values.tls()?,
            oidc: values.oidc()?,
            public_metrics: values.required("public-metrics", value::truth)?,
            limits: Limits {
                message: values.required("max-message", size)?,
                decompressed: values.required("max-decompressed", size)?,
                body_memory: values.required("body-memory", value::bytes)?,
            },
            connections: ConnectionLimits {
                total: values.required("connections", count)?,
                per_address: values.required("connections-per-address", count)?,
                streams: values.required("streams", whole)?,
                header: values.required("max-header", header)?,
                handshake_timeout: values.required("handshake-timeout", value::duration)?,
                header_timeout: values.required("header-timeout", value::duration)?,
                body_timeout: values.required("body-timeout", value::duration)?,
                idle_timeout: values.required("idle-timeout", value::duration)?,
                keep_alive: values.required("keep-alive", value::duration)?,
            },
            drain_timeout: values.required("drain-timeout", value::duration)?,
            log: Log {
                traces: values.optional("otlp", traces)?,
                level: values.required("log-level", |text| {
                    text.parse()
                        .map_err(|_| format!("`{text}` is none of error, warn, info, debug, trace"))
                })?,
                json: values.required("log-format", |text| match text {
                    "json" => Ok(true),
                    "text" => Ok(false),
                    _ => Err(format!("`{text}` is neither json nor text")),
                })?,
            },
        };
        if settings.http.is_none() && settings.grpc.is_none() {
            return Err(values.wrong("http", "REST and gRPC cannot both be off"));
        }
        settings.refuse_strangers(&values)?;
        settings.refuse_everybody(&values)?;
        Ok(settings)
    }

    /// Whether callers need an account.
    pub(crate) fn has_accounts(&self) -> bool {
        let certificates = self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        self.tokens.is_some() || self.oidc.is_some() || certificates
    }

    /// Without accounts whoever reaches the server may do everything, so only this machine may.
    fn refuse_strangers(&self, values: &Values<'_>) -> Result<(), ServerError> {
        if self.has_accounts() {
            return Ok(());
        }
        for (key, address) in [("http", self.http), ("grpc", self.grpc)] {
            if let Some(address) = address
                && !address.ip().is_loopback()
            {
                let reason = format!(
                    "without accounts the server listens on loopback only, which {address} is not; make an account \
                     (`hush-server token create NAME --tokens tokens.toml`) and start with `--tokens tokens.toml`"
                );
                return Err(values.wrong(key, &reason));
            }
        }
        Ok(())
    }

    /// Ways to be known that lead to no account are a mistake.
    fn refuse_everybody(&self, values: &Values<'_>) -> Result<(), ServerError> {
        if self.tokens.is_some() {
            return Ok(());
        }
        if self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some()) {
            let reason = "the accounts that certificates name stand in the file of `tokens`, which is not set";
            return Err(values.wrong("client-ca", reason));
        }
        if self.oidc.as_ref().is_some_and(|oidc| oidc.roles.is_empty()) {
            let reason =
                "nobody has a role; set `oidc-roles`, or `tokens` to a file with accounts `oidc:…`";
            return Err(values.wrong("oidc-issuer", reason));
        }
        Ok(())
    }
}

fn whole<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no whole number in range"))
}

fn count(text: &str) -> Result<usize, String> {
    whole(text)
}

fn size(text: &str) -> Result<usize, String> {
    usize::try_from(value::bytes(text)?).map_err(|_| format!("`{text}` is beyond this machine"))
}

fn traces(url: &str) -> Result<String, String> {
    if cfg!(feature = "otlp") {
        Ok(url.to_owned())
    } else {
        Err("this build sends no traces; build it with `--features otlp`".into())
    }
}

/// HTTP/1 takes no smaller buffer, HTTP/2 no larger header.
fn header(text: &str) -> Result<u32, String> {
    match value::bytes(text)? {
        bytes @ 8192..=16_777_216 => Ok(bytes as u32),
        _ => Err(format!("`{text}` is not between 8 KiB and 16 MiB")),
    }
}

/// A role by its name.
///
/// # Errors
/// Which names there are.
pub(crate) fn role(name: &str) -> Result<Role, String> {
    match name {
        "predict" => Ok(Role::Predict),
        "upload-keys" => Ok(Role::UploadKeys),
        "track" => Ok(Role::Track),
        "administer" => Ok(Role::Administer),
        _ => Err(format!(
            "`{name}` is none of the roles predict, upload-keys, track, administer"
        )),
    }
}

/// A role's name.
pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Predict => "predict",
        Role::UploadKeys => "upload-keys",
        Role::Track => "track",
        Role::Administer => "administer",
    }
}

/// Typed access to what is set.
struct Values<'a>(&'a Layers);

impl Values<'_> {
    fn texts(&self, key: &str) -> Vec<String> {
        Setting::of(key).map_or_else(Vec::new, |setting| self.0.given(setting).values)
    }

    fn optional<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ServerError> {
        let texts = self.texts(key);
        let parsed = texts.first().map(|text| parse(text)).transpose();
        parsed.map_err(|reason| self.wrong(key, &reason))
    }

    fn required<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ServerError> {
        let value = self.optional(key, parse)?;
        value.ok_or_else(|| self.wrong(key, "it must not be empty"))
    }

    fn path(&self, key: &str) -> Result<Option<PathBuf>, ServerError> {
        self.optional(key, |text| Ok(PathBuf::from(text)))
    }

    fn address(&self, key: &str) -> Result<Option<SocketAddr>, ServerError> {
        let address = self.optional(key, |text| match text {
            "none" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                format!("`{text}` is no address; write one like 127.0.0.1:8080, or `none`")
            }),
        })?;
        Ok(address.flatten())
    }

    fn tracking(&self) -> Result<Option<Tracking>, ServerError> {
        let text = |text: &str| Ok(text.to_owned());
        let Some(store) = self.optional("backend-store-uri", text)? else {
            return Ok(None);
        };
        Ok(Some(Tracking {
            options: TrackingOptions {
                store,
                artifacts: self.required("artifacts-destination", text)?,
                webhook_hosts: self.texts("webhook-hosts"),
                upgrade: false,
            },
            default: self.required("default-permission", |text| {
                Permission::parse(text).map_err(|error| error.to_string())
            })?,
            pages: self.path("ui-dir")?,
        }))
    }

    fn tls(&self) -> Result<Option<Tls>, ServerError> {
        let (certificate, key) = (self.path("tls-cert")?, self.path("tls-key")?);
        let client_ca = self.path("client-ca")?;
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(Some(Tls {
                certificate,
                key,
                client_ca,
            })),
            (None, None) if client_ca.is_none() => Ok(None),
            (None, _) => Err(self.wrong("tls-cert", "TLS needs it")),
            (_, None) => Err(self.wrong("tls-key", "TLS needs it")),
        }
    }

    fn oidc(&self) -> Result<Option<Oidc>, ServerError> {
        let text = |text: &str| Ok(text.to_owned());
        let Some(issuer) = self.optional("oidc-issuer", text)? else {
            return Ok(None);
        };
        if !crate::accounts::may_ask(&issuer) {
            return Err(self.wrong("oidc-issuer", "it begins with https://"));
        }
        let names = self.texts("oidc-roles");
        let roles: Result<Roles, String> = names.iter().map(|name| role(name)).collect();
        Ok(Some(Oidc {
            issuer,
            audience: self.required("oidc-audience", text)?,
            claim: self.required("oidc-claim", text)?,
            roles: roles.map_err(|reason| self.wrong("oidc-roles", &reason))?,
        }))
    }

    fn wrong(&self, key: &str, reason: &str) -> ServerError {
        let origin = Setting::of(key).map(|setting| self.0.given(setting).origin);
        ServerError::Setting {
            key: key.into(),
            origin: origin.unwrap_or(Origin::Default),
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(pairs: &[(&str, &str)]) -> String {
        let layers = pairs
            .iter()
            .fold(Layers::default(), |layers, (key, value)| {
                layers.with(key, value).unwrap()
            });
        Settings::new(&layers).unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_hold_together() {
        let settings = Settings::new(&Layers::default()).unwrap();
        assert_eq!(settings.http.unwrap().port(), 8080);
        assert_eq!(settings.grpc.unwrap().port(), 8081);
        assert!(!settings.has_accounts());
    }

    #[test]
    fn without_accounts_only_this_machine_may_connect() {
        assert_eq!(
            refusal(&[("grpc", "0.0.0.0:8081")]),
            "`grpc` in the flag --grpc: without accounts the server listens on loopback only, which 0.0.0.0:8081 is \
             not; make an account (`hush-server token create NAME --tokens tokens.toml`) and start with `--tokens \
             tokens.toml`"
        );
        let layers = Layers::default().with("grpc", "0.0.0.0:8081").unwrap();
        let layers = layers.with("tokens", "tokens.toml").unwrap();
        assert!(Settings::new(&layers).is_ok());
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        assert_eq!(
            refusal(&[("tls-cert", "a.pem")]),
            "`tls-key` in the default: TLS needs it"
        );
        assert_eq!(
            refusal(&[("memory", "much")]),
            "`memory` in the flag --memory: `much` is no size; write one like `4 GiB`"
        );
        assert_eq!(
            refusal(&[("tls-cert", "a"), ("tls-key", "b"), ("client-ca", "c")]),
            "`client-ca` in the flag --client-ca: the accounts that certificates name stand in the file of `tokens`, \
             which is not set"
        );
        assert_eq!(
            refusal(&[("http", "none"), ("grpc", "none")]),
            "`http` in the flag --http: REST and gRPC cannot both be off"
        );
    }
}
