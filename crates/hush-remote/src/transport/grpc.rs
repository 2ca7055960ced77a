//! A server over gRPC.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Uri};
use tonic::body::Body;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};

use super::failure::of_status;
use super::protocol::hush::keys_client::KeysClient;
use super::protocol::hush::{
    DeleteKeyRequest, GetClientRequest, KeyStatusRequest, KeyStatusResponse, UploadKeyRequest,
};
use super::protocol::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use super::protocol::inference::infer_parameter::ParameterChoice;
use super::protocol::inference::model_infer_request::InferInputTensor;
use super::protocol::inference::model_metadata_response::TensorMetadata as TensorMessage;
use super::protocol::inference::{
    InferTensorContents, ModelInferRequest, ModelMetadataRequest, RepositoryIndexRequest,
    ServerMetadataRequest, ServerReadyRequest,
};
use super::{
    CIPHERTEXTS, KeyStatus, ModelMetadata, ModelName, ModelStatus, Part, ServerStatus,
    TensorMetadata, Transport, tensors,
};
use crate::address::Address;
use crate::tls::{Connections, connections};
use crate::{ConnectOptions, Refusal, RemoteError};

/// A server over gRPC.
pub(super) struct Grpc {
    server: String,
    token: Option<HeaderValue>,
    inference: GrpcInferenceServiceClient<Connections<Body>>,
    keys: KeysClient<Connections<Body>>,
}

impl Grpc {
    pub(super) fn new(
        address: &Address,
        options: &ConnectOptions,
        token: Option<HeaderValue>,
    ) -> Result<Self, RemoteError> {
        let origin: Uri = address.origin.parse().map_err(|_| RemoteError::Address {
            url: address.shown.clone(),
            reason: "it is no address",
        })?;
        let connections = connections(address, options)?;
        Ok(Self {
            server: address.shown.clone(),
            token,
            inference: GrpcInferenceServiceClient::with_origin(connections.clone(), origin.clone())
                .max_decoding_message_size(usize::MAX)
                .max_encoding_message_size(usize::MAX),
            // The public half of a large model is larger than what messages usually may be.
            keys: KeysClient::with_origin(connections, origin)
                .max_decoding_message_size(usize::MAX),
        })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token
            && let Ok(mut value) = MetadataValue::try_from(token.as_bytes())
        {
            value.set_sensitive(true);
            request.metadata_mut().insert("authorization", value);
        }
        request
    }

    fn answer<T>(&self, answer: Result<Response<T>, Status>) -> Result<T, RemoteError> {
        answer
            .map(Response::into_inner)
            .map_err(|status| of_status(&self.server, &status))
    }
}

fn asked(model: &ModelName) -> String {
    model.version.clone().unwrap_or_default()
}

#[tonic::async_trait]
impl Transport for Grpc {
    async fn server(&self) -> Result<ServerStatus, RemoteError> {
        let mut client = self.inference.clone();
        // Both also without an account, if the server tells anything then.
        let ready = client
            .server_ready(self.request(ServerReadyRequest {}))
            .await;
        let ready = self.answer(ready)?.ready;
        let about = client
            .server_metadata(self.request(ServerMetadataRequest {}))
            .await;
        let about = self.answer(about)?;
        Ok(ServerStatus {
            name: about.name,
            version: about.version,
            ready,
        })
    }

    async fn index(&self) -> Result<Vec<ModelStatus>, RemoteError> {
        let request = self.request(RepositoryIndexRequest::default());
        let answer = self.inference.clone().repository_index(request).await;
        let models = self.answer(answer)?.models.into_iter();
        let models = models.map(|model| ModelStatus {
            name: model.name,
            version: model.version,
            state: model.state,
            reason: model.reason,
        });
        Ok(models.collect())
    }

