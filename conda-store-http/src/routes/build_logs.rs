//! `GET /api/v1/build/{build_id}/logs/`: the log, also of a build that runs.

use axum::response::Response;
use conda_store_core::{auth::Permission, model::ArtifactType};

use crate::{
    answer,
    caller::Caller,
    error::Answer,
    openapi::{Artifact, Forbidden, Missing},
    request::{BuildPath, Conditions},
};

/// The log, also of a build that runs.
#[utoipa::path(
    get,
    path = "/build/{build_id}/logs",
    tag = "build",
    params(BuildPath),
    responses(Artifact, Forbidden, Missing)
)]
pub(crate) async fn handle(caller: Caller, BuildPath(id): BuildPath, wanted: Conditions) -> Answer<Response> {
    let build = caller.build(id, Permission::EnvironmentRead).await?;
    answer::artifact(&caller.face, &build, ArtifactType::Logs, &wanted).await
}
