//! Every setting there is: one line each makes its flag, its environment variable and its key in the file.

/// How a setting is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One value.
    One,
    /// `true` or `false`; the flag alone means `true`.
    Truth,
    /// Several values: an array in the file, separated by commas elsewhere.
    Many,
}

/// A setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its name in the file, and with `--` before it its flag.
    pub(crate) key: &'static str,
    /// How it is written.
    pub(crate) shape: Shape,
    /// What its value is called in the help.
    pub(crate) value: &'static str,
    /// Its value if nobody sets it; none if empty.
    pub(crate) default: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// Heading in the help and the printed configuration.
    pub(crate) heading: &'static str,
}

impl Setting {
    /// Its environment variable.
    pub(crate) fn variable(&self) -> String {
        let name = self.key.to_ascii_uppercase().replace('-', "_");
        format!("{PREFIX}{name}")
    }

    /// The setting of that name.
    pub(crate) fn of(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }
}

/// What every environment variable of the server begins with.
pub(crate) const PREFIX: &str = "HUSH_SERVER_";

const SERVING: &str = "Serving";
const TRACKING: &str = "Tracking";
const REGISTRY: &str = "Models of a registry";
const ACCOUNTS: &str = "Accounts and encryption";
const LIMITS: &str = "Limits on requests";
const CONNECTIONS: &str = "Limits on connections";
const WATCHING: &str = "Watching";

const fn one(
    heading: &'static str,
    key: &'static str,
    value: &'static str,
    default: &'static str,
    about: &'static str,
) -> Setting {
    Setting {
        key,
        shape: Shape::One,
        value,
        default,
        about,
        heading,
    }
}

const fn many(
    heading: &'static str,
    key: &'static str,
    value: &'static str,
    about: &'static str,
) -> Setting {
    Setting {
        key,
        shape: Shape::Many,
        value,
        default: "",
        about,
        heading,
    }
}

const fn truth(heading: &'static str, key: &'static str, about: &'static str) -> Setting {
    Setting {
        key,
        shape: Shape::Truth,
        value: "TRUE|FALSE",
        default: "false",
        about,
        heading,
    }
}