    async fn metadata(&self, model: &ModelName) -> Result<ModelMetadata, RemoteError> {
        let request = self.request(ModelMetadataRequest {
            name: model.name.clone(),
            version: asked(model),
        });
        let answer = self.inference.clone().model_metadata(request).await;
        let answer = self.answer(answer)?;
        let properties = answer.inputs.iter().flat_map(|input| &input.parameters);
        let properties = properties.filter_map(|(name, value)| match &value.parameter_choice {
            Some(ParameterChoice::StringParam(text)) => Some((name.clone(), text.clone())),
            _ => None,
        });
        let tensor = |tensor: &TensorMessage| TensorMetadata {
            name: tensor.name.clone(),
            data_type: tensor.datatype.clone(),
            shape: tensor.shape.clone(),
        };
        Ok(ModelMetadata {
            properties: properties.collect(),
            inputs: answer.inputs.iter().map(tensor).collect(),
            outputs: answer.outputs.iter().map(tensor).collect(),
            name: answer.name,
            versions: answer.versions,
            platform: answer.platform,
        })
    }

    async fn client_file(&self, model: &ModelName) -> Result<Bytes, RemoteError> {
        let request = self.request(GetClientRequest {
            model_name: model.name.clone(),
            model_version: asked(model),
        });
        let answer = self.keys.clone().get_client(request).await;
        Ok(self.answer(answer)?.client_file)
    }

    async fn key_status(&self, id: &str) -> Result<Option<KeyStatus>, RemoteError> {
        let request = self.request(KeyStatusRequest {
            key_id: id.to_owned(),
        });
        let answer = self.keys.clone().key_status(request).await;
        let status = self.answer(answer)?;
        Ok((status.complete || status.total > 0).then(|| known(status)))
    }

    async fn upload(&self, part: Part) -> Result<KeyStatus, RemoteError> {
        let Part {
            id,
            offset,
            total,
            mut data,
            ..
        } = part;
        let mut first = Some((id, offset));
        let messages = stream::poll_fn(move |context| {
            data.poll_recv(context).map(|data| {
                let (key_id, offset) = first.take().unwrap_or_default();
                let total = if key_id.is_empty() { 0 } else { total };
                data.map(|data| UploadKeyRequest {
                    key_id,
                    offset,
                    total,
                    data,
                })
            })
        });
        let answer = self.keys.clone().upload_key(self.request(messages)).await;
        Ok(known(self.answer(answer)?))
    }

    async fn delete_key(&self, id: &str) -> Result<(), RemoteError> {
        let request = self.request(DeleteKeyRequest {
            key_id: id.to_owned(),
        });
        let answer = self.keys.clone().delete_key(request).await;
        self.answer(answer).map(|_| ())
    }

    async fn infer(
        &self,
        model: &ModelName,
        file: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, RemoteError> {
        let mut request = self.request(ModelInferRequest {
            model_name: model.name.clone(),
            model_version: asked(model),
            inputs: vec![InferInputTensor {
                name: CIPHERTEXTS.into(),
                datatype: "BYTES".into(),
                shape: vec![1],
                contents: Some(InferTensorContents {
                    bytes_contents: vec![file],
                    ..InferTensorContents::default()
                }),
                ..InferInputTensor::default()
            }],
            ..ModelInferRequest::default()
        });
        request.set_timeout(deadline);
        let answer = self.inference.clone().model_infer(request).await;
        let mut answer = self.answer(answer)?;
        let place = answer
            .outputs
            .iter()
            .position(|output| output.name == CIPHERTEXTS);
        let file = place.and_then(|place| {
            if let Some(raw) = answer.raw_output_contents.get(place) {
                return tensors::only_string(raw.clone());
            }
            let contents = answer.outputs[place].contents.as_mut()?;
            contents.bytes_contents.pop()
        });
        file.ok_or_else(|| RemoteError::Answer {
            server: self.server.clone(),
            reason: tensors::NO_CIPHERTEXTS.into(),
        })
    }

    async fn metrics(&self) -> Result<String, RemoteError> {
        Err(RemoteError::Refused {
            refusal: Refusal::Unimplemented,
            message:
                "metrics are served over HTTP only; use the server's http:// or https:// address"
                    .into(),
            retry_after: None,
        })
    }
}

fn known(status: KeyStatusResponse) -> KeyStatus {
    KeyStatus {
        id: status.key_id,
        complete: status.complete,
        offset: status.received,
        total: status.total,
        owner: status.owner,
        expires: Some(status.expires_at).filter(|&at| at > 0),
    }
}
