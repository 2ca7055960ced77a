//! A model file made ready to answer.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use bytes::Bytes;
use hush_program::TensorSpec;
use hush_program::count::{Count, count};
use hush_runtime::{Deployment, Model, Options, RuntimeError};
use serde_json::json;

use crate::infer::CIPHERTEXTS;
use crate::keys::hexadecimal;
use crate::models::name::Version;
use crate::{DataType, TensorMetadata};

/// An encrypted model that answers.
pub(crate) struct Deployed {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) deployment: Deployment,
    pub(crate) client_file: Bytes,
    /// What one group of ciphertexts takes.
    pub(crate) count: Count,
}

impl Deployed {
    /// Reads a model file and prepares it; a large one takes a while.
    ///
    /// # Errors
    /// What is wrong with it, for its owner.
    pub(crate) fn load(
        path: &Path,
        name: &str,
        version: &Version,
        options: Options,
    ) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| format!("cannot read the file: {error}"))?;
        let load = || -> Result<Self, RuntimeError> {
            let model = Model::read(BufReader::with_capacity(1 << 20, file))?;
            let client_file = model.client_file()?.into();
            let count = count(&model.program)?;
            Ok(Self {
                name: name.to_owned(),
                version: version.to_string(),
                deployment: Deployment::new(model, options)?,
                client_file,
                count,
            })
        };
        load().map_err(|error| explained(&error))
    }

    /// The one tensor that goes in, and comes out.
    pub(crate) fn tensor() -> TensorMetadata {
        TensorMetadata {
            name: CIPHERTEXTS.to_owned(),
            data_type: DataType::Bytes,
            shape: vec![1],
        }
    }

    /// Digest of the encryption parameters, in hexadecimal.
    pub(crate) fn parameters(&self) -> String {
        hexadecimal(&self.deployment.runtime().parameters().digest())
    }

    /// How people are told of it.
    pub(crate) fn title(&self) -> String {
        format!("version {} of model `{}`", self.version, self.name)
    }

    /// What a client learns from the metadata alone.
    pub(crate) fn properties(&self) -> BTreeMap<String, String> {
        let spec = self.deployment.client_spec();
        let parameters = self.deployment.runtime().parameters();
        let tensors = |tensors: &[TensorSpec]| {
            let tensors = tensors.iter();
            let named = tensors.map(|tensor| json!({"name": tensor.name, "shape": tensor.shape}));
            named.collect::<serde_json::Value>().to_string()
        };
        [
            ("program_id", hexadecimal(&spec.program_id)),
            ("client", format!("/v1/models/{}/client", self.name)),
            ("inputs", tensors(&spec.inputs)),
            ("outputs", tensors(&spec.outputs)),
            ("security_bits", parameters.security_bits().to_string()),
            ("parameters", self.parameters()),
            ("samples_per_group", spec.packing.samples.to_string()),
        ]
        .into_iter()
        .map(|(name, value)| (format!("hush.{name}"), value))
        .collect()
    }
}

/// An error with its causes and what to do about it, in one line.
pub(crate) fn explained(error: &RuntimeError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    match error.hint() {
        Some(hint) => format!("{text}; {hint}"),
        None => text,
    }
}
