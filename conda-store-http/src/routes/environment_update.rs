//! `PUT /api/v1/environment/{namespace}/{name}/`: another current build, another description.

use conda_store_core::{auth::Permission, model::BuildId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::{Answer, Failure, unacceptable},
    openapi::{BadInput, Forbidden, Full, Missing},
    request::{EnvironmentPath, JsonBody},
};

/// What is to be changed.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Change {
    /// A completed build of this environment.
    build_id: Option<i64>,
    description: Option<String>,
}

/// Makes another build the current one, or describes the environment anew.
#[utoipa::path(
    put,
    path = "/environment/{namespace}/{name}",
    tag = "environment",
    params(EnvironmentPath),
    request_body = Change,
    responses((status = OK, body = Acknowledged), BadInput, Forbidden, Missing, Full),
)]
pub(crate) async fn handle(
    caller: Caller,
    path: EnvironmentPath,
    JsonBody(change): JsonBody<Change>,
) -> Answer<Acknowledgement> {
    caller.environment(&path.namespace, &path.name, Permission::EnvironmentUpdate).await?;
    let store = caller.face.store();
    if let Some(id) = change.build_id {
        let id = BuildId(i32::try_from(id).map_err(|_| no_such_build(id))?);
        store.set_current_build(&path.namespace, &path.name, id).await.map_err(unacceptable)?;
    }
    if let Some(description) = change.description {
        store.catalogue().set_description(&path.namespace, &path.name, &description).await?;
    }
    Ok(Acknowledgement(None))
}

fn no_such_build(id: i64) -> Failure {
    conda_store_core::Error::invalid("change environment", format!("the environment has no build {id}")).into()
}
