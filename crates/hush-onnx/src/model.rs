//! From bytes to a protobuf model whose header is acceptable.

use crate::ImportError;
use crate::operators::ml::DOMAIN;
use prost::Message;
use std::io::Read;
use std::path::Path;
use tract_onnx::pb::{GraphProto, ModelProto};

/// Model files above this size (512 MiB) are refused unread.
pub const MAXIMUM_MODEL_BYTES: u64 = 512 << 20;

/// The operator sets whose meaning the importer knows.
pub(crate) const OLDEST_OPERATOR_SET: i64 = 7;
pub(crate) const NEWEST_OPERATOR_SET: i64 = 24;

/// Reads a file within the size limit.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ImportError> {
    let failed = |source| ImportError::Read {
        path: path.to_path_buf(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    check_size(bytes)?;
    let mut content = Vec::new();
    file.take(MAXIMUM_MODEL_BYTES + 1)
        .read_to_end(&mut content)
        .map_err(failed)?;
    Ok(content)
}

fn check_size(bytes: u64) -> Result<(), ImportError> {
    if bytes > MAXIMUM_MODEL_BYTES {
        return Err(ImportError::TooLarge {
            bytes,
            maximum: MAXIMUM_MODEL_BYTES,
        });
    }
    Ok(())
}

/// Decodes the protobuf form.
pub(crate) fn decode(bytes: &[u8]) -> Result<ModelProto, ImportError> {
    check_size(bytes.len() as u64)?;
    if bytes.is_empty() {
        return Err(ImportError::NotOnnx {
            reason: "the file is empty".to_string(),
        });
    }
    let not_onnx = |error: prost::DecodeError| ImportError::NotOnnx {
        reason: error.to_string(),
    };
    ModelProto::decode(bytes).map_err(not_onnx)
}

/// The graph of the model and the version of its operators.
pub(crate) fn check_header(model: &ModelProto) -> Result<(&GraphProto, i64), ImportError> {
    let Some(graph) = &model.graph else {
        return Err(ImportError::NotOnnx {
            reason: "it holds no graph".to_string(),
        });
    };
    let standard = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let version = model
        .opset_import
        .iter()
        .filter(|import| standard(&import.domain))
        .map(|import| import.version)
        .max()
        // A model of `ai.onnx.ml` operators alone needs no others.
        .or_else(|| {
            let other = model
                .opset_import
                .iter()
                .any(|import| import.domain == DOMAIN);
            other.then_some(NEWEST_OPERATOR_SET)
        })
        .ok_or_else(|| ImportError::NotOnnx {
            reason: "it names no operator set".to_string(),
        })?;
    if !(OLDEST_OPERATOR_SET..=NEWEST_OPERATOR_SET).contains(&version) {
        let (oldest, newest) = (OLDEST_OPERATOR_SET, NEWEST_OPERATOR_SET);
        return Err(ImportError::OperatorSet {
            version,
            oldest,
            newest,
        });
    }
    if let Some(sparse) = graph.sparse_initializer.first() {
        let tensor = sparse
            .values
            .as_ref()
            .map_or(String::new(), |values| values.name.clone());
        return Err(ImportError::Tensor {
            tensor,
            reason: "is stored as a sparse tensor".to_string(),
        });
    }
    Ok((graph, version))
}