/// The settings, in the order of the help.
#[rustfmt::skip]
pub(crate) const SETTINGS: &[Setting] = &[
    many(SERVING, "models", "PATH", "Model files, folders of them, and versions of a registry: models:/NAME@ALIAS, models:/NAME/NUMBER"),
    one(SERVING, "http", "ADDRESS", "127.0.0.1:8080", "Where REST is served; `none` for nowhere"),
    one(SERVING, "grpc", "ADDRESS", "127.0.0.1:8081", "Where gRPC is served; `none` for nowhere"),
    one(SERVING, "keys", "FOLDER", "hush-keys", "Where evaluation keys are kept"),
    one(SERVING, "keys-url", "URL", "", "An object store for finished keys: s3://…, gs://…, az://…"),
    one(SERVING, "keys-memory", "SIZE", "4 GiB", "What decoded keys may take in memory"),
    one(SERVING, "keys-lifetime", "TIME", "", "How long a key is kept; for ever if not set"),
    one(SERVING, "memory", "SIZE", "", "What running requests may take in memory; no limit if not set"),
    one(SERVING, "model-memory", "SIZE", "", "What each model may take in memory; no limit if not set"),
    one(SERVING, "threads", "COUNT", "0", "Threads that compute; 0 for one a processor"),
    one(SERVING, "queue", "COUNT", "256", "Requests of one model that may wait"),
    truth(SERVING, "demo-models", "Serve simple, simple_string and sum-model on plain tensors, to try out clients"),
    one(TRACKING, "backend-store-uri", "URI", "", "Where runs and models are kept, sqlite:///FILE or postgresql://…; `hush serve` keeps none without it"),
    one(TRACKING, "artifacts-destination", "PLACE", "hush-tracking/artifacts", "Where their files are kept: a folder, s3://…, gs://…, az://…"),
    one(TRACKING, "default-permission", "LEVEL", "READ", "What accounts may do with experiments and models that nobody granted to them: NO_PERMISSIONS, READ, USE, EDIT, MANAGE"),
    many(TRACKING, "webhook-hosts", "HOST", "Hosts that webhooks may tell, like hooks.example.com or .example.com"),
    one(TRACKING, "ui-dir", "FOLDER", "", "The built web pages of MLflow (server/js/build in its package), to be served at /"),
    one(REGISTRY, "tracking-uri", "URI", "", "The registry that versions come from, http://… or https://…; MLFLOW_TRACKING_URI if not set, or the server's own"),
    many(REGISTRY, "require-tag", "KEY=VALUE", "Tags that a version must have to be served, like approved=true"),
    many(REGISTRY, "require-stage", "STAGE", "Stages that a version may be served in; any if not set"),
    one(REGISTRY, "registry-cache", "FOLDER", "hush-models", "Where files of versions are kept"),
    one(REGISTRY, "registry-interval", "TIME", "5s", "How often the registry is asked whether an alias has moved"),
    one(REGISTRY, "retire-after", "TIME", "10m", "How long a version still answers ciphertexts made for it after another has taken its place"),
    one(REGISTRY, "max-model", "SIZE", "16 GiB", "Bytes of one version's file"),
    one(REGISTRY, "log-to", "EXPERIMENT", "", "Experiment where each deployment logs its metrics to a run; none if not set"),
    one(REGISTRY, "log-interval", "TIME", "1m", "How often it does"),
    one(ACCOUNTS, "tokens", "FILE", "", "File of accounts and their tokens; see `hush-server token`"),
    one(ACCOUNTS, "tls-cert", "FILE", "", "Certificate chain in PEM; encrypts both listeners"),
    one(ACCOUNTS, "tls-key", "FILE", "", "Its private key in PEM"),
    one(ACCOUNTS, "client-ca", "FILE", "", "Certificates in PEM that sign those of callers, whose common name is their account"),
    one(ACCOUNTS, "oidc-issuer", "URL", "", "Issuer of OpenID Connect tokens that are accepted"),
    one(ACCOUNTS, "oidc-audience", "NAME", "", "Audience that such a token must name"),
    one(ACCOUNTS, "oidc-claim", "NAME", "sub", "Claim that names the account, which is called `oidc:` and its value"),
    many(ACCOUNTS, "oidc-roles", "ROLE", "Roles of those whose account is not in the file of accounts: predict, upload-keys, track, administer"),
    truth(ACCOUNTS, "public-metrics", "Show /metrics to callers without an account"),
    one(LIMITS, "max-message", "SIZE", "1 GiB", "Bytes of one request"),
    one(LIMITS, "max-decompressed", "SIZE", "64 MiB", "Bytes that a compressed request may grow to"),
    one(LIMITS, "body-memory", "SIZE", "4 GiB", "Bytes that requests which arrive may take together, for each listener"),
    one(LIMITS, "max-key", "SIZE", "16 GiB", "Bytes of one file of evaluation keys"),
    one(LIMITS, "max-keys-each", "SIZE", "64 GiB", "Bytes of all keys of one account"),
    one(LIMITS, "uploads", "COUNT", "64", "Uploads of keys under way at once"),
    one(LIMITS, "unfinished-lifetime", "TIME", "24h", "How long an unfinished upload is kept after its last byte"),
    one(CONNECTIONS, "connections", "COUNT", "1024", "Connections at once, for each listener"),
    one(CONNECTIONS, "connections-per-address", "COUNT", "256", "Connections at once of one address (of one /64 network in IPv6), for each listener"),
    one(CONNECTIONS, "streams", "COUNT", "128", "Requests at once on one HTTP/2 connection"),
    one(CONNECTIONS, "max-header", "SIZE", "64 KiB", "Bytes of the header of a request"),
    one(CONNECTIONS, "handshake-timeout", "TIME", "10s", "How long a TLS handshake may take"),
    one(CONNECTIONS, "header-timeout", "TIME", "10s", "How long the header of a request may take"),
    one(CONNECTIONS, "body-timeout", "TIME", "30s", "How long the body of a request may make the server wait, beyond a second for each 64 KiB"),
    one(CONNECTIONS, "idle-timeout", "TIME", "2m", "How long a connection may do nothing, or leave an answer untaken"),
    one(CONNECTIONS, "keep-alive", "TIME", "30s", "How often an HTTP/2 caller is asked whether it is still there"),
    one(CONNECTIONS, "drain-timeout", "TIME", "30s", "How long running requests may take after the signal to stop"),
    one(WATCHING, "log-level", "LEVEL", "info", "error, warn, info, debug or trace"),
    one(WATCHING, "otlp", "URL", "", "Where OpenTelemetry traces are sent, by gRPC; needs a build with the cargo feature `otlp`"),
    one(WATCHING, "log-format", "FORMAT", "json", "json or text"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unlike_each_other() {
        let mut keys: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), SETTINGS.len());
    }

    #[test]
    fn variables_are_named_after_keys() {
        let setting = Setting::of("tls-cert").unwrap();
        assert_eq!(setting.variable(), "HUSH_SERVER_TLS_CERT");
    }
}
