//! What the server tells people when it starts.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::Server;
use crate::settings::value::write_bytes;

/// Addresses, models, limits and accounts, one a line.
pub(crate) fn summary(server: &Server) -> String {
    let settings = server.settings();
    let scheme = |plain: &str| match settings.tls {
        Some(_) => format!("{plain}s"),
        None => plain.to_owned(),
    };
    let place = |scheme: String, address: Option<SocketAddr>| match address {
        Some(address) => format!("{scheme}://{address}"),
        None => "off".into(),
    };
    let mut rows = vec![
        ("REST", place(scheme("http"), server.http())),
        ("gRPC", place(scheme("grpc"), server.grpc())),
    ];
    if let Some(tracking) = &settings.tracking {
        rows.push(("tracking", tracking.options.place()));
    }
    let index = server.service().index();
    if index.is_empty() {
        rows.push((
            "models",
            "none; name a model file, a folder of them, or models:/NAME@ALIAS of a registry".into(),
        ));
    }
    for model in &index {
        let mut line = format!(
            "{} version {}: {}",
            model.name,
            model.version,
            model.state.name()
        );
        if !model.reason.is_empty() {
            let _ = write!(line, " ({})", model.reason);
        }
        rows.push(("model", line));
    }
    let memory = |bytes: Option<u64>| bytes.map_or_else(|| "no limit".into(), write_bytes);
    let keys = &settings.keys;
    let place = keys.url.clone();
    let place = place.unwrap_or_else(|| keys.folder.display().to_string());
    rows.push((
        "keys",
        format!(
            "in {place}, {} of them decoded in memory",
            write_bytes(keys.memory)
        ),
    ));
    rows.push((
        "limits",
        format!(
            "{} a request, {} waiting a model, {} connections, memory for requests: {}",
            write_bytes(settings.limits.message as u64),
            settings.queue,
            settings.connections.total,
            memory(settings.memory),
        ),
    ));
    rows.push((
        "accounts",
        match server.accounts() {
            None => {
                "none: whoever is on this machine may do everything, nobody else can connect".into()
            }
            Some(count) => format!("{count} in the file of accounts"),
        },
    ));
    if server.accounts().is_some() && settings.tls.is_none() {
        let line = "off: tokens and ciphertexts travel unencrypted, unless a proxy in front of the server encrypts";
        rows.push(("TLS", line.into()));
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, line) in rows {
        let _ = writeln!(text, "{name:<width$}  {line}");
    }
    text
}
