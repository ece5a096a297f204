//! `PUT /api/v1/build/{build_id}/cancel/`: calls a build off.

use conda_store_core::auth::Permission;

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::{Answer, unacceptable},
    openapi::{BadInput, Forbidden, Missing},
    request::BuildPath,
};

/// Calls a build off.
#[utoipa::path(
    put,
    path = "/build/{build_id}/cancel",
    tag = "build",
    params(BuildPath),
    responses((status = OK, body = Acknowledged), BadInput, Forbidden, Missing),
)]
pub(crate) async fn handle(caller: Caller, BuildPath(id): BuildPath) -> Answer<Acknowledgement> {
    let build = caller.build(id, Permission::BuildCancel).await?;
    caller.face.store().cancel_build(build.id).await.map_err(unacceptable)?;
    Ok(Acknowledgement(Some(format!("build {} canceled", build.id))))
}
