//! `GET /api/v2/build/{build_id}/explicit/`: the exact packages, as `conda list --explicit --md5` prints them.

use axum::response::Response;
use conda_store_core::auth::Permission;

use crate::{
    answer,
    caller::Caller,
    error::Answer,
    openapi::{BadInput, Forbidden, Missing},
    request::{BuildPath, Parameters, PlatformParameter},
};

/// The URLs of the exact packages with their hashes, as `conda create --file` takes them. What pip installs stands below them
/// in comments, as conda-lock writes it.
#[utoipa::path(
    get,
    path = "/build/{build_id}/explicit",
    tag = "build",
    params(BuildPath, PlatformParameter),
    responses(
        (status = OK, description = "the list", body = String, content_type = "text/plain; charset=utf-8"),
        BadInput,
        Forbidden,
        Missing
    )
)]
pub(crate) async fn handle(caller: Caller, BuildPath(id): BuildPath, parameters: Parameters) -> Answer<Response> {
    let build = caller.build(id, Permission::EnvironmentRead).await?;
    let lockfile = answer::require_lockfile(&caller.face, &build).await?;
    let text = lockfile.to_explicit(PlatformParameter::read(&parameters))?;
    Ok(answer::text(text, "explicit.txt"))
}
