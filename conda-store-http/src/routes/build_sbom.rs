//! `GET /api/v2/build/{build_id}/sbom/`: what the environment consists of, with licences, hashes and sources.

use axum::response::Response;
use conda_store_core::{auth::Permission, model::ArtifactType};

use crate::{
    answer,
    caller::Caller,
    error::Answer,
    openapi::{Artifact, Forbidden, Missing},
    request::{BuildPath, Conditions},
};

/// What the environment consists of, with licences, hashes and sources, as SPDX 2.3 has it.
#[utoipa::path(
    get,
    path = "/build/{build_id}/sbom",
    tag = "build",
    params(BuildPath),
    responses(Artifact, Forbidden, Missing)
)]
pub(crate) async fn handle(caller: Caller, BuildPath(id): BuildPath, wanted: Conditions) -> Answer<Response> {
    let build = caller.build(id, Permission::EnvironmentRead).await?;
    answer::artifact(&caller.face, &build, ArtifactType::Sbom, &wanted).await
}
