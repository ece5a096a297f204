//! `GET /api/v2/build/{build_id}/pixi-lock/`: the exact packages, as pixi writes them.

use axum::response::Response;
use conda_store_core::auth::Permission;

use crate::{
    answer,
    caller::Caller,
    error::Answer,
    openapi::{Forbidden, Missing},
    request::BuildPath,
};

/// The exact packages for all platforms, as a `pixi.lock`.
#[utoipa::path(
    get,
    path = "/build/{build_id}/pixi-lock",
    tag = "build",
    params(BuildPath),
    responses(
        (status = OK, description = "the lockfile", body = String, content_type = "text/plain; charset=utf-8"),
        Forbidden,
        Missing
    )
)]
pub(crate) async fn handle(caller: Caller, BuildPath(id): BuildPath) -> Answer<Response> {
    let build = caller.build(id, Permission::EnvironmentRead).await?;
    let lockfile = answer::require_lockfile(&caller.face, &build).await?;
    Ok(answer::text(lockfile.to_pixi()?, "pixi.lock"))
}
