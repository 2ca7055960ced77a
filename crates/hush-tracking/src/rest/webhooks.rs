//! Webhooks.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};

use super::{Answer, Call, Object};
use crate::store::webhook_page;
use crate::wire::{Fields, WebhookEvent};
use crate::{NewWebhook, Tracking, TrackingError};

pub(super) fn routes() -> Router<Tracking> {
    Router::new()
        .route("/mlflow/webhooks", post(create).get(list))
        .route(
            "/mlflow/webhooks/{webhook_id}",
            get(one).patch(update).delete(delete),
        )
        .route("/mlflow/webhooks/{webhook_id}/test", post(test))
}

fn event(fields: &Fields) -> Result<WebhookEvent, TrackingError> {
    Ok(WebhookEvent {
        entity: fields.required("entity")?,
        action: fields.required("action")?,
    })
}

fn read(fields: &Fields) -> Result<NewWebhook, TrackingError> {
    let events: Result<Vec<WebhookEvent>, TrackingError> =
        fields.objects("events")?.iter().map(event).collect();
    Ok(NewWebhook {
        name: fields.text("name")?.unwrap_or_default(),
        description: fields.text("description")?.unwrap_or_default(),
        url: fields.text("url")?.unwrap_or_default(),
        events: events?,
        secret: fields.text("secret")?.filter(|secret| !secret.is_empty()),
        active: fields
            .text("status")?
            .is_none_or(|status| status != "DISABLED"),
    })
}

async fn create(State(tracking): State<Tracking>, call: Call) -> Answer {
    call.fields.required("name")?;
    call.fields.required("url")?;
    let webhook = tracking
        .create_webhook(&call.caller, read(&call.fields)?)
        .await?;
    Ok(Object::new().with("webhook", &webhook))
}

async fn list(State(tracking): State<Tracking>, call: Call) -> Answer {
    let size = webhook_page(call.fields.integer("max_results")?)?;
    let token = call.fields.text("page_token")?;
    let page = tracking
        .webhooks(&call.caller, size, token.as_deref())
        .await?;
    Ok(Object::new().with_page("webhooks", &page))
}

async fn one(State(tracking): State<Tracking>, call: Call) -> Answer {
    let webhook = tracking
        .webhook(&call.caller, &call.fields.required("webhook_id")?)
        .await?;
    Ok(Object::new().with("webhook", &webhook))
}

async fn update(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (id, status) = (
        call.fields.required("webhook_id")?,
        call.fields.has("status"),
    );
    let webhook = tracking
        .update_webhook(&call.caller, &id, read(&call.fields)?, status)
        .await?;
    Ok(Object::new().with("webhook", &webhook))
}

async fn delete(State(tracking): State<Tracking>, call: Call) -> Answer {
    tracking
        .delete_webhook(&call.caller, &call.fields.required("webhook_id")?)
        .await?;
    Ok(Object::new())
}

async fn test(State(tracking): State<Tracking>, call: Call) -> Answer {
    let event = call
        .fields
        .object("event")?
        .map(|fields| event(&fields))
        .transpose()?;
    let result = tracking
        .test_webhook(&call.caller, &call.fields.required("webhook_id")?, event)
        .await?;
    Ok(Object::new().with("result", &result))
}
