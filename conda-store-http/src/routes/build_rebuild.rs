//! `PUT /api/v1/build/{build_id}/`: asks for another build of the same specification.

use conda_store_core::auth::Permission;

use super::specification_post::Submitted;
use crate::{
    answer::{DataWithMessage, Envelope},
    caller::Caller,
    error::{Answer, unacceptable},
    openapi::{BadInput, Forbidden, Full, Missing},
    request::BuildPath,
};

/// Asks for another build of the same specification; answers its id.
#[utoipa::path(
    put,
    path = "/build/{build_id}",
    tag = "build",
    params(BuildPath),
    responses((status = OK, body = Envelope<Submitted>), BadInput, Forbidden, Missing, Full),
)]
pub(crate) async fn handle(caller: Caller, BuildPath(id): BuildPath) -> Answer<DataWithMessage<Submitted>> {
    let build = caller.build(id, Permission::EnvironmentUpdate).await?;
    let rebuilt = caller.face.store().rebuild(&build).await.map_err(unacceptable)?;
    Ok(DataWithMessage(Submitted { build_id: rebuilt.id }, "rebuild triggered"))
}
