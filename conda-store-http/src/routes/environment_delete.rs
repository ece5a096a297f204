//! `DELETE /api/v1/environment/{namespace}/{name}/`: deletes an environment with all of its builds.

use conda_store_core::auth::Permission;

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, Missing},
    request::EnvironmentPath,
};

/// Deletes an environment with all of its builds, which are called off where they run; workers remove them.
#[utoipa::path(
    delete,
    path = "/environment/{namespace}/{name}",
    tag = "environment",
    params(EnvironmentPath),
    responses((status = OK, body = Acknowledged), Forbidden, Missing),
)]
pub(crate) async fn handle(caller: Caller, path: EnvironmentPath) -> Answer<Acknowledgement> {
    caller.environment(&path.namespace, &path.name, Permission::EnvironmentDelete).await?;
    caller.face.store().delete_environment(&path.namespace, &path.name).await?;
    Ok(Acknowledgement(None))
}
