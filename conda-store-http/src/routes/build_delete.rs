//! `DELETE /api/v1/build/{build_id}/`: deletes a build that is over and not the current one.

use conda_store_core::auth::Permission;

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::{Answer, unacceptable},
    openapi::{BadInput, Forbidden, Missing},
    request::BuildPath,
};

/// Deletes a build that is over and not the current one of its environment; a worker removes it.
#[utoipa::path(
    delete,
    path = "/build/{build_id}",
    tag = "build",
    params(BuildPath),
    responses((status = OK, body = Acknowledged), BadInput, Forbidden, Missing),
)]
pub(crate) async fn handle(caller: Caller, BuildPath(id): BuildPath) -> Answer<Acknowledgement> {
    let build = caller.build(id, Permission::BuildDelete).await?;
    caller.face.store().delete_build(build.id).await.map_err(unacceptable)?;
    Ok(Acknowledgement(None))
}
