//! `hush.v1.Keys`.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tonic::{Request, Response, Status, Streaming};

use super::caller::identity;
use super::inference::asked;
use super::protocol::hush::keys_server::Keys;
use super::protocol::hush::{
    DeleteKeyRequest, DeleteKeyResponse, GetClientRequest, GetClientResponse, KeyStatusRequest,
    KeyStatusResponse, ListKeysRequest, ListKeysResponse, UploadKeyRequest,
};
use crate::admission::BodyShare;
use crate::raw::invalid;
use crate::{ErrorKind, KeyState, KeyStatus, Service};

/// The service behind the protocol.
pub(super) struct KeyService(pub(super) Service);

#[tonic::async_trait]
impl Keys for KeyService {
    async fn get_client(
        &self,
        request: Request<GetClientRequest>,
    ) -> Result<Response<GetClientResponse>, Status> {
        let identity = identity(request.extensions())?;
        let GetClientRequest {
            model_name,
            model_version,
        } = request.into_inner();
        let version = asked(&model_version);
        let client_file = self.0.client_file(&identity, &model_name, version)?;
        Ok(Response::new(GetClientResponse {
            model_name,
            model_version,
            client_file,
        }))
    }

    async fn key_status(
        &self,
        request: Request<KeyStatusRequest>,
    ) -> Result<Response<KeyStatusResponse>, Status> {
        let identity = identity(request.extensions())?;
        let key_id = request.into_inner().key_id;
        let response = match self.0.keys().status(&identity, &key_id).await {
            Ok(status) => message(status),
            Err(error) if error.kind() == ErrorKind::NotFound => KeyStatusResponse {
                key_id,
                ..KeyStatusResponse::default()
            },
            Err(error) => return Err(error.into()),
        };
        Ok(Response::new(response))
    }

    async fn upload_key(
        &self,
        request: Request<Streaming<UploadKeyRequest>>,
    ) -> Result<Response<KeyStatusResponse>, Status> {
        let identity = identity(request.extensions())?;
        let share = request.extensions().get::<Arc<BodyShare>>().cloned();
        let mut parts = request.into_inner();
        let first = parts.message().await?;
        let Some(first) = first else {
            return Err(invalid("the upload is empty; its first message names the key").into());
        };
        let keys = self.0.keys();
        let mut upload = keys
            .begin(&identity, &first.key_id, first.offset, first.total)
            .await?;
        let mut next = Some(first.data);
        while let Some(data) = next {
            if !data.is_empty() {
                upload.write(data).await?;
            }
            if let Some(share) = &share {
                share.give_back();
            }
            next = parts.message().await?.map(|part| part.data);
        }
        Ok(Response::new(message(upload.finish().await?)))
    }

    async fn list_keys(
        &self,
        request: Request<ListKeysRequest>,
    ) -> Result<Response<ListKeysResponse>, Status> {
        let identity = identity(request.extensions())?;
        let keys = self.0.keys().list(&identity).await?;
        let keys = keys.into_iter().map(message).collect();
        Ok(Response::new(ListKeysResponse { keys }))
    }

    async fn delete_key(
        &self,
        request: Request<DeleteKeyRequest>,
    ) -> Result<Response<DeleteKeyResponse>, Status> {
        let identity = identity(request.extensions())?;
        let key_id = request.into_inner().key_id;
        self.0.keys().delete(&identity, &key_id).await?;
        Ok(Response::new(DeleteKeyResponse {}))
    }
}

fn message(status: KeyStatus) -> KeyStatusResponse {
    KeyStatusResponse {
        key_id: status.id,
        received: status.offset,
        total: status.total,
        complete: status.state == KeyState::Complete,
        expires_at: status.expires.map_or(0, seconds),
        owner: status.owner,
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |duration| duration.as_secs())
}
