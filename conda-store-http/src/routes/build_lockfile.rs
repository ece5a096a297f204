//! `GET /api/v1/build/{build_id}/lockfile/`, also as `conda-lock.yml` and `conda-lock.yaml`: the exact packages.

use axum::response::Response;
use conda_store_core::{auth::Permission, model::ArtifactType};

use crate::{
    answer,
    caller::Caller,
    error::Answer,
    openapi::{Artifact, Forbidden, Missing},
    request::{BuildPath, Conditions},
};

/// The exact packages, as conda-lock writes them.
#[utoipa::path(
    get,
    path = "/build/{build_id}/lockfile",
    tag = "build",
    params(BuildPath),
    responses(Artifact, Forbidden, Missing)
)]
pub(crate) async fn handle(caller: Caller, BuildPath(id): BuildPath, wanted: Conditions) -> Answer<Response> {
    let build = caller.build(id, Permission::EnvironmentRead).await?;
    answer::artifact(&caller.face, &build, ArtifactType::Lockfile, &wanted).await
}
