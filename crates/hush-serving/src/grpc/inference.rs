//! `inference.GRPCInferenceService`.

use std::sync::Arc;

use tonic::{Request, Response, Status, Streaming};

use super::caller::{deadline, identity};
use super::messages::{from_message, to_message};
use super::protocol::inference::grpc_inference_service_server::GrpcInferenceService;
use super::protocol::inference::infer_parameter::ParameterChoice;
use super::protocol::inference::model_metadata_response::TensorMetadata;
use super::protocol::inference::repository_index_response::ModelIndex;
use super::protocol::inference::{
    InferParameter, ModelConfigRequest, ModelConfigResponse, ModelInferRequest, ModelInferResponse,
    ModelMetadataRequest, ModelMetadataResponse, ModelReadyRequest, ModelReadyResponse,
    RepositoryIndexRequest, RepositoryIndexResponse, RepositoryModelLoadRequest,
    RepositoryModelLoadResponse, RepositoryModelUnloadRequest, RepositoryModelUnloadResponse,
    ServerLiveRequest, ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse,
    ServerReadyRequest, ServerReadyResponse,
};
use super::stream::{Answers, answers};
use super::{config, repository};
use crate::about;
use crate::admission::BodyShare;
use crate::{ModelMetadata, Service};

/// The service behind the protocol.
pub(super) struct Inference(pub(super) Service);

#[tonic::async_trait]
impl GrpcInferenceService for Inference {
    async fn server_live(
        &self,
        _: Request<ServerLiveRequest>,
    ) -> Result<Response<ServerLiveResponse>, Status> {
        Ok(Response::new(ServerLiveResponse { live: true }))
    }

    async fn server_ready(
        &self,
        _: Request<ServerReadyRequest>,
    ) -> Result<Response<ServerReadyResponse>, Status> {
        let ready = self.0.is_ready();
        Ok(Response::new(ServerReadyResponse { ready }))
    }

    async fn model_ready(
        &self,
        request: Request<ModelReadyRequest>,
    ) -> Result<Response<ModelReadyResponse>, Status> {
        let identity = identity(request.extensions())?;
        let ModelReadyRequest { name, version } = request.into_inner();
        let ready = self.0.model_ready(&identity, &name, asked(&version))?;
        Ok(Response::new(ModelReadyResponse { ready }))
    }

    async fn server_metadata(
        &self,
        _: Request<ServerMetadataRequest>,
    ) -> Result<Response<ServerMetadataResponse>, Status> {
        Ok(Response::new(ServerMetadataResponse {
            name: about::NAME.into(),
            version: about::VERSION.into(),
            extensions: about::EXTENSIONS.map(Into::into).into(),
        }))
    }

    async fn model_metadata(
        &self,
        request: Request<ModelMetadataRequest>,
    ) -> Result<Response<ModelMetadataResponse>, Status> {
        let identity = identity(request.extensions())?;
        let ModelMetadataRequest { name, version } = request.into_inner();
        let metadata = self.0.metadata(&identity, &name, asked(&version))?;
        Ok(Response::new(metadata_message(metadata)))
    }

    async fn model_infer(
        &self,
        request: Request<ModelInferRequest>,
    ) -> Result<Response<ModelInferResponse>, Status> {
        let identity = identity(request.extensions())?;
        let deadline = deadline(request.metadata());
        let (request, form) = from_message(request.into_inner(), deadline)?;
        let response = self.0.infer(&identity, request).await?;
        Ok(Response::new(to_message(response, form)?))
    }

    type ModelStreamInferStream = Answers;

    async fn model_stream_infer(
        &self,
        request: Request<Streaming<ModelInferRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let identity = identity(request.extensions())?;
        let deadline = deadline(request.metadata());
        let share = request.extensions().get::<Arc<BodyShare>>().cloned();
        let requests = request.into_inner();
        let answers = answers(self.0.clone(), identity, deadline, share, requests);
        Ok(Response::new(answers))
    }

    async fn model_config(
        &self,
        request: Request<ModelConfigRequest>,
    ) -> Result<Response<ModelConfigResponse>, Status> {
        let identity = identity(request.extensions())?;
        let ModelConfigRequest { name, version } = request.into_inner();
        let metadata = self.0.metadata(&identity, &name, asked(&version))?;
        let config = Some(config::of(metadata));
        Ok(Response::new(ModelConfigResponse { config }))
    }

    async fn repository_index(
        &self,
        request: Request<RepositoryIndexRequest>,
    ) -> Result<Response<RepositoryIndexResponse>, Status> {
        let identity = identity(request.extensions())?;
        let index = repository::index(&self.0, &identity, request.get_ref().ready);
        let models = index.map(|status| ModelIndex {
            name: status.name,
            version: status.version,
            state: status.state.name().into(),
            reason: status.reason,
        });
        let models = models.collect();
        Ok(Response::new(RepositoryIndexResponse { models }))
    }

    async fn repository_model_load(
        &self,
        request: Request<RepositoryModelLoadRequest>,
    ) -> Result<Response<RepositoryModelLoadResponse>, Status> {
        let identity = identity(request.extensions())?;
        let request = request.into_inner();
        let model_name = repository::model_name(request.repository_name, request.model_name);
        self.0.load(&identity, &model_name).await?;
        let is_loaded = true;
        Ok(Response::new(RepositoryModelLoadResponse {
            model_name,
            is_loaded,
        }))
    }

    async fn repository_model_unload(
        &self,
        request: Request<RepositoryModelUnloadRequest>,
    ) -> Result<Response<RepositoryModelUnloadResponse>, Status> {
        let identity = identity(request.extensions())?;
        let request = request.into_inner();
        let model_name = repository::model_name(request.repository_name, request.model_name);
        self.0.unload(&identity, &model_name).await?;
        let is_unloaded = true;
        Ok(Response::new(RepositoryModelUnloadResponse {
            model_name,
            is_unloaded,
        }))
    }
}

/// A version that somebody asked for; the empty one means the latest.
pub(super) fn asked(version: &str) -> Option<&str> {
    Some(version).filter(|version| !version.is_empty())
}

fn metadata_message(metadata: ModelMetadata) -> ModelMetadataResponse {
    let tensor = |tensor: crate::TensorMetadata| TensorMetadata {
        name: tensor.name,
        datatype: tensor.data_type.name().into(),
        shape: tensor.shape,
        ..TensorMetadata::default()
    };
    let mut inputs: Vec<_> = metadata.inputs.into_iter().map(tensor).collect();
    if let Some(first) = inputs.first_mut() {
        first.parameters = metadata
            .properties
            .into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect();
    }
    ModelMetadataResponse {
        name: metadata.name,
        versions: metadata.versions,
        platform: metadata.platform,
        inputs,
        outputs: metadata.outputs.into_iter().map(tensor).collect(),
    }
}

fn text(value: String) -> InferParameter {
    InferParameter {
        parameter_choice: Some(ParameterChoice::StringParam(value)),
    }
}
