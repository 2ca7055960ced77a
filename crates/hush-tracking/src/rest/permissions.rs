//! Who may do what with an experiment or a registered model, as MLflow's own authentication has it.

use axum::Router;
use axum::extract::State;
use axum::routing::{delete, get, patch, post};
use serde_json::json;

use super::{Answer, Call, Object};
use crate::store::Named;
use crate::{Permission, Tracking, TrackingError};

pub(super) fn routes() -> Router<Tracking> {
    let mut routes = Router::new();
    for kind in ["experiments", "registered-models"] {
        routes = routes
            .route(&format!("/mlflow/{kind}/permissions/create"), post(create))
            .route(&format!("/mlflow/{kind}/permissions/get"), get(one))
            .route(&format!("/mlflow/{kind}/permissions/update"), patch(update))
            .route(
                &format!("/mlflow/{kind}/permissions/delete"),
                delete(remove),
            );
    }
    routes.route("/mlflow/users/current", get(current))
}

fn named(call: &Call) -> Result<Named, TrackingError> {
    if call.fields.has("experiment_id") {
        return call.fields.required("experiment_id").map(Named::Experiment);
    }
    call.fields.required("name").map(Named::Model)
}

fn answer(what: &Named, account: &str, permission: Permission) -> Object {
    let (name, body) = match what {
        Named::Experiment(id) => (
            "experiment_permission",
            json!({"experiment_id": id, "username": account}),
        ),
        Named::Model(model) => (
            "registered_model_permission",
            json!({"name": model, "username": account}),
        ),
    };
    let mut body = body;
    body["permission"] = permission.name().into();
    Object::new().with(name, &body)
}

async fn create(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (what, account) = (named(&call)?, call.fields.required("username")?);
    let permission = Permission::parse(&call.fields.required("permission")?)?;
    tracking
        .grant(&call.caller, what.clone(), &account, Some(permission), true)
        .await?;
    Ok(answer(&what, &account, permission))
}

async fn one(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (what, account) = (named(&call)?, call.fields.required("username")?);
    let permission = tracking
        .granted(&call.caller, what.clone(), &account)
        .await?;
    Ok(answer(&what, &account, permission))
}

async fn update(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (what, account) = (named(&call)?, call.fields.required("username")?);
    let permission = Permission::parse(&call.fields.required("permission")?)?;
    tracking
        .grant(&call.caller, what, &account, Some(permission), false)
        .await?;
    Ok(Object::new())
}

async fn remove(State(tracking): State<Tracking>, call: Call) -> Answer {
    let (what, account) = (named(&call)?, call.fields.required("username")?);
    tracking
        .grant(&call.caller, what, &account, None, false)
        .await?;
    Ok(Object::new())
}

async fn current(_: State<Tracking>, call: Call) -> Answer {
    let (name, admin) = (&*call.caller.name, call.caller.administrator);
    Ok(Object::new().with("user", &json!({"username": name, "is_admin": admin})))
}
