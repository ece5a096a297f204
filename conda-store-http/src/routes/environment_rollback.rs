//! `POST /api/v2/environment/{namespace}/{name}/rollback/`: an earlier build becomes the current one.

use conda_store_core::{Error, auth::Permission, catalogue::Environment, model::BuildId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    answer::{Data, Envelope},
    caller::Caller,
    error::{Answer, Failure, unacceptable},
    openapi::{BadInput, Forbidden, Missing},
    request::{EnvironmentPath, JsonBody},
};

/// Where to go back to.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Rollback {
    /// A completed build of this environment, older than the current one; the newest of those where none is named.
    build_id: Option<i64>,
}

/// What is current now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RolledBack {
    #[schema(value_type = i32)]
    build_id: BuildId,
}

/// Makes an earlier completed build the current one.
#[utoipa::path(
    post,
    path = "/environment/{namespace}/{name}/rollback",
    tag = "environment",
    params(EnvironmentPath),
    request_body = Rollback,
    responses((status = OK, body = Envelope<RolledBack>), BadInput, Forbidden, Missing),
)]
pub(crate) async fn handle(
    caller: Caller,
    path: EnvironmentPath,
    JsonBody(wanted): JsonBody<Rollback>,
) -> Answer<Data<RolledBack>> {
    let environment = caller.environment(&path.namespace, &path.name, Permission::EnvironmentUpdate).await?;
    let build_id = target(&caller, &environment, wanted.build_id).await?;
    let store = caller.face.store();
    store.set_current_build(&path.namespace, &path.name, build_id).await.map_err(unacceptable)?;
    Ok(Data(RolledBack { build_id }))
}

async fn target(caller: &Caller, environment: &Environment, wanted: Option<i64>) -> Answer<BuildId> {
    let current = environment.current_build_id.ok_or_else(|| refused("the environment has no current build"))?;
    let Some(wanted) = wanted else {
        let earlier = caller.face.store().catalogue().build_before(environment.id, current).await?;
        return earlier.ok_or_else(|| refused("the environment has no earlier completed build"));
    };
    match i32::try_from(wanted).map(BuildId) {
        Ok(id) if id < current => Ok(id),
        Ok(_) => Err(refused(&format!("build {wanted} is not older than the current one, which is {current}"))),
        Err(_) => Err(refused(&format!("the environment has no build {wanted}"))),
    }
}

fn refused(message: &str) -> Failure {
    Error::invalid("roll environment back", message).into()
}
