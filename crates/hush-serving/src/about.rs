//! What the server says of itself.

/// Its name.
pub(crate) const NAME: &str = "hush-server";
/// Its version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What it can do beyond the protocol's core.
pub(crate) const EXTENSIONS: [&str; 4] = [
    "binary_tensor_data",
    "model_configuration",
    "model_repository",
    "hush_keys",
];
