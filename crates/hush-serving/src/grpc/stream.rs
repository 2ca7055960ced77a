//! Requests as they come on one stream, answers in the same order.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::unfold;
use tokio_stream::Stream;
use tonic::{Status, Streaming};

use super::messages::{from_message, to_message};
use super::protocol::inference::{ModelInferRequest, ModelInferResponse, ModelStreamInferResponse};
use crate::admission::BodyShare;
use crate::{Identity, Service, ServingError};

/// The answers of a stream.
pub(super) type Answers =
    Pin<Box<dyn Stream<Item = Result<ModelStreamInferResponse, Status>> + Send>>;

struct Conversation {
    service: Service,
    identity: Identity,
    deadline: Option<Instant>,
    share: Option<Arc<BodyShare>>,
    requests: Streaming<ModelInferRequest>,
}

/// Answers one request after the other; a request that is refused is an answer with the reason, and the next one is
/// taken. The next request is read when the caller has taken the answer, so nobody makes the server queue for them.
pub(super) fn answers(
    service: Service,
    identity: Identity,
    deadline: Option<Instant>,
    share: Option<Arc<BodyShare>>,
    requests: Streaming<ModelInferRequest>,
) -> Answers {
    let conversation = Conversation {
        service,
        identity,
        deadline,
        share,
        requests,
    };
    Box::pin(unfold(Some(conversation), |conversation| async {
        let mut conversation = conversation?;
        match conversation.requests.message().await {
            Ok(None) => None,
            Ok(Some(request)) => {
                let answer = conversation.answer(request).await;
                Some((Ok(answer), Some(conversation)))
            }
            // The stream itself is broken: it ends with the reason.
            Err(status) => Some((Err(status), None)),
        }
    }))
}

impl Conversation {
    async fn answer(&self, request: ModelInferRequest) -> ModelStreamInferResponse {
        let id = request.id.clone();
        let answer = self.infer(request).await;
        if let Some(share) = &self.share {
            share.give_back();
        }
        match answer {
            Ok(response) => ModelStreamInferResponse {
                error_message: String::new(),
                infer_response: Some(response),
            },
            Err(error) => ModelStreamInferResponse {
                error_message: error.to_string(),
                // By this the caller finds out which of its requests was refused.
                infer_response: Some(ModelInferResponse {
                    id,
                    ..ModelInferResponse::default()
                }),
            },
        }
    }

    async fn infer(&self, request: ModelInferRequest) -> Result<ModelInferResponse, ServingError> {
        let (request, form) = from_message(request, self.deadline)?;
        to_message(self.service.infer(&self.identity, request).await?, form)
    }
}
