//! The repository extension, and MLServer's service of its own for it.

use tonic::{Request, Response, Status};

use super::caller::identity;
use super::protocol::model_repository::model_repository_service_server::ModelRepositoryService;
use super::protocol::model_repository::repository_index_response::ModelIndex;
use super::protocol::model_repository::{
    RepositoryIndexRequest, RepositoryIndexResponse, RepositoryModelLoadRequest,
    RepositoryModelLoadResponse, RepositoryModelUnloadRequest, RepositoryModelUnloadResponse,
};
use crate::{Identity, ModelState, ModelStatus, Service};

/// What the caller may see of the index; `ready`: only models that answer.
pub(super) fn index(
    service: &Service,
    identity: &Identity,
    ready: bool,
) -> impl Iterator<Item = ModelStatus> {
    let index = service.index_for(identity).into_iter();
    index.filter(move |status| !ready || status.state == ModelState::Ready)
}

/// The model that is meant: KServe's clients put its name where others put the repository's.
pub(super) fn model_name(repository: String, model: String) -> String {
    if model.is_empty() { repository } else { model }
}

/// The service behind MLServer's protocol.
pub(super) struct Repository(pub(super) Service);

#[tonic::async_trait]
impl ModelRepositoryService for Repository {
    async fn repository_index(
        &self,
        request: Request<RepositoryIndexRequest>,
    ) -> Result<Response<RepositoryIndexResponse>, Status> {
        let identity = identity(request.extensions())?;
        let index = index(&self.0, &identity, request.get_ref().ready);
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
        self.0
            .load(&identity, &request.get_ref().model_name)
            .await?;
        Ok(Response::new(RepositoryModelLoadResponse {}))
    }

    async fn repository_model_unload(
        &self,
        request: Request<RepositoryModelUnloadRequest>,
    ) -> Result<Response<RepositoryModelUnloadResponse>, Status> {
        let identity = identity(request.extensions())?;
        self.0
            .unload(&identity, &request.get_ref().model_name)
            .await?;
        Ok(Response::new(RepositoryModelUnloadResponse {}))
    }
}
